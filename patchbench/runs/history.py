# SPDX-License-Identifier: GPL-2.0-only
"""One metric over all runs, in time order: what each arm measured, and which runs say nothing.

On an exact machine an arm's median stands for itself. On a noisy one it belongs to the hour of
its run, so what is plotted there is the change between the arms, the only thing that keeps.
Lines join points only where machine, workload, guest, flavour, tools and, on an exact machine,
seeds are the same.
"""

import hashlib
import io
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from patchbench.errors import BadInput, PipelineError
from patchbench.model import NEVER, ArmNote, Comparison, Delta, Machine, Plan
from patchbench.report import numbers
from patchbench.runs import across

HEADINGS = (
    "run",
    "machine",
    "kernel",
    "series",
    "conditions",
    "state",
    "median",
    "change",
    "interval",
)
#: What a run says, or why it cannot be read.
Reading: TypeAlias = Comparison | PipelineError


@dataclass(frozen=True, slots=True)
class Point:
    """One arm of one run on one machine. `invalid` says why it must not be relied on.

    delta: None if the run has no number; like: a digest of the conditions, for those that are.
    """

    run: str
    machine: str
    exact: bool
    kernel: str
    version: str
    series: str
    like: str
    tested: bool  # the test arm, which carries the change
    delta: Delta | None
    invalid: str = ""

    @property
    def value(self) -> float | None:
        """Return the arm's median in the metric's unit, NEVER included."""
        if self.delta is None:
            return None
        return self.delta.test if self.tested else self.delta.base

    @property
    def line(self) -> str:
        """Return what it is plotted as: the points of one line can be compared."""
        return f"{self.series} on {self.kernel} ({self.like})"


def points(
    runs: Iterable[tuple[str, Reading]], metric: str, machines: Sequence[str]
) -> list[Point]:
    """Return every arm of every run that measured the metric, or should have and failed.

    machines: only these; all, if it is empty. Raises BadInput if no run measured the metric
    there; its message lists what was measured.
    """
    runs = list(runs)
    found = [point for name, reading in runs for point in _of(name, reading, metric)]
    found = [one for one in found if not machines or one.machine in (*machines, "")]
    if not any(point.delta for point in found):
        measured = sorted({_place(delta) for _, reading in runs for delta in _deltas(reading)})
        where = f" on {', '.join(machines)}" if machines else ""
        listed = ", ".join(measured) or "nothing"
        raise BadInput(f"no run measured {metric!r}{where}\n  measured: {listed}")
    return found


def rows(found: Sequence[Point]) -> list[tuple[str, ...]]:
    """Return the table's rows under HEADINGS, in the order of the points."""
    return [
        (
            point.run,
            point.machine,
            point.version,
            point.series,
            point.like,
            "INVALID" if point.invalid else "valid",
            _quantity(point),
            numbers.per_cent(point.delta.change_pct) if point.delta and point.tested else "-",
            numbers.interval(point.delta) if point.delta and point.tested else "-",
        )
        for point in found
    ]


def reasons(found: Sequence[Point]) -> list[str]:
    """Return why the invalid runs are invalid, one line a run."""
    return [
        f"INVALID: {run}: {why}"
        for run, why in {point.run: point.invalid for point in found if point.invalid}.items()
    ]


def svg(found: Sequence[Point], metric: str) -> str:
    """Return the plot, a panel a machine; the same points give the same bytes."""
    import matplotlib as mpl  # costs half a second, and most verbs need none
    from matplotlib.figure import Figure

    machines = [*dict.fromkeys(point.machine for point in found if point.machine)]
    runs = [*dict.fromkeys(point.run for point in found)]
    with mpl.rc_context({"svg.hashsalt": "patchbench", "svg.fonttype": "none"}):
        figure = Figure(figsize=(9, 1.2 + 3.6 * len(machines)), layout="constrained")
        panels = figure.subplots(len(machines), squeeze=False)[:, 0]
        for panel, machine in zip(panels, machines, strict=True):
            mine = [point for point in found if point.machine in (machine, "")]
            _plot(panel, mine, {run: at for at, run in enumerate(runs)})
            crosses = "; crosses are invalid runs" if any(one.invalid for one in mine) else ""
            panel.set_title(f"{metric} on {machine}{crosses}", loc="left")
        text = io.StringIO()
        figure.savefig(text, format="svg", metadata={"Date": None})
    return text.getvalue()


# --- points -----------------------------------------------------------------------------------


