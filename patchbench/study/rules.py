# SPDX-License-Identifier: GPL-2.0-only
"""What a study's rules make of what its legs came to: statements, confirmed or not. Pure.

An interval that lies within a rule's bounds confirms it, one that lies beyond refutes it, any
other leaves it undecided. A leg that is missing, or whose run must not be relied on, answers
nothing: it neither confirms nor refutes.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal, TypeAlias

from patchbench import stats
from patchbench.findings import CheckResult
from patchbench.model import NEVER, Comparison, Delta, SeriesName
from patchbench.report import report
from patchbench.stages import compare
from patchbench.study.plan import Rule, Statement, StudyPlan, key

State: TypeAlias = Literal["confirmed", "refuted", "undecided", "not answered", "not answerable"]
_ENOUGH_SEEDS = 200  # beyond, more seeds are no advice


@dataclass(frozen=True, slots=True)
class ArmShares:
    """Functions' shares of do_exit in one arm, with what they call, of so many stacks."""

    samples: int
    share_pct: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Shares:
    """What a profile says of both arms, base and test."""

    arms: tuple[ArmShares, ArmShares]


@dataclass(frozen=True, slots=True)
class Source:
    """What one leg came to, and the command that repeats it.

    machine: its name and how it emulates, as it is told beside every number.
    """

    run: str
    command: str
    machine: str
    at_work: bool
    told: Comparison | Shares | CheckResult


#: Gives a leg's source by its key, or says why there is none.
Look: TypeAlias = Callable[[str], Source | str]


@dataclass(frozen=True, slots=True)
class Weighed:
    """One rule and what became of it; `why` says what the numbers leave open."""

    rule: Rule
    state: State
    asked: str  # the rule in words
    measured: str = "-"
    interval: str = "-"
    why: str = ""
    machine: str = ""
    run: str = ""
    command: str = ""


@dataclass(frozen=True, slots=True)
class Answer:
    """One statement and what became of it."""

    statement: Statement
    state: State
    weighed: tuple[Weighed, ...]


@dataclass(frozen=True, slots=True)
class _Range:
    """An estimate and its interval; without one, `note` says why."""

    estimate: float
    low: float | None
    high: float | None
    pairs: int
    show: Callable[[float], str]
    note: str = ""


def answer(plan: StudyPlan, look: Look) -> tuple[Answer, ...]:
    """Return what became of every statement."""
    told = []
    for statement in plan.statements:
        weighed = tuple(weigh(rule, look) for rule in statement.rules)
        state: State = overall([one.state for one in weighed]) if weighed else "not answerable"
        told.append(Answer(statement, state, weighed))
    return tuple(told)


def overall(states: Sequence[State]) -> State:
    """Return what rules that must all hold come to: one that does not is enough."""
    order: tuple[State, ...] = ("refuted", "not answered", "undecided", "confirmed")
    return next(state for state in order if state in states)


def weigh(rule: Rule, look: Look) -> Weighed:
    """Return what one rule makes of its leg."""
    name = key(rule.cell, rule.kernel, rule.machine)
    source = look(name)
    if isinstance(source, str):
        return Weighed(rule, "not answered", asked(rule), why=f"{name}: {source}")
    empty = Weighed(
        rule, "not answered", asked(rule), machine=source.machine, run=source.run,
        command=source.command,
    )  # fmt: skip
    match source.told:
        case Comparison():
            found = _measured(rule, source, look)
        case Shares() as shares:
            found = _share(rule, shares)
        case CheckResult() as result:
            return _found(rule, empty, result)
    if isinstance(found, str):
        return _with(empty, "not answered", why=f"{name}: {found}")
    return _bounded(rule, empty, found)


