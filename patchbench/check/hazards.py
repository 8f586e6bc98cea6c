# SPDX-License-Identifier: GPL-2.0-only
"""A hazard's boot in, Findings out: of its console, and one for each condition. Pure.

The conditions are data in the workload's file. A lost boot or a missing value is never a pass.
"""

from collections.abc import Sequence
from dataclasses import replace

from patchbench import records
from patchbench.errors import HostOverloaded
from patchbench.findings import Finding, FindingState, Target
from patchbench.model import NEVER, Boot, Condition, Workload
from patchbench.stages.splats import Splat, SplatPolicy

#: What is shown of the console from a splat on: a backtrace with its registers.
_BACKTRACE_LINES = 30


def judge(
    workload: Workload,
    target: Target,
    booted: Boot,
    console: str,
    policy: SplatPolicy,
    *,
    base: Boot | None = None,
) -> tuple[Finding, ...]:
    """Return what one boot of a hazard says about its series.

    booted: the boot, read without regard to splats. base: the same boot of the series that
    this one is compared with; without it, conditions that compare are skipped.
    """
    everything = {name for one in workload.conditions for name in one.questions}
    empty = replace(
        target.untested("boot", workload.name), questions=tuple(sorted(everything, key=_number))
    )
    heard = _hear(workload, empty, booted, console, policy)
    if booted.untested:
        return (*heard, replace(empty, says=booted.untested.splitlines()[0]))
    if booted.failure:
        blameless = booted.failure_status == HostOverloaded.exit_code
        state: FindingState = "untested" if blameless else "fail"
        says, evidence = booted.failure.splitlines()[0], booted.failure
        return (*heard, replace(empty, state=state, says=says, evidence=evidence))
    conditions = [
        _weigh(condition, empty, booted, base)
        for condition in workload.conditions
        if not _is_skipped(condition, booted, base)
    ]
    return (*heard, *conditions)


def without_timings(workload: Workload) -> Workload:
    """Return a hazard without its conditions on times, for kernels whose times mean nothing."""
    kept = tuple(one for one in workload.conditions if not one.timed)
    return replace(workload, conditions=kept)


def together(found: Sequence[Finding]) -> list[Finding]:
    """Return findings, those that compare a boot with one of the base as one of all boots.

    One boot against one may be longer by luck: of several the more decide.
    """
    alike: dict[tuple[str, ...], list[Finding]] = {}
    kept: list[Finding] = []
    for one in found:
        if one.against and one.state != "untested":
            alike.setdefault((one.series, *one.question), []).append(one)
        else:
            kept.append(one)
    return [*kept, *map(_more_decide, alike.values())]


def _more_decide(boots: Sequence[Finding]) -> Finding:
    if len(boots) == 1:
        return boots[0]
    failed = [one for one in boots if one.state == "fail"]
    fails = 2 * len(failed) > len(boots)
    first = next(one for one in boots if (one.state == "fail") == fails)
    which = "fails" if fails else "does not"
    says = f"fails in {len(failed)} of {len(boots)} boots; the first that {which}: {first.says}"
    return replace(first, says=says, boots=len(boots), failed_boots=len(failed))


def _hear(
    workload: Workload, empty: Finding, booted: Boot, console: str, policy: SplatPolicy
) -> list[Finding]:
    """Return a finding for each kind of splat on the console, or one that it is quiet."""
    policy = policy.provoked(workload.provokes)
    heard = replace(empty, kind="console")
    lines = console.splitlines()
    by_kind: dict[str, list[tuple[int, Splat]]] = {}
    for number, splat in policy.find(console):
        by_kind.setdefault(splat.kind, []).append((number, splat))
    if by_kind:
        return [_splat(heard, lines, those) for those in by_kind.values()]
    if not console or (booted.failure and not booted.untested):
        return [replace(heard, says="the console stops before the end of the boot")]
    if missing := policy.missing(workload.flavour, console):
        return [replace(heard, says=f"the console lacks {missing[0].pattern!r}: {missing[0].why}")]
    return [replace(heard, state="pass", says="no splat on the console")]


