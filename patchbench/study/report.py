# SPDX-License-Identifier: GPL-2.0-only
"""A study in; what its page shows, and the terminal's table, out. Pure."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from markupsafe import Markup

from patchbench import stats
from patchbench.model import NEVER, Comparison, Delta, Scale, ScalePoint
from patchbench.report import numbers, scaling
from patchbench.study import weigh
from patchbench.study.evidence import NOT_RUN, Study
from patchbench.study.plan import Leg
from patchbench.study.readings import Reading, describe, reasons_against
from patchbench.study.weigh import Conclusion, Weighed

HEADINGS = ("", "verdict", "measured", "95 % interval", "asked", "machine", "says")
_LADDER = ("exit_ns", "makespan_ns", "drain_ns", "cpu_ns", "free_ns", "fork_ns")
_CLOCKS = ("exit_ns", "makespan_ns", "drain_ns", "free_kib", "cpu_ns")


@dataclass(frozen=True, slots=True)
class Section:
    """A part of the page: a table under its headings, and plots by their captions."""

    title: str
    says: str
    headings: tuple[str, ...] = ()
    rows: tuple[tuple[str, ...], ...] = ()
    plots: tuple[tuple[str, Markup], ...] = ()


def sections(study: Study) -> tuple[Section, ...]:
    """Return everything that the page shows below its headline."""
    asked = [one for one in study.conclusions if not _unasked(one)]
    claims = [one for one in asked if one.statement.claimed]
    return (
        *_statements(
            "Claims",
            "What the cover letter and its author's later mails say. Figures of a phone cannot be "
            "had from an emulator; what is judged is whether the change has that sign and size.",
            study,
            claims,
        ),
        *_statements(
            "Questions",
            "What reviewers asked, each as a sentence that is true or not.",
            study,
            [one for one in asked if one not in claims],
        ),
        _controls(study),
        _clocks(study),
        _ladder(study),
        _scaling(study),
        _legs(study),
    )


def headline(study: Study) -> list[str]:
    """Return what a reader must know before any verdict."""
    count = dict.fromkeys(("confirmed", "refuted", "undecided", "not answered"), 0)
    count["not answerable"] = 0
    for one in study.conclusions:
        if not _unasked(one):
            count[one.outcome] += 1
    lines = [", ".join(f"{number} {state}" for state, number in count.items() if number)]
    lines += [f"A CONTROL MOVED: {control}" for control in weigh.moved(study.controls)]
    if not any(one.outcome == "confirmed" for one in study.controls):
        lines.append("No control was seen to hold, so nothing shows that only exits changed.")
    lines += [
        f"HOST OVERLOADED: {leg.key}: {len(bench.overloads)} of {leg.boots} boots"
        for leg, _, bench in _benches(study)
        if bench.overloads
    ]
    if unasked := [one.statement.id for one in study.conclusions if _unasked(one)]:
        lines.append(f"Not run: {', '.join(unasked)}")
    return lines


def rows(study: Study) -> list[list[str]]:
    """Return the terminal's table under HEADINGS, a row for each rule."""
    return [
        [
            one.statement.id if not place else "",
            _verdict(one, study) if not place else "",
            weighed.measured,
            weighed.interval,
            weighed.rule.asked,
            weighed.place,
            one.statement.says if not place else weighed.why,
        ]
        if weighed
        else [one.statement.id, one.outcome, "-", "-", "-", "-", one.statement.says]
        for one in study.conclusions
        if not _unasked(one)
        for place, weighed in enumerate(one.weighed or (None,))
    ]


def _unasked(one: Conclusion) -> bool:
    """Return whether none of a statement's legs was to be run."""
    return bool(one.weighed) and all(NOT_RUN in rule.why for rule in one.weighed)


def _verdict(one: Conclusion, study: Study) -> str:
    caveat = " (a control moved)" if weigh.moved(study.controls) else ""
    return one.outcome + (caveat if one.outcome in ("confirmed", "refuted", "undecided") else "")


