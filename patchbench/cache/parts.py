# SPDX-License-Identifier: GPL-2.0-only
"""What a cache holds, by kind, and which of it goes first when there is to be less.

The shelf (store.py) and the lanes (stages/lanes.py) know their own folders; here they are patterns.
The time of an entry, and of a folder that a container writes, is that of its last use.
"""

import stat
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from patchbench.tools import disk, files

#: A run that finds less room than this on the disk makes some: two kernels with their build
#: folders, the toolchain image and its base.
ROOM_BYTES = 12 << 30
#: The shelf is brought below this whenever a run begins: some 150 kernels and their boots.
SHELF_BYTES = 20 << 30
#: What may go, by kind: it is made again without a network.
_EVICTABLE: Mapping[str, Sequence[str]] = {
    "shelf": ("shelf/*/*",),
    "lanes": ("work/lanes/*/unpatched", "work/lanes/*/series/*"),
    "compiler caches": ("ccache/*/base", "ccache/*/unpatched", "ccache/*/series/*"),
    "scratch": ("work/*",),
}
_LANES = "work/lanes"
#: Sources take a network to make again, and Debian's archive does not keep old ones.
_KEPT: Mapping[str, Sequence[str]] = {
    "kernels": ("kernels/*",),
    "downloads": ("downloads/*",),
    "logs": ("logs",),
}
#: A lane's folders lie this deep; the time of the newest is that of its last use.
_USED_BELOW = ("*", "*/*")


@dataclass(frozen=True, slots=True)
class Part:
    """Something in a cache that stays or goes as a whole; `used` is in seconds since the epoch."""

    kind: str
    path: Path
    size_bytes: int
    used: float


def held(cache: Path) -> list[Part]:
    """Return all that a cache holds of ours."""
    return [*_parts(cache, _EVICTABLE), *_parts(cache, _KEPT)]


def strange(cache: Path) -> list[Path]:
    """Return what lies in a cache and is none of ours: an engine's data, say."""
    ours = {"shelf", "work", "ccache", "kernels", "downloads", "logs", "lock", "in-use"}
    return [path for path in files.listed(cache, "*") if path.name not in ours]


def bound_shelf(cache: Path, most_bytes: int = SHELF_BYTES) -> list[Part]:
    """Evict entries of the shelf until it holds no more than so much; return those that went."""
    return _evict([*_parts(cache, {"shelf": _EVICTABLE["shelf"]})], most_bytes)


def make_room(cache: Path, least_bytes: int = ROOM_BYTES) -> list[Part]:
    """Evict lanes until the disk has so much free, or none is left; return those that went.

    Lanes go and nothing else: they take most, and the compiler cache makes them again in minutes.
    """
    gone: list[Part] = []
    if disk.room(cache).free_bytes >= least_bytes:
        return gone  # sizes take seconds, so that they are asked only for what goes
    kind = "lanes"
    lanes = [path for pattern in _EVICTABLE[kind] for path in files.listed(cache, pattern)]
    for used, path in sorted((_used(path, deep=True), path) for path in lanes):
        if disk.room(cache).free_bytes >= least_bytes:
            break
        gone.append(Part(kind, path, size_bytes(path), used))
        files.remove_whole(path)
    return gone


def evict(cache: Path, most_bytes: int) -> list[Part]:
    """Evict what was used least recently until a cache holds no more; return what went.

    Sources and downloads stay, and count.
    """
    stays = sum(part.size_bytes for part in _parts(cache, _KEPT))
    return _evict([*_parts(cache, _EVICTABLE)], most_bytes - stays)


def summary(evicted: Sequence[Part]) -> str:
    """Return what was evicted, in words."""
    size = sum(part.size_bytes for part in evicted)
    newest = max(part.used for part in evicted)
    when = time.strftime("%Y-%m-%d %H:%M", time.localtime(newest))
    return f"{len(evicted)} of its parts, {gib(size)}, last used {when} or before"


def gib(size_bytes: int) -> str:
    """Return a size as people read it."""
    return f"{size_bytes / (1 << 30):.2f} GiB"


def _evict(parts: list[Part], most_bytes: int) -> list[Part]:
    left = sum(part.size_bytes for part in parts)
    gone = []
    for part in sorted(parts, key=lambda part: part.used):
        if left <= most_bytes:
            break
        files.remove_whole(part.path)
        left -= part.size_bytes
        gone.append(part)
    return gone


def _parts(cache: Path, kinds: Mapping[str, Sequence[str]]) -> Iterator[Part]:
    for kind, patterns in kinds.items():
        for path in (path for pattern in patterns for path in files.listed(cache, pattern)):
            if path != cache / _LANES:
                yield Part(kind, path, size_bytes(path), _used(path, deep=kind == "lanes"))


def size_bytes(path: Path) -> int:
    """Return how much of the disk a file or a folder takes."""
    found = path.lstat()
    below = files.size_bytes(path) if stat.S_ISDIR(found.st_mode) else 0
    return found.st_blocks * 512 + below


def _used(path: Path, *, deep: bool) -> float:
    patterns = _USED_BELOW if deep else ()
    below = (found for pattern in patterns for found in files.listed(path, pattern))
    times: list[float] = [found.lstat().st_mtime for found in (path, *below)]
    return max(times)
