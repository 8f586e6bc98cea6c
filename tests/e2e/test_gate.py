# SPDX-License-Identifier: GPL-2.0-only
"""The gate on real kernels: what it passes, what it stops, and what it leaves open."""

from collections.abc import Callable
from pathlib import Path

import pytest

from patchbench import gating, planted, runs, verifying
from patchbench.gating import GateRequest
from patchbench.model import Source
from patchbench.pipeline import Pipeline
from tests.e2e.conftest import KERNEL, ROOT

Write = Callable[[Source, str, str, str, str], None]
# Revisions of one series: the second builds where the first did.
COMMENT, SLOWER = "e2e-gate0", "e2e-gate1"
POLICY = """
error_rate = 0.05
looks = [6]
[[limits]]
workload = "small-storm"
machine = "exact"
metric = "exit_ns"
better = "lower"
max_regression_pct = 2.0
[[limits]]
workload = "small-storm"
machine = "exact"
metric = "swapoff_ns"
better = "lower"
max_regression_pct = 50.0
"""


@pytest.fixture
def gated(copied: Pipeline, write_series: Write) -> Pipeline:
    """Return a project with a policy on a small storm, and two revisions to judge."""
    (copied.root / "gate.toml").write_text(POLICY)
    storm = (copied.root / "workloads/exit-storm.toml").read_text()
    small = storm.replace("victims = 10", "victims = 4").replace("mib = 32", "mib = 8")
    (copied.root / "workloads/small-storm.toml").write_text(small)
    source, slower = copied.source(KERNEL), planted.load(ROOT).slower
    comment = '#include "swap.h"\n\n/* A comment, and nothing else. */\n'
    write_series(source, COMMENT, slower.file, '#include "swap.h"\n', comment)
    write_series(source, SLOWER, slower.file, slower.find, slower.put.replace("{n}", "200"))
    return copied


def request(series: str, **changes: float | None) -> GateRequest:
    return GateRequest(series, "none", KERNEL, policy=Path("gate.toml"), **changes)  # type: ignore[arg-type]


def test_a_comment_passes_and_a_planted_slow_down_fails_by_its_metric(gated: Pipeline) -> None:
    passed = gating.gate_series(gated, request(COMMENT))
    assert passed.ruled == "PASS", passed
    assert [ruling.ruled for ruling in passed.rulings] == ["PASS", "PASS"]

    failed = gating.gate_series(gated, request(SLOWER))
    assert failed.ruled == "FAIL"
    assert [(one.limit.metric, one.ruled) for one in failed.rulings] == [
        ("exit_ns", "FAIL"),
        ("swapoff_ns", "PASS"),
    ]
    assert failed.cpu_seconds > 1
    summary = gated.results / "reports" / failed.gate / "summary.md"
    assert "small-storm exact exit_ns" in summary.read_text()

    # More seeds than are shelved, and no time to boot them: too few is neither PASS nor FAIL.
    open_ = gating.gate_series(gated, request(COMMENT, seeds=8, budget_s=0.001))
    assert open_.ruled == "INCONCLUSIVE"
    assert "the budget of 0 s was spent after 6 of the 8 seeds" in open_.reasons[0]


def test_a_series_against_the_same_tree_has_nothing_to_measure(gated: Pipeline) -> None:
    twin = gated.root / "patches/e2e-twin"
    twin.symlink_to(gated.root / "patches" / COMMENT)
    told = gating.gate_series(
        gated, GateRequest("e2e-twin", COMMENT, KERNEL, policy=Path("gate.toml"))
    )
    assert told.ruled == "PASS"
    assert "the same tree" in told.reasons[0]
    assert told.runs == ()


@pytest.mark.parametrize(
    "name", [path.name for path in (ROOT / "results/published").glob("*/plan.json")]
)
def test_what_is_published_has_its_seal(name: str) -> None:
    runs.check_seal(ROOT / "results/published" / name)


def test_a_published_run_is_repeated_to_the_byte(run: Pipeline) -> None:
    told = verifying.verify(run, ROOT / "results/published/v0-exit-storm-7.3", everything=False)
    assert told.error() is None, told.rows()
    assert len(told.replays) == 2
