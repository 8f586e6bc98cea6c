# SPDX-License-Identifier: GPL-2.0-only
"""A gate under way: what it looks at first, and when it has seen enough."""

from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from patchbench.check.checking import Checked
from patchbench.check.request import HAZARDS, MATRIX, CheckRequest
from patchbench.errors import HostOverloaded, PipelineError, UnknownName
from patchbench.findings import Finding, FindingState
from patchbench.gate import gating
from patchbench.gate.limits import Policy, Verdict
from patchbench.gate.request import GateRequest
from patchbench.gate.trial import Trial
from patchbench.model import Comparison
from patchbench.pipeline import Pipeline
from patchbench.runs import folder as runs
from patchbench.runs.benching import Prepared
from tests import fakes
from tests.gate.named import Guests, Named, limit, pipeline, policy

CHECKS = 'hazards = ["swapoff-after"]\nmatrix = "quick"'
CPU, EXIT = limit("cpu_ns"), limit("exit_ns")


@dataclass
class FakeCheck:
    """Finds what it was given, and remembers what it was asked for."""

    findings: tuple[Finding, ...] = ()
    errors: tuple[PipelineError, ...] = ()
    asked: list[CheckRequest] = field(default_factory=list)

    def __call__(self, _: object, request: CheckRequest) -> Checked:
        self.asked.append(request)
        result = fakes.check_result(*self.findings, series=request.series, against=request.against)
        return Checked(Path(), result, self.errors)


@pytest.fixture
def check(monkeypatch: pytest.MonkeyPatch) -> FakeCheck:
    fake = FakeCheck()
    monkeypatch.setattr("patchbench.check.checking.check", fake)
    return fake


def trial(request: GateRequest, **policy: Any) -> Trial:
    pipeline = cast(Pipeline, SimpleNamespace(root=Path()))
    return Trial(pipeline, request, Policy(0.05, (8,), (), **policy), None)


def built(series: str, state: FindingState) -> Finding:
    return Finding("build", "tree-mine", "7.3.4", series, "row", state, "it does not link")


def test_the_hazards_and_rows_are_of_the_gate_s_own_tree_and_base(check: FakeCheck) -> None:
    request = GateRequest("v1", "v0", "mainline", tree="/mine", fresh=True)
    trial(request, hazards=("residue",), matrix="quick").check(HAZARDS)
    (asked,) = check.asked
    assert (asked.series, asked.against, asked.tree) == ("v1", "v0", "/mine")
    assert (asked.parts, asked.hazards) == ((HAZARDS,), ("residue",))
    assert (asked.quick, asked.fresh) == (True, True)


@pytest.mark.parametrize(
    ("base", "test", "fails"),
    [("pass", "fail", True), ("fail", "fail", False), ("fail", "pass", False)],
)
def test_a_build_that_only_the_series_breaks_fails_the_gate_with_its_reason(
    check: FakeCheck, base: FindingState, test: FindingState, *, fails: bool
) -> None:
    check.findings = (built("v0", base), built("v1", test))
    gate = trial(GateRequest("v1", "v0", "mainline"), matrix="all")
    gate.check(MATRIX)
    assert (gate.ruled() == "FAIL") is fails
    assert bool(gate.reasons) is ("fail" in (base, test))


def test_a_row_that_cannot_be_configured_ends_the_gate(check: FakeCheck) -> None:
    check.errors = (UnknownName("row", "mips", [], Path()),)
    with pytest.raises(UnknownName):
        trial(GateRequest("v1", "v0", "mainline"), matrix="quick").check(MATRIX)


@pytest.mark.parametrize(("statuses", "raises"), [((30, 30), True), ((23, 30), False)])
def test_boots_that_the_host_had_no_time_for_are_not_held_against_the_series(
    statuses: tuple[int, ...], *, raises: bool
) -> None:
    plan = fakes.plan()
    lost = Comparison(
        plan, (), {}, (), ("lost", "lost"), (), (), statuses, (plan.test.series,) * 2
    )  # fmt: skip
    gate = trial(GateRequest("v0", "none", "mainline"))
    prepared = SimpleNamespace(compare=lambda _: lost, finish=lambda _: None)
    if not raises:
        assert gate._comparison(cast(Prepared, prepared)) is lost
        return
    with pytest.raises(HostOverloaded):
        gate._comparison(cast(Prepared, prepared))