def _of(name: str, reading: Reading, metric: str) -> Iterator[Point]:
    if isinstance(reading, PipelineError):
        why = str(reading).splitlines()[0]
        yield Point(name, "", True, "", "", "", "", False, None, f"cannot be read: {why}")
        return
    plan, invalid = reading.plan, "; ".join(reading.invalid)
    for machine in plan.machines:
        delta = next((one for one in reading.deltas if _is(one, machine, metric)), None)
        nothing = not any(one.machine == machine.name for one in reading.deltas)
        if delta or (invalid and nothing):
            for arm in (plan.base, plan.test):
                yield _point(plan, machine, arm, delta, invalid)


def _point(plan: Plan, machine: Machine, arm: ArmNote, delta: Delta | None, invalid: str) -> Point:
    alike = across.conditions(plan, machine)
    if machine.exact:  # an arm's median depends on its seeds
        alike["seeds"] = [*plan.seeds[machine.name]]
    conditions = json.dumps(alike, sort_keys=True)
    return Point(
        run=plan.run,
        machine=machine.name,
        exact=machine.exact,
        kernel=plan.kernel,
        version=plan.version,
        series=arm.series,
        like=hashlib.sha256(conditions.encode()).hexdigest()[:6],
        tested=arm is plan.test,
        delta=delta,
        invalid=invalid,
    )


def _is(delta: Delta, machine: Machine, metric: str) -> bool:
    return (delta.machine, delta.metric.name) == (machine.name, metric)


def _deltas(reading: Reading) -> Sequence[Delta]:
    return () if isinstance(reading, PipelineError) else reading.deltas


def _place(delta: Delta) -> str:
    return f"{delta.metric.name} on {delta.machine}"


def _quantity(point: Point) -> str:
    if point.delta is None or point.value is None:
        return "-"
    return numbers.quantity(point.value, point.delta.metric.unit)


# --- plot -------------------------------------------------------------------------------------


def _plot(panel: Any, points: Sequence[Point], places: Mapping[str, int]) -> None:
    lines: dict[str, list[Point]] = {}
    for point in points:
        if point.exact or point.tested:
            lines.setdefault(point.line if point.machine else "cannot be read", []).append(point)
    for name, mine in lines.items():
        good = [(places[one.run], _height(one)) for one in mine if not one.invalid]
        finite = [(x, y) for x, y in good if y is not None and y != NEVER]
        (drawn,) = panel.plot(*_columns(finite), marker="o", label=name)
        colour = drawn.get_color()
        for x, low, high in _intervals(mine, places):
            panel.plot([x, x], [low, high], color=colour, alpha=0.5)
        _rim(panel, [x for x, y in good if y == NEVER], 0.97, "^", colour, "never")
        bad = [(places[one.run], _height(one)) for one in mine if one.invalid]
        shown = [(x, y) for x, y in bad if y is not None and y != NEVER]
        panel.plot(*_columns(shown), linestyle="", marker="x", color=colour)
        _rim(panel, [x for x, y in bad if (x, y) not in shown], 0.03, "x", colour, "invalid")
    ticks = [_stamp(run) for run in places]
    panel.set_xticks(range(len(places)), ticks, rotation=30, ha="right", fontsize="small")
    panel.set_xlim(-0.5, len(places) - 0.5)
    unit = next(one.delta.metric.unit for one in points if one.delta)
    exact = all(point.exact for point in points)
    panel.set_ylabel(("ms" if unit == "ns" else unit) if exact else "change, %")
    panel.grid(alpha=0.3)
    panel.legend(fontsize="small")


def _height(point: Point) -> float | None:
    if point.delta is None:
        return None
    if not point.exact:
        return point.delta.change_pct
    value = point.value
    return value / 1e6 if value is not None and point.delta.metric.unit == "ns" else value


def _intervals(
    points: Sequence[Point], places: Mapping[str, int]
) -> Iterator[tuple[int, float, float]]:
    """Give the interval of each change that is plotted, where it has two ends."""
    for point in points:
        if point.exact or point.invalid or point.delta is None:
            continue
        low, high = point.delta.low_pct, point.delta.high_pct
        if low is not None and high is not None and high != NEVER:
            yield places[point.run], low, high


def _rim(panel: Any, xs: Sequence[int], y: float, marker: str, colour: str, word: str) -> None:
    """Mark what has no height at the panel's rim, and say what it is."""
    across_x = panel.get_xaxis_transform()
    for x in xs:
        panel.plot([x], [y], marker=marker, color=colour, transform=across_x, clip_on=False)
        panel.annotate(word, (x, y), xycoords=across_x, fontsize="x-small", ha="left")


def _columns(pairs: Sequence[tuple[int, float]]) -> tuple[list[int], list[float]]:
    return [x for x, _ in pairs], [y for _, y in pairs]


def _stamp(run: str) -> str:
    """Return when a run was made, as its name says; the name itself if it does not."""
    stamp = re.match(r"(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)", run)
    return "{}-{}-{} {}:{}".format(*stamp.groups()) if stamp else run
