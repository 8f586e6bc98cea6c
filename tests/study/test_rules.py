# SPDX-License-Identifier: GPL-2.0-only
"""What a rule makes of recorded samples: confirmed, refuted, undecided, or no answer at all."""

import math
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from patchbench.findings import CheckResult, Finding, FindingState
from patchbench.model import Comparison
from patchbench.stages.compare import compare
from patchbench.study import rules
from patchbench.study.plan import Rule, Statement, StudyPlan
from patchbench.study.rules import ArmShares, Shares, Source
from tests import recorded
from tests.fakes import boot, check_result, condition, plan, results
from tests.storms import storms

HERE = "storm/mainline/exact"


def rule(**bounds: object) -> Rule:
    return Rule(**{"cell": "storm", "metric": "exit_ns", **bounds})  # type: ignore[arg-type]


def source(told: Comparison | Shares | CheckResult, *, at_work: bool = True) -> Source:
    return Source("a-run", "./bootstrap bench", "exact (TCG)", at_work, told)


def weigh(asked: Rule, found: Mapping[str, Source | str] | Source | str) -> rules.Weighed:
    sources = found if isinstance(found, Mapping) else {HERE: found}
    return rules.weigh(asked, lambda key: sources.get(key, "it was not run"))


@pytest.fixture(scope="module")
def storm() -> Source:
    """Return ten pairs with exits 41 % shorter and drains that ended later, or never."""
    return source(storms()[0])


@pytest.mark.parametrize(
    ("bounds", "state"),
    [
        ({"at_most_pct": 0}, "confirmed"),
        ({"at_most_pct": -30, "at_least_pct": -50}, "confirmed"),
        ({"at_most_pct": -74}, "refuted"),
        ({"at_least_pct": -2, "at_most_pct": 2}, "refuted"),
        ({"at_most_pct": -41.28}, "undecided"),
        ({"metric": "drain_ns", "at_most_pct": 2}, "refuted"),
        ({"metric": "drain_ns", "at_most_pct": 1000}, "undecided"),
        ({"arm": "base", "at_most": 90e6}, "confirmed"),
        ({"arm": "test", "at_least": 90e6}, "refuted"),
        ({"arm": "test", "metric": "drain_ns", "at_most": 133_050_000}, "undecided"),
    ],
)
def test_an_interval_within_confirms_beyond_refutes_and_across_decides_nothing(
    storm: Source, bounds: dict[str, object], state: str
) -> None:
    told = weigh(rule(**bounds), storm)
    assert told.state == state, told
    assert told.interval.startswith("[")
    assert (told.run, told.command) == ("a-run", "./bootstrap bench")
    assert "TCG" in told.machine


def test_an_undecided_rule_says_how_many_seeds_may_decide_it(storm: Source) -> None:
    told = weigh(rule(at_most_pct=-41.2), storm)
    assert told.state == "confirmed" or "seeds" in told.why
    never = weigh(rule(metric="drain_ns", at_most_pct=1000), storm)
    assert "more seeds tell how often" in never.why


def test_too_few_seeds_decide_nothing_and_say_how_many_do(tmp_path: Path) -> None:
    told, _ = recorded.told(tmp_path)
    found = weigh(rule(at_most_pct=0), source(told))
    assert found.state == "undecided"
    assert found.why == "3 pairs are too few for a 95% interval; 6 are enough"


def test_a_missing_leg_is_no_answer_and_says_why() -> None:
    told = weigh(rule(at_most_pct=0), "left out for the budget of 60 s")
    assert told.state == "not answered"
    assert told.why == "storm/mainline/exact: left out for the budget of 60 s"


def test_an_invalid_run_neither_confirms_nor_refutes(storm: Source) -> None:
    assert isinstance(storm.told, Comparison)
    broken = replace(storm.told, invalid=("2 boots gave no usable samples",))
    told = weigh(rule(at_most_pct=0), source(broken))
    assert (told.state, told.measured) == ("not answered", "-")
    assert "2 boots gave no usable samples" in told.why


def test_a_counter_that_rests_is_fine_only_where_nothing_is_to_be_done() -> None:
    boots = [
        boot(series, seed, results(100 + seed)) for series in ("none", "v0") for seed in range(6)
    ]
    resting = compare(
        replace(plan(engaged="async_swap_count"), seeds={"exact": tuple(range(6))}), boots
    )
    asked = rule(at_most_pct=1, at_least_pct=-1)
    assert weigh(asked, source(resting)).state == "not answered"
    assert weigh(asked, source(resting, at_work=False)).state == "confirmed"


def test_where_the_base_is_0_arms_are_subtracted_and_not_divided(storm: Source) -> None:
    assert isinstance(storm.told, Comparison)

    def late(*pairs: tuple[float, float]) -> Source:
        deltas = [replace(one, values=pairs, change_pct=None) for one in told.deltas]
        return replace(storm, told=replace(told, deltas=tuple(deltas)))

    told = storm.told
    fewer = rule(arm="both", at_most=-1)
    assert weigh(fewer, late(*[(0, 0), (0, 2)] * 4)).state == "refuted"
    assert weigh(fewer, late(*[(3, 0), (2, 1)] * 4)).state == "confirmed"
    never = weigh(fewer, late(*[(0, math.inf)] * 8))
    assert (never.state, never.measured) == ("not answered", "-")


def test_a_metric_that_the_run_lacks_is_no_answer(storm: Source) -> None:
    assert weigh(rule(metric="late_exits", at_most_pct=0), storm).state == "not answered"


