# SPDX-License-Identifier: GPL-2.0-only
"""The drawing of an interval: on one scale, and honest about what lies beyond it."""

import math
import re

import pytest

from patchbench.study import drawing
from patchbench.study.estimates import Estimate
from patchbench.study.rules import ChangeRule, LevelRule
from patchbench.study.weigh import Weighed

RULE = ChangeRule(cell="storm", metric="exit_ns", at_most_pct=0)


def svg(value: float, low: float | None, high: float | None, unit: str = "+%") -> str:
    return drawing.interval(
        Weighed(RULE, "undecided", estimate=Estimate(value, low, high, unit, 6))
    )


def dot(text: str) -> float:
    found = re.search(r'<circle class="dot" cx="([0-9.]+)"', text)
    assert found
    return float(found[1])


def zero(text: str) -> float:
    found = re.search(r'<line class="zero" x1="([0-9.]+)"', text)
    assert found
    return float(found[1])


def test_a_change_lies_left_of_zero_if_it_is_less_and_right_if_it_is_more() -> None:
    less, more = svg(-20, -30, -10), svg(20, 10, 30)
    assert dot(less) < zero(less) == zero(more) < dot(more)


def test_equal_changes_lie_at_the_same_place_in_every_drawing() -> None:
    assert dot(svg(-20, -30, -10)) == dot(svg(-20, -90, 300))


@pytest.mark.parametrize(("high", "arrows"), [(300, 0), (500, 1), (math.inf, 1)])
def test_what_goes_on_beyond_the_scale_ends_in_an_arrow(high: float, arrows: int) -> None:
    assert svg(20, -10, high).count('class="arrow"') == arrows


def test_the_allowed_band_ends_at_the_bound() -> None:
    text = svg(20, 10, 30)
    found = re.search(r'class="allowed" x="([0-9.]+)" y="2" width="([0-9.]+)"', text)
    assert found
    assert float(found[1]) + float(found[2]) == pytest.approx(zero(text))


def test_without_an_interval_there_is_no_bar() -> None:
    assert 'class="range"' not in svg(20, None, None)


def test_units_without_a_common_scale_are_not_drawn() -> None:
    rule = LevelRule(cell="storm", metric="residue_pages", arm="test", at_most=0)
    assert drawing.interval(Weighed(rule, "refuted", estimate=Estimate(5, 1, 9, "pages", 6))) == ""
    assert drawing.interval(Weighed(rule, "not answered")) == ""


def test_the_drawing_says_in_words_what_it_shows() -> None:
    assert 'aria-label="-20.00 %, interval [-30.00 %, -10.00 %], storm: exit_ns' in svg(
        -20, -30, -10
    )
