# SPDX-License-Identifier: GPL-2.0-only
"""What a rule makes of recorded samples: confirmed, refuted, undecided, or no answer at all."""

import math
from collections.abc import Mapping
from dataclasses import replace

import pytest
from pydantic import TypeAdapter

from patchbench.findings import CheckResult, Finding, FindingState
from patchbench.model import Comparison
from patchbench.stages.compare import compare
from patchbench.study import weigh
from patchbench.study.plan import Statement, StudyPlan
from patchbench.study.readings import ArmShares, Counter, Reading, Shares
from patchbench.study.rules import Rule
from tests import recorded
from tests.fakes import boot, check_result, condition, machine, plan, results
from tests.storms import storms

HERE = "storm/mainline/exact"
RULES: TypeAdapter[Rule] = TypeAdapter(Rule)


def rule(**keys: object) -> Rule:
    """Return the rule that a plan's keys make, on a metric unless they say otherwise."""
    metric = {} if keys.keys() & {"finding", "functions"} else {"metric": "exit_ns"}
    made: Rule = RULES.validate_python({"cell": "storm", **metric, **keys})
    return made


def reading(
    result: Comparison | Shares | CheckResult,
    *,
    at_work: bool = True,
    counter: Counter | None = None,
) -> Reading:
    return Reading("a-run", "./bootstrap bench", machine(), at_work, result, counter)


def weighed(asked: Rule, found: Mapping[str, Reading | str] | Reading | str) -> weigh.Weighed:
    readings = found if isinstance(found, Mapping) else {HERE: found}
    return weigh.weigh(asked, lambda key: readings.get(key, "it was not run"))


@pytest.fixture(scope="module")
def storm() -> Reading:
    """Return ten pairs with exits 41 % shorter and drains that ended later, or never."""
    return reading(storms()[0])


@pytest.mark.parametrize(
    ("bounds", "outcome"),
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
    storm: Reading, bounds: dict[str, object], outcome: str
) -> None:
    found = weighed(rule(**bounds), storm)
    assert found.outcome == outcome, found
    assert found.interval.startswith("[")
    assert (found.run, found.command) == ("a-run", "./bootstrap bench")
    assert found.place == "mainline, exact (TCG, icount)"


def with_floor(storm: Reading, floor_pct: float | None) -> Reading:
    assert isinstance(storm.result, Comparison)
    deltas = tuple(replace(one, floor_pct=floor_pct) for one in storm.result.deltas)
    return reading(replace(storm.result, deltas=deltas))


@pytest.mark.parametrize(
    ("change", "floor_pct", "outcome"),
    [
        ("less", 1, "confirmed"),
        ("less", 50, "refuted"),
        ("no more", 1, "confirmed"),
        ("none", 1, "refuted"),
        ("none", 50, "confirmed"),
        ("no less", 50, "confirmed"),
        ("more", 1, "refuted"),
        ("less", 41.28, "undecided"),
    ],
)
def test_a_change_in_words_is_measured_by_the_metric_s_noise_floor(
    storm: Reading, change: str, floor_pct: float, outcome: str
) -> None:
    found = weighed(rule(change=change), with_floor(storm, floor_pct))  # 41 % less
    assert found.outcome == outcome, found
    assert f"the noise floor is ±{floor_pct:.2g} %" in found.why


def test_where_no_noise_floor_was_measured_the_plan_s_stands_for_it(storm: Reading) -> None:
    found = weighed(rule(change="less"), with_floor(storm, None))
    assert found.outcome == "confirmed"
    assert found.why == "no noise floor was measured in these conditions, ±1 % stands for it"


def test_an_undecided_rule_says_how_many_seeds_may_decide_it(storm: Reading) -> None:
    near = weighed(rule(at_most_pct=-41.28), storm)
    assert "seeds" in near.why
    never = weighed(rule(metric="drain_ns", at_most_pct=1000), storm)
    assert "more seeds tell how often" in never.why


def test_too_few_seeds_decide_nothing_and_say_how_many_do() -> None:
    comparison, _ = recorded.read()
    found = weighed(rule(at_most_pct=0), reading(comparison))
    assert found.outcome == "undecided"
    assert found.why == "3 pairs are too few for a 95% interval; 6 are enough"


