# SPDX-License-Identifier: GPL-2.0-only
"""Every sample of every boot as JSON Lines, for jq, pandas and DuckDB.

The same rows as the csv format; a value is a number or the word "never".
"""

import json
from collections.abc import Sequence
from dataclasses import asdict

from patchbench.model import Boot, Comparison
from patchbench.report import samples


def render(comparison: Comparison, boots: Sequence[Boot]) -> str:
    """Return a JSON object per sample, each on a line of its own."""
    return "".join(f"{json.dumps(asdict(row))}\n" for row in samples.rows(comparison.plan, boots))
