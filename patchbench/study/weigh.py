# SPDX-License-Identifier: GPL-2.0-only
"""Rules and readings in; which statements hold, out. Pure.

An interval within a rule's bounds confirms it, one beyond them refutes it, any other leaves it
undecided. A leg that is missing, or whose run must not be relied on, answers nothing; one that
could not have shown both cannot tell, whatever it measured.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal, TypeAlias

from patchbench import stats
from patchbench.findings import CheckResult, Finding
from patchbench.model import SeriesName
from patchbench.study import instrument
from patchbench.study.estimates import Estimate, estimate
from patchbench.study.instrument import Reach
from patchbench.study.plan import FLOOR_PCT, Statement, StudyPlan
from patchbench.study.readings import Look, Reading, describe, reasons_against
from patchbench.study.rules import HazardRule, Rule, WordRule, bounds

Outcome: TypeAlias = Literal[
    "confirmed", "refuted", "undecided", "cannot tell", "not answered", "not answerable"
]
_ENOUGH_SEEDS = 200  # nobody runs more


@dataclass(frozen=True, slots=True)
class Weighed:
    """One rule and its outcome. why: what the measurement leaves open, or what a hazard found."""

    rule: Rule
    outcome: Outcome
    why: str = ""
    reading: Reading | None = None
    estimate: Estimate | None = None
    hazard: Literal["", "passes", "fails"] = ""

    @property
    def measured(self) -> str:
        """Return what was measured, or a dash."""
        if self.estimate:
            return self.estimate.show(self.estimate.value)
        return self.hazard or "-"

    @property
    def interval(self) -> str:
        """Return the interval of what was measured, or a dash."""
        return self.estimate.interval if self.estimate else "-"

    @property
    def place(self) -> str:
        """Return the kernel and the machine it was measured on."""
        machine = describe(self.reading.machine) if self.reading else self.rule.machine
        return f"{self.rule.kernel}, {machine}"

    @property
    def run(self) -> str:
        """Return the run that it was read from, if any."""
        return self.reading.run if self.reading else ""

    @property
    def command(self) -> str:
        """Return the command that measures it again, if it was measured."""
        return self.reading.command if self.reading else ""


@dataclass(frozen=True, slots=True)
class Conclusion:
    """One statement, and the outcome that its rules come to."""

    statement: Statement
    outcome: Outcome
    weighed: tuple[Weighed, ...]


def conclude(plan: StudyPlan, look: Look) -> tuple[Conclusion, ...]:
    """Return the conclusion about every statement."""
    conclusions = []
    for statement in plan.statements:
        weighed = tuple(weigh(one, look, plan.reach, plan.floor_pct) for one in statement.rules)
        outcome = overall([one.outcome for one in weighed]) if weighed else "not answerable"
        conclusions.append(Conclusion(statement, outcome, weighed))
    return tuple(conclusions)


def overall(outcomes: Sequence[Outcome]) -> Outcome:
    """Return the outcome of rules that must all hold: one that does not refutes the statement."""
    order: tuple[Outcome, ...] = (
        "refuted",
        "not answered",
        "cannot tell",
        "undecided",
        "confirmed",
    )
    return next(outcome for outcome in order if outcome in outcomes)


def weigh(
    rule: Rule, look: Look, reach: Reach | None = None, floor_pct: float = FLOOR_PCT
) -> Weighed:
    """Return what one rule makes of its leg; floor_pct as in the plan."""
    reading = look(rule.leg)
    if isinstance(reading, str):
        return Weighed(rule, "not answered", f"{rule.leg}: {reading}")
    if against := reasons_against(reading):
        why = f"{rule.leg}: {against}"
        if misplaced := instrument.misplaced(rule, reading):
            return Weighed(rule, "cannot tell", f"{misplaced}; besides, {why}", reading)
        return Weighed(rule, "not answered", why, reading)
    weighed = _weigh(rule, reading, look, floor_pct)
    blind = instrument.blindness(rule, reading, reach, look)
    return replace(weighed, outcome="cannot tell", why=blind) if blind else weighed


def _weigh(rule: Rule, reading: Reading, look: Look, floor_pct: float) -> Weighed:
    if isinstance(rule, HazardRule):
        return _hazard(rule, reading)
    found = estimate(rule, reading, look)
    if isinstance(found, str):
        return Weighed(rule, "not answered", f"{rule.leg}: {found}", reading)
    return _bounded(rule, reading, _with_floor(rule, found, floor_pct))


def _with_floor(rule: Rule, found: Estimate, floor_pct: float) -> Estimate:
    """Return an estimate with the noise floor that a rule's word means, and where that is from."""
    if not isinstance(rule, WordRule) or not rule.change:
        return found
    if found.floor_pct is None:
        basis = f"no noise floor was measured in these conditions, ±{floor_pct:g} % stands for it"
    else:
        floor_pct, basis = found.floor_pct, f"the noise floor is ±{found.floor_pct:.2g} %"
    basis = "; ".join(filter(None, (found.basis, basis)))
    return replace(found, floor_pct=floor_pct, basis=basis)