def asked(rule: Rule) -> str:
    """Return a rule in words."""
    what = rule.metric or rule.finding or f"{' or '.join(rule.functions)} in do_exit"
    if rule.finding:
        with_patches = f" with the first {rule.patches} patches" if rule.patches else ""
        outcome = {"pass": "passes", "fail": "fails"}[rule.says]
        return f"{rule.cell}: {what}{with_patches} {outcome}"
    if rule.since:
        what = f"{what} of none, {rule.since} to {rule.kernel}"
    elif rule.than:
        what = f"{what} from that of {rule.than},"
    elif rule.arm:
        what = f"{what}, " + ("test less base" if rule.arm == "both" else rule.arm)
    low, high = rule.bounds
    level = rule.at_most is not None or rule.at_least is not None
    unit, sign = ("", "") if level else (" %", "" if rule.functions else "+")
    bounds = [f"at least {low:{sign}g}{unit}"] if low is not None else []
    bounds += [f"at most {high:{sign}g}{unit}"] if high is not None else []
    return f"{rule.cell}: {what} {', '.join(bounds)}"


def reasons_against(source: Source) -> str:
    """Return why a bench must not be relied on; where nothing is at work, its counter rests."""
    told = source.told
    if not isinstance(told, Comparison):
        return ""
    if told.nothing_to_measure:
        return told.nothing_to_measure
    resting = [] if source.at_work else [compare.not_at_work(told.plan, n) for n in told.engaged]
    return "; ".join(reason for reason in told.invalid if reason not in resting)


def _measured(rule: Rule, source: Source, look: Look) -> _Range | str:
    delta = _delta(rule, source)
    if isinstance(delta, str):
        return delta
    if rule.since or rule.than:
        return _since(rule, delta, look)
    if rule.arm:
        return _level(rule, delta)
    return _change(delta.change_pct, delta.low_pct, delta.high_pct, delta.pairs, delta.note)


def _level(rule: Rule, delta: Delta) -> _Range | str:
    """Return what one arm measures, or by how much test is above base, in the metric's unit."""
    if rule.arm == "both":
        if NEVER in (value for pair in delta.values for value in pair):
            return f"{rule.metric} is never in some boots, and never less never is no number"
        values = [test - base for base, test in delta.values]
    else:
        values = [pair[rule.arm == "test"] for pair in delta.values]
    low, high = stats.median_interval(values) or (None, None)
    note = "" if low is not None else f"{len(values)} boots are too few for an interval"
    unit = delta.metric.unit
    return _Range(
        stats.median(values), low, high, len(values), lambda v: report.quantity(v, unit), note
    )


def _change(
    change: float | None, low: float | None, high: float | None, pairs: int, note: str
) -> _Range | str:
    if change is None:
        return note or "there is no ratio"
    return _Range(change, low, high, pairs, report.per_cent, note)


def _delta(rule: Rule, source: Source) -> Delta | str:
    if against := reasons_against(source):
        return against
    assert isinstance(source.told, Comparison)  # for mypy: weigh asks for nothing else
    found = [
        one
        for one in source.told.deltas
        if (one.machine, one.metric.name) == (rule.machine, rule.metric)
    ]
    return found[0] if found else f"the run has no {rule.metric}"


def _since(rule: Rule, delta: Delta, look: Look) -> _Range | str:
    """Return the change of one arm since another leg, paired by seed.

    Of the kernel without the series since another kernel, or of the series since another cell.
    """
    name, arm = rule.reference, bool(rule.than)
    before = look(name)
    if isinstance(before, str):
        return f"{name}: {before}"
    old = _delta(rule, before)
    if isinstance(old, str):
        return f"{name}: {old}"
    if len(old.values) != len(delta.values):
        return f"{name} has {old.pairs} seeds, and not the same {delta.pairs}"
    was, is_now = ([pair[arm] for pair in one.values] for one in (old, delta))
    told = stats.paired_change(was, is_now)
    return _change(told.change_pct, told.low_pct, told.high_pct, len(was), told.note)


