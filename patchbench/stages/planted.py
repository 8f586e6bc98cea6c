# SPDX-License-Identifier: GPL-2.0-only
"""Series made to be found, or not to be: one patch that replaces a text in one file.

They calibrate the gate: a relink that changes nothing but where code lies, and a slow-down of
known size. What they are is data, configs/calibration.toml.
"""

from dataclasses import dataclass
from pathlib import Path

from pydantic import with_config

from patchbench.catalog import load_toml
from patchbench.errors import BadInput
from patchbench.model import STRICT, Source
from patchbench.tools.git import Repository


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

    scratch: a folder to work in, which is gone afterwards. Raises BadInput if the kernel does
    not have the text, or has it twice.
    """
    repository = Repository(source.repository)
    tree = repository.scratch(source.commit, scratch, [plant.file])
    try:
        path = scratch / plant.file
        text = path.read_text()
        if text.count(plant.find) != 1:
            raise BadInput(
                f"{plant.file} of {source.kernel} {source.version} has {text.count(plant.find)} "
                f"times, and not once, what is to be replaced:\n{plant.find}"
            )
        path.write_text(text.replace(plant.find, plant.put.replace("{n}", str(size))))
        mail = tree.mail(f"{Path(plant.file).stem}: {plant.summary}, {size}\n\nTo be measured.")
    finally:
        repository.discard(scratch)
    port = root / "patches" / name / source.line
    port.mkdir(parents=True, exist_ok=True)
    (port.parent / "series.toml").write_text(f'title = "{plant.summary}, {size}"\n')
    (port / "0001-planted.patch").write_text(mail + "\n")
