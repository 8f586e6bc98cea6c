# SPDX-License-Identifier: GPL-2.0-only
"""Paired change, its interval and its tests, against scipy and against brute force."""

import math
from itertools import pairwise, product

import pytest
from hypothesis import given
from hypothesis import strategies as some

from patchbench.model import NEVER
from patchbench.stats import (
    Shift,
    fewest_pairs,
    holm,
    log_ratios,
    median,
    paired_change,
    share_interval_pct,
)

TEN = [100.0 + number for number in range(10)]
LOGS = some.lists(some.integers(-50, 50).map(lambda n: n / 7), min_size=1, max_size=9)
P_VALUES = some.lists(some.floats(0, 1), min_size=1, max_size=6)


def test_no_change_is_exactly_zero_with_an_interval_of_zero() -> None:
    change = paired_change(TEN, TEN)
    assert (change.change_pct, change.low_pct, change.high_pct, change.note) == (0, 0, 0, "")


def test_a_halving_of_every_pair_is_minus_fifty_per_cent_and_told_to_be_constant() -> None:
    change = paired_change([100.0] * 10, [50.0] * 10)
    assert change.change_pct == pytest.approx(-50)
    assert change.low_pct == pytest.approx(-50)
    assert "seeds vary nothing" in change.note


def test_the_interval_of_ten_pairs_leaves_out_eight_means_at_each_end() -> None:
    shift = Shift(tuple(float(number) for number in range(10)))
    assert shift.interval() == (shift.means[8], shift.means[-9])  # P(T <= 8) = 0.0244


def test_too_few_pairs_give_an_estimate_and_say_that_they_are_too_few() -> None:
    change = paired_change(TEN[:5], TEN[:5])
    assert change.change_pct == 0
    assert change.low_pct is None
    assert "too few for a 95% interval; 6 are enough" in change.note


def test_six_pairs_are_enough_for_an_interval() -> None:
    assert paired_change(TEN[:6], TEN[:6]).low_pct == 0


def test_one_pair_is_an_estimate_and_decides_nothing() -> None:
    shift = Shift((0.5,))
    assert shift.estimate == 0.5
    assert shift.interval() is None
    assert shift.p_beyond(0) == shift.p_within(1) == 0.5


def test_from_finite_to_never_is_worse_than_any_number() -> None:
    change = paired_change(TEN, [NEVER] * 10)
    assert (change.change_pct, change.low_pct) == (NEVER, NEVER)


def test_from_never_to_finite_is_a_gain_of_everything() -> None:
    assert paired_change([NEVER] * 10, TEN).change_pct == -100


def test_never_against_never_is_no_change() -> None:
    assert paired_change([NEVER] * 10, [NEVER] * 10).change_pct == 0


def test_never_both_ways_is_no_change_with_the_widest_interval() -> None:
    change = paired_change([NEVER] * 5 + [1.0] * 5, [1.0] * 5 + [NEVER] * 5)
    assert (change.change_pct, change.low_pct, change.high_pct) == (0, -100, NEVER)


def test_a_minority_that_never_ends_moves_the_upper_end_only() -> None:
    change = paired_change([100.0] * 6, [100.0] * 5 + [NEVER])
    assert change.change_pct == 0
    assert change.high_pct == NEVER


def test_a_base_of_zero_has_no_ratio_and_says_so() -> None:
    assert paired_change([0.0] * 6, [31.0] * 6).note == "the base is 0, so no ratio"


def test_zero_against_zero_is_no_change() -> None:
    assert paired_change([0.0] * 6, [0.0] * 6).change_pct == 0


@pytest.mark.parametrize(
    ("base", "test"), [([], []), ([1.0], []), ([math.nan], [1.0]), ([-1.0], [1.0])]
)
def test_what_cannot_be_paired_is_an_error_and_no_estimate(
    base: list[float], test: list[float]
) -> None:
    with pytest.raises(ValueError, match=r"pair up|not a number"):
        paired_change(base, test)


def test_the_median_of_an_even_count_is_the_mean_of_the_middle_two() -> None:
    assert median([4.0, 1.0, 2.0, 3.0]) == 2.5
    assert median([1.0, NEVER, NEVER, NEVER]) == NEVER