def _share(rule: Rule, told: Shares) -> _Range | str:
    arm = told.arms[rule.arm == "test"]
    if not (have := [name for name in rule.functions if name in arm.share_pct]):
        return f"no {' or '.join(rule.functions)} among the stacks; it may be inlined, or not there"
    share, samples = sum(arm.share_pct[name] for name in have), max(1, arm.samples)
    error = 196 * math.sqrt(max(share / 100 * (1 - share / 100), 1 / samples) / samples)
    return _Range(share, share - error, share + error, samples, lambda value: f"{value:.1f} %")


def _found(rule: Rule, empty: Weighed, result: CheckResult) -> Weighed:
    """Return what a hazard's condition says, with the series and without."""
    wanted = result.series
    if rule.patches:
        wanted = str(replace(SeriesName.parse(wanted), first=str(rule.patches)))
    # A boot that was lost, or that lacks something, has one finding for all of its conditions.
    ours = result.of(wanted)
    if undecided := [one for one in ours if one.kind == "boot" or one.state == "untested"]:
        return _with(empty, "not answered", why=undecided[0].says)
    mine = [one for one in ours if (one.kind, one.on) == ("condition", rule.finding)]
    if not mine:
        return _with(empty, "not answered", why=f"{wanted} was not checked")
    says = "; ".join(dict.fromkeys(one.says for one in mine))
    failed = [one for one in mine if one.state == "fail"]
    worse = result.regressions()
    if any(one not in worse for one in failed):
        return _with(empty, "undecided", "fails", why=f"{says} ({result.baseline} as well)")
    state: State = "confirmed" if bool(failed) == (rule.says == "fail") else "refuted"
    return _with(empty, state, "fails" if failed else "passes", why=says)


def _bounded(rule: Rule, empty: Weighed, found: _Range) -> Weighed:
    least, most = rule.bounds
    floor, ceiling = -math.inf if least is None else least, math.inf if most is None else most
    measured = found.show(found.estimate)
    if found.low is None or found.high is None:
        return _with(empty, "undecided", measured, why=found.note)
    interval = f"[{found.show(found.low)}, {found.show(found.high)}]"
    if floor <= found.low and found.high <= ceiling:
        return _with(empty, "confirmed", measured, interval)
    if found.high < floor or found.low > ceiling:
        return _with(empty, "refuted", measured, interval)
    return _with(empty, "undecided", measured, interval, _more_seeds(found, floor, ceiling))


def _more_seeds(found: _Range, floor: float, ceiling: float) -> str:
    """Return how many seeds may decide it: an interval shrinks as the root of their number."""
    if not all(map(math.isfinite, (found.low or 0, found.high or 0, found.estimate))):
        return "boots that never ended and boots that did: more seeds tell how often, not how much"
    needed = 1.0
    for bound in (floor, ceiling):
        side = found.high if found.estimate < bound else found.low
        if math.isfinite(bound) and side is not None:
            if found.estimate == bound:
                return "what was measured is the bound itself: no number of seeds decides it"
            needed = max(needed, ((side - found.estimate) / (bound - found.estimate)) ** 2)
    seeds = math.ceil(found.pairs * needed)
    if seeds > _ENOUGH_SEEDS:
        return f"so near the bound that {_ENOUGH_SEEDS} seeds would not decide it"
    return f"about {max(seeds, found.pairs + 1)} seeds may decide it, instead of {found.pairs}"


def _with(
    empty: Weighed, state: State, measured: str = "-", interval: str = "-", why: str = ""
) -> Weighed:
    return Weighed(
        empty.rule, state, empty.asked, measured, interval, why, empty.machine, empty.run,
        empty.command,
    )  # fmt: skip


def moved(controls: Sequence[Weighed]) -> list[str]:
    """Return the controls that went beyond their bounds, in words."""
    return [
        f"{one.asked}, on {one.rule.kernel}, {one.machine}: measured {one.measured} {one.interval}"
        for one in controls
        if one.state == "refuted"
    ]
