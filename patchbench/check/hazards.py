# SPDX-License-Identifier: GPL-2.0-only
"""A hazard's boot in, Findings out: of its console, and one for each condition. Pure.

What a hazard asks is data in its workload's file. A boot that was lost, or a value that is not
there, is never a pass.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from patchbench import records
from patchbench.catalog import SplatPolicy
from patchbench.errors import HostOverloaded
from patchbench.model import NEVER, Boot, Condition, Finding, FindingState, Record, Workload
from patchbench.stages import boot

CHECK = "hazard"
#: What is shown of the console from a splat on: a backtrace with its registers.
_CONTEXT_LINES = 30
_CONSOLE = ": console"


@dataclass(frozen=True, slots=True)
class Place:
    """Which kernel a boot was of, and the command that boots it again."""

    kernel: str
    version: str
    series: str
    command: str


def judge(
    workload: Workload,
    place: Place,
    told: Boot,
    console: str,
    policy: SplatPolicy,
    *,
    base: Boot | None = None,
) -> tuple[Finding, ...]:
    """Return what one boot of a hazard says of its series.

    told: the boot, read without regard to splats. base: the same of the kernel without the
    series; without it, conditions that compare with it are left out.
    """
    empty = Finding(
        check=CHECK,
        kernel=place.kernel,
        version=place.version,
        series=place.series,
        subject=workload.name,
        state="untested",
        says="",
        evidence=f"$ {place.command}",
        questions=tuple(
            sorted({name for one in workload.conditions for name in one.questions}, key=_number)
        ),
    )
    heard = _hear(workload, empty, told, console, policy)
    if told.untested:
        return (*heard, replace(empty, says=told.untested.splitlines()[0]))
    if told.failure:
        shown = replace(empty, evidence=f"{told.failure}\n{empty.evidence}")
        blameless = told.failure_status == HostOverloaded.exit_code
        state: FindingState = "untested" if blameless else "fail"
        return (*heard, replace(shown, state=state, says=told.failure.splitlines()[0]))
    conditions = [
        _weigh(condition, empty, told.record, base)
        for condition in workload.conditions
        if not _left_out(condition, told.record, base)
    ]
    return (*heard, *conditions)


def without_timings(workload: Workload) -> Workload:
    """Return a hazard that asks nothing of times, for kernels whose times mean nothing."""
    kept = tuple(one for one in workload.conditions if not one.timed)
    return replace(workload, conditions=kept)


def regressions(findings: Sequence[Finding], against: str = "none") -> tuple[Finding, ...]:
    """Return what fails with a series and does not, on the same kernel, with that other."""
    own = {_question(one) for one in findings if one.series == against and one.state == "fail"}
    return tuple(
        one
        for one in findings
        if one.series != against and one.state == "fail" and _question(one) not in own
    )


def splats_on_base(findings: Sequence[Finding]) -> tuple[Finding, ...]:
    """Return where the kernel complained without any series."""
    return tuple(
        one for one in findings if one.series == "none" and one.state == "fail" and is_console(one)
    )


def lost_on_base(findings: Sequence[Finding]) -> tuple[Finding, ...]:
    """Return which hazards the kernel did not get through without any series."""
    return tuple(
        one
        for one in findings
        if one.series == "none" and one.state == "fail" and ":" not in one.subject
    )


def is_console(finding: Finding) -> bool:
    """Return whether a finding is of what the kernel said, and not of a condition."""
    return _CONSOLE in finding.subject


def arms(findings: Sequence[Finding]) -> list[str]:
    """Return the series that findings are of: none, the first patches, and last the whole."""
    names = {one.series for one in findings}
    return sorted(names, key=lambda name: (name != "none", "@" not in name, len(name), name))


def _hear(
    workload: Workload, empty: Finding, told: Boot, console: str, policy: SplatPolicy
) -> list[Finding]:
    """Return a finding for each kind of complaint, or one that there is none."""
    policy = policy.allowing(workload.provokes, f"{workload.name} is meant to bring it about")
    heard = replace(empty, subject=f"{workload.name}{_CONSOLE}")
    lines = console.splitlines()
    by_kind: dict[str, list[int]] = {}
    for number, line in enumerate(lines):
        if kind := boot.kind_of_splat(line, policy):
            by_kind.setdefault(kind, []).append(number)
    if by_kind:
        return [
            replace(
                heard,
                subject=f"{heard.subject}, {kind}",
                questions=tuple(name for name in heard.questions if name in policy.answers(kind)),
                state="fail",
                says=f"the kernel complained, {len(those)} lines of it: {lines[those[0]].strip()}",
                evidence="\n".join(
                    [*lines[those[0] : those[0] + _CONTEXT_LINES], empty.evidence],
                ),
            )
            for kind, those in by_kind.items()
        ]
    if not console or (told.failure and not told.untested):
        return [replace(heard, says="the console does not reach the boot's end")]
    if missing := policy.missing(workload.flavour, console):
        return [
            replace(heard, says=f"the kernel does not say {missing[0].pattern!r}: {missing[0].why}")
        ]
    return [replace(heard, state="pass", says="the kernel does not complain")]


def _left_out(condition: Condition, record: Record, base: Boot | None) -> bool:
    if condition.compares and base is None:
        return True
    return condition.optional and not _values(condition.on, record)


def _weigh(condition: Condition, empty: Finding, record: Record, base: Boot | None) -> Finding:
    beside = f" against {base.series}" if condition.compares and base else ""
    subject = f"{empty.subject}: {condition.on}{beside}"
    finding = replace(empty, subject=subject, questions=condition.questions)
    found = _values(condition.on, record)
    if not found:
        return replace(finding, says=f"the guest does not tell {condition.on}")
    if condition.equals is not None:
        good = found == [condition.equals]
        says = f"{condition.on} is {found[0]}, asked for {condition.equals}"
        return _ruled(finding, good, says, condition)

    numbers = _numbers(found)
    if condition.compares:
        return _against_base(finding, condition, numbers, base)
    if condition.at_least is not None:
        worst, bound, word = min(numbers), condition.at_least, "at least"
    else:
        worst, bound, word = max(numbers), condition.at_most or 0.0, "at most"
    says = f"{condition.on} is {records.render(worst)}, {word} {bound:g} asked for"
    return _ruled(
        finding, worst >= bound if word == "at least" else worst <= bound, says, condition
    )


def _against_base(
    finding: Finding, condition: Condition, numbers: Sequence[float], base: Boot | None
) -> Finding:
    theirs = _numbers(_values(condition.on, base.record)) if base else []
    if not theirs:
        return replace(finding, says=f"there is no {condition.on} of the kernel without the series")
    ours, mean = sum(numbers) / len(numbers), sum(theirs) / len(theirs)
    if condition.at_least_base_pct is not None:
        share, word = condition.at_least_base_pct, "at least"
        good = ours >= mean * share / 100
    else:
        share, word = condition.at_most_base_pct or 0.0, "at most"
        good = ours <= mean * share / 100
    says = (
        f"{condition.on} is {records.render(ours)}, without the series {records.render(mean)}, "
        f"{word} {share:g} % of that asked for"
    )
    return _ruled(finding, good, says, condition)


def _ruled(finding: Finding, good: bool, says: str, condition: Condition) -> Finding:
    if good:
        return replace(finding, state="pass", says=says)
    return replace(finding, state="fail", says=f"{says}: {condition.why}")


def _values(name: str, record: Record) -> list[str]:
    """Return all samples of a metric, or the one value of a meta key, as the guest wrote them."""
    samples = [records.render(number) for number in records.values(record, name)]
    return samples or ([record.meta[name]] if name in record.meta else [])


def _numbers(values: Sequence[str]) -> list[float]:
    return [NEVER if value == "never" else float(value) for value in values]


def _question(finding: Finding) -> tuple[str, str]:
    return finding.kernel, finding.subject


def _number(hazard: str) -> int:
    return int(hazard[1:])