def _splat(heard: Finding, lines: Sequence[str], those: Sequence[tuple[int, Splat]]) -> Finding:
    """Return the finding of all splats of one kind, with the lines from the first one on."""
    number, first = those[0]
    return replace(
        heard,
        on=first.kind,
        questions=tuple(name for name in heard.questions if name in first.rule.questions),
        state="fail",
        says=f"{first.rule.why}; {len(those)} console lines, the first: {first.line.strip()}",
        evidence="\n".join(lines[number : number + _BACKTRACE_LINES]),
    )


def _is_skipped(condition: Condition, booted: Boot, base: Boot | None) -> bool:
    if condition.compares and base is None:
        return True
    return condition.optional and not _values(condition.on, booted)


def _weigh(condition: Condition, empty: Finding, booted: Boot, base: Boot | None) -> Finding:
    finding = replace(
        empty,
        kind="condition",
        on=condition.on,
        against=base.series if condition.compares and base else "",
        questions=condition.questions,
        bound=condition.bound,
    )
    found = _values(condition.on, booted)
    if not found:
        return replace(finding, says=f"the guest does not report {condition.on}")
    if condition.equals is not None:
        says = f"{condition.on} is {found[0]}, must be {condition.equals}"
        return _ruled(finding, condition, good=found == [condition.equals], says=says)
    numbers = _numbers(found)
    if condition.compares:
        assert base  # what compares is skipped without one
        return _weigh_against(finding, condition, numbers, base)
    if condition.at_least is not None:
        worst, bound, word = min(numbers), condition.at_least, "at least"
    else:
        assert condition.at_most is not None  # a condition has exactly one bound
        more = sum(
            each * max(_numbers(_values(name, booted)), default=0)
            for name, each in condition.more_for_each.items()
        )
        worst, bound, word = max(numbers), condition.at_most + more, "at most"
    good = worst >= bound if condition.at_least is not None else worst <= bound
    says = f"{condition.on} is {records.render(worst)}, must be {word} {bound:.10g}"
    return _ruled(finding, condition, good=good, says=says)


def _weigh_against(
    finding: Finding, condition: Condition, numbers: Sequence[float], base: Boot
) -> Finding:
    theirs = _numbers(_values(condition.on, base))
    if not theirs:
        return replace(finding, says=f"{base.series} has no {condition.on} to compare with")
    mean, base_mean = sum(numbers) / len(numbers), sum(theirs) / len(theirs)
    if condition.at_least_base_pct is not None:
        share, word = condition.at_least_base_pct, "at least"
        good = mean >= base_mean * share / 100
    else:
        assert condition.at_most_base_pct is not None  # a condition has exactly one bound
        share, word = condition.at_most_base_pct, "at most"
        good = mean <= base_mean * share / 100
    says = (
        f"{condition.on} is {records.render(mean)}, with {base.series} {records.render(base_mean)}"
        f", must be {word} {share:g} % of that"
    )
    return _ruled(finding, condition, good=good, says=says)


def _ruled(finding: Finding, condition: Condition, *, good: bool, says: str) -> Finding:
    if good:
        return replace(finding, state="pass", says=says)
    return replace(finding, state="fail", says=f"{says}: {condition.why}")


def _values(name: str, booted: Boot) -> list[str]:
    """Return all samples of a metric, or the one value of a meta key, as the guest wrote them."""
    samples = [records.render(number) for number in booted.values(name)]
    meta = booted.record.meta
    return samples or ([meta[name]] if name in meta else [])


def _numbers(values: Sequence[str]) -> list[float]:
    return [NEVER if value == "never" else float(value) for value in values]


def _number(question: str) -> int:
    return int(question.removeprefix("C"))
