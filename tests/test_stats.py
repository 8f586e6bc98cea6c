# SPDX-License-Identifier: GPL-2.0-only
"""Paired change and its interval."""

import math

import pytest

from patchbench.model import NEVER
from patchbench.stats import median, paired_change

TEN = [100.0 + number for number in range(10)]


def test_no_change_is_exactly_zero_with_an_interval_of_zero() -> None:
    change = paired_change(TEN, TEN)
    assert (change.change_pct, change.low_pct, change.high_pct) == (0, 0, 0)


def test_a_halving_of_every_pair_is_minus_fifty_per_cent() -> None:
    change = paired_change(TEN, [value / 2 for value in TEN])
    assert change.change_pct == pytest.approx(-50)
    assert change.low_pct == pytest.approx(-50)


def test_the_interval_of_ten_pairs_leaves_out_one_at_each_end() -> None:
    ratios = [1.00, 1.01, 1.02, 1.03, 1.04, 1.05, 1.06, 1.07, 1.08, 1.09]
    change = paired_change([100.0] * 10, [100 * ratio for ratio in ratios])
    assert change.low_pct == pytest.approx(1)  # 2nd and 9th of 10: coverage 97.9 %
    assert change.high_pct == pytest.approx(8)


def test_too_few_pairs_give_an_estimate_and_say_that_they_are_too_few() -> None:
    change = paired_change(TEN[:5], TEN[:5])
    assert change.change_pct == 0
    assert change.low_pct is None
    assert "too few" in change.note


def test_six_pairs_are_enough_for_an_interval() -> None:
    assert paired_change(TEN[:6], TEN[:6]).low_pct == 0


def test_from_finite_to_never_is_worse_than_any_number() -> None:
    change = paired_change(TEN, [NEVER] * 10)
    assert (change.change_pct, change.low_pct) == (NEVER, NEVER)


def test_never_against_never_is_no_change() -> None:
    assert paired_change([NEVER] * 10, [NEVER] * 10).change_pct == 0


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
    with pytest.raises(ValueError, match=r"pairs|not a number"):
        paired_change(base, test)


def test_the_median_of_an_even_count_is_the_mean_of_the_middle_two() -> None:
    assert median([4.0, 1.0, 2.0, 3.0]) == 2.5
    assert median([1.0, NEVER, NEVER, NEVER]) == NEVER
