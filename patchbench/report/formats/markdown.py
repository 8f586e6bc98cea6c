# SPDX-License-Identifier: GPL-2.0-only
"""The report as Markdown, for a wiki or a pull request."""

from collections.abc import Sequence

from patchbench.model import Boot, Comparison
from patchbench.report import report


def render(told: Comparison, boots: Sequence[Boot]) -> str:  # noqa: ARG001  # all are alike
    """Return report.md."""
    return report.markdown(told)
