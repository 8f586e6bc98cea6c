# SPDX-License-Identifier: GPL-2.0-only
"""The report as Markdown, for a wiki or a pull request."""

from collections.abc import Sequence

from patchbench.model import Boot, Comparison
from patchbench.report import tables


def render(comparison: Comparison, boots: Sequence[Boot]) -> str:  # noqa: ARG001  # all formats are called alike
    """Return report.md."""
    return tables.markdown(comparison)
