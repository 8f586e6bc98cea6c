# SPDX-License-Identifier: GPL-2.0-only
"""A Comparison and its Boots in; everything that the HTML report shows out. Pure.

What a guest or a patch says stays plain text here; the template escapes it. Only what our own
code has drawn is markup.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from patchbench import texts
from patchbench.model import NEVER, Boot, Comparison, Delta, Machine, Metric, MetricNote
from patchbench.report import numbers, plots, sentences
from patchbench.stages.compare import usable

_SCALE = {"ns": (1e6, "ms"), "kib": (1024.0, "MiB")}
_HOW_TO_READ = {
    "distribution": "The share of all samples, over all boots, that is at most so large.",
    "boots": "A dot is a boot, the bar the median.",
    "curve": "A line is a boot.",
}

_ByArm = tuple[list[Boot], list[Boot]]  # base, test


@dataclass(frozen=True, slots=True)
class MetricRow:
    """A line of the summary: one metric on one machine, as text, and where its samples are."""

    label: str
    metric: str
    better: str
    base: str
    test: str
    change: str
    interval: str
    floor: str
    remark: str
    tone: str  # better, worse or neutral
    anchor: str


@dataclass(frozen=True, slots=True)
class SampleTable:
    """Every sample of one metric on one machine, by seed and arm, as the guests wrote them."""

    anchor: str
    title: str
    rows: tuple[tuple[int, str, str], ...]


@dataclass(frozen=True, slots=True)
class OnMachine:
    """What one machine has to show; `pairs` is empty if no metric changed.

    equal: label and value of each metric that is the same in every pair of boots.
    """

    machine: Machine
    seeds: int
    rows: tuple[MetricRow, ...]
    equal: tuple[tuple[str, str, str], ...]  # label, value, anchor
    samples: tuple[SampleTable, ...]
    pairs: Markup
    facts: Mapping[str, Mapping[str, str]]


@dataclass(frozen=True, slots=True)
class Plotted:
    """The plots of one metric, by machine."""

    title: str
    says: str
    figures: tuple[tuple[str, Markup], ...]


def machines(comparison: Comparison, boots: Sequence[Boot]) -> list[OnMachine]:
    """Return what there is to show, machine by machine."""
    return [_on_machine(comparison, machine, boots) for machine in comparison.plan.machines]


def plotted(comparison: Comparison, boots: Sequence[Boot]) -> list[Plotted]:
    """Return the plots of each metric whose note asks for one."""
    metrics = dict.fromkeys(delta.metric for delta in comparison.deltas)
    found = []
    for metric in metrics:
        note = comparison.metric_note(metric.name)
        if note.plot:
            says = f"{note.about}. {_HOW_TO_READ[note.plot]}" if note.about else ""
            drawn = tuple(
                (machine.name, _plot(comparison, machine.name, metric, boots))
                for machine in comparison.plan.machines
                if any((d.machine, d.metric) == (machine.name, metric) for d in comparison.deltas)
            )
            found.append(Plotted(_capitalised(note.label), _capitalised(says), drawn))
    return found


def glossary(comparison: Comparison) -> list[MetricNote]:
    """Return what is noted of each metric in the table, where there is anything to say."""
    shown = dict.fromkeys(delta.metric.name for delta in comparison.deltas if not delta.equal)
    return [note for note in map(comparison.metric_note, shown) if note.about]


def flame_graphs(profiles: Mapping[str, str]) -> dict[str, str]:
    """Return flame graphs as data URLs, by name."""
    return {name: texts.as_image(svg) for name, svg in profiles.items()}


def _on_machine(comparison: Comparison, machine: Machine, boots: Sequence[Boot]) -> OnMachine:
    plan = comparison.plan
    deltas = [delta for delta in comparison.deltas if delta.machine == machine.name]
    place = plan.machines.index(machine)
    anchors = {delta.metric.name: f"s{place}-{number}" for number, delta in enumerate(deltas)}
    by_arm = usable(boots, machine.name, plan.base), usable(boots, machine.name, plan.test)
    return OnMachine(
        machine=machine,
        seeds=len(plan.seeds[machine.name]),
        rows=tuple(
            row
            for delta in deltas
            if not delta.equal
            for row in _rows(comparison, delta, boots, anchors[delta.metric.name])
        ),
        equal=tuple(
            (
                comparison.metric_note(delta.metric.name).label,
                numbers.quantity(delta.base, delta.metric.unit),
                anchors[delta.metric.name],
            )
            for delta in deltas
            if delta.equal
        ),
        samples=tuple(
            _sample_table(delta.metric, anchors[delta.metric.name], by_arm) for delta in deltas
        ),
        pairs=_pairs(comparison, deltas, by_arm, machine.name),
        facts={
            arm.series: facts
            for arm in (plan.base, plan.test)
            if (facts := comparison.facts.get(f"{machine.name} {arm.series}"))
        },
    )


def _rows(
    comparison: Comparison, delta: Delta, boots: Sequence[Boot], anchor: str
) -> list[MetricRow]:
    """Return a metric's row and, where there is one, its row per freed page."""
    note = comparison.metric_note(delta.metric.name)
    remark = sentences.remark(comparison, delta, boots)
    rows = [_row(delta, note.label, delta.metric.name, remark, anchor)]
    if delta.per_page:
        label = f"{note.label} per freed page"
        rows.append(_row(delta.per_page, label, "", sentences.reading(delta.per_page), anchor))
    return rows


