# SPDX-License-Identifier: GPL-2.0-only
"""When a container that fills the disk is ended."""

from pathlib import Path

import pytest

from patchbench.errors import DiskFull, Overrun
from patchbench.tools import disk
from patchbench.tools.disk import FLOOR_BYTES, DiskWatch, Room

PLENTY = Room(100 << 30, 1_000_000)
MOST_BYTES = 1 << 20


class FakeDisk:
    """A file system that has as much room as a test says."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.left = PLENTY
        monkeypatch.setattr(disk, "room", lambda _: self.left)
        monkeypatch.setattr(disk, "_EVERY_S", 0)

    def lose(self, used_bytes: int) -> None:
        self.left = Room(self.left.free_bytes - used_bytes, self.left.inodes)


@pytest.fixture
def host(monkeypatch: pytest.MonkeyPatch) -> FakeDisk:
    return FakeDisk(monkeypatch)


def test_a_container_that_writes_more_than_it_may_is_ended(host: FakeDisk, tmp_path: Path) -> None:
    watch = DiskWatch([tmp_path], MOST_BYTES)
    (tmp_path / "file").write_bytes(b"x" * 2 * MOST_BYTES)
    host.lose(2 * MOST_BYTES)
    with pytest.raises(Overrun, match="GiB in 1 files, and was stopped"):
        watch.look()


def test_what_others_write_ends_nobody(host: FakeDisk, tmp_path: Path) -> None:
    (tmp_path / "ours").mkdir()
    watch = DiskWatch([tmp_path / "ours"], MOST_BYTES)
    (tmp_path / "theirs").write_bytes(b"x" * 2 * MOST_BYTES)
    host.lose(2 * MOST_BYTES)
    watch.look()


def test_below_the_floor_everything_ends_whoever_wrote(host: FakeDisk, tmp_path: Path) -> None:
    watch = DiskWatch([tmp_path], MOST_BYTES)
    host.left = Room(FLOOR_BYTES - 1, 1_000_000)
    with pytest.raises(DiskFull, match="nearly full"):
        watch.look()


def test_a_disk_without_inodes_is_full(host: FakeDisk, tmp_path: Path) -> None:
    watch = DiskWatch([tmp_path], MOST_BYTES)
    host.left = Room(PLENTY.free_bytes, 0)
    with pytest.raises(DiskFull, match="0 inodes"):
        watch.look()


def test_a_file_system_that_makes_inodes_as_it_needs_them_has_enough(
    host: FakeDisk, tmp_path: Path
) -> None:
    watch = DiskWatch([tmp_path], MOST_BYTES)
    host.left = Room(PLENTY.free_bytes, None)
    watch.look()


def test_a_real_disk_has_room_to_tell_of(tmp_path: Path) -> None:
    assert disk.room(tmp_path).free_bytes > 0
