# SPDX-License-Identifier: GPL-2.0-only
"""What `doctor` shows of a machine."""

from pathlib import Path

from patchbench.catalog import Catalog
from patchbench.clocks import timekeeping

ROOT = Path(__file__).resolve().parents[2]


def test_the_sweep_has_a_column_for_each_metric_whose_file_says_so() -> None:
    notes = Catalog(ROOT).metric_notes()
    swept = [f"{notes[name].label} ms" for name in ("cpu_ns", "exit_ns", "makespan_ns")]
    assert [*timekeeping.sweep_headings(Catalog(ROOT))[3:]] == swept