def _row(delta: Delta, label: str, metric: str, remark: str, anchor: str) -> MetricRow:
    unit = delta.metric.unit
    tones = {"better": "better", "worse": "worse", "never": "worse"}
    return MetricRow(
        label=label,
        metric=metric,
        better=delta.metric.better,
        base=numbers.quantity(delta.base, unit),
        test=numbers.quantity(delta.test, unit),
        change=numbers.per_cent(delta.change_pct),
        interval=numbers.interval(delta),
        floor=numbers.floor(delta),
        remark=remark,
        tone=tones.get(remark.partition(" ")[0], "neutral"),
        anchor=anchor,
    )


def _sample_table(metric: Metric, anchor: str, by_arm: _ByArm) -> SampleTable:
    base, test = by_arm
    seeds = sorted({boot.seed for boot in (*base, *test)})
    return SampleTable(
        anchor=anchor,
        title=f"{metric.name}, {metric.unit}",
        rows=tuple(
            (seed, _samples(base, seed, metric.name), _samples(test, seed, metric.name))
            for seed in seeds
        ),
    )


def _samples(boots: Sequence[Boot], seed: int, metric: str) -> str:
    values = [value for boot in boots if boot.seed == seed for value in boot.values(metric)]
    return " ".join(map(numbers.sample, values)) or "lost"


def _pairs(comparison: Comparison, deltas: Sequence[Delta], by_arm: _ByArm, machine: str) -> Markup:
    rows = []
    for delta in deltas:
        name = delta.metric.name
        base, test = ({boot.seed: boot.value(name) for boot in boots} for boots in by_arm)
        seeds = sorted(base.keys() & test.keys())
        if delta.equal or delta.change_pct is None:
            continue
        rows.append(
            plots.Pairs(
                comparison.metric_note(name).label,
                [_ratio(base[seed], test[seed]) for seed in seeds],
                _as_ratio(delta.change_pct),
                None if delta.low_pct is None else _as_ratio(delta.low_pct),
                None if delta.high_pct is None else _as_ratio(delta.high_pct),
            )
        )
    if not rows:
        return Markup()
    return plots.pairs(rows, f"{machine}: change of each pair of boots")


def _plot(comparison: Comparison, machine: str, metric: Metric, boots: Sequence[Boot]) -> Markup:
    """Return a metric's plot on one machine, of the kind that its note asks for."""
    plan, note = comparison.plan, comparison.metric_note(metric.name)
    base, test = usable(boots, machine, plan.base), usable(boots, machine, plan.test)
    names = plan.base.series, plan.test.series
    title = f"{machine}: {note.label}"
    scale, unit = _SCALE.get(metric.unit, (1.0, metric.unit))
    match note.plot:
        case "distribution":
            every = (
                [value / scale for boot in arm for value in boot.values(metric.name)]
                for arm in (base, test)
            )
            return plots.ecdf(plots.BothArms(*every), names, title, unit)
        case "curve":
            lines = ([_curve(boot, metric.name, scale) for boot in arm] for arm in (base, test))
            units = f"ms after {note.starts or 'the beginning'}", unit
            return plots.curves(plots.Lines(*lines), names, title, units)
        case _:
            each = ([boot.value(metric.name) / scale for boot in arm] for arm in (base, test))
            return plots.strip(plots.BothArms(*each), names, title, unit)


def _curve(boot: Boot, metric: str, scale: float) -> list[tuple[float, float]]:
    """Return a boot's samples as points of (ms, value); their labels are the nanoseconds."""
    return sorted(
        (int(one.label) / 1e6, one.value / scale)
        for one in boot.record.samples
        if one.metric == metric and one.label.isdecimal() and one.value != NEVER
    )


def _ratio(base: float, test: float) -> float:
    if base == test:
        return 1.0
    return 0.0 if base == NEVER else test / base


def _as_ratio(per_cent: float) -> float:
    return 1 + per_cent / 100


def _capitalised(sentence: str) -> str:
    return sentence[:1].upper() + sentence[1:]