def test_a_missing_leg_is_no_answer_and_says_why() -> None:
    found = weighed(rule(at_most_pct=0), "skipped, beyond the budget of 60 s")
    assert found.outcome == "not answered"
    assert found.why == "storm/mainline/exact: skipped, beyond the budget of 60 s"


def test_an_invalid_run_on_too_few_cpus_cannot_tell_anyway(storm: Reading) -> None:
    assert isinstance(storm.result, Comparison)
    broken = replace(storm.result, invalid=("2 boots gave no usable samples",))
    found = weighed(rule(at_most_pct=0, cpus=2), reading(broken))
    assert (found.outcome, found.estimate) == ("cannot tell", None)
    assert found.why.endswith("besides, storm/mainline/exact: 2 boots gave no usable samples")


def test_an_invalid_run_neither_confirms_nor_refutes(storm: Reading) -> None:
    assert isinstance(storm.result, Comparison)
    broken = replace(storm.result, invalid=("2 boots gave no usable samples",))
    found = weighed(rule(at_most_pct=0), reading(broken))
    assert (found.outcome, found.measured) == ("not answered", "-")
    assert "2 boots gave no usable samples" in found.why


def test_a_counter_that_rests_is_fine_only_where_nothing_is_to_be_done() -> None:
    boots = [
        boot(series, seed, results(100 + seed)) for series in ("none", "v0") for seed in range(6)
    ]
    resting = compare(
        replace(plan(engaged="async_swap_count"), seeds={"exact": tuple(range(6))}), boots
    )
    asked = rule(at_most_pct=1, at_least_pct=-1)
    assert weighed(asked, reading(resting)).outcome == "not answered"
    assert weighed(asked, reading(resting, at_work=False)).outcome == "confirmed"


def test_a_counter_that_moves_where_the_plan_says_that_it_rests_is_refused(storm: Reading) -> None:
    counter = Counter("async_swap_count", 3, 10)
    found = weighed(rule(at_most_pct=0), replace(storm, at_work=False, counter=counter))
    assert (found.outcome, found.measured) == ("not answered", "-")
    assert "at_work = false, but async_swap_count moved in 3 of 10 boots" in found.why


def test_a_difference_subtracts_the_arms_and_divides_nothing(storm: Reading) -> None:
    # Before f3e40143e1a0: late frames, none in base, had no ratio to judge.
    assert isinstance(storm.result, Comparison)

    def late(*pairs: tuple[float, float]) -> Reading:
        deltas = [replace(one, values=pairs, change_pct=None) for one in comparison.deltas]
        return replace(storm, result=replace(comparison, deltas=tuple(deltas)))

    comparison = storm.result
    fewer = rule(difference_at_most=-1)
    assert weighed(fewer, late(*[(1, 1), (2, 4)] * 4)).outcome == "refuted"
    assert weighed(fewer, late(*[(3, 0), (2, 1)] * 4)).outcome == "confirmed"
    never = weighed(fewer, late(*[(1, math.inf)] * 8))
    assert (never.outcome, never.measured) == ("not answered", "-")


def test_what_is_less_because_work_was_left_undone_is_judged_per_freed_page(
    storm: Reading,
) -> None:
    assert isinstance(storm.result, Comparison)
    (delta,) = [one for one in storm.result.deltas
                if (one.machine, one.metric.name) == ("exact", "exit_ns")]  # fmt: skip
    per_page = replace(delta, values=tuple((base, base * 1.01) for base, _ in delta.values))
    result = replace(
        storm.result,
        deltas=(replace(delta, per_page=per_page),),
        undone_pct={"exact": (0.0, 6.25)},
    )
    found = weighed(rule(at_most_pct=0), replace(storm, result=result))
    assert (found.outcome, found.measured) == ("refuted", "+1.00 %")
    assert found.why == "per freed page, because the series left 6.2 % of the swap undone"
    as_much = replace(result, undone_pct={"exact": (6.25, 6.25)})
    assert weighed(rule(at_most_pct=0), replace(storm, result=as_much)).outcome == "confirmed"


