# SPDX-License-Identifier: GPL-2.0-only
"""Every sample of every boot as comma-separated values (RFC 4180), for spreadsheets and R.

A clock that never stopped has the word `never` for a value, so that whoever reads the column
as numbers is told; a lost boot is a row without a metric that says why.
"""

import csv
import io
from collections.abc import Sequence
from dataclasses import astuple, fields

from patchbench.model import Boot, Comparison
from patchbench.report import samples


def render(told: Comparison, boots: Sequence[Boot]) -> str:
    """Return a header and a row a sample; lines end in CR LF, as the RFC has it."""
    text = io.StringIO()
    writer = csv.writer(text)  # its dialect is the RFC's
    writer.writerow(field.name for field in fields(samples.Row))
    writer.writerows(astuple(row) for row in samples.rows(told.plan, boots))
    return text.getvalue()
