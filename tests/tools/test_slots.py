# SPDX-License-Identifier: GPL-2.0-only
"""The slots of a host, which all its processes share."""

import threading
from pathlib import Path

import pytest

from patchbench.errors import ToolFailed
from patchbench.tools.slots import Slots


def slots(tmp_path: Path, count: int = 2, heard: list[str] | None = None) -> Slots:
    return Slots(tmp_path / "slots", range(count), (heard if heard is not None else []).append)


def taken(slots: Slots, how: str) -> threading.Event:
    """Take a slot in another thread, and return what is set while it is held."""
    holds = threading.Event()

    def hold() -> None:
        with getattr(slots, how)():
            holds.set()

    threading.Thread(target=hold, daemon=True).start()
    return holds


def test_as_many_hold_a_slot_as_there_are(tmp_path: Path) -> None:
    first, second = slots(tmp_path), slots(tmp_path)
    with first.one(), second.one():
        third = taken(slots(tmp_path), "one")
        assert not third.wait(0.1)
    assert third.wait(5)


def test_whoever_wants_the_whole_host_waits_for_all_and_keeps_newcomers_waiting(
    tmp_path: Path,
) -> None:
    with slots(tmp_path).one():
        whole = taken(slots(tmp_path), "whole")
        assert not whole.wait(0.1)
        newcomer = taken(slots(tmp_path), "one")
        assert not newcomer.wait(0.1)
    assert whole.wait(5)
    assert newcomer.wait(5)


def test_whoever_has_to_wait_is_told_once(tmp_path: Path) -> None:
    heard: list[str] = []
    with slots(tmp_path).whole():
        waiting = slots(tmp_path, heard=heard)
        held = taken(waiting, "one")
        held.wait(0.3)
    assert held.wait(5)
    assert heard == ["other boots keep this host busy; waiting for a slot"]


def test_a_run_that_waits_for_its_own_boots_does_not_blame_others(tmp_path: Path) -> None:
    heard: list[str] = []
    ours = slots(tmp_path, heard=heard)
    with ours.one(), ours.one():
        third = taken(ours, "one")
        assert not third.wait(0.3)
    assert third.wait(5)
    assert heard == []
    with slots(tmp_path).one(), ours.one():
        third = taken(ours, "one")
        assert not third.wait(0.3)
    assert third.wait(5)
    assert heard == ["other boots keep this host busy; waiting for a slot"]


def test_nobody_waits_in_a_process_that_is_being_stopped(tmp_path: Path) -> None:
    stopped = slots(tmp_path)
    stopped.close()
    with pytest.raises(ToolFailed, match="being stopped"), stopped.one():
        pass
