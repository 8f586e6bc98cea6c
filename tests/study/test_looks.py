# SPDX-License-Identifier: GPL-2.0-only
"""A study that goes on until it is decided: which legs get more seeds, and at what confidence."""

import random

import pytest

from patchbench import stats
from patchbench.study import looks
from patchbench.study.weigh import Outcome, Weighed
from tests.study.test_weigh import rule

ONE, OTHER = "storm/mainline/exact", "storm/mainline/exact8"


def weighed(outcome: Outcome, machine: str = "exact", **keys: object) -> Weighed:
    return Weighed(rule(machine=machine, at_most_pct=0, **keys), outcome)


def again(
    asked: list[Weighed], looked: dict[str, int], *, beside: tuple[Weighed, ...] = ()
) -> set[str]:
    """Return what is looked at again of rules that are asked for, with others in the plan."""
    return looks.to_look_again(asked, [one.rule for one in (*asked, *beside)], looked, most=4)


def test_only_a_leg_with_an_undecided_rule_is_looked_at_again() -> None:
    rules = [weighed("undecided"), weighed("confirmed"), weighed("refuted", "exact8")]
    assert again(rules, {ONE: 1, OTHER: 1}) == {ONE}


@pytest.mark.parametrize("looked", [{ONE: 4}, {}])
def test_a_leg_without_looks_left_or_without_a_run_stays_as_it_is(looked: dict[str, int]) -> None:
    assert again([weighed("undecided")], looked) == set()


def test_no_number_of_boots_makes_a_cell_tell_what_it_cannot() -> None:
    assert again([weighed("cannot tell")], {ONE: 1}) == set()


def test_legs_that_a_rule_compares_seed_by_seed_go_on_together_or_not_at_all() -> None:
    older = "storm/lts/exact"
    rules = [weighed("undecided"), weighed("confirmed", since="lts")]
    assert again(rules, {ONE: 1, older: 1}) == {ONE, older}
    assert again(rules, {ONE: 1}) == set()


def test_an_open_rule_that_nobody_asked_about_has_no_boots_booted_for_it() -> None:
    aside = weighed("undecided")
    assert again([weighed("confirmed")], {ONE: 1}, beside=(aside,)) == set()
    assert again([weighed("undecided")], {ONE: 1}, beside=(aside,)) == {ONE}


def test_all_looks_together_decide_wrongly_no_more_often_than_one_at_95_per_cent() -> None:
    """Noise alone, looked at with 8, 16, 32 and 64 pairs: how often it passes for a change."""
    draw = random.Random(20261126)
    wrong = {looks.confidence(1): 0, looks.confidence(looks.MOST): 0}
    studies = 400
    for _ in range(studies):
        pairs = [draw.gauss(0, 0.02) for _ in range(64)]
        for confidence in wrong:
            found = [stats.Shift(tuple(pairs[:n])).interval(confidence) for n in (8, 16, 32, 64)]
            wrong[confidence] += any(one and (one[0] > 0 or one[1] < 0) for one in found)
    often, seldom = (100 * count / studies for count in wrong.values())
    assert seldom <= 5 < often
