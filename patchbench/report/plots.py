# SPDX-License-Identifier: GPL-2.0-only
"""Numbers in, plots out: a metric's distribution, boots, curves, pairs and scaling. Pure.

A clock that did not stop is drawn at the right edge, or in a scaling plot at the upper one.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from markupsafe import Markup

from patchbench.model import NEVER
from patchbench.report import canvas
from patchbench.stats import median

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


@dataclass(frozen=True, slots=True)
class BothArms:
    """One quantity of both arms, in one unit; NEVER for a clock that did not stop."""

    base: Sequence[float]
    test: Sequence[float]


@dataclass(frozen=True, slots=True)
class Lines:
    """A line of (time, value) for each boot of both arms."""

    base: Sequence[Sequence[tuple[float, float]]]
    test: Sequence[Sequence[tuple[float, float]]]


@dataclass(frozen=True, slots=True)
class Pairs:
    """One metric's change: ratios test / base, in order of seeds, their middle and interval."""

    name: str
    ratios: Sequence[float]
    middle: float
    low: float | None
    high: float | None


def ecdf(arms: BothArms, names: tuple[str, str], title: str, unit: str) -> Markup:
    """Return which share of each arm's samples is at most how long."""
    with canvas.figure(1.9) as (figure, axes):
        for values, name, colour in _arms(arms, names):
            finite = sorted(value for value in values if value != NEVER)
            heights = [number / len(values) * 100 for number in range(1, len(finite) + 1)]
            xs = [finite[0], *finite] if finite else []
            axes.step(
                xs, [0.0, *heights][: len(xs)], where="post", color=colour, lw=1.6, label=name
            )
        axes.set(xlabel=unit, ylabel="% of samples", ylim=(0, 104))
        axes.set_xlim(left=0)
        _legend(figure, axes)
        return canvas.svg(figure, title, _quartiles(arms, names, unit))


def pairs(rows: Sequence[Pairs], title: str) -> Markup:
    """Return each pair's change, a row per metric, with the estimate and its interval."""
    places = [_stretched(ratio) for row in rows for ratio in row.ratios if 0 < ratio < NEVER]
    edge = max([0.5, *(abs(place) for place in places)]) * 1.35  # where "never" has its place

    def at(ratio: float) -> float:
        return math.copysign(edge, ratio - 1) if ratio in (0, NEVER) else _stretched(ratio)

    with canvas.figure(0.5 + 0.36 * len(rows)) as (figure, axes):
        axes.axvline(0, color=canvas.INK, lw=0.8)
        for place, row in enumerate(reversed(rows)):
            axes.plot(
                [at(one) for one in row.ratios], _spread(place, row.ratios), **_dots(canvas.TEST)
            )
            if row.low is not None and row.high is not None:
                axes.plot([at(row.low), at(row.high)], [place, place], color=canvas.INK, lw=1.4)
            axes.plot([at(row.middle)], [place], "|", ms=12, mew=2, color=canvas.INK)
        axes.set_yticks(range(len(rows)), [row.name for row in reversed(rows)])
        axes.set(xlim=(-edge * 1.08, edge * 1.08), ylim=(-0.5, len(rows) - 0.5))
        ticks = _ticks(edge, never=any(NEVER in row.ratios for row in rows))
        axes.set_xticks([*ticks.values()], [*ticks])
        axes.grid(visible=False, axis="y")
        return canvas.svg(figure, title, "; ".join(_in_words(row) for row in rows))


def strip(arms: BothArms, names: tuple[str, str], title: str, unit: str) -> Markup:
    """Return a dot per boot, a row per arm, with the median."""
    with canvas.figure(1.0) as (figure, axes):
        for place, (values, _, colour) in enumerate(reversed([*_arms(arms, names)])):
            finite = [value for value in values if value != NEVER]
            axes.plot(finite, _spread(place, finite), **_dots(colour))
            if finite:
                axes.plot([median(finite)], [place], "|", ms=14, mew=2, color=canvas.INK)
        axes.set_yticks(range(2), reversed(names))
        axes.set(xlabel=unit, ylim=(-0.5, 1.5))
        axes.set_xlim(left=0)
        axes.grid(visible=False, axis="y")
        return canvas.svg(figure, title, _quartiles(arms, names, unit))


def curves(lines: Lines, names: tuple[str, str], title: str, units: tuple[str, str]) -> Markup:
    """Return a line per boot through its points."""
    with canvas.figure(1.9) as (figure, axes):
        arms = ((lines.base, names[0], canvas.BASE), (lines.test, names[1], canvas.TEST))
        for mine, name, colour in arms:
            for number, line in enumerate(mine):
                xs, ys = [x for x, _ in line], [y for _, y in line]
                label = "_" if number else name
                axes.plot(xs, ys, color=colour, lw=0.9, alpha=0.7, label=label)
        axes.set(xlabel=units[0], ylabel=units[1])
        _legend(figure, axes)
        boots = f"{len(lines.base)} boots of {names[0]}, {len(lines.test)} boots of {names[1]}"
        return canvas.svg(figure, title, boots)


