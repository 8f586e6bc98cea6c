# SPDX-License-Identifier: GPL-2.0-only
"""A part of a kernel: the objects of the folders that some files lie in, and what they miss. Pure.

Linked among themselves they miss nearly everything, so only names that the caller counts are told.
"""

import re
from collections.abc import Callable, Collection, Sequence
from pathlib import Path

from patchbench import buildlog
from patchbench.errors import BuildFailed
from patchbench.make import tail
from patchbench.tools.container import Finished

#: Of some names, those that count.
Counts = Callable[[Collection[str]], Collection[str]]

#: How kbuild's recipe for a folder's archive lists it: `printf "mm/%s " a.o b.o | xargs ... ar`,
#: or `ar cDPrsT lib/lib.a lib/a.o`.
_ARCHIVE = re.compile(r'(?:printf "(?P<folder>\S+)/%s "|\bcDPrsT \S+/lib\.a) (?P<members>[^|;]+)')


def folders(files: Sequence[str]) -> tuple[str, ...]:
    """Return the folders that the C files among these lie in."""
    return tuple(sorted({str(Path(name).parent) for name in files if name.endswith(".c")}))


def members(dry_run: str, wanted: Collection[str]) -> tuple[str, ...]:
    """Return the objects that the configuration has directly in the wanted folders.

    dry_run: what `make -n FOLDER/...` says. Raises BuildFailed when it tells of none, which is a
    kbuild whose recipes look otherwise.
    """
    told = [
        f"{match['folder']}/{name}" if match["folder"] else name
        for match in _ARCHIVE.finditer(dry_run)
        for name in match["members"].split()
    ]
    objects = [name for name in told if name.endswith(".o") and str(Path(name).parent) in wanted]
    if not objects:
        raise BuildFailed(f"a dry run of make names no object in {', '.join(wanted)}")
    return tuple(dict.fromkeys(objects))


def missed(linked: Finished, counts: Counts) -> tuple[str, ...]:
    """Return the linker's lines about the names that count of those that it misses.

    Raises BuildFailed when the linker ended for another reason than symbols.
    """
    said = linked.said.replace("/out/", "")
    names = {one.symbol for one in buildlog.undefined(said)}
    if linked.status not in (0, 1) or (linked.status and not names):
        raise BuildFailed(f"the linker does not say what is missing:\n{tail(said)}")
    return buildlog.about(said, counts(names))