def gate(folder: Path, text: str, series: str = "slower-40", **request: Any) -> Verdict:
    """Return the verdict on a series by a policy, with nothing but names and logs."""
    asked = GateRequest(series, "none", "mainline", policy=Path("gate.toml"), **request)
    with pipeline(folder, text) as named:
        return gating.gate_series(named, asked)


def parts(check: FakeCheck) -> list[str]:
    return [part for asked in check.asked for part in asked.parts]


def test_a_limit_that_is_broken_at_the_first_look_ends_the_gate(
    check: FakeCheck, tmp_path: Path
) -> None:
    verdict = gate(tmp_path, policy(CPU, EXIT, more=CHECKS))
    assert [one.ruled for one in verdict.rulings] == ["FAIL", "INCONCLUSIVE"]
    assert (verdict.ruled, verdict.seeds, check.asked) == ("FAIL", 8, [])
    assert verdict.not_looked_at == (
        "hazards swapoff-after", "quick rows of the matrix", "exit-storm on exact with 16 seeds"
    )  # fmt: skip


def test_a_gate_that_is_to_look_at_everything_goes_on_after_a_failure(
    check: FakeCheck, tmp_path: Path
) -> None:
    verdict = gate(tmp_path, policy(CPU, EXIT, more=CHECKS), everything=True)
    assert (verdict.ruled, verdict.seeds, verdict.not_looked_at) == ("FAIL", 16, ())
    assert parts(check) == [HAZARDS, MATRIX]


def test_a_hazard_that_only_the_series_fails_is_known_before_a_row_is_built_or_a_seed_is_added(
    check: FakeCheck, tmp_path: Path
) -> None:
    check.findings = (built("slower-0", "fail"),)
    verdict = gate(tmp_path, policy(EXIT, more=CHECKS), series="slower-0")
    assert (verdict.ruled, verdict.seeds, parts(check)) == ("FAIL", 8, [HAZARDS])
    assert verdict.not_looked_at[0] == "quick rows of the matrix"


def test_a_gate_that_passes_has_looked_at_everything(check: FakeCheck, tmp_path: Path) -> None:
    verdict = gate(tmp_path, policy(CPU, more=CHECKS), series="slower-0")
    assert (verdict.ruled, verdict.seeds, verdict.not_looked_at) == ("PASS", 8, ())
    assert parts(check) == [HAZARDS, MATRIX]


def test_a_limit_that_is_undecided_gets_the_seeds_of_the_next_look(
    check: FakeCheck, tmp_path: Path
) -> None:
    verdict = gate(tmp_path, policy(CPU, EXIT), series="slower-0")
    assert (verdict.ruled, verdict.seeds, check.asked) == ("INCONCLUSIVE", 16, [])


def test_a_noisy_machine_is_not_booted_for_what_an_exact_one_has_decided(tmp_path: Path) -> None:
    noisy = limit("cpu_ns", machine="parallel")
    verdict = gate(tmp_path, policy(noisy, CPU))
    assert verdict.not_looked_at == ("exit-storm on parallel with 8 seeds",)
    run = tmp_path / "checkout/results/runs" / verdict.runs[0]
    assert [machine.name for machine in runs.read_plan(run).machines] == ["exact"]
    assert [one.ruled for one in verdict.rulings] == ["INCONCLUSIVE", "FAIL"]


def test_a_series_that_loses_its_boots_fails_and_gets_no_more(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(Named, "guests", Guests(lost="slower-40"))
    verdict = gate(tmp_path, policy(CPU), everything=True)
    assert (verdict.ruled, verdict.seeds) == ("FAIL", 8)
    assert any("slower-40 seed " in reason for reason in verdict.reasons)


def test_a_budget_that_is_spent_leaves_the_limits_undecided(tmp_path: Path) -> None:
    verdict = gate(tmp_path, policy(CPU), budget_s=1e-6)
    assert verdict.ruled == "INCONCLUSIVE"
    assert "was spent after 0 of the 8 seeds of look 1" in verdict.reasons[0]
