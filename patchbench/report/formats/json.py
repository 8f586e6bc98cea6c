# SPDX-License-Identifier: GPL-2.0-only
"""The comparison as `--json` prints it: estimates, intervals, conditions, reasons."""

from collections.abc import Sequence

from patchbench.model import Boot, Comparison
from patchbench.report import report


def render(told: Comparison, boots: Sequence[Boot]) -> str:  # noqa: ARG001  # all are alike
    """Return comparison.json."""
    return report.dumps(told) + "\n"
