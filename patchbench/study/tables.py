# SPDX-License-Identifier: GPL-2.0-only
"""What a study's legs measured, as tables below its statements. Pure."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from markupsafe import Markup

from patchbench import stats
from patchbench.model import NEVER, Comparison, Delta, Scale, ScalePoint
from patchbench.report import nevers, numbers, scaling
from patchbench.study.evidence import Study
from patchbench.study.plan import Leg
from patchbench.study.readings import Reading, describe, reasons_against


@dataclass(frozen=True, slots=True)
class Table:
    """A table under its headings, and how it came to be; plots by their captions."""

    title: str
    says: str
    headings: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    plots: tuple[tuple[str, Markup], ...] = ()


def tables(study: Study) -> tuple[Table, ...]:
    """Return every table of a study, without plots; empty ones have no row."""
    return _clocks(study), _kernels(study), _scaling(study), _legs(study)


def plots(study: Study) -> tuple[tuple[str, Markup], ...]:
    """Return a curve for each parameter that a cell sweeps, by its caption."""
    drawn = []
    for cell in study.logbook.plan.cells:
        for parameter in cell.sweep:
            for kernel, machine, points, bench in _sweeps(study, cell.name, parameter):
                curve = scaling.curve(bench, Scale(parameter, machine, points))
                if curve.plot:
                    drawn.append((f"{cell.name}: {kernel}, {machine} (TCG)", curve.plot))
    return tuple(drawn)


def overloaded(study: Study) -> list[str]:
    """Return the legs some of whose boots shared the host, in words."""
    return [
        f"{leg.key}: {len(bench.overloads)} of {leg.boots} boots"
        for leg, _, bench in _benches(study)
        if bench.overloads
    ]


def _clocks(study: Study) -> Table:
    """Return exit latency beside the time until memory is back, and the CPU time of all tasks."""
    found, columns = [], _columns(study)
    for leg, reading, bench in _benches(study):
        deltas = {one.metric.name: one for one in bench.deltas}
        if clocks := [deltas[name] for name in columns if name in deltas]:
            changes = (_change(deltas.get(name)) for name in columns)
            found.append((_place(leg, reading), *changes, _never(clocks)))
    return Table(
        "Two clocks, and the CPU time",
        "An exit that ends sooner is worth something only if the memory comes back no later and "
        "no more CPU time is spent. Never: in how many boots a clock did not stop before its "
        "deadline, unpatched and with the series; and how often that is so with it, with the exact "
        "95 % interval.",
        ("cell", *columns.values(), "never"),
        tuple(found),
    )


def _columns(study: Study) -> dict[str, str]:
    """Return the metrics with a column in the tables of clocks, and what they are called."""
    return {
        note.name: note.label
        for _, _, bench in _benches(study)
        for note in (bench.metric_note(delta.metric.name) for delta in bench.deltas)
        if "clocks" in note.study_tables
    }


def _place(leg: Leg, reading: Reading) -> str:
    return f"{leg.cell}: {leg.kernel}, {describe(reading.machine)}"


def _never(clocks: Sequence[Delta]) -> str:
    """Return in how many boots of either arm the clock that failed most did not stop.

    With the probability of that in the test arm, as an interval.
    """
    base, test = (
        max(sum(pair[arm] == NEVER for pair in one.values) for one in clocks) for arm in (0, 1)
    )
    pairs = clocks[0].pairs
    return f"{base}, {test} of {pairs}" + (f": {nevers.odds(test, pairs)}" if test else "")


def _kernels(study: Study) -> Table:
    """Return what the unpatched kernel does from one kernel to the next."""
    by_cell: dict[tuple[str, str], dict[str, Comparison]] = defaultdict(dict)
    labels = {}
    for leg, reading, bench in _benches(study):
        by_cell[leg.cell, leg.machine][leg.kernel] = bench
        labels[leg.machine] = describe(reading.machine)
    found = []
    for (cell, machine), kernels in by_cell.items():
        if len(kernels) < 2:
            continue
        old, new = sorted(kernels.values(), key=lambda one: _version(one.plan.version))[:2]
        found += [(f"{cell}: {labels[machine]}", *row) for row in _since(old, new)]
    return Table(
        "The unpatched kernel, from one version to the next",
        "How much of the problem newer kernels solve without any series.",
        ("cell", "metric", "older", "newer", "change"),
        tuple(found),
    )


def _since(old: Comparison, new: Comparison) -> Iterator[tuple[str, ...]]:
    for delta in new.deltas:
        before = next((one for one in old.deltas if one.metric == delta.metric), None)
        shown = "kernels" in new.metric_note(delta.metric.name).study_tables
        if not shown or not before or before.pairs != delta.pairs:
            continue
        was, now = [base for base, _ in before.values], [base for base, _ in delta.values]
        change = stats.paired_change(was, now)
        yield (
            delta.metric.name,
            f"{old.plan.version}: {numbers.quantity(before.base, delta.metric.unit)}",
            f"{new.plan.version}: {numbers.quantity(delta.base, delta.metric.unit)}",
            _with_interval(change.change_pct, change.low_pct, change.high_pct),
        )


def _scaling(study: Study) -> Table:
    """Return how the numbers go with what a cell sweeps."""
    found, columns = [], _columns(study)
    for cell in study.logbook.plan.cells:
        for parameter in cell.sweep:
            for kernel, machine, points, _ in _sweeps(study, cell.name, parameter):
                for point in points:
                    deltas = {delta.metric.name: delta for delta in point.deltas}
                    place = f"{cell.name}, {parameter}={point.value}: {kernel}, {machine} (TCG)"
                    found.append((place, *(_change(deltas.get(name)) for name in columns)))
    return Table(
        "Scaling",
        "How the change goes with one parameter of the workload.",
        ("cell", *columns.values()),
        tuple(found),
    )


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
        ordered = (
            ScalePoint(value, run, bench.deltas)
            for value, run, bench in sorted(points, key=lambda point: point[0])
        )
        yield kernel, machine, tuple(ordered), points[0][2]


def _legs(study: Study) -> Table:
    found = [
        (
            one.leg.key,
            one.state,
            str(one.leg.seeds),
            f"{one.seconds:.0f}",
            study.logbook.run(one.leg) if one.state == "done" else one.why.partition("\n")[0],
        )
        for one in study.logbook.legs
    ]
    return Table(
        "Cells",
        "What was run, the most valuable first, and what was not.",
        ("leg", "state", "boots per arm", "seconds", "run, or why not"),
        tuple(found),
    )


def _benches(study: Study) -> Iterator[tuple[Leg, Reading, Comparison]]:
    """Give every leg whose run is a bench that can be relied on, with its own machine alone."""
    for one in study.logbook.legs:
        reading = study.readings[one.leg.key]
        if isinstance(reading, str) or reasons_against(reading):
            continue
        if isinstance(bench := reading.result, Comparison):
            here = [delta for delta in bench.deltas if delta.machine == one.leg.machine]
            yield one.leg, reading, replace(bench, deltas=tuple(here))


def _change(delta: Delta | None) -> str:
    if delta is None:
        return "-"
    return _with_interval(delta.change_pct, delta.low_pct, delta.high_pct)


def _with_interval(change: float | None, low: float | None, high: float | None) -> str:
    if low is None or high is None:
        return numbers.per_cent(change)
    return (
        f"{numbers.per_cent(change)} [{numbers.per_cent(low)}, {numbers.per_cent(high)}]".replace(
            " %,", ","
        ).replace(" %]", "]")
    )


def _version(text: str) -> list[int]:
    return [int(part) for part in text.split("-")[0].split(".")]
