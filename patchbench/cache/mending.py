# SPDX-License-Identifier: GPL-2.0-only
"""Whether all of a cache is what it was when it was put there; what is not is removed.

All of a cache is made again when it is missed, so to mend it is to remove what is damaged. What a
build leaves below work/ is not hashed: whoever doubts it cleans it.
"""

import os
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from patchbench.cache import parts
from patchbench.cache.parts import gib
from patchbench.stages import tree
from patchbench.store import Store, file_sha256
from patchbench.tools import files
from patchbench.tools.git import Repository

HEADINGS = ("part", "state", "detail")
#: What is being written or removed has such a name, and is left only by a run that was killed.
_UNFINISHED = re.compile(r"\.new-.*|\.removed-.*|.*\.part|.*\.new|\..+\.[a-z0-9_]{8}")
_UNFINISHED_IN = ("shelf/*/*", "downloads/*", "kernels/*/*", "logs/*", "work/*", "*")
_SHA256 = re.compile(r"[0-9a-f]{64}")
#: Nothing of ours is a link here, and no further below work/ than our own folders reach.
_WITHOUT_LINKS = ("shelf", "kernels", "downloads", "ccache", "logs")
_OURS_IN_WORK = ("*", "lanes/*", "lanes/*/*", "lanes/*/*/*", "lanes/*/series/*/*", "apply/*/*")
_NAMED = 3


@dataclass(frozen=True, slots=True)
class Mended:
    """One part of a cache; `removed` is what was found wrong with it, and is gone."""

    part: str
    detail: str
    removed: tuple[Path, ...] = ()

    def cells(self) -> tuple[str, str, str]:
        """Return the row as a table has it."""
        if not self.removed:
            return self.part, "ok", self.detail
        named = ", ".join(path.name[:40] for path in self.removed[:_NAMED])
        more = f" and {len(self.removed) - _NAMED} more" if len(self.removed) > _NAMED else ""
        return self.part, "mended", f"{self.detail}; removed {named}{more}"


def mend(cache: Path) -> Iterator[Mended]:
    """Look at every part of a cache, and remove what is damaged. Call under the cache's lock.

    Gives a row when its part is done: a kernel's repository takes half a minute.
    """
    yield _row("left by killed runs", "half-made or half removed", _unfinished(cache))
    yield _row("links", _kept_links(cache), _links(cache), Path.unlink)
    damaged = [] if (cache / "shelf").is_symlink() else Store(cache / "shelf").damaged()
    for kind in (path.name for path in files.listed(cache, "shelf/*")):
        bad = [path for path in damaged if path.parent.name == kind]
        yield _row(f"shelf: {kind}", _size(cache, f"shelf/{kind}/*", "entries"), bad)
    yield _row("downloads", _size(cache, "downloads/*", "files"), _broken_downloads(cache))
    for folder in files.listed(cache, "kernels/*"):
        broken = [folder] if _is_broken(folder) else []
        yield _row(
            f"kernel {folder.name}", _size(cache, f"kernels/{folder.name}/*", "files"), broken
        )
    yield Mended("work trees", f"{len(tree.work_trees(cache))}, all of this cache")
    for kind in ("lanes", "compiler caches", "scratch"):
        held = [part for part in parts.held(cache) if part.kind == kind]
        yield Mended(kind, f"{len(held)}, {gib(sum(part.size_bytes for part in held))}, not hashed")
    if alien := parts.strange(cache):
        yield Mended("not ours", f"left alone: {', '.join(path.name for path in alien)}")


def _row(
    part: str,
    detail: str,
    bad: list[Path],
    remove: Callable[[Path], object] = files.remove_whole,
) -> Mended:
    for path in bad:
        remove(path)
    return Mended(part, detail, tuple(bad))


def _size(cache: Path, pattern: str, noun: str) -> str:
    found = [parts.size_bytes(path) for path in files.listed(cache, pattern)]
    return f"{len(found)} {noun}, {gib(sum(found))}"


def _unfinished(cache: Path) -> list[Path]:
    found = (path for pattern in _UNFINISHED_IN for path in files.listed(cache, pattern))
    return sorted({path for path in found if _UNFINISHED.fullmatch(path.name)})


def _kept_links(cache: Path) -> str:
    """Return which parts of a cache its user has put elsewhere: they are not looked at."""
    away = [path.name for path in files.listed(cache, "*") if path.is_symlink()]
    return f"lead elsewhere, and are left alone: {', '.join(away)}" if away else "none of ours"


def _links(cache: Path) -> list[Path]:
    # os.walk follows its first folder, if no other.
    tops = [cache / part for part in _WITHOUT_LINKS if not (cache / part).is_symlink()]
    below = [
        Path(folder, name)
        for top in tops
        for folder, folders, names in os.walk(top)
        for name in (*folders, *names)
    ]
    ours = [path for pattern in _OURS_IN_WORK for path in files.listed(cache, f"work/{pattern}")]
    return sorted({path for path in (*below, *ours) if path.is_symlink()})


def _broken_downloads(cache: Path) -> list[Path]:
    named = [path for path in files.listed(cache, "downloads/*") if _SHA256.fullmatch(path.name)]
    return [path for path in named if not path.is_file() or file_sha256(path) != path.name]


def _is_broken(kernel: Path) -> bool:
    repository = kernel / "repo.git"
    return not repository.is_dir() or bool(Repository(repository).damage())