def test_the_ladder_compares_the_kernels_without_the_series(storm: Source) -> None:
    assert isinstance(storm.told, Comparison)
    slower = replace(
        storm.told,
        deltas=tuple(
            replace(one, values=tuple((2 * base, test) for base, test in one.values))
            for one in storm.told.deltas
        ),
    )
    asked = rule(since="lts", at_most_pct=-40)
    found = weigh(asked, {HERE: storm, "storm/lts/exact": source(slower)})
    assert (found.state, found.measured) == ("confirmed", "-50.00 %")
    assert weigh(asked, storm).state == "not answered"


def test_two_series_are_compared_by_what_the_test_arms_measure(storm: Source) -> None:
    assert isinstance(storm.told, Comparison)
    twice = replace(
        storm.told,
        deltas=tuple(
            replace(one, values=tuple((base, 2 * test) for base, test in one.values))
            for one in storm.told.deltas
        ),
    )
    asked = rule(cell="one-worker", than="storm", at_most_pct=1)
    found = weigh(asked, {HERE: storm, "one-worker/mainline/exact": source(twice)})
    assert (found.state, found.measured) == ("refuted", "+100.00 %")
    assert found.asked == "one-worker: exit_ns from that of storm, at most +1 %"


def share(pct: float, **functions: float) -> Source:
    arm = ArmShares(1000, {"zap_pte_range": pct, **functions})
    return source(Shares((arm, ArmShares(1000, {}))))


@pytest.mark.parametrize(("pct", "state"), [(70, "confirmed"), (30, "refuted"), (51, "undecided")])
def test_a_share_of_a_profile_has_the_error_of_its_samples(pct: float, state: str) -> None:
    asked = rule(metric="", functions=("zap_pte_range",), arm="base", at_least_pct=50)
    assert weigh(asked, share(pct)).state == state


def test_a_function_that_was_never_seen_has_no_share() -> None:
    asked = rule(metric="", functions=("free_swap_slot",), arm="base", at_least_pct=50)
    told = weigh(asked, share(60))
    assert told.state == "not answered"
    assert "no free_swap_slot among the stacks" in told.why


def finding(series: str, state: FindingState) -> Finding:
    return condition(series, state, "swapoff", says=f"{series} {state}")


@pytest.mark.parametrize(
    ("states", "asked", "state"),
    [
        ({"none": "pass", "v0@1": "pass", "v0": "pass"}, {}, "confirmed"),
        ({"none": "pass", "v0@1": "pass", "v0": "fail"}, {}, "refuted"),
        ({"none": "fail", "v0@1": "fail", "v0": "fail"}, {}, "undecided"),
        ({"none": "pass", "v0@1": "pass", "v0": "untested"}, {}, "not answered"),
        ({"none": "pass", "v0@1": "fail", "v0": "pass"}, {"patches": 1}, "refuted"),
        ({"none": "pass", "v0@1": "fail", "v0": "pass"}, {"patches": 1, "says": "fail"},
         "confirmed"),
    ],
)  # fmt: skip
def test_a_hazard_counts_against_the_kernel_without_the_series(
    states: dict[str, FindingState], asked: dict[str, object], state: str
) -> None:
    found = check_result(*(finding(series, one) for series, one in states.items()))
    told = weigh(rule(metric="", finding="swapoff", **asked), source(found))
    assert told.state == state


def test_a_lost_hazard_is_no_answer() -> None:
    lost = replace(finding("v0", "fail"), kind="boot")
    found = check_result(finding("none", "pass"), lost)
    told = weigh(rule(metric="", finding="swapoff"), source(found))
    assert (told.state, told.why) == ("not answered", "v0 fail")


def test_a_hazard_with_a_variant_s_first_patches_is_looked_up_by_its_whole_name() -> None:
    found = check_result(finding("v0@1+small", "fail"), finding("v0+small", "pass"))
    judged = replace(found, series="v0+small")
    told = weigh(rule(metric="", finding="swapoff", patches=1), source(judged))
    assert told.state == "refuted"


def statement(*asked: Rule) -> StudyPlan:
    return StudyPlan("mine", "a test's", "v0", (), (Statement("a", "b", "c", rules=asked),))


def test_one_rule_that_fails_refutes_and_one_not_measured_leaves_it_open(
    storm: Source,
) -> None:
    good, bad = rule(at_most_pct=0), rule(at_most_pct=-74)
    missing = rule(cell="other", at_most_pct=0)
    sources: dict[str, Source | str] = {HERE: storm}

    def state(*asked: Rule) -> str:
        told = rules.answer(statement(*asked), lambda key: sources.get(key, "it was not run"))
        return told[0].state

    assert state(good) == "confirmed"
    assert state(good, bad) == "refuted"
    assert state(bad, missing) == "refuted"
    assert state(good, missing) == "not answered"


def test_what_nothing_here_can_tell_is_not_answerable() -> None:
    asked = StudyPlan("mine", "t", "v0", (), (Statement("a", "b", "c", unanswerable="a phone's"),))
    (told,) = rules.answer(asked, lambda _: "it was not run")
    assert told.state == "not answerable"


def test_a_control_that_moved_is_told(storm: Source) -> None:
    controls = [weigh(rule(at_least_pct=-2, at_most_pct=2), storm)]
    (line,) = rules.moved(controls)
    assert "exit_ns at least -2 %, at most +2 %" in line
    assert "measured -41." in line
    assert rules.moved([weigh(rule(at_least_pct=-99, at_most_pct=2), storm)]) == []