def _statements(
    title: str, says: str, study: Study, answers: Sequence[Conclusion]
) -> tuple[Section, Section]:
    """Return the verdicts, a row each with the rule that decided it, and below them every rule."""
    verdicts = (
        "", "verdict", "statement", "claimed", "measured", "95 % interval", "asked",
        "kernel, machine", "open", "run", "repeat it",
    )  # fmt: skip
    rules = (
        "", "measured", "95 % interval", "asked", "kernel, machine", "verdict", "run", "repeat it"
    )  # fmt: skip
    return (
        Section(title, says, verdicts, tuple(_answered(one, study) for one in answers)),
        Section(
            f"{title}, rule by rule",
            "A statement is true if each of its rules holds; one that does not refutes it.",
            rules,
            tuple(row for one in answers for row in _rows_of(one)),
        ),
    )


def _answered(one: Conclusion, study: Study) -> tuple[str, ...]:
    statement = one.statement
    says = f"{statement.says} ({statement.by})"
    lead = (statement.id, _verdict(one, study), says, statement.claimed)
    deciding = [weighed for weighed in one.weighed if weighed.outcome == one.outcome]
    if not deciding:
        return (*lead, "-", "-", "-", "-", statement.unanswerable, "", "")
    measured, interval, asked, place, _, run, command = _weighed(deciding[0])
    return (*lead, measured, interval, asked, place, deciding[0].why, run, command)


def _rows_of(one: Conclusion) -> Iterator[tuple[str, ...]]:
    name = one.statement.id
    for weighed in one.weighed:
        yield (name, *_weighed(weighed))
        name = ""
    if one.statement.unanswerable:
        why = f"not answerable: {one.statement.unanswerable}"
        yield (name, "-", "-", "-", "-", why, "", "")


def _weighed(one: Weighed) -> tuple[str, ...]:
    why = f"{one.outcome}: {one.why}" if one.why else one.outcome
    return one.measured, one.interval, one.rule.asked, one.place, why, one.run, one.command


def _controls(study: Study) -> Section:
    headings = ("state", "measured", "95 % interval", "asked", "kernel, machine", "open", "run")
    names = {"confirmed": "held", "refuted": "MOVED", "undecided": "cannot tell"}
    found = [(names.get(one.outcome, one.outcome), *_weighed(one)[:-1]) for one in study.controls]
    says = (
        "What no exit is part of. Where one of these moved, the series, or the place of code, "
        "touches more than it means to, and no verdict is worth what it looks."
    )
    return Section("Controls", says, headings, tuple(found))


def _clocks(study: Study) -> Section:
    """Return exit latency beside the time until memory is back, and the CPU time of all tasks."""
    headings = ("cell", "kernel", "machine", "one exit", "all exits", "memory back",
                "memory back never", "free memory", "CPU of all tasks")  # fmt: skip
    found = []
    for one, reading, bench in _benches(study):
        if not (deltas := {delta.metric.name: delta for delta in bench.deltas}).keys() & {*_CLOCKS}:
            continue
        back = deltas.get("drain_ns")
        stuck = [sum(pair[arm] == NEVER for pair in back.values) for arm in (0, 1)] if back else []
        found.append(
            (
                one.cell,
                one.kernel,
                describe(reading.machine),
                *(_change(deltas.get(name)) for name in _CLOCKS[:3]),
                f"{stuck[0]}, {stuck[1]} of {back.pairs}" if back else "-",
                *(_change(deltas.get(name)) for name in _CLOCKS[3:]),
            )
        )
    says = (
        "An exit that ends sooner is worth something only if the memory it was wanted for comes "
        "back no later, and if no more CPU time is spent. Never: boots of none, and of the "
        "series, in which swap was not free again before the deadline."
    )
    return Section("Two clocks, and the CPU time", says, headings, tuple(found))


