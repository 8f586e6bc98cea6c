# SPDX-License-Identifier: GPL-2.0-only
"""A Comparison and its Boots in; everything that the HTML report shows out. Pure.

What a guest or a patch says stays plain text here; the template escapes it. Only what our own
code has drawn is markup.
"""

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from patchbench import records
from patchbench.model import NEVER, Boot, Comparison, Delta, Machine, Metric
from patchbench.report import plots, report, sentences
from patchbench.stats import median

_SCALE = {"ns": (1e6, "ms"), "kib": (1024.0, "MiB")}
_EXIT, _CPU = "exit_ns", "cpu_ns"  # the metrics that have plots of their own
_FREE = "free_"  # free_kib and the like: samples labelled with ns since the kill

_ByArm = tuple[list[Boot], ...]  # base, test


@dataclass(frozen=True, slots=True)
class Row:
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
    anchor: str


@dataclass(frozen=True, slots=True)
class Samples:
    """Every sample of one metric on one machine, by seed and arm, as the guests told them."""

    anchor: str
    title: str
    rows: tuple[tuple[int, str, str], ...]


@dataclass(frozen=True, slots=True)
class Room:
    """What one machine has to show; a plot is empty if the workload measures nothing for it."""

    machine: Machine
    seeds: int
    rows: tuple[Row, ...]
    samples: tuple[Samples, ...]
    pairs: Markup
    exits: Markup
    cpu: Markup
    memory: Markup
    engaged: bool | None
    facts: Mapping[str, Mapping[str, str]]


def rooms(told: Comparison, boots: Sequence[Boot]) -> list[Room]:
    """Return what there is to show, machine by machine."""
    return [_room(told, machine, boots) for machine in told.plan.machines]


def flame_graphs(profiles: Mapping[str, str]) -> dict[str, str]:
    """Return flame graphs as data URLs: an image can neither run scripts nor load anything."""
    return {
        name: f"data:image/svg+xml;base64,{base64.b64encode(svg.encode()).decode()}"
        for name, svg in profiles.items()
    }


def _room(told: Comparison, machine: Machine, boots: Sequence[Boot]) -> Room:
    plan = told.plan
    here = [boot for boot in boots if boot.machine == machine.name and not boot.failure]
    deltas = [delta for delta in told.deltas if delta.machine == machine.name]
    place = plan.machines.index(machine)
    anchors = {delta.metric.name: f"s{place}-{number}" for number, delta in enumerate(deltas)}
    arms = (plan.base, plan.test)
    names = (plan.base.series, plan.test.series)
    by_arm = tuple([boot for boot in here if boot.series == arm.series] for arm in arms)
    return Room(
        machine=machine,
        seeds=len(plan.seeds[machine.name]),
        rows=tuple(_row(told, delta, here, anchors[delta.metric.name]) for delta in deltas),
        samples=tuple(
            _samples(delta.metric, anchors[delta.metric.name], by_arm) for delta in deltas
        ),
        pairs=_pairs(deltas, by_arm, machine.name),
        exits=_exits(deltas, by_arm, names, machine.name),
        cpu=_cpu(deltas, by_arm, names, machine.name),
        memory=_memory(deltas, by_arm, names, machine.name),
        engaged=told.engaged.get(machine.name),
        facts={
            arm.series: facts
            for arm in arms
            if (facts := told.facts.get(f"{machine.name} {arm.series}"))
        },
    )


def _row(told: Comparison, delta: Delta, boots: Sequence[Boot], anchor: str) -> Row:
    unit = delta.metric.unit
    return Row(
        label=sentences.label(delta.metric.name),
        metric=delta.metric.name,
        better=delta.metric.better,
        base=report.quantity(delta.base, unit),
        test=report.quantity(delta.test, unit),
        change=report.per_cent(delta.change_pct),
        interval=report.interval(delta),
        floor=report.floor(delta),
        remark=sentences.remark(told, delta, boots),
        anchor=anchor,
    )


