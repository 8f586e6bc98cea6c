# SPDX-License-Identifier: GPL-2.0-only
"""A Comparison's scaling in; what the HTML report shows of it out. Pure."""

import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from markupsafe import Markup

from patchbench.model import NEVER, Comparison, Delta, Metric, Plan, Scale, ScalePoint, Scaling
from patchbench.report import plots
from patchbench.report.numbers import quantity

_ENOUGH = 3  # points that make a curve; two make a line, whatever lies between them
_UNIT, _PER_MS = "ns", 1e6  # what is drawn: every time that the workload measures, in ms


@dataclass(frozen=True, slots=True)
class PointRow:
    """One point: the parameter's value, base and test of each metric as text, and its run.

    run: when it was made, which begins its name; anchor: where the whole name is.
    """

    value: int
    numbers: tuple[str, ...]
    pairs: int
    run: str
    anchor: str


@dataclass(frozen=True, slots=True)
class Curve:
    """One parameter on one machine: a plot, and its numbers."""

    parameter: str
    machine: str
    metrics: tuple[str, ...]
    plot: Markup
    rows: tuple[PointRow, ...]


@dataclass(frozen=True, slots=True)
class Hint:
    """What a curve lacks, and the command that adds a point."""

    sentence: str
    command: str


@dataclass(frozen=True, slots=True)
class PointRun:
    """A run that has a point, and what made it."""

    name: str
    command: str
    anchor: str


@dataclass(frozen=True, slots=True)
class Curves:
    """Every curve of a run, except for the runs that were skipped, which are in Scaling."""

    curves: tuple[Curve, ...]
    hints: tuple[Hint, ...]
    runs: tuple[PointRun, ...]
    noisy: tuple[str, ...]  # machines


def curves(comparison: Comparison) -> Curves | None:
    """Return what there is to show; None if no other run was read."""
    if comparison.scaling is None:
        return None
    drawn = [scale for scale in comparison.scaling.scales if len(scale.points) >= _ENOUGH]
    commands = comparison.scaling.commands
    shown = {point.run for scale in drawn for point in scale.points}
    anchors = {run: f"run-{place}" for place, run in enumerate(sorted(shown))}
    return Curves(
        curves=tuple(curve(comparison, scale, anchors) for scale in drawn),
        hints=tuple(_hints(comparison.plan, comparison.scaling)),
        runs=tuple(PointRun(run, commands[run], at) for run, at in anchors.items()),
        noisy=tuple(machine.name for machine in comparison.plan.machines if not machine.exact),
    )


def curve(comparison: Comparison, scale: Scale, anchors: Mapping[str, str] | None = None) -> Curve:
    """Return a scale as plot and numbers; anchors: where each run's whole name is, if anywhere."""
    plan = comparison.plan
    metrics, places = _times(scale), anchors or {}
    panels = {}
    for metric in metrics:
        base, test = zip(*(_both(point, metric) for point in scale.points), strict=True)
        arms = plots.BothArms([_ms(one) for one in base], [_ms(one) for one in test])
        panels[comparison.metric_note(metric.name).label] = arms
    values = [point.value for point in scale.points]
    names = (plan.base.series, plan.test.series)
    title = f"{scale.machine}: times by {scale.parameter}"
    units = (scale.parameter, "ms")  # as quantity has them, and _in_words leaves them out
    return Curve(
        parameter=scale.parameter,
        machine=scale.machine,
        metrics=tuple(f"{label}, ms" for label in panels),
        plot=plots.scaling(values, panels, names, title, units) if panels else Markup(),
        rows=tuple(_row(point, metrics, places.get(point.run, "")) for point in scale.points),
    )


def _times(scale: Scale) -> list[Metric]:
    """Return every time that any of the runs measured, in the order of the guest's table."""
    found = (delta.metric for point in scale.points for delta in point.deltas)
    return [metric for metric in dict.fromkeys(found) if metric.unit == _UNIT]


def _both(point: ScalePoint, metric: Metric) -> tuple[float, float]:
    """Return the medians of base and test; NaN if this run did not measure the metric."""
    delta = _find(point, metric)
    return (delta.base, delta.test) if delta else (math.nan, math.nan)


def _find(point: ScalePoint, metric: Metric) -> Delta | None:
    return next((delta for delta in point.deltas if delta.metric == metric), None)


def _ms(nanoseconds: float) -> float:
    return nanoseconds / _PER_MS


def _row(point: ScalePoint, metrics: list[Metric], anchor: str) -> PointRow:
    return PointRow(
        value=point.value,
        numbers=tuple(text for metric in metrics for text in _in_words(_find(point, metric))),
        pairs=max((delta.pairs for delta in point.deltas), default=0),
        run=point.run.partition("-")[0],
        anchor=anchor,
    )


def _in_words(delta: Delta | None) -> tuple[str, str]:
    """Return the medians of base and test, with the unfinished boots that a finite one hides."""
    if delta is None:
        return "-", "-"
    arms = zip((delta.base, delta.test), zip(*delta.values, strict=True), strict=True)
    base, test = (
        quantity(value, delta.metric.unit).removesuffix(" ms")
        + (f" (never in {stuck})" if (stuck := boots.count(NEVER)) and value != NEVER else "")
        for value, boots in arms
    )
    return base, test


def _hints(plan: Plan, scaling: Scaling) -> Iterator[Hint]:
    """Say, for each parameter, on which machines it has too few points for a curve."""
    own = plan.workload.parameters
    if not scaling.scales and own:
        name = next(iter(own))  # a workload's file has the most important one first
        yield Hint(
            "No stored run that can be read differs from this one in one parameter alone. "
            f"A curve takes {_ENOUGH} points; each of these adds one:",
            _command(plan, name),
        )
    for name in dict.fromkeys(one.parameter for one in scaling.scales):
        few = [
            f"{one.machine} at {', '.join(str(point.value) for point in one.points) or 'none'}"
            for one in scaling.scales
            if one.parameter == name and len(one.points) < _ENOUGH
        ]
        if few:
            yield Hint(
                f"{name}: a curve takes {_ENOUGH} points. There are {'; '.join(few)}. One more:",
                _command(plan, name),
            )


def _command(plan: Plan, parameter: str) -> str:
    """Return the command that adds a point to this run's; the reader chooses N."""
    return re.sub(rf" --set {re.escape(parameter)}=\d+", "", plan.command) + f" --set {parameter}=N"
