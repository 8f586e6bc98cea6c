# SPDX-License-Identifier: GPL-2.0-only
"""What goes first when a cache is to be smaller."""

import os
from pathlib import Path

import pytest

from patchbench.cache import parts
from patchbench.pipeline import Pipeline
from patchbench.store import Store
from patchbench.tools import disk
from tests.fakes import Listener

MIB = 1 << 20
ROOT = Path(__file__).resolve().parents[2]


def put(cache: Path, name: str, used: float) -> Path:
    """Write a part of one MiB that was last used then."""
    path = cache / name
    path.mkdir(parents=True)
    (path / "data").write_bytes(os.urandom(MIB))
    os.utime(path, (used, used))
    return path


def test_what_was_used_least_recently_goes_first_whatever_its_kind(tmp_path: Path) -> None:
    lane = put(tmp_path, "work/lanes/mainline-1/unpatched", used=3)
    old = put(tmp_path, "shelf/images/old", used=1)
    cache = put(tmp_path, "ccache/mainline-1/base", used=2)
    new = put(tmp_path, "shelf/boots/new", used=4)
    gone = parts.evict(tmp_path, 2 * MIB + 64 * 1024)
    assert [part.path for part in gone] == [old, cache]
    assert not old.exists()
    assert lane.exists()
    assert new.exists()


def test_a_lane_is_as_new_as_its_newest_objects(tmp_path: Path) -> None:
    lane = put(tmp_path, "work/lanes/mainline-1/series/v0-1", used=1)
    put(lane, "objects/bench", used=9)
    for path in (lane, lane / "data", lane / "objects"):
        os.utime(path, (1, 1))
    (found,) = parts.held(tmp_path)
    assert (found.kind, found.used) == ("lanes", 9)


def test_sources_stay_and_count(tmp_path: Path) -> None:
    source = put(tmp_path, "kernels/mainline", used=1)
    put(tmp_path, "shelf/images/one", used=2)
    assert [part.kind for part in parts.evict(tmp_path, MIB)] == ["shelf"]
    assert source.exists()


def test_a_link_to_elsewhere_is_evicted_and_not_what_it_leads_to(tmp_path: Path) -> None:
    elsewhere = put(tmp_path, "elsewhere", used=1)
    (tmp_path / "cache/work").mkdir(parents=True)
    (tmp_path / "cache/work/linked").symlink_to(elsewhere)
    parts.evict(tmp_path / "cache", 0)
    assert (elsewhere / "data").exists()
    assert not (tmp_path / "cache/work/linked").is_symlink()


def test_a_run_bounds_the_shelf_and_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = put(tmp_path, "shelf/images/old", used=1)
    monkeypatch.setattr(parts.bound_shelf, "__defaults__", (MIB // 2,))
    listener = Listener()
    with Pipeline(ROOT, tmp_path, listener):
        assert not old.exists()
    assert "the shelf holds" in listener.heard[0]
    assert "evicted 1 of its parts, 0.00 GiB" in listener.heard[0]


def disk_of(monkeypatch: pytest.MonkeyPatch, cache: Path, lanes: int) -> None:
    """Let the disk have room for so many lanes and nothing else."""

    def room(_: Path) -> disk.Room:
        there = len([*cache.glob("work/lanes/*/series/*")])
        return disk.Room((lanes - there) * parts.ROOM_BYTES, None)

    monkeypatch.setattr(disk, "room", room)


def test_a_run_on_a_full_disk_evicts_lanes_until_there_is_room_and_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in (2, 1, 3):
        put(tmp_path, f"work/lanes/mainline-1/series/v{number}-1", used=number)
    put(tmp_path, "shelf/images/old", used=0)
    disk_of(monkeypatch, tmp_path, lanes=2)
    listener = Listener()
    with Pipeline(ROOT, tmp_path, listener):
        left = [path.name for path in sorted(tmp_path.glob("work/lanes/*/series/*"))]
    assert left == ["v3-1"]
    assert (tmp_path / "shelf/images/old").exists()
    assert listener.heard[0].startswith("the disk had less than 12.00 GiB free; evicted 2 of its")


def test_a_run_with_room_on_the_disk_evicts_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = put(tmp_path, "work/lanes/mainline-1/series/v1-1", used=1)
    disk_of(monkeypatch, tmp_path, lanes=2)
    with Pipeline(ROOT, tmp_path, Listener()):
        pass
    assert old.exists()


def test_an_entry_that_is_used_is_new(tmp_path: Path) -> None:
    store = Store(tmp_path / "shelf")
    entry = store.ensure("images", {"a": 1}, lambda new: (new / "Image").touch())
    os.utime(entry, (1, 1))
    store.get("images", {"a": 1})
    (found,) = parts.held(tmp_path)
    assert found.used > 1