def _samples(metric: Metric, anchor: str, by_arm: _ByArm) -> Samples:
    seeds = sorted({boot.seed for boots in by_arm for boot in boots})
    return Samples(
        anchor=anchor,
        title=f"{metric.name}, {metric.unit}",
        rows=tuple(
            (seed, *(_told(boots, seed, metric.name) for boots in by_arm))  # type: ignore[misc]
            for seed in seeds
        ),
    )


def _told(boots: Sequence[Boot], seed: int, metric: str) -> str:
    found = [records.values(boot.record, metric) for boot in boots if boot.seed == seed]
    return " ".join(report.number(value) for values in found for value in values) or "lost"


def _pairs(deltas: Sequence[Delta], by_arm: _ByArm, machine: str) -> Markup:
    rows = []
    for delta in deltas:
        base, test = ({boot.seed: _value(boot, delta) for boot in boots} for boots in by_arm)
        seeds = sorted(base.keys() & test.keys())
        if delta.change_pct is None or any(base[seed] == 0 != test[seed] for seed in seeds):
            continue
        ratios = [_ratio(base[seed], test[seed]) for seed in seeds]
        if len({*ratios}) > 1 or ratios[0] != 1:
            rows.append(
                plots.Pairs(
                    sentences.label(delta.metric.name),
                    ratios,
                    _as_ratio(delta.change_pct),
                    None if delta.low_pct is None else _as_ratio(delta.low_pct),
                    None if delta.high_pct is None else _as_ratio(delta.high_pct),
                )
            )
    if not rows:
        return Markup()
    return plots.pairs(rows, f"{machine}: change of each pair of boots")


def _exits(deltas: Sequence[Delta], by_arm: _ByArm, names: tuple[str, str], machine: str) -> Markup:
    metric = _metric(deltas, _EXIT)
    if not metric:
        return Markup()
    base, test = (
        [value for boot in boots for value in records.values(boot.record, _EXIT)]
        for boots in by_arm
    )
    arms, unit = _scaled(base, test, metric)
    return plots.ecdf(arms, names, f"{machine}: exit latency of a victim", unit)


def _cpu(deltas: Sequence[Delta], by_arm: _ByArm, names: tuple[str, str], machine: str) -> Markup:
    metric = _metric(deltas, _CPU)
    if not metric:
        return Markup()
    base, test = ([median(records.values(boot.record, _CPU)) for boot in boots] for boots in by_arm)
    arms, unit = _scaled(base, test, metric)
    return plots.strip(arms, names, f"{machine}: CPU time of all tasks", unit)


def _memory(
    deltas: Sequence[Delta], by_arm: _ByArm, names: tuple[str, str], machine: str
) -> Markup:
    found = (delta.metric for delta in deltas if delta.metric.name.startswith(_FREE))
    metric = next(found, None)
    if not metric:
        return Markup()
    scale, unit = _SCALE.get(metric.unit, (1.0, metric.unit))
    base, test = (
        [
            sorted(
                (int(one.label) / 1e6, one.value / scale)
                for one in boot.record.samples
                if one.metric == metric.name and one.label.isdigit() and one.value != NEVER
            )
            for boot in boots
        ]
        for boots in by_arm
    )
    units = ("ms after the kill", unit)
    return plots.curves(base, test, names, f"{machine}: free memory", units)


def _metric(deltas: Sequence[Delta], name: str) -> Metric | None:
    return next((delta.metric for delta in deltas if delta.metric.name == name), None)


def _scaled(base: Sequence[float], test: Sequence[float], metric: Metric) -> tuple[plots.Arms, str]:
    scale, unit = _SCALE.get(metric.unit, (1.0, metric.unit))
    return plots.Arms([one / scale for one in base], [one / scale for one in test]), unit


def _value(boot: Boot, delta: Delta) -> float:
    return median(records.values(boot.record, delta.metric.name))


def _ratio(base: float, test: float) -> float:
    if base == test:
        return 1.0
    return 0.0 if base == NEVER else test / base


def _as_ratio(per_cent: float) -> float:
    return 1 + per_cent / 100
