# SPDX-License-Identifier: GPL-2.0-only
"""PASS, FAIL and INCONCLUSIVE, and how often each is wrong."""

import random
from collections.abc import Sequence
from dataclasses import replace
from types import SimpleNamespace
from typing import Literal, cast

import pytest

from patchbench import stats
from patchbench.gate import rules
from patchbench.gate.limits import Limit, Policy, Ruling
from patchbench.model import NEVER, Comparison, Delta, Metric


def policy(*limits: Limit, looks: tuple[int, ...] = (10,)) -> Policy:
    return Policy(0.05, looks, limits or (limit(),))


def limit(
    metric: str = "exit_ns",
    max_regression_pct: float | None = None,
    min_improvement_pct: float | None = None,
) -> Limit:
    if max_regression_pct is None and min_improvement_pct is None:
        max_regression_pct = 1.0
    better: Literal["lower", "higher"] = "higher" if metric == "rate" else "lower"
    return Limit("storm", "exact", metric, better, max_regression_pct, min_improvement_pct)


def delta(test: Sequence[float], base: Sequence[float] = (), metric: str = "exit_ns") -> Delta:
    values = tuple(zip(base or [100.0] * len(test), test, strict=True))
    ours, theirs = [one for one, _ in values], [other for _, other in values]
    measured = Metric(metric, "ns", "higher" if metric == "rate" else "lower")
    middles = stats.median(ours), stats.median(theirs)
    return Delta("exact", measured, *middles, None, None, None, values)


def rule(
    test: Sequence[float],
    base: Sequence[float] = (),
    max_regression_pct: float | None = None,
    min_improvement_pct: float | None = None,
) -> Ruling:
    one = policy(limit("exit_ns", max_regression_pct, min_improvement_pct))
    return rules.rule_all(one, 0, [delta(test, base)])[0]


def test_no_change_at_all_passes() -> None:
    assert rule([100.0] * 10).ruled == "PASS"


def test_no_change_at_all_passes_even_a_limit_of_nothing() -> None:
    assert rule([100.0] * 10, max_regression_pct=0).ruled == "PASS"


def test_ten_per_cent_more_everywhere_fails_and_says_by_how_much() -> None:
    ruling = rule([110.0 + number / 10 for number in range(10)])
    assert ruling.ruled == "FAIL"
    assert "beyond the limit, p = 0.00098" in ruling.why
    assert ruling.low_pct == pytest.approx(10.2, abs=0.3)


def test_a_change_on_both_sides_of_the_limit_is_inconclusive_and_not_a_pass() -> None:
    ruling = rule([100.0, 102.0] * 5)
    assert ruling.ruled == "INCONCLUSIVE"
    assert "undecided after 10 pairs" in ruling.why


def test_a_limit_per_freed_page_judges_what_a_page_cost() -> None:
    less_and_undone = replace(delta([90.0] * 10), per_page=delta([110.0] * 10))
    comparison = SimpleNamespace(deltas=[less_and_undone])
    whole, per_page = limit(), replace(limit(), per_page=True)
    rulings = rules.judge(
        policy(whole, per_page),
        0,
        {"storm": cast(Comparison, comparison)},
        [("storm", "exact")],
    )
    assert [ruling.ruled for ruling in rulings] == ["PASS", "FAIL"]


def test_a_gain_that_is_required_and_there_passes() -> None:
    assert rule([80.0 + number for number in range(10)], min_improvement_pct=5).ruled == "PASS"


def test_a_gain_that_is_required_and_missing_fails() -> None:
    assert rule([100.0] * 10, min_improvement_pct=5).ruled == "FAIL"


def test_less_of_what_should_be_more_fails() -> None:
    ruling = rules.rule_all(policy(limit("rate")), 0, [delta([90.0] * 10, metric="rate")])[0]
    assert ruling.ruled == "FAIL"
    assert ruling.high_pct == pytest.approx(-10)


def test_what_does_not_finish_and_always_did_fails_without_statistics() -> None:
    ruling = rule([100.0] * 9 + [NEVER])
    assert ruling.ruled == "FAIL"
    assert "did not finish in 1 of 10 boots" in ruling.why


def test_what_does_not_finish_without_the_series_either_is_judged_as_any_other() -> None:
    assert rule([NEVER] * 10, [NEVER] * 10).ruled == "PASS"


def test_what_did_not_finish_before_and_now_does_is_a_gain() -> None:
    assert rule([100.0] * 10, [NEVER] * 10, min_improvement_pct=50).ruled == "PASS"


def finishes(test: Sequence[float], base: Sequence[float] = ()) -> Ruling:
    must = Limit("storm", "exact", "swapoff_ns", "lower", must_finish=True)
    return rules.rule_all(policy(must), 0, [delta(test, base, "swapoff_ns")])[0]


def test_a_clock_that_must_finish_may_take_ten_times_as_long() -> None:
    ruling = finishes([1000.0] * 10)
    assert (ruling.ruled, ruling.why) == ("PASS", "finished in all 10 boots")