def scaling(
    xs: Sequence[int],
    panels: Mapping[str, BothArms],
    names: tuple[str, str],
    title: str,
    units: tuple[str, str],
    labels: Sequence[str] = (),
) -> Markup:
    """Return a panel per metric, one above the other, with a line per arm through its points.

    panels: by metric, a number for each of `xs`; NaN where there is none. labels: what `xs` are
    called, all of them; without any, as many as have room are called by their numbers.
    """
    with canvas.figure(0.55 + 0.95 * len(panels), panels=len(panels)) as (figure, axes):
        for one, (metric, arms) in zip(figure.axes, panels.items(), strict=True):
            _scale(one, xs, arms, names)
            one.set_title(f"{metric}, {units[1]}", loc="left", fontsize=8)
        ticks = xs if labels else _apart(xs)
        shown = labels or [*map(str, ticks)]
        figure.axes[-1].set(xticks=ticks, xticklabels=shown, xlabel=units[0])
        _legend(figure, axes)
        words = labels or [*map(str, xs)]
        points = (_point_in_words(place, x, panels, names, units) for place, x in enumerate(words))
        return canvas.svg(figure, title, "; ".join(points))


def _scale(axes: "Axes", xs: Sequence[int], arms: BothArms, names: tuple[str, str]) -> None:
    """Draw both arms from zero up; a line is broken where an arm has no number."""
    finite = [one for one in (*arms.base, *arms.test) if math.isfinite(one)]
    edge = max(finite, default=0.0) * 1.3 or 1.0  # where "never" has its place
    # The smaller dots lie on the larger ones, so that equal numbers do not hide each other.
    for (values, name, colour), size in zip(_arms(arms, names), (6.0, 3.5), strict=True):
        line = [one if math.isfinite(one) else math.nan for one in values]
        axes.plot(xs, line, "o-", color=colour, lw=1.4, ms=size, mew=0, label=name)
        stuck = [x for x, one in zip(xs, values, strict=True) if one == NEVER]
        axes.plot(stuck, [edge] * len(stuck), "o", color=colour, ms=size, mew=0)
    axes.set_ylim(0, edge * 1.08)
    axes.locator_params(axis="y", nbins=4)
    if NEVER in (*arms.base, *arms.test):
        ticks = [tick for tick in axes.get_yticks() if tick < edge * 0.8] if finite else []
        axes.set_yticks([*ticks, edge], [*(f"{tick:g}" for tick in ticks), "never"])


def _apart(xs: Sequence[int]) -> list[int]:
    """Return the places whose labels do not overlap."""
    places = [xs[0]]
    for x in xs[1:]:
        if x - places[-1] >= 0.09 * (xs[-1] - xs[0]):
            places.append(x)
    return places


def _point_in_words(
    place: int,
    x: str,
    panels: Mapping[str, BothArms],
    names: tuple[str, str],
    units: tuple[str, str],
) -> str:
    values_in_words = (
        f"{metric}: {name} {_in_unit(values[place], units[1])}"
        for metric, arms in panels.items()
        for values, name, _ in _arms(arms, names)
    )
    return f"{units[0]} {x}: {', '.join(values_in_words)}"


def _in_unit(value: float, unit: str) -> str:
    if math.isnan(value):
        return "not measured"
    return "never" if value == NEVER else f"{value:.3g} {unit}"


def _stretched(ratio: float) -> float:
    """Return a place on a scale that is linear near no change and logarithmic far from it."""
    return math.asinh(math.log2(ratio) / 0.03)


def _ticks(edge: float, *, never: bool) -> dict[str, float]:
    """Return labels and their places, the important ones first, none overlapping another."""
    found = {"0": 0.0, **({"never": edge} if never else {})}
    for ratio in (0.5, 2.0, 0.9, 1.1, 1 / 16, 16.0, 0.98, 1.02, 0.25, 4.0):
        place = _stretched(ratio)
        if abs(place) < edge and all(abs(place - other) > 0.3 * edge for other in found.values()):
            found[f"{(ratio - 1) * 100:+.0f} %"] = place
    return found


def _spread(place: int, values: Sequence[float]) -> list[float]:
    """Return heights around a row's own, so that equal values do not hide each other."""
    return [place + 0.16 * math.sin(2.4 * number) for number in range(len(values))]


def _dots(colour: str) -> dict[str, Any]:
    return {"color": colour, "marker": "o", "ls": "", "ms": 3.6, "alpha": 0.6, "mew": 0}


def _arms(arms: BothArms, names: tuple[str, str]) -> Iterator[tuple[Sequence[float], str, str]]:
    yield arms.base, names[0], canvas.BASE
    yield arms.test, names[1], canvas.TEST


def _in_words(row: Pairs) -> str:
    never = sum(ratio == NEVER for ratio in row.ratios)
    changes = [f"{(ratio - 1) * 100:+.1f} %" for ratio in row.ratios if ratio != NEVER]
    return f"{row.name}: {', '.join(changes)}{f', never in {never} pairs' if never else ''}"


def _quartiles(arms: BothArms, names: tuple[str, str], unit: str) -> str:
    in_words = []
    for values, name, _ in _arms(arms, names):
        ordered = sorted(values)
        marks = (ordered[0], median(ordered), ordered[-1]) if ordered else ()
        words = " to ".join(_in_unit(mark, unit) for mark in marks)
        in_words.append(f"{name}, least to median to most: {words or 'no samples'}")
    return "; ".join(in_words)


def _legend(figure: "Figure", axes: "Axes") -> None:
    handles, labels = axes.get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper right", ncols=2, frameon=False)
