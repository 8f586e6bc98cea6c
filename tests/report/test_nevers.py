# SPDX-License-Identifier: GPL-2.0-only
"""A clock that did not stop is told as a probability, beside how soon it stopped elsewhere."""

from patchbench.report import nevers
from patchbench.stages.compare import compare
from tests.fakes import boot, plan, results

SEEDS = range(1, 17)


def lines(stuck: int) -> list[str]:
    """Return what is told of 16 pairs, in the first so many of which test's drain never ends."""
    boots = [boot("none", seed, results()) for seed in SEEDS]
    boots += [
        boot("v0", seed, results(drain_ns="never" if seed <= stuck else 300)) for seed in SEEDS
    ]
    return [*nevers.lines(compare(plan(seeds=16), boots))]


def test_a_clock_that_stopped_in_some_boots_has_a_probability_and_a_median_of_those() -> None:
    assert lines(4) == [
        (
            "exact drain_ns with v0: never in 4 of 16 boots, so with a probability of 25 % [7, 52] "
            "(95% interval); 300 ns in the median boot that ended"
        )
    ]


def test_a_clock_that_never_stopped_has_no_median() -> None:
    assert lines(16) == [
        (
            "exact drain_ns with v0: never in 16 of 16 boots, so with a probability of "
            "100 % [79, 100] (95% interval)"
        )
    ]


def test_clocks_that_stopped_are_not_mentioned() -> None:
    assert lines(0) == []
