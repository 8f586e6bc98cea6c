# SPDX-License-Identifier: GPL-2.0-only
"""Stage 9: a Policy and Comparisons in, Rulings out. Pure.

A limit passes if the change is shown to keep it, fails if it is shown to break it, and is
INCONCLUSIVE otherwise: "not significant" is not a pass. Breaking is tested with Holm's rule over
all limits, so a revision that keeps all of them is stopped at most with the policy's error rate.
Passing needs every limit to pass, so there each is tested at that rate by itself (Berger,
Technometrics 24, 1982). A limit that was decided at one look stays decided.
"""

from collections.abc import Mapping, Sequence
from itertools import groupby

from patchbench import stats
from patchbench.gate import policy as policies
from patchbench.model import NEVER, Comparison, Delta, Limit, Policy, Ruled, Ruling


def judge(
    policy: Policy, look: int, comparisons: Mapping[str, Comparison], before: Sequence[Ruling] = ()
) -> tuple[Ruling, ...]:
    """Return a ruling for each limit, in the policy's order.

    look: which of the policy's looks this is, from 0. comparisons: by workload, of runs that are
    valid. before: the rulings of the look before, whose PASS and FAIL stand.
    """
    return rule_all(policy, look, [_delta(one, comparisons) for one in policy.limits], before)


def rule_all(
    policy: Policy, look: int, deltas: Sequence[Delta | None], before: Sequence[Ruling] = ()
) -> tuple[Ruling, ...]:
    """Return a ruling for each limit from its metric's change; None for one not measured."""
    alpha = policies.level(policy, look)
    shifts = [_worsening(limit, delta) for limit, delta in zip(policy.limits, deltas, strict=True)]
    broken = stats.holm(
        [
            shift.p_beyond(policies.bound(limit)) if shift else 1.0
            for limit, shift in zip(policy.limits, shifts, strict=True)
        ]
    )
    rulings = []
    for index, limit in enumerate(policy.limits):
        if before and before[index].ruled != "INCONCLUSIVE":
            rulings.append(before[index])
        else:
            rulings.append(_rule(limit, deltas[index], shifts[index], broken[index], alpha))
    return tuple(rulings)


def overall(rulings: Sequence[Ruling]) -> Ruled:
    """Return FAIL if any limit failed, PASS if all passed, else INCONCLUSIVE."""
    ruled = {ruling.ruled for ruling in rulings}
    if "FAIL" in ruled:
        return "FAIL"
    return "PASS" if ruled == {"PASS"} else "INCONCLUSIVE"


def undecided(rulings: Sequence[Ruling]) -> dict[str, list[str]]:
    """Return the machines, by workload, on which something is still to be decided."""
    places = {(one.limit.workload, one.limit.machine) for one in rulings if _is_open(one)}
    return {
        workload: [machine for _, machine in group]
        for workload, group in groupby(sorted(places), key=lambda place: place[0])
    }


def _is_open(ruling: Ruling) -> bool:
    return ruling.ruled == "INCONCLUSIVE"


def _rule(
    limit: Limit, delta: Delta | None, shift: stats.Shift | None, p_broken: float, alpha: float
) -> Ruling:
    if delta is None:
        return Ruling(limit, "INCONCLUSIVE", "it was not measured")
    if stuck := _newly_stuck(delta):
        return Ruling(limit, "FAIL", stuck, delta)
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
    """Return what a series lets go on for ever that ended without it, each time; else nothing.

    That is a leak or a livelock, which needs no statistics: the base never does it.
    """
    stuck = sum(test == NEVER for _, test in delta.values)
    if not stuck or any(base == NEVER for base, _ in delta.values):
        return ""
    return f"never ended in {stuck} of {delta.pairs} boots, and always without the series"


def _delta(limit: Limit, comparisons: Mapping[str, Comparison]) -> Delta | None:
    deltas = comparisons[limit.workload].deltas
    place = (limit.machine, limit.metric)
    return next((one for one in deltas if (one.machine, one.metric.name) == place), None)


def _worsening(limit: Limit, delta: Delta | None) -> stats.Shift | None:
    """Return the pairs' log-ratios, counted towards the worse; None where there are none."""
    if delta is None:
        return None
    base, test = zip(*delta.values, strict=True)
    logs = stats.log_ratios(base, test)
    if logs is None:
        return None
    sign = 1 if limit.better == "lower" else -1
    return stats.Shift(tuple(sign * log for log in logs))


def _interval(limit: Limit, shift: stats.Shift, alpha: float) -> tuple[float | None, float | None]:
    """Return the interval of the change in per cent that belongs to one-sided tests at alpha."""
    interval = shift.interval(1 - 2 * alpha)
    if interval is None:
        return None, None
    low, high = interval if limit.better == "lower" else (-interval[1], -interval[0])
    return stats.per_cent(low), stats.per_cent(high)
