# SPDX-License-Identifier: GPL-2.0-only
"""The host's disk, watched while a container writes to some of its folders."""

import os
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from patchbench.errors import DiskFull, Overrun
from patchbench.tools import files

#: Nothing runs that writes to a disk with less than this free: the host needs some itself.
FLOOR_BYTES = 2 << 30
#: Empty files take no blocks, but every one an inode.
_MOST_FILES = 1_000_000
_FLOOR_INODES = 10_000
_EVERY_S = 0.5
_GIB = 1 << 30


@dataclass(frozen=True, slots=True)
class Room:
    """What a file system has left. `inodes` is None where it makes them as it needs them."""

    free_bytes: int
    inodes: int | None


def room(folder: Path) -> Room:
    """Return what the file system of a folder has left."""
    found = os.statvfs(folder)
    return Room(found.f_bavail * found.f_frsize, found.f_favail if found.f_files else None)


class DiskWatch:
    """Looks at folders that somebody writes to, and says when that has to stop."""

    def __init__(self, folders: Sequence[Path], most_bytes: int) -> None:
        self._folders = folders
        self._most_bytes = most_bytes
        self._began = time.time()
        self._before = [room(folder) for folder in folders]
        self._looked = 0.0

    def look(self) -> None:
        """Raise Overrun if the folders grew by too much, DiskFull if there is little room left.

        It looks no more often than is worth the while. A walk over the folders is done only if
        the file system lost as much as is allowed: others may have used it.
        """
        now = time.monotonic()
        if now - self._looked < _EVERY_S:
            return
        self._looked = now
        for folder, before in zip(self._folders, self._before, strict=True):
            left = room(folder)
            if _exceeds(before, left, self._most_bytes):
                self._count()
            lacks_inodes = left.inodes is not None and left.inodes < _FLOOR_INODES
            if left.free_bytes < FLOOR_BYTES or lacks_inodes:
                raise DiskFull(
                    f"the disk is nearly full: {left.free_bytes / _GIB:.1f} GiB and "
                    f"{left.inodes} inodes are left for {folder}\n"
                    f"  nothing is built or booted below {FLOOR_BYTES / _GIB:.0f} GiB; make room"
                )

    def _count(self) -> None:
        counts = [files.written_since(folder, self._began) for folder in self._folders]
        written_bytes, written_files = (sum(column) for column in zip(*counts, strict=True))
        if written_bytes > self._most_bytes or written_files > _MOST_FILES:
            raise Overrun(
                f"it wrote {written_bytes / _GIB:.1f} GiB in {written_files} files, and was "
                f"stopped: at most {self._most_bytes / _GIB:.0f} GiB and {_MOST_FILES} files\n"
                "  the series may be why"
            )


def _exceeds(before: Room, left: Room, most_bytes: int) -> bool:
    if before.free_bytes - left.free_bytes > most_bytes:
        return True
    return (
        before.inodes is not None
        and left.inodes is not None
        and before.inodes - left.inodes > _MOST_FILES
    )
