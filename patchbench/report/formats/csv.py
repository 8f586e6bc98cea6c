# SPDX-License-Identifier: GPL-2.0-only
"""Every sample of every boot as comma-separated values (RFC 4180), for spreadsheets and R.

A clock that did not stop has the word `never` for a value, which no reader of numbers can
overlook; a lost boot is a row without a metric that says why. A text that a spreadsheet would
take for a formula gets an apostrophe in front.
"""

import csv
import io
from collections.abc import Sequence
from dataclasses import astuple, fields

from patchbench.model import Boot, Comparison
from patchbench.report import samples

#: What a formula begins with, in one spreadsheet or another.
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def render(comparison: Comparison, boots: Sequence[Boot]) -> str:
    """Return a header and a row per sample; lines end in CR LF, as in the RFC."""
    text = io.StringIO()
    writer = csv.writer(text)  # its dialect is the RFC's
    writer.writerow(field.name for field in fields(samples.SampleRow))
    for row in samples.rows(comparison.plan, boots):
        writer.writerow(_inert(cell) for cell in astuple(row))
    return text.getvalue()


def _inert(cell: int | float | str) -> int | float | str:
    """Return a cell that no spreadsheet evaluates."""
    return f"'{cell}" if isinstance(cell, str) and cell.startswith(_FORMULA) else cell
