# SPDX-License-Identifier: GPL-2.0-only
"""A rule and its leg's reading in; the number that it is about, with its interval, out. Pure."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from statistics import NormalDist

from patchbench import stats
from patchbench.model import NEVER, Comparison, Delta
from patchbench.report import numbers
from patchbench.study.readings import Look, Reading, Shares, reasons_against, share_pct
from patchbench.study.rules import (
    ChangeRule,
    DifferenceRule,
    KernelRule,
    LevelRule,
    MetricRule,
    ShareRule,
    VariantRule,
)


@dataclass(frozen=True, slots=True)
class Estimate:
    """A number and its interval, of the reading's confidence; without one, `note` says why.

    unit: a metric's, or `%` of a share, or `+%` of a change. count: pairs, boots or samples.
    basis: what it is of, if not of the metric as it was measured. floor_pct: the metric's noise
    floor in these conditions, None if none was measured.
    """

    value: float
    low: float | None
    high: float | None
    unit: str
    count: int
    note: str = ""
    basis: str = ""
    floor_pct: float | None = None

    def show(self, value: float) -> str:
        """Return a number with this one's unit."""
        if self.unit == "+%":
            return numbers.per_cent(value)
        return f"{value:.1f} %" if self.unit == "%" else numbers.quantity(value, self.unit)

    @property
    def interval(self) -> str:
        """Return the interval with its unit, or a dash."""
        if self.low is None or self.high is None:
            return "-"
        return f"[{self.show(self.low)}, {self.show(self.high)}]"


def estimate(rule: MetricRule | ShareRule, reading: Reading, look: Look) -> Estimate | str:
    """Return the number that a rule is about, or why the leg has none."""
    return _share(rule, reading) if isinstance(rule, ShareRule) else _metric(rule, reading, look)


def _metric(rule: MetricRule, reading: Reading, look: Look) -> Estimate | str:
    delta = _delta_of(rule, reading)
    if isinstance(delta, str):
        return delta
    match rule:
        case KernelRule() | VariantRule():
            return _against_another(rule, delta, reading, look)
        case LevelRule():
            return _level([pair[rule.arm == "test"] for pair in delta.values], delta, reading)
        case DifferenceRule():
            if any(NEVER in pair for pair in delta.values):
                return f"{rule.metric} is never in some boots, so there is no difference"
            return _level([test - base for base, test in delta.values], delta, reading)
        case ChangeRule():
            return _from_base(delta, reading)


def _from_base(delta: Delta, reading: Reading) -> Estimate | str:
    """Return the change from base to test; per freed page if test left more undone.

    A time or a count that is less because less was done is no gain.
    """
    assert isinstance(reading.result, Comparison)  # it has the delta
    delta, basis = for_what_was_done(delta, reading.result)
    if delta.change_pct is None:
        return delta.note or "there is no ratio"
    base_values, test_values = zip(*delta.values, strict=True)
    found = _change(base_values, test_values, reading)
    return (
        found if isinstance(found, str) else replace(found, basis=basis, floor_pct=delta.floor_pct)
    )


def for_what_was_done(delta: Delta, result: Comparison) -> tuple[Delta, str]:
    """Return a change, per freed page if the series left more undone, and why it is of that."""
    base, test = result.undone_pct.get(delta.machine, (0.0, 0.0))
    if not delta.per_page or test <= base:
        return delta, ""
    return (
        delta.per_page,
        f"per freed page, because the series left {test:.1f} % of the swap undone",
    )


def _level(values: Sequence[float], delta: Delta, reading: Reading) -> Estimate:
    """Return the median of one value per boot, in a metric's unit."""
    low, high = stats.median_interval(values, reading.confidence) or (None, None)
    note = "" if low is not None else f"{len(values)} boots are too few for an interval"
    return Estimate(stats.median(values), low, high, delta.metric.unit, len(values), note)


def _change(base: Sequence[float], test: Sequence[float], reading: Reading) -> Estimate | str:
    change = stats.paired_change(base, test, reading.confidence)
    if change.change_pct is None:
        return change.note or "there is no ratio"
    return Estimate(
        change.change_pct, change.low_pct, change.high_pct, "+%", len(base), change.note
    )


def _delta_of(rule: MetricRule, reading: Reading) -> Delta | str:
    """Return the metric of a rule as a leg measured it, or why there is none."""
    assert isinstance(reading.result, Comparison)  # the plan was checked: the leg is a bench
    for one in reading.result.deltas:
        if (one.machine, one.metric.name) == (rule.machine, rule.metric):
            return one
    return f"the run does not measure {rule.metric}"


def _against_another(
    rule: KernelRule | VariantRule, delta: Delta, reading: Reading, look: Look
) -> Estimate | str:
    """Return the change of one arm from another leg's, paired by the seeds that both have.

    Of the unpatched kernel since another kernel, or of the series from another cell. Seeds are
    counted from 1 on, and one leg may have been given more of them than the other.
    """
    other = look(rule.reference)
    if isinstance(other, str):
        return f"{rule.reference}: {other}"
    if against := reasons_against(other):
        return f"{rule.reference}: {against}"
    before = _delta_of(rule, other)
    if isinstance(before, str):
        return f"{rule.reference}: {before}"
    seeds = min(len(before.values), len(delta.values))
    arm = isinstance(rule, VariantRule)
    old, new = ([pair[arm] for pair in one.values[:seeds]] for one in (before, delta))
    found = _change(old, new, reading)
    return found if isinstance(found, str) else replace(found, floor_pct=delta.floor_pct)


def _share(rule: ShareRule, reading: Reading) -> Estimate | str:
    assert isinstance(reading.result, Shares)  # the plan was checked: the leg is a profile
    arm = reading.result.arms[rule.arm == "test"]
    part, whole = share_pct(arm, rule.functions), share_pct(arm, rule.of) if rule.of else 100.0
    if part is None or not whole:
        missing = rule.functions if part is None else rule.of
        return f"no sample has {' or '.join(missing)}; it may be inlined, or missing"
    share, samples = part / whole, max(1, round(arm.samples * whole / 100))
    sigmas = NormalDist().inv_cdf((1 + reading.confidence) / 2)
    error = sigmas * math.sqrt(max(share * (1 - share), 1 / samples) / samples)
    return Estimate(100 * share, 100 * (share - error), 100 * (share + error), "%", samples)
