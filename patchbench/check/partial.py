# SPDX-License-Identifier: GPL-2.0-only
"""A part of a kernel: the objects of the folders that some files lie in. Pure."""

import re
from collections.abc import Collection, Sequence
from pathlib import Path

#: These may define names that no C file has: only a whole link can tell.
_NOT_C = (".S", ".rs", ".lds.h")
#: Nothing in these becomes part of a kernel.
_BESIDE = ("Documentation", "samples", "scripts", "tools")
#: How kbuild's recipe for a folder's archive lists it: `printf "mm/%s " a.o b.o | xargs ... ar`,
#: or `ar cDPrsT lib/lib.a lib/a.o`.
_ARCHIVE = re.compile(r'(?:printf "(?P<folder>\S+)/%s "|\bcDPrsT \S+/lib\.a) (?P<members>[^|;]+)')


def folders(files: Sequence[str]) -> tuple[str, ...]:
    """Return the folders of the C files among these; none where only a whole build will do."""
    if any(name.endswith(_NOT_C) for name in files):
        return ()
    sources = [Path(name) for name in files if name.endswith(".c")]
    return tuple(sorted({str(path.parent) for path in sources if path.parts[0] not in _BESIDE}))


def members(dry_run: str, wanted: Collection[str]) -> tuple[str, ...]:
    """Return the objects that the configuration has directly in the wanted folders.

    dry_run: the output of `make -n FOLDER/...`. Empty when it lists none for one of the folders:
    that one is off, or its files are compiled from elsewhere.
    """
    listed = [
        f"{match['folder']}/{name}" if match["folder"] else name
        for match in _ARCHIVE.finditer(dry_run)
        for name in match["members"].split()
    ]
    objects = [name for name in listed if name.endswith(".o") and str(Path(name).parent) in wanted]
    found = {str(Path(name).parent) for name in objects}
    return tuple(dict.fromkeys(objects)) if found == {*wanted} else ()
