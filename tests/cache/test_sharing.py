# SPDX-License-Identifier: GPL-2.0-only
"""Several runs on one cache: one makes something, the others boot."""

import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from patchbench.cache.sharing import Share
from patchbench.errors import LostGuest, ToolFailed

ROOT = Path(__file__).resolve().parents[2]
#: A run that is killed while it boots.
_KILLED = """
import os, sys
from pathlib import Path
from patchbench.cache.sharing import Share
share = Share(Path(sys.argv[1]), print, boots_only=False)
share.enter()
with share.booting():
    print(share.name, flush=True)
    sys.stdin.read()
"""


def share(cache: Path, say: Callable[[str], None] = pytest.fail, **how: bool) -> Share:
    return Share(cache, say, boots_only=how.get("boots_only", False))


def in_a_thread(work: Callable[[], None]) -> None:
    """Run it as another run would: in a thread, and to its end."""
    failed: list[BaseException] = []

    def guarded() -> None:
        try:
            work()
        except BaseException as err:  # noqa: BLE001  # it is raised again below
            failed.append(err)

    thread = threading.Thread(target=guarded)
    thread.start()
    thread.join(60)
    assert not thread.is_alive(), "it waits for a lock"
    if failed:
        raise failed[0]


def build_something(cache: Path) -> None:
    other = share(cache)
    other.enter()
    other.leave()


def test_while_a_run_boots_another_may_build(tmp_path: Path) -> None:
    mine = share(tmp_path)
    mine.enter()
    with mine.booting():
        in_a_thread(lambda: build_something(tmp_path))
    mine.leave()


def test_who_is_done_booting_waits_for_who_builds_and_says_so(tmp_path: Path) -> None:
    said: list[str] = []
    mine = Share(tmp_path, said.append, boots_only=False)
    mine.enter()
    entered, ended = threading.Event(), threading.Event()

    def build() -> None:
        other = share(tmp_path)
        other.enter()
        entered.set()
        ended.wait(60)
        other.leave()

    thread = threading.Thread(target=build)
    with mine.booting():
        thread.start()
        assert entered.wait(60)
        threading.Timer(0.3, ended.set).start()
    assert ended.is_set()
    assert said == [f"another run is using {tmp_path}; waiting until it boots or ends"]
    thread.join()
    mine.leave()


def test_a_boot_that_fails_leaves_the_run_with_its_lock(tmp_path: Path) -> None:
    mine, waits = share(tmp_path), threading.Event()
    mine.enter()
    with pytest.raises(LostGuest), mine.booting():
        raise LostGuest("it is gone")

    def build() -> None:
        other = Share(tmp_path, lambda _: waits.set(), boots_only=False)
        other.enter()
        other.leave()

    thread = threading.Thread(target=build)
    thread.start()
    assert waits.wait(60), "another run builds beside it"
    mine.leave()
    thread.join()


def test_nothing_is_cleared_while_another_run_boots(tmp_path: Path) -> None:
    mine = share(tmp_path)
    mine.enter()

    def clear() -> None:
        other = share(tmp_path)
        other.enter()
        try:
            assert other.others() == {mine.name}
            with pytest.raises(ToolFailed, match="another run boots from"):
                other.require_alone()
        finally:
            other.leave()

    with mine.booting():
        in_a_thread(clear)
    assert mine.others() == set()
    mine.require_alone()
    mine.leave()


def test_who_only_boots_waits_for_nobody_but_who_is_about_to_clear(tmp_path: Path) -> None:
    booting = share(tmp_path, boots_only=True)
    booting.enter()
    in_a_thread(lambda: build_something(tmp_path))
    booting.leave()


def test_a_run_that_was_killed_is_none_of_the_living(tmp_path: Path) -> None:
    line = [sys.executable, "-c", _KILLED, str(tmp_path)]
    with subprocess.Popen(
        line, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as killed:
        assert killed.stdout
        name = killed.stdout.readline().strip()
        mine = share(tmp_path)
        mine.enter()
        assert mine.others() == {name}
        killed.kill()
        killed.wait()
    assert mine.others() == set()
    assert [path.name for path in (tmp_path / "in-use").iterdir()] == [mine.name]
    mine.leave()
