# SPDX-License-Identifier: GPL-2.0-only
"""A Policy and Comparisons in, Rulings out. Pure.

A limit passes if the change is shown to keep it, fails if it is shown to break it, and is
INCONCLUSIVE otherwise: "not significant" is not a pass. Breaking is tested with Holm's rule over
all limits, so a revision that keeps them all is stopped at no more than the policy's error rate.
Passing needs every limit to pass, so each is tested at that rate by itself (Berger,
Technometrics 24, 1982). A limit that was decided at one look stays decided, unless a clock stops
for the base and not for the series: that needs no statistics, and always fails.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from patchbench import stats
from patchbench.gate import policy as policies
from patchbench.gate.limits import Limit, Policy, Ruled, Ruling
from patchbench.model import NEVER, Comparison, Delta


def judge(
    policy: Policy,
    look: int,
    comparisons: Mapping[str, Comparison],
    places: Sequence[tuple[str, str]],
    before: Sequence[Ruling] = (),
) -> tuple[Ruling, ...]:
    """Return a ruling for each limit, in the policy's order.

    look: which of the policy's looks this is, from 0. comparisons: by workload, of valid runs.
    places: the workloads and machines that were booted for this look; limits elsewhere are not
    tested, as their seeds were tested at an earlier look. before: the rulings so far.
    """
    deltas = [
        _delta(one, comparisons) if (one.workload, one.machine) in places else None
        for one in policy.limits
    ]
    return rule_all(policy, look, deltas, before)


def rule_all(
    policy: Policy, look: int, deltas: Sequence[Delta | None], before: Sequence[Ruling] = ()
) -> tuple[Ruling, ...]:
    """Return a ruling for each limit from its metric's change; None for one not to be tested.

    A limit that is not tested keeps its ruling of `before`, as does one that was decided there.
    """
    alpha = policies.level(policy, look)
    judged = [
        _Judged(limit, delta, _worsening(limit, delta))
        for limit, delta in zip(policy.limits, deltas, strict=True)
    ]
    bounded = [one for one in judged if not one.limit.must_finish]
    adjusted = iter(stats.holm([one.p_broken() for one in bounded]))
    rulings = []
    for index, one in enumerate(judged):
        p_broken = 1.0 if one.limit.must_finish else next(adjusted)
        if one.delta and (stuck := _newly_stuck(one.delta)):
            rulings.append(Ruling(one.limit, "FAIL", stuck, one.delta))
        elif before and (one.delta is None or before[index].ruled != "INCONCLUSIVE"):
            rulings.append(before[index])
        elif one.limit.must_finish:
            rulings.append(_rule_finish(one.limit, one.delta))
        else:
            rulings.append(_rule(one, p_broken, alpha))
    return tuple(rulings)


def overall(rulings: Sequence[Ruling]) -> Ruled:
    """Return FAIL if any limit failed, PASS if all passed, else INCONCLUSIVE; waived ones pass."""
    ruled = {"PASS" if ruling.waived else ruling.ruled for ruling in rulings}
    if "FAIL" in ruled:
        return "FAIL"
    return "PASS" if ruled == {"PASS"} else "INCONCLUSIVE"


def undecided(rulings: Sequence[Ruling]) -> set[tuple[str, str]]:
    """Return the workloads and machines for which a limit is still undecided."""
    return {
        (one.limit.workload, one.limit.machine) for one in rulings if one.ruled == "INCONCLUSIVE"
    }


@dataclass(frozen=True, slots=True)
class _Judged:
    """A limit, the change in its metric, and the pairs' log-ratios; None where there are none."""

    limit: Limit
    delta: Delta | None
    shift: stats.Shift | None

    def p_broken(self) -> float:
        return self.shift.p_beyond(policies.bound(self.limit)) if self.shift else 1.0


def _rule(one: _Judged, p_broken: float, alpha: float) -> Ruling:
    limit, delta, shift = one.limit, one.delta, one.shift
    if delta is None:
        return Ruling(limit, "INCONCLUSIVE", "it was not measured")
    if shift is None:
        return Ruling(limit, "INCONCLUSIVE", "a base of 0 has no ratio", delta)
    p_kept = shift.p_within(policies.bound(limit))
    low, high = _interval(limit, shift, alpha)
    ruled: Ruled = "INCONCLUSIVE"
    if p_broken <= alpha:
        ruled, why = "FAIL", f"beyond the limit, p = {p_broken:.2g} after Holm"
    elif p_kept <= alpha:
        ruled, why = "PASS", f"within the limit, p = {p_kept:.2g}"
    else:
        why = (
            f"undecided after {delta.pairs} pairs: beyond p = {p_broken:.2g}, within "
            f"p = {p_kept:.2g}, {alpha:.2g} needed"
        )
    return Ruling(limit, ruled, why, delta, low, high)


def _newly_stuck(delta: Delta) -> str:
    """Return in how many boots a clock did not stop that always stops for the base, or nothing.

    That is a leak or a livelock. It needs no statistics: the base never does it.
    """
    stuck = sum(test == NEVER for _, test in delta.values)
    if not stuck or any(base == NEVER for base, _ in delta.values):
        return ""
    return f"did not finish in {stuck} of {delta.pairs} boots; without the series it always did"


def _rule_finish(limit: Limit, delta: Delta | None) -> Ruling:
    """Rule on a clock that has to stop, where none of its boots fails it outright."""
    if delta is None:
        return Ruling(limit, "INCONCLUSIVE", "it was not measured")
    stuck = sum(test == NEVER for _, test in delta.values)
    if not stuck:
        return Ruling(limit, "PASS", f"finished in all {delta.pairs} boots", delta)
    theirs = sum(base == NEVER for base, _ in delta.values)
    counts = f"did not finish in {stuck} of {delta.pairs} boots, without the series in {theirs}"
    newly = any(test == NEVER != base for base, test in delta.values)
    return Ruling(limit, "INCONCLUSIVE" if newly else "PASS", counts, delta)


def _delta(limit: Limit, comparisons: Mapping[str, Comparison]) -> Delta | None:
    deltas = comparisons[limit.workload].deltas
    place = (limit.machine, limit.metric)
    found = next((one for one in deltas if (one.machine, one.metric.name) == place), None)
    return found.per_page if found and limit.per_page else found


def _worsening(limit: Limit, delta: Delta | None) -> stats.Shift | None:
    """Return the pairs' log-ratios, positive for worse; None where there are none."""
    if delta is None or limit.must_finish:
        return None
    base, test = zip(*delta.values, strict=True)
    logs = stats.log_ratios(base, test)
    if logs is None:
        return None
    sign = 1 if limit.better == "lower" else -1
    return stats.Shift(tuple(sign * log for log in logs))


def _interval(limit: Limit, shift: stats.Shift, alpha: float) -> tuple[float | None, float | None]:
    """Return the interval of the change, in per cent, that goes with one-sided tests at alpha."""
    interval = shift.interval(1 - 2 * alpha)
    if interval is None:
        return None, None
    low, high = interval if limit.better == "lower" else (-interval[1], -interval[0])
    return stats.per_cent(low), stats.per_cent(high)
