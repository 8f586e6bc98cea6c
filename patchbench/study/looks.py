# SPDX-License-Identifier: GPL-2.0-only
"""When a leg is booted more because its rules are open, and what looking again costs. Pure.

A leg is looked at with its plan's seeds, and while a rule on it is undecided with twice as many,
MOST times at most. Who looks so often with intervals of 95 % finds one on the wrong side of a
bound more often than one look does. So each look has its share of the error rate (Bonferroni):
over all of them, a rule is decided wrongly no more often than by one look at 95 %.
"""

from collections.abc import Iterable, Iterator, Mapping

from patchbench import stats
from patchbench.study.rules import Rule
from patchbench.study.weigh import Weighed

MOST = 4
#: What more boots can decide; a profile is one boot however often it is looked at.
_BY_BOOTS = ("bench", "hazard")


def confidence(most: int) -> float:
    """Return the confidence of an interval at each of at most so many looks."""
    return 1 - (1 - stats.CONFIDENCE) / most


def to_look_again(
    asked: Iterable[Weighed], rules: Iterable[Rule], looked: Mapping[str, int], most: int
) -> set[str]:
    """Return the legs of asked rules that are open and have looks left, and those tied to them.

    rules: all of the plan's. One that compares two legs seed by seed needs as many of either, so
    both go on, or neither. looked: how often each leg was looked at so far, by its key.
    """
    open_legs = {
        name
        for one in asked
        if one.outcome == "undecided" and one.rule.kind in _BY_BOOTS
        for name in _legs(one.rule)
    }
    again: set[str] = set()
    for group in _paired(rules):
        if group & open_legs and all(looked.get(leg, most) < most for leg in group):
            again |= group
    return again


def _legs(rule: Rule) -> set[str]:
    return {rule.leg, rule.reference}


def _paired(rules: Iterable[Rule]) -> Iterator[set[str]]:
    """Give the legs that rules tie together, each leg once."""
    groups: list[set[str]] = []
    for rule in rules:
        tied = _legs(rule)
        apart = [group for group in groups if not group & tied]
        groups = [*apart, tied.union(*(group for group in groups if group & tied))]
    yield from groups
