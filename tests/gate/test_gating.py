# SPDX-License-Identifier: GPL-2.0-only
"""What a gate says beside its rulings."""

from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from patchbench.check.checking import Checked
from patchbench.check.request import CheckRequest
from patchbench.errors import HostOverloaded, PipelineError, UnknownName
from patchbench.findings import Finding, FindingState
from patchbench.gate import gating
from patchbench.gate.gating import GateRequest
from patchbench.model import Comparison, Limit, Policy
from patchbench.pipeline import Pipeline
from patchbench.runs.benching import Prepared
from tests import fakes


def test_a_limit_within_the_measured_noise_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    floors = {("exact", "exit_ns"): 1.054, ("exact", "cpu_ns"): 0.25}
    monkeypatch.setattr("patchbench.noise.floors", lambda *_: floors)
    limits = [
        Limit("exit-storm", "exact", name, "lower", max_regression_pct=1.0)
        for name in ("exit_ns", "cpu_ns", "drain_ns")
    ]
    told = gating._within_noise(Path(), Policy(0.05, (8,), tuple(limits)))
    (note,) = told
    assert note.startswith("the limit of 1 % for exit_ns on exact lies within the A/A noise")


def test_the_command_repeats_what_was_asked() -> None:
    request = GateRequest("v1", "v0", "lts", policy=Path("mine.toml"), seeds=7, flavour="big")
    assert request.command() == (
        "./bootstrap gate --series v1 --against v0 --kernel lts --flavour big --policy mine.toml "
        "--seeds 7"
    )


@dataclass
class FakeCheck:
    """Finds what it is told to, and remembers what it was asked for."""

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


def trial(request: GateRequest, **policy: Any) -> gating._Trial:
    pipeline = cast(Pipeline, SimpleNamespace(root=Path()))
    return gating._Trial(pipeline, request, Policy(0.05, (8,), (), **policy), None)


def built(series: str, state: FindingState) -> Finding:
    return Finding("build", "tree-mine", "7.3.4", series, "row", state, "it does not link")


def test_the_hazards_and_rows_are_of_the_gate_s_own_tree_and_base(check: FakeCheck) -> None:
    request = GateRequest("v1", "v0", "mainline", tree="/mine", fresh=True)
    trial(request, hazards=("residue",), matrix="quick").check("matrix", "hazards")
    (asked,) = check.asked
    assert (asked.series, asked.against, asked.tree) == ("v1", "v0", "/mine")
    assert (asked.parts, asked.hazards) == (("matrix", "hazards"), ("residue",))
    assert (asked.quick, asked.fresh) == (True, True)


def test_a_policy_without_rows_and_hazards_checks_neither(check: FakeCheck) -> None:
    trial(GateRequest("v1", "v0", "mainline")).check("matrix", "hazards")
    assert check.asked == []


@pytest.mark.parametrize(
    ("base", "test", "fails"),
    [("pass", "fail", True), ("fail", "fail", False), ("fail", "pass", False)],
)
def test_a_build_that_only_the_series_breaks_fails_the_gate_with_its_reason(
    check: FakeCheck, base: FindingState, test: FindingState, *, fails: bool
) -> None:
    check.findings = (built("v0", base), built("v1", test))
    gate = trial(GateRequest("v1", "v0", "mainline"), matrix="all")
    gate.check("matrix")
    assert gate.broken is fails
    assert bool(gate.reasons) is ("fail" in (base, test))


def test_a_row_that_cannot_be_configured_ends_the_gate(check: FakeCheck) -> None:
    check.errors = (UnknownName("row", "mips", [], Path()),)
    with pytest.raises(UnknownName):
        trial(GateRequest("v1", "v0", "mainline"), matrix="quick").check("matrix")


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
