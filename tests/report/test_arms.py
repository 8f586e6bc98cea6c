# SPDX-License-Identifier: GPL-2.0-only
"""One report of several series: a column each, and Holm over the comparisons."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from patchbench.model import Comparison
from patchbench.report import arms
from patchbench.stages.compare import compare
from tests import engine
from tests.fakes import boot, plan, results

SEEDS = range(1, 9)


def compared(test: str, exit_ns: int) -> Comparison:
    """Return a comparison in which every boot of none takes 100 ns to exit."""
    planned = replace(plan(seeds=8), test=replace(plan().test, series=test))
    boots = [boot("none", seed, results(100 + seed)) for seed in SEEDS]
    boots += [boot(test, seed, results(exit_ns + seed)) for seed in SEEDS]
    return compare(planned, boots)


def test_each_series_has_a_column_and_a_metric_its_row() -> None:
    both = [compared("v0", 50), compared("v1", 100)]
    assert arms.headings(both) == (
        "machine", "metric", "none", "v0 against none", "v1 against none",
    )  # fmt: skip
    ((machine, metric, base, first, second),) = arms.rows(both)
    assert (machine, metric, base, second) == ("exact", "exit_ns", "104.50 ns", "equal")
    assert first.endswith("*")


def test_three_series_have_a_row_each_with_the_best_and_the_worst_marked() -> None:
    three = [compared("v0", 50), compared("v1", 150), compared("v2", 100)]
    heads, *rows = arms.designs(three)
    column = heads.index("exit_ns on exact")
    assert [(row[0], row[column]) for row in rows] == [
        ("v0", "-47.87 % (best)"), ("v1", "+47.86 % (worst)"), ("v2", "+0.00 %"),
    ]  # fmt: skip
    assert arms.designs(three[:2]) == []


def test_what_is_equal_in_all_arms_has_no_row() -> None:
    assert arms.rows([compared("v0", 100), compared("v1", 100)]) == []


def test_p_values_are_adjusted_for_the_number_of_comparisons() -> None:
    one, two = [compared("v0", 50)], [compared("v0", 50), compared("v1", 50)]
    ((alone,),), ((first, _),) = (
        [found for (_, metric), found in arms.cells(those).items() if metric == "exit_ns"]
        for those in (one, two)
    )
    assert alone.adjusted_p == 2 / 2**8
    assert first.adjusted_p == 2 * (2 / 2**8)


def test_a_report_of_two_series_holds_the_reports_of_each(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine.draw_nothing(monkeypatch)
    both = [compared("v0", 50), compared("v1", 100)]
    arms.write(tmp_path, [(one, []) for one in both])
    assert (tmp_path / "v1-against-none/report.md").is_file()
    assert "v0 against none" in (tmp_path / "report.html").read_text()
    read = json.loads((tmp_path / "comparison.json").read_text())
    assert [one["test"]["series"] for one in read["comparisons"]] == ["v0", "v1"]