def test_a_metric_that_the_run_lacks_is_no_answer(storm: Reading) -> None:
    assert weighed(rule(metric="late_exits", at_most_pct=0), storm).outcome == "not answered"


def test_two_kernels_are_compared_by_their_unpatched_arms(storm: Reading) -> None:
    assert isinstance(storm.result, Comparison)
    slower = replace(
        storm.result,
        deltas=tuple(
            replace(one, values=tuple((2 * base, test) for base, test in one.values))
            for one in storm.result.deltas
        ),
    )
    asked = rule(since="lts", at_most_pct=-40)
    found = weighed(asked, {HERE: storm, "storm/lts/exact": reading(slower)})
    assert (found.outcome, found.measured) == ("confirmed", "-50.00 %")
    assert weighed(asked, storm).outcome == "not answered"


def test_two_series_are_compared_by_what_the_test_arms_measure(storm: Reading) -> None:
    assert isinstance(storm.result, Comparison)
    twice = replace(
        storm.result,
        deltas=tuple(
            replace(one, values=tuple((base, 2 * test) for base, test in one.values))
            for one in storm.result.deltas
        ),
    )
    asked = rule(cell="one-worker", than="storm", at_most_pct=1)
    found = weighed(asked, {HERE: storm, "one-worker/mainline/exact": reading(twice)})
    assert (found.outcome, found.measured) == ("refuted", "+100.00 %")
    assert found.rule.asked == "one-worker: exit_ns against storm, at most +1 %"


# Before "study: compare legs by the seeds that both have": a leg that was looked at twice had no
# answer from one that was not.
def test_a_leg_with_more_seeds_is_compared_by_those_that_the_other_has(storm: Reading) -> None:
    assert isinstance(storm.result, Comparison)
    longer = replace(
        storm.result,
        deltas=tuple(
            replace(one, values=one.values + tuple((base, 9 * test) for base, test in one.values))
            for one in storm.result.deltas
        ),
    )
    asked = rule(cell="one-worker", than="storm", at_most_pct=1)
    for before, after in ((storm, reading(longer)), (reading(longer), storm)):
        found = weighed(asked, {HERE: before, "one-worker/mainline/exact": after})
        assert (found.outcome, found.measured) == ("confirmed", "+0.00 %")


def share(pct: float, **functions: float) -> Reading:
    arm = ArmShares(1000, {"zap_pte_range": pct, **functions})
    return reading(Shares((arm, ArmShares(1000, {}))))


@pytest.mark.parametrize(
    ("pct", "outcome"), [(70, "confirmed"), (30, "refuted"), (51, "undecided")]
)
def test_a_share_of_a_profile_has_the_error_of_its_samples(pct: float, outcome: str) -> None:
    asked = rule(functions=("zap_pte_range",), arm="base", at_least_pct=50)
    assert weighed(asked, share(pct)).outcome == outcome


def test_a_function_that_was_never_seen_has_no_share() -> None:
    asked = rule(functions=("free_swap_slot",), arm="base", at_least_pct=50)
    found = weighed(asked, share(60))
    assert found.outcome == "not answered"
    assert "no sample has free_swap_slot" in found.why


def finding(series: str, state: FindingState) -> Finding:
    return condition(series, state, "swapoff", says=f"{series} {state}")


@pytest.mark.parametrize(
    ("states", "asked", "outcome"),
    [
        ({"none": "pass", "v0@1": "pass", "v0": "pass"}, {}, "undecided"),
        ({"none": "pass", "v0@1": "pass", "v0": "fail"}, {}, "refuted"),
        ({"none": "fail", "v0@1": "fail", "v0": "fail"}, {}, "undecided"),
        ({"none": "pass", "v0@1": "pass", "v0": "untested"}, {}, "not answered"),
        ({"none": "pass", "v0@1": "fail", "v0": "pass"}, {"patches": 1}, "refuted"),
        ({"none": "pass", "v0@1": "fail", "v0": "pass"}, {"patches": 1, "says": "fail"},
         "confirmed"),
    ],
)  # fmt: skip
def test_a_hazard_is_judged_against_the_unpatched_kernel(
    states: dict[str, FindingState], asked: dict[str, object], outcome: str
) -> None:
    result = check_result(*(finding(series, one) for series, one in states.items()))
    found = weighed(rule(finding="swapoff", **asked), reading(result))
    assert found.outcome == outcome


