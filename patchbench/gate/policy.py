# SPDX-License-Identifier: GPL-2.0-only
"""configs/gate.toml: what a revision must keep to, checked before anything is built."""

import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from patchbench import stats
from patchbench.catalog import Catalog, load_toml
from patchbench.errors import BadInput, UnknownName
from patchbench.gate.limits import Limit, Policy
from patchbench.model import AUTO, Machine, Metric

DEFAULT = Path("configs/gate.toml")


def load(catalog: Catalog, path: Path, seeds: int | None = None) -> Policy:
    """Return the policy at `path`; with `seeds` it has one look, after that many per arm.

    Raises UnknownName for a workload, machine or metric that does not exist, and BadInput for
    a limit that contradicts another or itself, for one that nothing could keep, and for a look
    with too few seeds to decide.
    """
    policy = load_toml(path, Policy)
    if seeds is not None:
        policy = replace(policy, looks=(seeds,))
    notes = catalog.metric_notes()
    try:
        _check(policy)
        for limit in policy.limits:
            workload, machine = catalog.workload(limit.workload), catalog.machine(limit.machine)
            metrics = catalog.metrics(workload.program)
            if limit.metric not in metrics:
                source = catalog.program(workload.program)
                raise UnknownName("metric", limit.metric, [*metrics], source)
            _check_limit(limit, metrics[limit.metric], machine)
            if limit.per_page and not (limit.metric in notes and notes[limit.metric].per_page):
                raise BadInput(f"{limit.metric} is not taken per freed page, as its note says")
        for name in policy.hazards:
            if name != AUTO and not catalog.workload(name).conditions:
                raise BadInput(f"hazard {name} has no conditions, so it could not fail")
    except UnknownName:
        raise
    except BadInput as err:
        raise BadInput(f"{path}: {err}") from err
    return policy


def bound(limit: Limit) -> float:
    """Return the largest log-ratio that a limit on a change allows; positive is worse."""
    sign = 1 if limit.better == "lower" else -1
    return sign * math.log1p(sign * _worse_pct(limit) / 100)


def _worse_pct(limit: Limit) -> float:
    """Return by how many per cent a metric may get worse; negative if it has to get better."""
    if limit.max_regression_pct is not None:
        return limit.max_regression_pct
    assert limit.min_improvement_pct is not None, "a limit that must finish has no bound"
    return -limit.min_improvement_pct


def level(policy: Policy, look: int) -> float:
    """Return the share of the error rate that a look may spend: that of the seeds it adds.

    The shares add up to the whole, so by Bonferroni's inequality all looks together keep the
    rate, however they depend on each other (Lan and DeMets, Biometrika 70, 1983, do the same).
    """
    before = policy.looks[look - 1] if look else 0
    return policy.error_rate * (policy.looks[look] - before) / policy.looks[-1]


def fewest_seeds(policy: Policy, look: int) -> int:
    """Return how many seeds a look needs to be able to decide each limit either way."""
    return stats.fewest_pairs(level(policy, look) / max(1, len(bounded(policy))))


def bounded(policy: Policy) -> list[Limit]:
    """Return the limits on a change; the others only ask that a clock stops."""
    return [limit for limit in policy.limits if not limit.must_finish]


def parts(policy: Policy) -> dict[tuple[str, str], Policy]:
    """Return what a policy asks of each workload on each machine, in its order.

    A part has its limits' share of the error rate, so that it judges them as the whole does.
    """
    all_bounded = max(1, len(bounded(policy)))
    found = {}
    for place in dict.fromkeys((limit.workload, limit.machine) for limit in policy.limits):
        limits = tuple(one for one in policy.limits if (one.workload, one.machine) == place)
        part = replace(policy, limits=limits)
        rate = policy.error_rate * len(bounded(part)) / all_bounded
        found[place] = replace(part, error_rate=rate) if rate else part
    return found


def first_look(policy: Policy) -> Policy:
    """Return what a policy does at its first look, as a policy of its own."""
    return replace(policy, looks=policy.looks[:1], error_rate=level(policy, 0))


def describe(limit: Limit) -> str:
    """Return a limit's bound as the change it allows: `<= +1 %`, or `must finish`."""
    if limit.must_finish:
        return "must finish"
    worse = _worse_pct(limit)
    return f"<= {worse:+g} %" if limit.better == "lower" else f">= {-worse:+g} %"


def _check(policy: Policy) -> None:
    if not 0 < policy.error_rate < 0.5:
        raise BadInput(f"error_rate {policy.error_rate}: must be between 0 and 0.5")
    if not policy.limits:
        raise BadInput("no [[limits]]: nothing could ever fail")
    if not policy.looks or list(policy.looks) != sorted({*policy.looks}) or policy.looks[0] < 1:
        raise BadInput(f"looks {[*policy.looks]}: must be ascending numbers of seeds, at least one")
    for look, seeds in enumerate(policy.looks):
        if seeds < (fewest := fewest_seeds(policy, look)):
            raise BadInput(
                f"{seeds} seeds cannot decide {len(bounded(policy))} limits at an error rate of "
                f"{level(policy, look):.2%}; it takes at least {fewest}"
            )
    places = [(limit.workload, limit.machine, limit.quantity) for limit in policy.limits]
    if twice := _first_double(places):
        raise BadInput(f"two limits for {' '.join(twice)}; they could contradict each other")


def _check_limit(limit: Limit, metric: Metric, machine: Machine) -> None:
    where = f"{limit.workload} {limit.machine} {limit.quantity}"
    regression, improvement = limit.max_regression_pct, limit.min_improvement_pct
    if [regression is not None, improvement is not None, limit.must_finish].count(True) != 1:
        raise BadInput(
            f"{where}: needs exactly one of max_regression_pct, min_improvement_pct, must_finish"
        )
    if limit.better != metric.better:
        raise BadInput(f"{where}: the workload says that {metric.better} is better")
    if limit.must_finish:
        return
    worse = _worse_pct(limit)
    per_cent = abs(worse)
    if not math.isfinite(worse) or (worse < 0) != (improvement is not None):
        raise BadInput(
            f"{where}: {regression or improvement} % is not a bound; improvements are > 0"
        )
    if (limit.better == "lower") == (worse < 0) and per_cent >= 100:
        raise BadInput(f"{where}: nothing can fall by {per_cent:g} %")
    if worse == 0 and not machine.exact:
        raise BadInput(f"{where}: {machine.name} is noisy, so nothing can be shown to be 0 % worse")


def _first_double(places: Sequence[tuple[str, ...]]) -> tuple[str, ...] | None:
    return next((place for place in places if places.count(place) > 1), None)
