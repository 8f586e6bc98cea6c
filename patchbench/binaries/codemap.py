# SPDX-License-Identifier: GPL-2.0-only
"""What two kernels differ in, as it is kept: functions.json of a run, and of the shelf."""

from pathlib import Path

from patchbench.catalog import adapter, load_kept
from patchbench.model import CodeMap
from patchbench.store import write_whole

FUNCTIONS = "functions.json"


def kept(folder: Path) -> bool:
    """Return whether a folder holds one; runs that were made before it was kept do not."""
    return (folder / FUNCTIONS).exists()


def write(folder: Path, code: CodeMap) -> None:
    """Keep what two kernels differ in."""
    write_whole(folder / FUNCTIONS, adapter(CodeMap).dump_json(code, indent=1).decode() + "\n")


def read(folder: Path) -> CodeMap:
    """Return what was kept; BadInput if it is broken or too new."""
    return load_kept(folder / FUNCTIONS, CodeMap)
