# SPDX-License-Identifier: GPL-2.0-only
"""What `publish` does with a run: it goes into results/published/, with its report."""

from pathlib import Path

from patchbench.errors import BadInput
from patchbench.report import arms, formats
from patchbench.runs import folder, images, published, reading, scaling


def publish(root: Path, run: Path, name: str, *, shelf: Path | None = None) -> Path:
    """Copy a run into results/published/NAME and return that folder.

    shelf: take the images along from there. Raises why the run cannot be relied on, or BadInput if
    it booted nothing, or as published.publishing and images.keep.
    """
    compared = reading.read_all(root, run)
    comparisons = [comparison for comparison, _ in compared]
    if error := next(filter(None, map(reading.verdict_error, comparisons)), None):
        raise error
    if all(comparison.nothing_to_measure for comparison in comparisons):
        raise BadInput(f"{run.name} booted nothing: its two kernels are the same")
    # Each comparison has the base's boots.
    boots = {(one.machine, one.series, one.seed): one for _, those in compared for one in those}
    with published.publishing(root, name) as new:
        published.publish(run, [*boots.values()], new)
        if shelf:
            images.keep(folder.read_plan(run), shelf, new)
        if len(compared) > 1:
            arms.write(new, compared)
        else:
            formats.write(new, scaling.add(root, comparisons[0]), compared[0][1])
        folder.seal(new)
    return root / "results/published" / name
