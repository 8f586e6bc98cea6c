# SPDX-License-Identifier: GPL-2.0-only
"""A part of a kernel: the objects of the folders that some files lie in, and what they miss. Pure.

Linked among themselves they miss nearly everything, so only names that the caller counts are told.
"""

import re
from collections.abc import Callable, Collection, Sequence
from pathlib import Path

from patchbench.check import buildlog

#: Of some names that a part misses, those that are missing.
Counts = Callable[[Collection[str]], Collection[str]]

#: What may define names that no C file has: only a whole link can tell.
_NOT_C = (".S", ".rs", ".lds.h")
#: What no kernel consists of.
_BESIDE = ("Documentation", "samples", "scripts", "tools")
#: How kbuild's recipe for a folder's archive lists it: `printf "mm/%s " a.o b.o | xargs ... ar`,
#: or `ar cDPrsT lib/lib.a lib/a.o`.
_ARCHIVE = re.compile(r'(?:printf "(?P<folder>\S+)/%s "|\bcDPrsT \S+/lib\.a) (?P<members>[^|;]+)')


def folders(files: Sequence[str]) -> tuple[str, ...]:
    """Return the folders that the C files among these lie in; none where a part cannot tell."""
    if any(name.endswith(_NOT_C) for name in files):
        return ()
    sources = [Path(name) for name in files if name.endswith(".c")]
    return tuple(sorted({str(path.parent) for path in sources if path.parts[0] not in _BESIDE}))


def members(dry_run: str, wanted: Collection[str]) -> tuple[str, ...]:
    """Return the objects that the configuration has directly in the wanted folders.

    dry_run: what `make -n FOLDER/...` says. Empty when it tells of none for one of the folders:
    that one is off, or its files are compiled from elsewhere.
    """
    told = [
        f"{match['folder']}/{name}" if match["folder"] else name
        for match in _ARCHIVE.finditer(dry_run)
        for name in match["members"].split()
    ]
    objects = [name for name in told if name.endswith(".o") and str(Path(name).parent) in wanted]
    found = {str(Path(name).parent) for name in objects}
    return tuple(dict.fromkeys(objects)) if found == {*wanted} else ()


def missed(linked: str, counts: Counts) -> tuple[str, ...]:
    """Return a linker's lines about names that are missing, or there twice."""
    said = linked.replace("/out/", "")
    return buildlog.about(said, counts({one.symbol for one in buildlog.undefined(said)}))
