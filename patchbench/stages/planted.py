# SPDX-License-Identifier: GPL-2.0-only
"""Series with a known effect: one patch that replaces a text in one file.

They calibrate the gate: a relink that changes only where code lies, and a slow-down of known
size. What they change is data, configs/calibration.toml.
"""

import json
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from pydantic import with_config

from patchbench.catalog import load_toml
from patchbench.errors import BadInput, Unfit
from patchbench.model import STRICT, Source
from patchbench.tools import files
from patchbench.tools.git import Repository

_MOST_BYTES = 16 << 20


@with_config(STRICT)
@dataclass(frozen=True, slots=True)
class Plant:
    """A text of a kernel's file, and what takes its place; `{n}` in it is the plant's size."""

    summary: str
    file: str
    find: str
    put: str


@with_config(STRICT)
@dataclass(frozen=True, slots=True)
class Plants:
    """configs/calibration.toml."""

    relink: Plant
    slower: Plant


def load(root: Path) -> Plants:
    """Return the plants; BadInput if their file is wrong."""
    return load_toml(root / "configs/calibration.toml", Plants)


def write(
    plant: Plant, source: Source, root: Path, name: str, scratch: Path, size: int = 0
) -> None:
    """Write the plant as series `name` below root/patches, for the kernel's line.

    scratch: a folder to work in, which is gone afterwards. Raises BadInput unless the kernel has
    the file, and the file the text exactly once.
    """
    repository = Repository(source.repository)
    path = PurePosixPath(plant.file)
    if path.is_absolute() or ".." in path.parts or not repository.has(source.commit, plant.file):
        raise BadInput(f"{source.kernel} {source.version} has no file {plant.file!r} to change")
    tree = repository.scratch(source.commit, scratch, [plant.file])
    try:
        text = _text(scratch, plant.file)
        if text.count(plant.find) != 1:
            raise BadInput(
                f"{plant.file} of {source.kernel} {source.version} must contain the text exactly "
                f"once, found {text.count(plant.find)}:\n{plant.find}"
            )
        (scratch / path).write_text(text.replace(plant.find, plant.put.replace("{n}", str(size))))
        mail = tree.mail(f"{Path(plant.file).stem}: {plant.summary}, {size}\n\nTo be measured.")
    finally:
        repository.discard(scratch)
    title = f"{plant.summary}, {size}"
    port = root / "patches" / name / source.line
    port.mkdir(parents=True, exist_ok=True)
    (port.parent / "series.toml").write_text(f"title = {json.dumps(title)}\n")
    (port / "0001-planted.patch").write_text(mail + "\n")


def _text(scratch: Path, name: str) -> str:
    """Return a checked-out file's text; a series may have put a link to the host in its place."""
    try:
        return files.take(scratch, name, most_bytes=_MOST_BYTES).decode()
    except (Unfit, UnicodeDecodeError) as err:
        raise BadInput(f"{name} cannot be changed: {err}") from err
