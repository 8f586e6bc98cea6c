# SPDX-License-Identifier: GPL-2.0-only
"""A metric is one file: its words and its plot are in workloads/metrics/NAME.toml."""

from dataclasses import replace
from pathlib import Path

import pytest

from patchbench.catalog import Catalog
from patchbench.errors import BadInput
from patchbench.report import formats
from patchbench.runs import folder as runs
from patchbench.runs import reading
from tests import recorded
from tests.recorded import PROJECT, RUN

NOTE = """\
label = "thaw"
about = "how long a frozen process takes to thaw"
less = "a thaw takes {} less time"
more = "a thaw takes {} longer"
starts = "the write to cgroup.freeze"
plot = "distribution"
"""


def checkout(folder: Path) -> Path:
    """Return a checkout with a run of a workload whose metric no other workload has."""
    root = recorded.root(folder)
    (root / "workloads/metrics").mkdir(parents=True)
    (root / "workloads/metrics/thaw_ns.toml").write_text(NOTE)
    run = root / "results/runs" / RUN
    for log in run.glob("boots/*/*/*/results.log"):
        log.write_text(log.read_text().replace("exit_ns", "thaw_ns"))
    plan = runs.read_plan(run)
    recorded.write_plan(run, replace(plan, workload=replace(plan.workload, name="thaw")))
    return root


def test_a_new_metric_is_named_in_every_format_and_plotted_where_there_are_plots(
    tmp_path: Path,
) -> None:
    root = checkout(tmp_path)
    comparison, boots = reading.read(root, root / "results/runs" / RUN)
    texts = {name: formats.find(name)(comparison, boots) for name in formats.names()}
    for name in texts.keys() - {"junit", "gobench"}:  # no metrics; a name of its own
        assert "thaw_ns" in texts[name], name
    assert "thaw-ns" in texts["gobench"]
    assert "<h2>Thaw</h2>" in texts["html"]
    assert "exact: thaw</title>" in texts["html"]
    assert '"name": "thaw"' in texts["trace"]
    assert "thaw: how long a frozen process takes" in texts["markdown"]


def test_a_sentence_without_a_place_for_the_size_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "workloads/metrics"
    folder.mkdir(parents=True)
    (folder / "thaw_ns.toml").write_text('label = "thaw"\nless = "a thaw is shorter"\n')
    with pytest.raises(BadInput, match=r"thaw_ns\.toml is not a valid MetricNote:\n  less"):
        Catalog(tmp_path).metric_notes()


def test_every_note_is_of_a_metric_that_a_program_has_and_every_metric_has_one() -> None:
    catalog = Catalog(PROJECT)
    programs = {catalog.workload(name).program for name in catalog.workloads()}
    measured = {metric for program in programs for metric in catalog.metrics(program)}
    assert catalog.metric_notes().keys() == measured