@given(LOGS, some.integers(-50, 50).map(lambda n: n / 7 + 0.01))
def test_the_p_value_is_the_share_of_sign_flips_at_least_as_extreme(
    logs: list[float], limit: float
) -> None:
    # Brute force over every assignment of signs; `limit` is off the grid, so no ties with it.
    # Ties share their mean rank in the textbook; counting means of pairs breaks them alike.
    seen = int((Shift(tuple(logs)).means > limit).sum())
    ranks = range(1, len(logs) + 1)
    flips = [
        sum(rank for rank, up in zip(ranks, ups, strict=True) if up)
        for ups in product((0, 1), repeat=len(logs))
    ]
    share = sum(total >= seen for total in flips) / len(flips)
    assert Shift(tuple(logs)).p_beyond(limit) == pytest.approx(share)


@pytest.mark.slow
@given(
    some.lists(some.floats(-3, 3), min_size=1, max_size=12, unique_by=lambda x: abs(round(x, 6)))
)
def test_the_p_value_is_scipy_s_where_nothing_is_tied(logs: list[float]) -> None:
    from scipy.stats import wilcoxon  # takes seconds; brute force checks the same without

    if any(abs(log) < 1e-5 for log in logs):
        return
    exact = wilcoxon(logs, alternative="greater", method="exact")
    assert Shift(tuple(logs)).p_beyond(0) == pytest.approx(exact.pvalue)


@given(LOGS, some.integers(-60, 60).map(lambda n: n / 7))
def test_the_tests_and_the_interval_say_the_same(logs: list[float], limit: float) -> None:
    shift = Shift(tuple(logs))
    interval = shift.interval(0.8)
    if interval is None:
        assert min(shift.p_beyond(limit), shift.p_within(limit)) > 0.1
        return
    assert (shift.p_beyond(limit) <= 0.1 + 1e-12) == (interval[0] > limit)
    assert (shift.p_within(limit) <= 0.1 + 1e-12) == (interval[1] <= limit)


@given(LOGS)
def test_swapping_the_arms_turns_the_change_round(logs: list[float]) -> None:
    one, other = Shift(tuple(logs)), Shift(tuple(-log for log in logs))
    assert one.estimate == pytest.approx(-other.estimate)


@given(LOGS)
def test_the_estimate_lies_in_its_interval(logs: list[float]) -> None:
    shift = Shift(tuple(logs))
    low, high = shift.interval() or (-math.inf, math.inf)
    assert low <= shift.estimate <= high


@given(some.floats(1e-6, 0.5))
def test_the_fewest_pairs_can_decide_and_one_less_cannot(level: float) -> None:
    enough = fewest_pairs(level)
    assert Shift((1.0,) * enough).p_beyond(0) <= level
    if enough > 1:
        assert Shift((1.0,) * (enough - 1)).p_beyond(0) > level


def test_holm_s_own_numbers() -> None:
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])


@given(P_VALUES)
def test_holm_rejects_no_more_than_each_alone_and_no_less_than_bonferroni(
    p_values: list[float],
) -> None:
    adjusted = holm(p_values)
    for raw, ours in zip(p_values, adjusted, strict=True):
        assert raw <= ours <= min(1.0, raw * len(p_values) * (1 + 1e-12))


@given(P_VALUES)
def test_holm_keeps_the_order_of_its_p_values(p_values: list[float]) -> None:
    pairs = sorted(zip(p_values, holm(p_values), strict=True))
    assert all(one[1] <= two[1] for one, two in pairwise(pairs))


def test_log_ratios_of_a_zero_base_are_none() -> None:
    assert log_ratios([0.0, 1.0], [1.0, 1.0]) is None


@pytest.mark.parametrize(
    ("count", "of", "low", "high"),
    [(0, 1, 0, 97.5), (0, 6, 0, 45.93), (4, 16, 7.27, 52.38), (14, 16, 61.65, 98.45)],
)
def test_the_interval_of_a_share_is_clopper_and_pearson_s(
    count: int, of: int, low: float, high: float
) -> None:
    assert share_interval_pct(count, of) == pytest.approx((low, high), abs=0.005)
    assert share_interval_pct(of - count, of) == pytest.approx((100 - high, 100 - low), abs=0.005)


@pytest.mark.parametrize(("count", "of"), [(0, 0), (2, 1), (-1, 3)])
def test_a_count_of_more_than_there_are_is_no_share(count: int, of: int) -> None:
    with pytest.raises(ValueError, match="is no share"):
        share_interval_pct(count, of)
