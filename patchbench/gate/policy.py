# SPDX-License-Identifier: GPL-2.0-only
"""configs/gate.toml: what a revision must keep to, checked before anything is built."""

import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from patchbench import stats
from patchbench.catalog import Catalog, load_toml
from patchbench.errors import BadInput, UnknownName
from patchbench.model import Limit, Machine, Metric, Policy

DEFAULT = Path("configs/gate.toml")


def load(catalog: Catalog, path: Path, seeds: int | None = None) -> Policy:
    """Return the policy at `path`, judged once after `seeds` of each arm if that is told.

    Raises UnknownName for a workload, machine or metric that does not exist, and BadInput for
    a limit that contradicts another or itself, for one that nothing could keep, and for a look
    with too few seeds to decide.
    """
    policy = load_toml(path, Policy)
    if seeds is not None:
        policy = replace(policy, looks=(seeds,))
    try:
        _check(policy)
        for limit in policy.limits:
            workload, machine = catalog.workload(limit.workload), catalog.machine(limit.machine)
            metrics = catalog.metrics(workload.program)
            if limit.metric not in metrics:
                source = catalog.program(workload.program)
                raise UnknownName("metric", limit.metric, [*metrics], source)
            _check_limit(limit, metrics[limit.metric], machine)
        for name in policy.hazards:
            if not catalog.workload(name).conditions:
                raise BadInput(f"hazard {name} has no conditions, so it could not fail")
    except UnknownName:
        raise
    except BadInput as err:
        raise BadInput(f"{path}: {err}") from err
    return policy


def bound(limit: Limit) -> float:
    """Return the log-ratio, counted towards the worse, that a limit does not allow to exceed."""
    if limit.max_regression_pct is not None:
        worse, per_cent = 1, limit.max_regression_pct
    else:
        worse, per_cent = -1, limit.min_improvement_pct or 0.0
    sign = 1 if limit.better == "lower" else -1
    return sign * math.log1p(sign * worse * per_cent / 100)


def level(policy: Policy, look: int) -> float:
    """Return what a look may spend of the error rate, in proportion to the seeds it adds.

    The looks' shares add up to the whole, so by Bonferroni's inequality all looks together keep
    the rate, whatever they have in common (Lan and DeMets, Biometrika 70, 1983, spend alike).
    """
    before = policy.looks[look - 1] if look else 0
    return policy.error_rate * (policy.looks[look] - before) / policy.looks[-1]


def fewest_seeds(policy: Policy, look: int) -> int:
    """Return how many seeds a look needs to be able to decide each limit either way."""
    return stats.fewest_pairs(level(policy, look) / len(policy.limits))


def describe(limit: Limit) -> str:
    """Return a limit's bound as what the change may be: `<= +1 %`."""
    improvement = limit.min_improvement_pct
    worse = -improvement if improvement is not None else limit.max_regression_pct or 0.0
    return f"<= {worse:+g} %" if limit.better == "lower" else f">= {-worse:+g} %"


def _check(policy: Policy) -> None:
    if not 0 < policy.error_rate < 0.5:
        raise BadInput(f"error_rate {policy.error_rate}: a chance between 0 and 0.5")
    if not policy.limits:
        raise BadInput("no [[limits]], so nothing could ever fail")
    if not policy.looks or list(policy.looks) != sorted({*policy.looks}) or policy.looks[0] < 1:
        raise BadInput(f"looks {[*policy.looks]}: ascending numbers of seeds, at least one")
    for look, seeds in enumerate(policy.looks):
        if seeds < (fewest := fewest_seeds(policy, look)):
            raise BadInput(
                f"{seeds} seeds cannot decide {len(policy.limits)} limits at an error rate of "
                f"{level(policy, look):.2%}; at least {fewest} can"
            )
    places = [(limit.workload, limit.machine, limit.metric) for limit in policy.limits]
    if twice := _first_double(places):
        raise BadInput(f"two limits for {' '.join(twice)}; they could contradict each other")


def _check_limit(limit: Limit, metric: Metric, machine: Machine) -> None:
    where = f"{limit.workload} {limit.machine} {limit.metric}"
    regression, improvement = limit.max_regression_pct, limit.min_improvement_pct
    if (regression is None) == (improvement is None):
        raise BadInput(f"{where}: max_regression_pct or min_improvement_pct, and not both")
    if limit.better != metric.better:
        raise BadInput(f"{where}: the workload says that {metric.better} is better")
    per_cent = regression if regression is not None else improvement
    assert per_cent is not None  # for mypy: one of them is told
    if not math.isfinite(per_cent) or per_cent < 0 or (improvement is not None and per_cent == 0):
        raise BadInput(f"{where}: {per_cent} % is no bound; improvements are above 0")
    downwards = (limit.better == "lower") == (improvement is not None)
    if downwards and per_cent >= 100:
        raise BadInput(f"{where}: nothing falls by {per_cent:g} % and remains")
    if per_cent == 0 and not machine.exact:
        raise BadInput(f"{where}: {machine.name} is noisy, so nothing is shown to be 0 % worse")


def _first_double(places: Sequence[tuple[str, ...]]) -> tuple[str, ...] | None:
    return next((place for place in places if places.count(place) > 1), None)
