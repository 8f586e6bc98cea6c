# SPDX-License-Identifier: GPL-2.0-only
"""Which objects of a lane make is going to compile again, and for which files.

kbuild keeps beside each object what it was compiled from, in .NAME.o.cmd; make compiles it again
if one of these files is newer. To read them takes a seventh of what make's dry run takes, and finds
the same. What make decides by its command lines and its configuration is not seen.
"""

import os
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from patchbench.errors import Unfit
from patchbench.tools import files

#: The lines of a list of dependencies: `  /src/include/linux/swap.h \`.
_DEPENDENCY = re.compile(r"^(?:source_\S+ :=|) +/src/(\S+)", re.MULTILINE)
_MOST_BYTES = 1 << 20
_COMMANDS = re.compile(r"\.(.+\.o)\.cmd")


@dataclass(frozen=True, slots=True)
class Outdated:
    """How many objects there are, how many are older than a source; the sources, most felt first.

    count: 0 and whole 0 where nothing was compiled yet.
    """

    count: int
    whole: int
    causes: tuple[str, ...] = ()

    def __str__(self) -> str:
        if not self.count:
            return f"no object of {self.whole:,} is older than its source"
        first, *others = self.causes
        more = f" and {len(others)} others" if len(others) > 1 else f" and {', '.join(others)}"
        because = f"{first}{more if others else ''}"
        return f"{self.count:,} of {self.whole:,} objects will be built, because of {because}"


def outdated(objects: Path, source: Path) -> Outdated:
    """Return what a lane's objects are made from that is newer than they are."""
    written_ns: dict[str, int] = {}
    causes: Counter[str] = Counter()
    count = whole = 0
    for built_ns, sources in _compiled(objects):
        newer = [name for name in sources if _written_ns(source, name, written_ns) > built_ns]
        whole += 1
        count += bool(newer)
        causes.update(newer)
    return Outdated(count, whole, tuple(name for name, _ in causes.most_common()))


def _compiled(objects: Path) -> Iterator[tuple[int, set[str]]]:
    """Give each object's time and the sources that it was compiled from, links left alone."""
    for folder, _, names in os.walk(objects):
        place = Path(folder).relative_to(objects)
        for match in filter(None, map(_COMMANDS.fullmatch, names)):
            try:
                text = files.take_text(objects, str(place / match[0]), most_bytes=_MOST_BYTES)
                built = (objects / place / match[1]).lstat()
            except (Unfit, OSError):
                continue
            if sources := set(_DEPENDENCY.findall(text)):
                yield built.st_mtime_ns, sources


def _written_ns(source: Path, name: str, known: dict[str, int]) -> int:
    """Return when a source was written; one that is gone has to be looked for by make."""
    if name not in known:
        try:
            known[name] = (source / name).lstat().st_mtime_ns
        except (OSError, ValueError):  # a container wrote the name
            known[name] = 1 << 63
    return known[name]
