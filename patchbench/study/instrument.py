# SPDX-License-Identifier: GPL-2.0-only
"""Could this leg have shown both that a rule holds and that it does not? Pure.

A leg on which the answer was known before booting, or could not come, tells nothing about the
statement, whatever its numbers are. Each check below returns the reason, or an empty text.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from pydantic import with_config

from patchbench import parameters, stats
from patchbench.model import STRICT, Comparison, Delta, Machine
from patchbench.study.readings import Look, Reading, Shares, share_pct
from patchbench.study.rules import (
    ChangeRule,
    DifferenceRule,
    HazardRule,
    LegRule,
    MetricRule,
    Rule,
    ShareRule,
    VariantRule,
    bounds,
    key,
)

#: The most that a unit can say.
_CEILINGS: Mapping[str, float] = {"permille": 1000, "percent": 100}
_PAGES_PER_MIB = 256  # of 4 KiB, as every image here has


@with_config(STRICT)
@dataclass(frozen=True, slots=True)
class Reach:
    """How much of an exit a series can touch at all, and so the most that it can gain.

    metrics: those to which this applies. cell, machine: the profile that has, for each kernel,
    the share of `functions` in an exit. spared_pages: how many of a process's swapped pages the
    series leaves to the exit itself. process_mib: by program, how much of one process is in swap.
    """

    metrics: tuple[str, ...]
    cell: str
    functions: tuple[str, ...]
    machine: str = "exact"
    spared_pages: int = 0
    process_mib: Mapping[str, str] = field(default_factory=dict)


def blindness(rule: Rule, reading: Reading, reach: Reach | None, look: Look) -> str:
    """Return why a leg cannot tell whether a rule holds; empty if it can."""
    if reason := misplaced(rule, reading):
        return reason
    if isinstance(rule, HazardRule | ShareRule):
        return ""
    assert isinstance(reading.result, Comparison)  # the plan was checked: the leg is a bench
    deltas = {one.metric.name: one for one in reading.result.deltas if one.machine == rule.machine}
    if reason := nobody_lacks(rule, reading.result) or at_rest(rule, reading):
        return reason
    if not (delta := deltas.get(rule.metric)):
        return ""
    return saturated(delta) or no_room(rule, delta) or beyond_reach(rule, reading, reach, look)


def misplaced(rule: Rule, reading: Reading) -> str:
    """Check that the leg has what the statement is about, whatever its boots say."""
    return too_few_cpus(rule, reading.machine) or other_conditions(rule, reading.parameters)


def cpus_at_once(machine: Machine) -> int:
    """Return how many vCPUs work at the same time: with one clock for all they take turns."""
    return 1 if machine.exact and not machine.timelines else machine.vcpus


def too_few_cpus(rule: LegRule, machine: Machine) -> str:
    """Check that the machine has the CPUs that the statement is about."""
    if (cpus := cpus_at_once(machine)) >= rule.cpus:
        return ""
    return (
        f"{machine.name} runs one CPU at a time and the statement is about {rule.cpus}: where "
        "nothing else can do it, deferred work only adds to an exit"
        if cpus == 1
        else f"{machine.name} runs {cpus} CPUs at a time and the statement is about {rule.cpus}"
    )


def other_conditions(rule: LegRule, values: Mapping[str, int]) -> str:
    """Check that the workload's parameters are those that the statement is about."""
    for name, (least, most) in rule.about.items():
        if not least <= values.get(name, least) <= most:
            return (
                f"the statement is about {name} from {least} to {most}, and it is {values[name]} "
                "here, which decides the answer"
            )
    return ""


def nobody_lacks(rule: LegRule, result: Comparison) -> str:
    """Check that somebody lacks the resource, in some boot of the base arm."""
    if not rule.scarce:
        return ""
    here = [one for one in result.deltas if one.machine == rule.machine]
    signs = [
        one for one in here if result.metric_note(one.metric.name).shows_lack_of == rule.scarce
    ]
    if any(base for one in signs for base, _ in one.values):
        return ""
    if not signs:
        return f"the run does not measure whether anybody lacks {rule.scarce}"
    names, boots = ", ".join(one.metric.name for one in signs), signs[0].pairs
    return f"nobody lacks {rule.scarce}: {names} are 0 in all {boots} boots without the series"


def at_rest(rule: MetricRule, reading: Reading) -> str:
    """Check that the series did anything, where a rule asks for an effect of it."""
    counter = reading.counter
    if not isinstance(rule, ChangeRule | VariantRule) or not counter or counter.moved:
        return ""
    least, most = bounds(rule, 1.0)
    if (least is None or least < 0) and (most is None or most > 0):
        return ""  # no effect is within the bounds, and both answers can come
    return f"the series was at rest: {counter.name} moved in none of {counter.boots} boots"


def saturated(delta: Delta) -> str:
    """Check that a metric is not at the most that its unit can say, in both arms."""
    ceiling = _CEILINGS.get(delta.metric.unit)
    if ceiling is None or any(value < ceiling for pair in delta.values for value in pair):
        return ""
    return (
        f"{delta.metric.name} is saturated: {ceiling:g} {delta.metric.unit}, the most there can "
        f"be, in all {2 * delta.pairs} boots"
    )


def no_room(rule: MetricRule, delta: Delta) -> str:
    """Check that the base leaves room for the difference that a rule asks for."""
    if not isinstance(rule, DifferenceRule) or rule.difference_at_most is None:
        return ""
    base = sorted(pair[0] for pair in delta.values)
    best = stats.median_interval([-value for value in base])  # were it 0 in every boot of test
    if best is None or best[1] <= rule.difference_at_most:
        return ""
    return (
        f"no room below the base: {delta.metric.name} is {base[0]:g} to {base[-1]:g} there, so "
        f"that even 0 in every boot with the series would not be {rule.difference_at_most:+g}"
    )


def beyond_reach(rule: MetricRule, reading: Reading, reach: Reach | None, look: Look) -> str:
    """Check that the effect which a rule asks for is not more than the series can touch."""
    if not reach or not isinstance(rule, ChangeRule) or rule.metric not in reach.metrics:
        return ""
    formula = reach.process_mib.get(reading.program)
    if rule.at_most_pct is None or formula is None:
        return ""
    pages = parameters.amount(formula, reading.parameters) * _PAGES_PER_MIB
    of_pages = max(0.0, 1 - reach.spared_pages / pages)
    of_time = _time_share(reach, rule.kernel, look)
    if of_pages * of_time >= -rule.at_most_pct / 100:
        return ""
    return (
        f"no more than {-100 * of_pages * of_time:.0f} % can come: the series may take "
        f"{100 * of_pages:.0f} % of a process of {pages:.0f} pages, and freeing swap is "
        f"{100 * of_time:.0f} % of an exit"
    )


def _time_share(reach: Reach, kernel: str, look: Look) -> float:
    """Return the share of an exit's time that the series can touch; 1 if no profile says it."""
    profile = look(key(reach.cell, kernel, reach.machine))
    if isinstance(profile, str) or not isinstance(profile.result, Shares):
        return 1.0
    share = share_pct(profile.result.arms[0], reach.functions)
    return 1.0 if share is None else share / 100