def test_a_clock_that_must_finish_and_once_does_not_fails() -> None:
    ruling = finishes([100.0] * 9 + [NEVER])
    assert ruling.ruled == "FAIL"


@pytest.mark.parametrize(
    ("base", "ruled"),
    [([NEVER, 100.0, 100.0], "PASS"), ([100.0, NEVER, 100.0], "INCONCLUSIVE")],
)
def test_a_clock_that_does_not_finish_without_the_series_either_is_compared_seed_by_seed(
    base: list[float], ruled: str
) -> None:
    assert finishes([NEVER, 100.0, 100.0], base).ruled == ruled


def test_a_clock_that_must_finish_is_no_hypothesis_that_the_others_pay_for() -> None:
    test = [102.0 + number / 100 for number in range(9)] + [90.0]  # p = 11/1024, for one limit
    must = Limit("storm", "exact", "swapoff_ns", "lower", must_finish=True)
    both = policy(limit(), *[replace(must, metric=f"clock{n}_ns") for n in range(5)])
    rulings = rules.rule_all(both, 0, [delta(test), *[delta([100.0] * 10)] * 5])
    assert rulings[0].ruled == "FAIL"


def test_a_limit_that_passed_fails_when_a_later_boot_does_not_finish() -> None:
    two = policy(looks=(10, 20))
    first = rules.rule_all(two, 0, [delta([100.0] * 10)])
    second = rules.rule_all(two, 1, [delta([100.0] * 19 + [NEVER])], first)
    assert (first[0].ruled, second[0].ruled) == ("PASS", "FAIL")


def test_a_base_of_zero_is_inconclusive() -> None:
    ruling = rule([1.0] * 10, [0.0] * 10)
    assert (ruling.ruled, ruling.why) == ("INCONCLUSIVE", "a base of 0 has no ratio")


def test_what_was_not_measured_is_inconclusive() -> None:
    assert rules.rule_all(policy(), 0, [None])[0].ruled == "INCONCLUSIVE"


def test_one_pair_decides_nothing() -> None:
    assert rule([200.0]).ruled == "INCONCLUSIVE"


def test_one_failed_limit_fails_the_gate_and_one_open_one_keeps_it_open() -> None:
    good, open_, bad = rule([100.0] * 10), rule([100.0, 102.0] * 5), rule([200.0] * 10)
    assert rules.overall([good, open_, bad]) == "FAIL"
    assert rules.overall([good, open_]) == "INCONCLUSIVE"
    assert rules.overall([good, good]) == "PASS"
    assert rules.overall([]) == "INCONCLUSIVE"


def test_more_limits_ask_for_more_before_one_of_them_fails() -> None:
    # Nine of ten pairs beyond the limit, the tenth far below: p = 11/1024 for one limit.
    test = [102.0 + number / 100 for number in range(9)] + [90.0]
    alone = rules.rule_all(policy(), 0, [delta(test)])
    assert alone[0].ruled == "FAIL"
    limits = [limit(name) for name in ("exit_ns", "a", "b", "c", "d", "e")]
    others = [delta([100.0] * 10, metric=one.metric) for one in limits[1:]]
    together = rules.rule_all(policy(*limits), 0, [delta(test), *others])
    assert together[0].ruled == "INCONCLUSIVE"


def test_what_was_decided_at_a_look_stays_decided() -> None:
    two = policy(looks=(10, 20))
    first = rules.rule_all(two, 0, [delta([100.0] * 10)])
    second = rules.rule_all(two, 1, [delta([200.0] * 20)], first)
    assert second == first


def test_undecided_limits_name_their_place_once() -> None:
    rulings = [rule([100.0, 102.0] * 5), rule([100.0, 102.0] * 5), rule([100.0] * 10)]
    assert rules.undecided(rulings) == {("storm", "exact")}


@pytest.mark.slow
def test_a_revision_on_the_very_limit_is_stopped_no_more_often_than_stated() -> None:
    # Four metrics that move together, two looks, noise of 3 %: the hardest case that is allowed.
    names = ["exit_ns", "cpu_ns", "drain_ns", "swapoff_ns"]
    limits = policy(*(limit(name, max_regression_pct=2.0) for name in names), looks=(10, 20))
    draw, stopped, passed, trials = random.Random(20260101), 0, 0, 2000
    for _ in range(trials):
        shared = [draw.gauss(0, 0.02) for _ in range(20)]
        test = {
            name: [102.0 * (1 + common + draw.gauss(0, 0.02)) for common in shared]
            for name in names
        }
        rulings: tuple[Ruling, ...] = ()
        for look, count in enumerate(limits.looks):
            deltas = [delta(test[name][:count], metric=name) for name in names]
            rulings = rules.rule_all(limits, look, deltas, rulings)
        stopped += rules.overall(rulings) == "FAIL"
        passed += rules.overall(rulings) == "PASS"
    assert stopped / trials < 0.05
    assert passed / trials < 0.05