def _hazard(rule: HazardRule, reading: Reading) -> Weighed:
    """Return what a hazard's condition found, with the series and without."""
    result = reading.result
    assert isinstance(result, CheckResult)  # the plan was checked: the leg is a hazard
    series = result.series
    if rule.patches:
        series = str(replace(SeriesName.parse(series), first=str(rule.patches)))
    # A boot that was lost, or that lacks something, has one finding for all of its conditions.
    ours = result.of(series)
    if no_answer := [one for one in ours if one.kind == "boot" or one.state == "untested"]:
        return Weighed(rule, "not answered", no_answer[0].says, reading)
    mine = [one for one in ours if (one.kind, one.on) == ("condition", rule.finding)]
    if not mine:
        return Weighed(rule, "not answered", f"{series} was not checked", reading)
    says = "; ".join(dict.fromkeys(one.says for one in mine))
    failed = [one for one in mine if one.state == "fail"]
    hazard: Literal["passes", "fails"] = "fails" if failed else "passes"
    worse = result.regressions()
    if any(one not in worse for one in failed):
        why = f"{says} ({result.baseline} as well)"
        return Weighed(rule, "undecided", why, reading, hazard=hazard)
    boots = sum(one.boots for one in mine)
    failed_boots = sum(_failed_boots(one) for one in mine)
    if open_why := _too_few_boots(mine[0], failed_boots, boots, reading.confidence):
        return Weighed(rule, "undecided", f"{says}; {open_why}", reading, hazard=hazard)
    # Of boots that are compared with others of the base, the more decide; else one that fails does.
    fails = 2 * failed_boots > boots if mine[0].against else bool(failed)
    outcome: Outcome = "confirmed" if fails == (rule.says == "fail") else "refuted"
    return Weighed(rule, outcome, says, reading, hazard="fails" if fails else "passes")


def _failed_boots(one: Finding) -> int:
    return one.failed_boots if one.boots > 1 else int(one.state == "fail")


def _too_few_boots(one: Finding, failed: int, boots: int, confidence: float) -> str:
    """Return why boots of a hazard do not tell whether its condition holds; empty if they do.

    One boot that fails shows that it can. That it passes, or is better or worse than a boot of the
    base, may be luck: the probability of that has to be below or above a half, by its interval.
    """
    if failed and not one.against:
        return ""
    low, high = stats.share_interval_pct(failed, boots, confidence)
    if high < 50 or low > 50:
        return ""
    return (
        f"that it failed in {failed} of {boots} leaves any share from {low:.0f} to "
        f"{high:.0f} %; {stats.fewest_pairs((1 - confidence) / 2)} boots are the fewest "
        "that tell"
    )


def _bounded(rule: Rule, reading: Reading, found: Estimate) -> Weighed:
    if found.low is None or found.high is None:
        return Weighed(rule, "undecided", found.note, reading, found)
    why = "; ".join(filter(None, (found.basis, _advice(rule, found))))
    return Weighed(rule, decide(rule, found), why, reading, found)


def decide(rule: Rule, found: Estimate) -> Outcome:
    """Return on which side of a rule's bounds an interval lies."""
    if found.low is None or found.high is None:
        return "undecided"
    least, most = _limits(rule, found)
    if least <= found.low and found.high <= most:
        return "confirmed"
    return "refuted" if found.high < least or found.low > most else "undecided"


def _limits(rule: Rule, found: Estimate) -> tuple[float, float]:
    least, most = bounds(rule, found.floor_pct)
    assert least is not None or most is not None  # the plan was checked: there is a bound
    return -math.inf if least is None else least, math.inf if most is None else most


def _advice(rule: Rule, found: Estimate) -> str:
    """Return how many seeds may decide what is undecided.

    An interval shrinks as the root of their number.
    """
    if decide(rule, found) != "undecided":
        return ""
    assert found.low is not None
    assert found.high is not None
    if not all(map(math.isfinite, (found.low, found.high, found.value))):
        return "some boots finished and some did not: more seeds tell how often, not how much"
    needed = 1.0
    for bound in filter(math.isfinite, _limits(rule, found)):
        if found.value == bound:
            return "the measured value is the bound itself: no number of seeds decides it"
        side = found.high if found.value < bound else found.low
        needed = max(needed, ((side - found.value) / (bound - found.value)) ** 2)
    seeds = math.ceil(found.count * needed)
    if seeds > _ENOUGH_SEEDS:
        return f"so near the bound that {_ENOUGH_SEEDS} seeds would not decide it"
    return f"about {max(seeds, found.count + 1)} seeds may decide it, instead of {found.count}"


def moved(controls: Sequence[Weighed]) -> list[str]:
    """Return the controls that went beyond their bounds, in words."""
    return [
        f"{one.rule.asked}, on {one.place}: measured {one.measured} {one.interval}"
        for one in controls
        if one.outcome == "refuted"
    ]
