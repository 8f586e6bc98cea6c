# SPDX-License-Identifier: GPL-2.0-only
"""The comparison as `--json` prints it: estimates, intervals, conditions, reasons."""

from collections.abc import Sequence

from patchbench.model import Boot, Comparison
from patchbench.report import tables


def render(comparison: Comparison, boots: Sequence[Boot]) -> str:  # noqa: ARG001  # all formats are called alike
    """Return comparison.json."""
    return tables.dumps(comparison) + "\n"
