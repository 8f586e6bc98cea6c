# SPDX-License-Identifier: GPL-2.0-only
"""What the gate is worth: its false alarms and its power, and those of other rules. Pure.

Boots of kernels that do the same work, and of kernels that do a known amount more, are drawn
again and again into comparisons, and each rule says of each whether the test arm is worse.
"""

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from patchbench import stats
from patchbench.gate import rules
from patchbench.model import Delta, Limit, Metric, Policy, Ruling

#: What one arm's boots count as: by metric, by seed.
Values = Mapping[str, Mapping[int, float]]
#: Says whether test is worse than base; both lie in the order of their seeds.
Rule = Callable[[Sequence[float], Sequence[float]], bool]


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
    from scipy.stats import binomtest  # costs a second, and most verbs need none

    interval = binomtest(came, trials).proportion_ci(0.95, method="exact")
    return Rate(came, trials, float(interval.low), float(interval.high))


@dataclass(frozen=True, slots=True)
class Drawn:
    """One comparison to judge: two arms, and their seeds in the order in which they are booted."""

    base: Values
    test: Values
    seeds: tuple[int, ...]


def draw_kernels(
    bases: Sequence[Values], tests: Sequence[Values], trials: int, order: int
) -> list[Drawn]:
    """Return comparisons of one kernel with another, each for all of its boots.

    For exact machines: what differs between two equal kernels, where code lies, stays for all
    boots of a comparison, as it does between a revision and its base.
    """
    draw = random.Random(order)
    pairs = [(base, test) for base in bases for test in tests if base is not test]
    return [Drawn(*draw.choice(pairs), _shuffled(bases[0], draw)) for _ in range(trials)]


def draw_blocks(one: Values, other: Values, trials: int, order: int) -> list[Drawn]:
    """Return comparisons in which each block's two boots of the same kernel change arms at will.

    For noisy machines, where arms that do not differ can be swapped in any block. `other` goes
    to the test arm as it is where it is another kernel: swap only what is equal.
    """
    draw = random.Random(order)
    told = []
    for _ in range(trials):
        swapped = {seed for seed in _seeds(one) if draw.random() < 0.5}
        base, test = _swap(one, other, swapped), _swap(other, one, swapped)
        told.append(Drawn(base, test, _shuffled(one, draw)))
    return told


def floor_pct(drawn: Sequence[Drawn], metric: str) -> float:
    """Return what 95 % of comparisons of equal kernels stay within, in per cent of change."""
    changes = []
    for one in drawn:
        logs = stats.log_ratios(
            [one.base[metric][seed] for seed in one.seeds],
            [one.test[metric][seed] for seed in one.seeds],
        )
        changes.append(abs(stats.per_cent(stats.Shift(logs).estimate)) if logs else 0.0)
    return float(np.quantile(changes, 0.95))


def _seeds(values: Values) -> list[int]:
    return sorted(next(iter(values.values())))


def _shuffled(values: Values, draw: random.Random) -> tuple[int, ...]:
    seeds = _seeds(values)
    draw.shuffle(seeds)
    return tuple(seeds)


def _swap(ours: Values, theirs: Values, swapped: set[int]) -> Values:
    return {
        metric: {seed: (theirs if seed in swapped else ours)[metric][seed] for seed in by_seed}
        for metric, by_seed in ours.items()
    }


def gate_fails(policy: Policy, metrics: Mapping[str, Metric], drawn: Drawn) -> bool:
    """Return whether the gate fails the test arm, look by look, as it does in a real run."""
    rulings: tuple[Ruling, ...] = ()
    for look, count in enumerate(policy.looks):
        deltas = [
            _delta(limit, metrics[limit.metric], drawn, drawn.seeds[:count])
            for limit in policy.limits
        ]
        rulings = rules.rule_all(policy, look, deltas, rulings)
        if not rules.undecided(rulings):
            break
    return rules.overall(rulings) == "FAIL"


def rule_fails(rule: Rule, metrics: Sequence[str], drawn: Drawn) -> bool:
    """Return whether a rule calls any of the metrics worse, as its users would look at them."""
    return any(
        rule(
            [drawn.base[name][seed] for seed in drawn.seeds],
            [drawn.test[name][seed] for seed in drawn.seeds],
        )
        for name in metrics
    )


def _delta(limit: Limit, metric: Metric, drawn: Drawn, seeds: Sequence[int]) -> Delta:
    base, test = drawn.base[metric.name], drawn.test[metric.name]
    values = tuple((base[seed], test[seed]) for seed in seeds)
    ours, theirs = [one for one, _ in values], [other for _, other in values]
    middles = stats.median(ours), stats.median(theirs)
    return Delta(limit.machine, metric, *middles, None, None, None, values)


def _mann_whitney(level: float) -> Rule:
    def rule(base: Sequence[float], test: Sequence[float]) -> bool:
        from scipy.stats import mannwhitneyu

        return _worse(base, test) and float(mannwhitneyu(base, test).pvalue) < level

    return rule


def _welch(base: Sequence[float], test: Sequence[float]) -> bool:
    from scipy.stats import ttest_ind

    if len({*base, *test}) == 1:
        return False  # no variance at all, and no difference
    p_value = float(ttest_ind(base, test, equal_var=False).pvalue)
    return float(np.mean(test)) > float(np.mean(base)) and p_value < 0.05


def _asv(base: Sequence[float], test: Sequence[float]) -> bool:
    return _ratio(base, test) > 1.1 and _mann_whitney(0.002)(base, test)


def _lkp(base: Sequence[float], test: Sequence[float]) -> bool:
    clear = min(test) > stats.median(base) and max(base) < stats.median(test)
    return clear and _ratio(base, test) > 1.01


def _fixed_bar(base: Sequence[float], test: Sequence[float]) -> bool:
    return _ratio(base, test) > 1.05


def _worse(base: Sequence[float], test: Sequence[float]) -> bool:
    return stats.median(test) > stats.median(base)


def _ratio(base: Sequence[float], test: Sequence[float]) -> float:
    return stats.median(test) / stats.median(base)


#: The rules in use, as their tools have them by default; lower is better in all metrics here.
RULES: Mapping[str, Rule] = {
    "Mann-Whitney, p < .05 (benchstat)": _mann_whitney(0.05),
    "Welch, p < .05 (mmtests, pyperf)": _welch,
    "asv: p < .002 and 10 %": _asv,
    "LKP: ranges clear of medians, and 1 %": _lkp,
    "a fixed bar of 5 %": _fixed_bar,
}