def _ladder(study: Study) -> Section:
    """Return what the kernel without the series does from one kernel to the next."""
    by_cell: dict[tuple[str, str], dict[str, Comparison]] = defaultdict(dict)
    labels = {}
    for one, reading, bench in _benches(study):
        by_cell[one.cell, one.machine][one.kernel] = bench
        labels[one.machine] = describe(reading.machine)
    found = []
    for (cell, machine), kernels in by_cell.items():
        if len(kernels) < 2:
            continue
        old, new = sorted(kernels.values(), key=lambda one: _version(one.plan.version))[:2]
        for delta in new.deltas:
            before = next((one for one in old.deltas if one.metric == delta.metric), None)
            if delta.metric.name not in _LADDER or not before or before.pairs != delta.pairs:
                continue
            was, now = [base for base, _ in before.values], [base for base, _ in delta.values]
            change = stats.paired_change(was, now)
            between = "-"
            if change.low_pct is not None and change.high_pct is not None:
                low, high = map(numbers.per_cent, (change.low_pct, change.high_pct))
                between = f"[{low}, {high}]"
            found.append(
                (cell, labels[machine], delta.metric.name,
                 f"{old.plan.version}: {numbers.quantity(before.base, delta.metric.unit)}",
                 f"{new.plan.version}: {numbers.quantity(delta.base, delta.metric.unit)}",
                 numbers.per_cent(change.change_pct), between)
            )  # fmt: skip
    headings = ("cell", "machine", "metric", "older", "newer", "change", "95 % interval")
    says = "How much of the problem newer kernels solve without any series: none against none."
    return Section("The ladder", says, headings, tuple(found))


def _scaling(study: Study) -> Section:
    """Return how the numbers go with what a cell sweeps."""
    plots, found = [], []
    for cell in study.logbook.plan.cells:
        for parameter in cell.sweep:
            for kernel, machine, points, bench in _sweeps(study, cell.name, parameter):
                scale = Scale(parameter, machine, points)
                curve = scaling.curve(bench, scale)
                if curve.plot:
                    plots.append((f"{cell.name}: {kernel}, {machine} (TCG)", curve.plot))
                for point in points:
                    deltas = {delta.metric.name: delta for delta in point.deltas}
                    changes = (_change(deltas.get(name)) for name in _CLOCKS)
                    found.append(
                        (cell.name, kernel, f"{machine} (TCG)", f"{parameter}={point.value}",
                         *changes)
                    )  # fmt: skip
    headings = ("cell", "kernel", "machine", "at", "one exit", "all exits", "memory back",
                "free memory", "CPU of all tasks")  # fmt: skip
    says = "How the change, and both arms, go with one parameter of the workload."
    return Section("Scaling", says, headings, tuple(found), tuple(plots))


def _sweeps(
    study: Study, cell: str, parameter: str
) -> Iterator[tuple[str, str, tuple[ScalePoint, ...], Comparison]]:
    """Give each kernel and machine on which a cell has points to show, with one of its runs."""
    found: dict[tuple[str, str], list[tuple[int, str, Comparison]]] = defaultdict(list)
    for one, reading, bench in _benches(study):
        if one.cell.rpartition("-")[0] == cell and parameter in one.parameters:
            place = (one.kernel, one.machine)
            found[place].append((one.parameters[parameter], reading.run, bench))
    for (kernel, machine), points in found.items():
        told_points = (
            ScalePoint(value, run, bench.deltas)
            for value, run, bench in sorted(points, key=lambda point: point[0])
        )
        yield kernel, machine, tuple(told_points), points[0][2]


def _legs(study: Study) -> Section:
    headings = ("leg", "state", "boots an arm", "seconds", "run or why not")
    found = [
        (one.leg.key, one.state, str(one.leg.seeds), f"{one.seconds:.0f}",
         study.logbook.run(one.leg) if one.state == "done" else one.why.partition("\n")[0])
        for one in study.logbook.legs
    ]  # fmt: skip
    says = "What was run, the most valuable first, and what was not."
    return Section("Cells", says, headings, tuple(found))


def _benches(study: Study) -> Iterator[tuple[Leg, Reading, Comparison]]:
    for one in study.logbook.legs:
        reading = study.readings[one.leg.key]
        if (
            isinstance(reading, Reading)
            and isinstance(reading.result, Comparison)
            and not reasons_against(reading)
        ):
            here = [delta for delta in reading.result.deltas if delta.machine == one.leg.machine]
            yield one.leg, reading, replace(reading.result, deltas=tuple(here))


def _change(delta: Delta | None) -> str:
    if delta is None:
        return "-"
    return f"{numbers.per_cent(delta.change_pct)} {numbers.interval(delta)}"


def _version(text: str) -> list[int]:
    return [int(part) for part in text.split("-")[0].split(".")]