@pytest.mark.parametrize(
    ("states", "against", "outcome"),
    [
        (["pass"] * 5, "", "undecided"),
        (["pass"] * 6, "", "confirmed"),
        (["pass"] * 5 + ["fail"], "", "refuted"),
        (["fail"], "none", "undecided"),
        (["fail"] * 6, "none", "refuted"),
        (["fail"] * 2 + ["pass"] * 4, "none", "undecided"),
        (["pass"] * 6, "none", "confirmed"),
    ],
)
def test_a_hazard_that_passes_or_is_compared_takes_six_boots(
    states: list[FindingState], against: str, outcome: str
) -> None:
    boots = [replace(finding("v0", one), against=against) for one in states]
    found = weighed(rule(finding="swapoff"), reading(check_result(*boots)))
    assert found.outcome == outcome, found


@pytest.mark.parametrize(
    ("state", "failed", "outcome"),
    [("fail", 6, "refuted"), ("pass", 2, "undecided"), ("pass", 0, "confirmed")],
)
def test_boots_that_were_judged_together_count_one_by_one(
    state: FindingState, failed: int, outcome: str
) -> None:
    one = replace(finding("v0", state), against="none", boots=6, failed_boots=failed)
    found = weighed(rule(finding="swapoff"), reading(check_result(one)))
    assert found.outcome == outcome, found


def test_a_hazard_of_one_boot_says_how_little_it_tells() -> None:
    found = weighed(rule(finding="swapoff"), reading(check_result(finding("v0", "pass"))))
    assert found.why == (
        "v0 pass; that it failed in 0 of 1 leaves any share from 0 to 98 %; "
        "6 boots are the fewest that tell"
    )


def test_a_lost_hazard_is_no_answer() -> None:
    lost = replace(finding("v0", "fail"), kind="boot")
    found = weighed(rule(finding="swapoff"), reading(check_result(finding("none", "pass"), lost)))
    assert (found.outcome, found.why) == ("not answered", "v0 fail")


def test_a_hazard_with_a_variant_s_first_patches_is_looked_up_by_its_whole_name() -> None:
    result = check_result(finding("v0@1+small", "fail"), finding("v0+small", "pass"))
    judged = replace(result, series="v0+small")
    assert weighed(rule(finding="swapoff", patches=1), reading(judged)).outcome == "refuted"


def statement(*asked: Rule) -> StudyPlan:
    return StudyPlan("mine", "a test's", "v0", (), (Statement("a", "b", "c", rules=asked),))


def test_one_rule_that_fails_refutes_and_one_not_measured_leaves_it_open(storm: Reading) -> None:
    good, bad = rule(at_most_pct=0), rule(at_most_pct=-74)
    missing = rule(cell="other", at_most_pct=0)
    readings: dict[str, Reading | str] = {HERE: storm}

    def outcome(*asked: Rule) -> str:
        (one,) = weigh.conclude(statement(*asked), lambda key: readings.get(key, "it was not run"))
        return one.outcome

    assert outcome(good) == "confirmed"
    assert outcome(good, bad) == "refuted"
    assert outcome(bad, missing) == "refuted"
    assert outcome(good, missing) == "not answered"


def test_what_nothing_here_can_tell_is_not_answerable() -> None:
    asked = StudyPlan("mine", "t", "v0", (), (Statement("a", "b", "c", unanswerable="a phone's"),))
    (one,) = weigh.conclude(asked, lambda _: "it was not run")
    assert one.outcome == "not answerable"


def test_a_control_that_moved_is_named(storm: Reading) -> None:
    controls = [weighed(rule(at_least_pct=-2, at_most_pct=2), storm)]
    (line,) = weigh.moved(controls)
    assert "exit_ns at least -2 %, at most +2 %" in line
    assert "measured -41." in line
    assert weigh.moved([weighed(rule(at_least_pct=-99, at_most_pct=2), storm)]) == []
