# SPDX-License-Identifier: GPL-2.0-only
"""Paired change of one metric over boots: estimate, interval, one-sided tests, Holm; shares. Pure.

The same seed on both arms is a pair, and the boot is the unit of replication. Everything is
worked out on the pairs' log-ratios, log(test / base), by Wilcoxon's signed-rank statistic
(Hollander, Wolfe and Chicken, Nonparametric Statistical Methods, 3.1-3.3): the estimate is
Hodges and Lehmann's, the median of the means of all pairs of log-ratios; interval and tests are
its exact ones. They assume no distribution but that the log-ratios lie symmetrically about the
change, which holds exactly where nothing changed, since the arms can then be swapped.

A clock that never stopped is worse than every finite one. Its log-ratio is a number that no
finite one comes near, so that order, and nothing else, decides what becomes of it.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, cached_property

import numpy as np
from numpy.typing import NDArray

from patchbench.model import NEVER

CONFIDENCE = 0.95
#: Finite log-ratios of 64-bit numbers stay below 45. Means with this one stay beyond any.
_NEVER_LOG = 1e6
_BEYOND_LOG = 1e3


@dataclass(frozen=True, slots=True)
class Change:
    """test / base - 1 in per cent; None where it cannot be said, and `note` says why."""

    change_pct: float | None
    low_pct: float | None
    high_pct: float | None
    note: str = ""


@dataclass(frozen=True)
class Shift:
    """Where the log-ratios of some pairs lie; the questions a gate may ask of them."""

    logs: tuple[float, ...]

    @cached_property
    def means(self) -> NDArray[np.float64]:
        """Return the sorted means of all pairs of log-ratios, each with itself as well."""
        logs = np.asarray(self.logs)
        rows, columns = _upper(len(logs))
        return np.sort((logs[rows] + logs[columns]) / 2)

    @property
    def estimate(self) -> float:
        """Return the Hodges-Lehmann estimate of the change, a log-ratio."""
        return median(self.means.tolist())

    def interval(self, confidence: float = CONFIDENCE) -> tuple[float, float] | None:
        """Return the exact interval of the change, or None if there are too few pairs."""
        tail = (1 - confidence) / 2
        outside = int(np.count_nonzero(_tails(len(self.logs)) <= tail))
        if not outside:
            return None
        return float(self.means[outside - 1]), float(self.means[-outside])

    def p_different(self) -> float:
        """Return how likely a change so far from none is, on either side, if there is none."""
        tails = _tails(len(self.logs))
        more, less = np.count_nonzero(self.means > 0), np.count_nonzero(self.means < 0)
        return min(1.0, 2 * float(min(tails[more], tails[less])))

    def p_beyond(self, limit: float) -> float:
        """Return how likely so much above `limit` is if the change is not above it."""
        return float(_tails(len(self.logs))[np.count_nonzero(self.means > limit)])

    def p_within(self, limit: float) -> float:
        """Return how likely so little above `limit` is if the change is above it."""
        return float(_tails(len(self.logs))[np.count_nonzero(self.means <= limit)])


def log_ratios(base: Sequence[float], test: Sequence[float]) -> tuple[float, ...] | None:
    """Return log(test[i] / base[i]) of each pair; None where a base of 0 has no ratio.

    Raises ValueError for samples that are no pairs, empty, negative or NaN.
    """
    if len(base) != len(test) or not base:
        raise ValueError(f"{len(base)} base and {len(test)} test values do not pair up")
    if any(math.isnan(value) or value < 0 for value in (*base, *test)):
        raise ValueError("a time or a count is negative or not a number")
    if any(one == 0 and other != 0 for one, other in zip(base, test, strict=True)):
        return None
    return tuple(_log_ratio(one, other) for one, other in zip(base, test, strict=True))


def paired_change(
    base: Sequence[float], test: Sequence[float], confidence: float = CONFIDENCE
) -> Change:
    """Return the change from base to test; base[i] and test[i] are one pair, in any unit.

    Raises ValueError as log_ratios does.
    """
    logs = log_ratios(base, test)
    if logs is None:
        return Change(None, None, None, "the base is 0, so no ratio")
    shift = Shift(logs)
    interval = shift.interval(confidence)
    if interval is None:
        enough = fewest_pairs((1 - confidence) / 2)
        note = (
            f"{len(logs)} pairs are too few for a {in_per_cent(confidence)} interval; "
            f"{enough} are enough"
        )
        return Change(per_cent(shift.estimate), None, None, note)
    alike = len(set(logs)) == 1 and logs[0] != 0
    note = "every pair gave the same ratio, so the seeds vary nothing" if alike else ""
    return Change(per_cent(shift.estimate), per_cent(interval[0]), per_cent(interval[1]), note)


def in_per_cent(confidence: float) -> str:
    """Return a confidence as it stands before an interval: 95%, 98.75%."""
    return f"{100 * confidence:.4g}%"


def fewest_pairs(level: float) -> int:
    """Return how many pairs a one-sided test at this level needs before it can decide at all.

    n pairs that all point one way have probability 2**-n.
    """
    return math.ceil(-math.log2(level))


def holm(p_values: Sequence[float]) -> list[float]:
    """Return p-values adjusted by Holm's step-down rule (Scand. J. Statistics 6, 1979)."""
    adjusted, reached = [1.0] * len(p_values), 0.0
    for rank, index in enumerate(sorted(range(len(p_values)), key=p_values.__getitem__)):
        reached = max(reached, min(1.0, (len(p_values) - rank) * p_values[index]))
        adjusted[index] = reached
    return adjusted


