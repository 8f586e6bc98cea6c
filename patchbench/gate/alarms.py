# SPDX-License-Identifier: GPL-2.0-only
"""Which drawn comparisons this gate stops, and which the rules in use would stop. Pure."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from patchbench import stats
from patchbench.gate import rules
from patchbench.gate.limits import Limit, Policy, Ruling
from patchbench.model import Delta, Metric
from patchbench.noise import Drawn

#: The values of one metric: a row a comparison, a column a seed.
Table = NDArray[np.float64]
#: Says of each row whether test is worse than base; lower is better.
Rule = Callable[[Table, Table], NDArray[np.bool_]]


@dataclass(frozen=True, slots=True)
class Rate:
    """How often something came in so many trials, with its Clopper-Pearson 95 % interval."""

    came: int
    trials: int
    low: float
    high: float

    @property
    def share(self) -> float:
        """Return the share of trials in which it came."""
        return self.came / self.trials


def rate(came: int, trials: int) -> Rate:
    """Return a rate with its exact binomial interval."""
    from scipy.stats import binomtest  # takes a second, and most verbs need none

    interval = binomtest(came, trials).proportion_ci(0.95, method="exact")
    return Rate(came, trials, float(interval.low), float(interval.high))


def gate_fails(policy: Policy, metrics: Mapping[str, Metric], drawn: Drawn) -> bool:
    """Return whether the gate fails the test arm, look by look, as it does in a real run."""
    rulings: tuple[Ruling, ...] = ()
    for look, count in enumerate(policy.looks):
        deltas = [
            _delta(limit, metrics[limit.quantity], drawn, drawn.seeds[:count])
            for limit in policy.limits
        ]
        rulings = rules.rule_all(policy, look, deltas, rulings)
        if not rules.undecided(rulings):
            break
    return rules.overall(rulings) == "FAIL"


def rule_fails(rule: Rule, metrics: Sequence[str], drawn: Sequence[Drawn]) -> list[bool]:
    """Return of each comparison whether a rule calls any of the metrics worse."""
    worse = np.zeros(len(drawn), dtype=bool)
    for name in metrics:
        base = np.array([[one.arms.base[name][seed] for seed in one.seeds] for one in drawn])
        test = np.array([[one.arms.test[name][seed] for seed in one.seeds] for one in drawn])
        worse |= rule(base, test)
    return [bool(one) for one in worse]


def _delta(limit: Limit, metric: Metric, drawn: Drawn, seeds: Sequence[int]) -> Delta:
    base, test = drawn.arms.base[metric.name], drawn.arms.test[metric.name]
    values = tuple((base[seed], test[seed]) for seed in seeds)
    ours, theirs = [one for one, _ in values], [other for _, other in values]
    middles = stats.median(ours), stats.median(theirs)
    return Delta(limit.machine, metric, *middles, None, None, None, values)


def _mann_whitney(level: float) -> Rule:
    def rule(base: Table, test: Table) -> NDArray[np.bool_]:
        from scipy.stats import mannwhitneyu

        p_values = np.asarray(mannwhitneyu(base, test, axis=1).pvalue)
        return np.logical_and(_middle(test) > _middle(base), p_values < level)

    return rule


def _welch(base: Table, test: Table) -> NDArray[np.bool_]:
    from scipy.stats import ttest_ind

    with np.errstate(invalid="ignore"):  # where nothing varies and nothing differs, p is NaN
        p_values = np.asarray(ttest_ind(base, test, axis=1, equal_var=False).pvalue)
    return np.logical_and(np.asarray(np.mean(test - base, axis=1)) > 0, p_values < 0.05)


def _asv(base: Table, test: Table) -> NDArray[np.bool_]:
    return np.logical_and(_ratio(base, test) > 1.1, _mann_whitney(0.002)(base, test))


def _lkp(base: Table, test: Table) -> NDArray[np.bool_]:
    lowest, highest = np.asarray(np.min(test, axis=1)), np.asarray(np.max(base, axis=1))
    clear = np.logical_and(lowest > _middle(base), highest < _middle(test))
    return np.logical_and(clear, _ratio(base, test) > 1.01)


def _fixed_bar(base: Table, test: Table) -> NDArray[np.bool_]:
    return np.greater(_ratio(base, test), 1.05)


def _middle(table: Table) -> Table:
    return np.asarray(np.median(table, axis=1))


def _ratio(base: Table, test: Table) -> Table:
    return np.divide(_middle(test), _middle(base))


#: The rules in use, as their tools have them by default; lower is better in all metrics here.
RULES: Mapping[str, Rule] = {
    "Mann-Whitney, p < .05 (benchstat)": _mann_whitney(0.05),
    "Welch, p < .05 (mmtests, pyperf)": _welch,
    "asv: p < .002 and 10 %": _asv,
    "LKP: ranges clear of medians, and 1 %": _lkp,
    "a fixed bar of 5 %": _fixed_bar,
}
