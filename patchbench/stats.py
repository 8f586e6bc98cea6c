# SPDX-License-Identifier: GPL-2.0-only
"""Paired change of one metric over boots, with an interval that assumes no distribution. Pure.

The same seed on both arms is a pair, and the boot is the unit of replication. The estimate is
the median of the pairs' log-ratios; its interval is the exact one from order statistics, the
inverse of the sign test (Conover, Practical Nonparametric Statistics, 3.2). Order statistics
take a clock that never stopped as what it is, worse than any finite one, without a special rule.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from patchbench.model import NEVER

CONFIDENCE = 0.95


@dataclass(frozen=True, slots=True)
class Change:
    """test / base - 1 in per cent; None where it cannot be said, and `note` says why."""

    change_pct: float | None
    low_pct: float | None
    high_pct: float | None
    note: str = ""


def paired_change(base: Sequence[float], test: Sequence[float]) -> Change:
    """Return the change from base to test; base[i] and test[i] are one pair, in any unit.

    Raises ValueError for samples that are no pairs, empty, negative or NaN.
    """
    if len(base) != len(test) or not base:
        raise ValueError(f"{len(base)} base and {len(test)} test values are no pairs")
    if any(math.isnan(value) or value < 0 for value in (*base, *test)):
        raise ValueError("a time or a count is negative or not a number")
    if any(one == 0 and other != 0 for one, other in zip(base, test, strict=True)):
        return Change(None, None, None, "the base is 0, so no ratio")

    logs = [_log_ratio(one, other) for one, other in zip(base, test, strict=True)]
    centre = median(logs)
    if math.isnan(centre):
        return Change(
            None, None, None, "pairs contradict each other: never against finite, both ways"
        )
    low, high = _interval(logs)
    if math.isnan(low) or math.isnan(high):
        note = f"{len(logs)} pairs are too few for a {CONFIDENCE:.0%} interval; 6 are enough"
        return Change(_per_cent(centre), None, None, note)
    return Change(_per_cent(centre), _per_cent(low), _per_cent(high))


def median(values: Sequence[float]) -> float:
    """Return the middle value, or the mean of the middle two; NEVER counts as infinite."""
    ordered = sorted(values)
    half = len(ordered) // 2
    if len(ordered) % 2:
        return ordered[half]
    low, high = ordered[half - 1], ordered[half]
    return low if low == high else (low + high) / 2  # inf - inf would be NaN


def _log_ratio(base: float, test: float) -> float:
    if base == test:
        return 0.0  # never against never, and 0 against 0, are no change
    if test == NEVER:
        return math.inf
    if base == NEVER or test == 0:
        return -math.inf
    return math.log(test / base)


def _interval(logs: Sequence[float]) -> tuple[float, float]:
    from scipy.stats import quantile_test  # costs a second, and most verbs need none

    interval: Any = quantile_test(logs, p=0.5).confidence_interval(CONFIDENCE)  # stubs say float
    return float(interval.low), float(interval.high)


def _per_cent(log_ratio: float) -> float:
    return math.expm1(log_ratio) * 100
