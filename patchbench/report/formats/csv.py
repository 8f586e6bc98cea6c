# SPDX-License-Identifier: GPL-2.0-only
"""Every sample of every boot as comma-separated values (RFC 4180), for spreadsheets and R.

A clock that did not stop has the word `never` for a value, which no reader of numbers can
overlook; a lost boot is a row without a metric that says why. A text that a spreadsheet would
take for a formula gets an apostrophe in front.
"""

import csv
import io
from collections.abc import Sequence
from dataclasses import fields
from operator import attrgetter

from patchbench.model import Boot, Comparison
from patchbench.report import samples

#: What a formula begins with, in one spreadsheet or another.
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def render(comparison: Comparison, boots: Sequence[Boot]) -> str:
    """Return a header and a row per sample; lines end in CR LF, as in the RFC."""
    text = io.StringIO()
    writer = csv.writer(text)  # its dialect is the RFC's
    columns = [field.name for field in fields(samples.SampleRow)]
    cells = attrgetter(*columns)
    writer.writerow(columns)
    for row in samples.rows(comparison.plan, boots):
        writer.writerow(map(_inert, cells(row)))
    return text.getvalue()


def _inert(cell: int | float | str) -> int | float | str:
    """Return a cell that no spreadsheet evaluates."""
    return f"'{cell}" if isinstance(cell, str) and cell.startswith(_FORMULA) else cell