def median(values: Sequence[float]) -> float:
    """Return the middle value, or the mean of the middle two; NEVER counts as infinite."""
    ordered = sorted(values)
    half = len(ordered) // 2
    if len(ordered) % 2:
        return ordered[half]
    low, high = ordered[half - 1], ordered[half]
    return low if low == high else (low + high) / 2  # inf - inf would be NaN


def median_interval(
    values: Sequence[float], confidence: float = CONFIDENCE
) -> tuple[float, float] | None:
    """Return the exact interval of the median of one arm, or None if there are too few.

    By the sign test (Hollander, Wolfe and Chicken, 3.6): it assumes no distribution at all.
    """
    ordered, tail, outside = sorted(values), 0.0, 0
    while True:
        tail += math.comb(len(ordered), outside) / 2 ** len(ordered)
        if tail > (1 - confidence) / 2:
            break
        outside += 1
    return (ordered[outside - 1], ordered[-outside]) if outside else None


def share_interval_pct(count: int, of: int, confidence: float = CONFIDENCE) -> tuple[float, float]:
    """Return the exact interval of a probability in per cent, from `count` cases of `of`.

    Clopper and Pearson's (Biometrika 26, 1934): it has the truth as often as it says at least.
    Raises ValueError for a count that is not within 0 and `of`, and for no cases at all.
    """
    if not 0 <= count <= of or not of:
        raise ValueError(f"{count} of {of} is no share")
    from scipy.special import betaincinv  # takes a moment, and most reports need none

    tail = (1 - confidence) / 2
    low = betaincinv(count, of - count + 1, tail) if count else 0.0
    high = betaincinv(count + 1, of - count, 1 - tail) if count < of else 1.0
    return 100 * float(low), 100 * float(high)


def per_cent(log_ratio: float) -> float:
    """Return a log-ratio as a change in per cent: NEVER, or -100, where one arm did not finish."""
    if log_ratio > _BEYOND_LOG:
        return NEVER
    return -100.0 if log_ratio < -_BEYOND_LOG else math.expm1(log_ratio) * 100


def _log_ratio(base: float, test: float) -> float:
    if base == test:
        return 0.0  # never against never, and 0 against 0, are no change
    if test == NEVER:
        return _NEVER_LOG
    if base == NEVER or test == 0:
        return -_NEVER_LOG
    return math.log(test / base)


@cache
def _upper(pairs: int) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return rows and columns of the upper triangle, diagonal included, of a square that large."""
    return np.triu_indices(pairs)


@cache
def _tails(pairs: int) -> NDArray[np.float64]:
    """Return P(T >= t) for t = 0 .. n(n+1)/2, T being the signed-rank statistic of no change."""
    ways = np.ones(1)
    for rank in range(1, pairs + 1):
        step = np.zeros(rank + 1)
        step[[0, rank]] = 0.5
        ways = np.convolve(ways, step)
    return np.minimum(np.cumsum(ways[::-1])[::-1], 1.0)
