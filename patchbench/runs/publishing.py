# SPDX-License-Identifier: GPL-2.0-only
"""What `publish` does with a run: it goes into results/published/, with its report."""

from pathlib import Path

from patchbench.errors import BadInput
from patchbench.report import formats
from patchbench.runs import folder, images, published, reading, scaling


def publish(root: Path, run: Path, name: str, *, shelf: Path | None = None) -> Path:
    """Copy a run into results/published/NAME and return that folder.

    shelf: take the images along from there. Raises why the run cannot be relied on, or BadInput if
    it booted nothing, or as published.publishing and images.keep.
    """
    compared, boots = reading.read(root, run)
    if error := reading.verdict_error(compared):
        raise error
    if compared.nothing_to_measure:
        raise BadInput(f"{run.name} booted nothing: its two kernels are the same")
    with published.publishing(root, name) as new:
        published.publish(run, boots, new)
        if shelf:
            images.keep(folder.read_plan(run), shelf, new)
        formats.write(new, scaling.add(root, compared), boots)
        folder.seal(new)
    return root / "results/published" / name
