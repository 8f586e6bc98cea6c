# SPDX-License-Identifier: GPL-2.0-only
"""An engine that is killed, or whose disk is full, while it compiles or boots: a real one."""

import os
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import docker
import pytest

from patchbench.errors import ToolFailed
from patchbench.tools.container import Engine, Limits
from tests.faults.engines import IMAGE, OwnEngine, own_engine, root_with_bash

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.skipif(os.getuid() != 0, reason="root alone mounts a disk and starts an engine"),
]

#: Says that it runs, and goes on for as long as the test may take.
WORK = "echo at work; read -t 300 <> <(:)"


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """Return a folder on a disk of its own, which is small."""
    folder = tmp_path / "disk"
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64m", "none", folder], check=True)
    yield folder
    subprocess.run(["umount", "--lazy", folder], check=True)


@pytest.fixture
def engine(tmp_path: Path, disk: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[OwnEngine]:
    with own_engine(tmp_path, disk) as own:
        monkeypatch.setenv("DOCKER_HOST", own.url)
        with Engine(tmp_path, "first") as connection:
            connection.import_root(root_with_bash(tmp_path / "root"), IMAGE, ("made-by", "a-test"))
        yield own


def run(connection: Engine, script: str, **more: object) -> int | None:
    done = connection.run(IMAGE, ["bash", "-c", script], Limits(timeout_s=60), **more)  # type: ignore[arg-type]
    return done.status


def when(line: str, then: object) -> object:
    """Return what calls `then` in a thread of its own as soon as a container printed a line."""

    def hear(said: str) -> None:
        if line in said:
            threading.Thread(target=then).start()  # type: ignore[arg-type]

    return hear


def left_running() -> list[str]:
    """Return what still runs of what was in a container, after some time to end."""
    ends = time.monotonic() + 10
    while (left := at_work()) and time.monotonic() < ends:
        time.sleep(0.1)
    return left


def at_work() -> list[str]:
    """Return the processes that run WORK now."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            words = (process / "cmdline").read_text()
            if words.startswith("bash") and WORK in words:
                found.append(process.name)
    return found


def test_an_engine_that_is_killed_costs_the_run_and_leaves_nothing_once_it_is_back(
    engine: OwnEngine, tmp_path: Path
) -> None:
    with (
        Engine(tmp_path, "first") as connection,
        pytest.raises(ToolFailed, match="the container engine could not run bash"),
    ):
        run(connection, WORK, on_line=when("at work", engine.kill))
    assert at_work(), "a container outlives its engine, or this test shows nothing"
    engine.start()
    with Engine(tmp_path, "second") as connection:
        connection.reap([])
        assert run(connection, "exit 7") == 7
    assert left_running() == []


def test_a_container_that_ends_between_being_listed_and_looked_at_costs_nothing(
    engine: OwnEngine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Before: status 30, "could not list containers", where another run's had just ended.
    with Engine(tmp_path, "first") as connection:
        gone = [{"Id": "0" * 64}]
        monkeypatch.setattr(connection._client.api, "containers", lambda **_: gone)
        assert connection.reap([]) == 0


@pytest.mark.parametrize("how", ["killed", "told to end"])
def test_an_engine_that_is_back_at_once_is_no_failure_of_what_it_ran(
    engine: OwnEngine, tmp_path: Path, how: str
) -> None:
    gone, back = threading.Event(), threading.Event()

    def restart() -> None:
        gone.set()
        engine.kill() if how == "killed" else engine.end()
        engine.start()
        back.set()

    def looking_takes_long() -> None:
        if gone.is_set():
            back.wait()

    with (
        Engine(tmp_path, "first") as connection,
        pytest.raises(ToolFailed, match="the container engine was ended, or ended bash"),
    ):
        run(connection, WORK, on_line=when("at work", restart), poll=looking_takes_long)
    assert left_running() == []


def test_what_somebody_ends_through_the_engine_is_no_failure_of_its_own(
    engine: OwnEngine, tmp_path: Path
) -> None:
    client = docker.DockerClient(base_url=engine.url)
    end = when("at work", lambda: client.containers.list()[0].kill())
    with (
        Engine(tmp_path, "first") as connection,
        pytest.raises(ToolFailed, match="the container engine was ended, or ended bash"),
    ):
        run(connection, WORK, on_line=end)


def test_what_dies_for_want_of_memory_is_a_failure_of_its_own(
    engine: OwnEngine, tmp_path: Path
) -> None:
    grows = "x=0123456789abcdef; while :; do x=$x$x; done"
    limits = Limits(timeout_s=60, memory_gib=1)
    with Engine(tmp_path, "first") as connection:
        done = connection.run(IMAGE, ["bash", "-c", grows], limits)
    assert done.status not in (0, None)


def test_an_engine_whose_disk_is_full_says_so_and_works_again_afterwards(
    engine: OwnEngine, disk: Path, tmp_path: Path
) -> None:
    filler = disk / "filler"
    with Engine(tmp_path, "first") as connection:
        with suppress(OSError), filler.open("wb", buffering=0) as file:
            while file.write(bytes(1 << 16)):
                pass
        with pytest.raises(ToolFailed, match="the container engine"):
            run(connection, "exit 7")
        filler.unlink()
        assert run(connection, "exit 7") == 7
