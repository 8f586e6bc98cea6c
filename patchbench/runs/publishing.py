# SPDX-License-Identifier: GPL-2.0-only
"""What `publish` does with a run: it goes into results/published/, with its report."""

from pathlib import Path

from patchbench.errors import BadInput
from patchbench.report import formats
from patchbench.runs import folder, published, reading, scaling


def publish(root: Path, run: Path, name: str) -> Path:
    """Copy a run into results/published/NAME and return that folder.

    Raises why the run cannot be relied on, or BadInput if it booted nothing or as
    published.new_folder.
    """
    compared, boots = reading.read(root, run)
    if error := reading.verdict_error(compared):
        raise error
    if compared.nothing_to_measure:
        raise BadInput(f"{run.name} booted nothing: its two kernels are the same")
    target = published.new_folder(root, name)
    published.publish(run, boots, target)
    formats.write(target, scaling.add(root, compared), boots)
    folder.seal(target)
    return target
