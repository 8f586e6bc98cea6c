# SPDX-License-Identifier: GPL-2.0-only
"""An estimate and its interval as a small drawing, on a scale that all of a page share.

Changes from -100 to +400 % are drawn by their inverse hyperbolic sine: straight near 0, where a
per cent counts, and by orders of magnitude further out. What lies beyond, `never` with it, ends in
an arrow. Shares are drawn from 0 to 100 %. Other units have no scale in common, and no drawing.
"""

import math
from dataclasses import dataclass

from markupsafe import Markup

from patchbench import texts
from patchbench.study.rules import bounds
from patchbench.study.weigh import Weighed

WIDTH = 320
_EDGE = 8.0  # where arrows are
_STRAIGHT_PCT = 5  # up to here the scale of changes is nearly straight
_LEAST_PCT, _MOST_PCT = -100.0, 400.0
_TICKS_PCT = (-100, -20, -5, 0, 5, 20, 100, 400)


@dataclass(frozen=True, slots=True)
class Tick:
    """A mark of the scale; the zero of changes is drawn stronger."""

    x: float
    label: str
    strong: bool = False


@dataclass(frozen=True, slots=True)
class Drawing:
    """What a template draws, in pixels from the left: the allowed band, the interval, the dot."""

    words: str  # for who cannot see it
    outcome: str
    ticks: tuple[Tick, ...]
    band: tuple[float, float]
    line: tuple[float, float] | None
    dot: float
    below: bool  # the interval begins beyond the left edge
    above: bool


def interval(weighed: Weighed) -> Markup:
    """Return the SVG of what a rule measured, or nothing where there is no common scale."""
    found = weighed.estimate
    if found is None or found.unit not in ("+%", "%"):
        return Markup()
    least, most = (_LEAST_PCT, _MOST_PCT) if found.unit == "+%" else (0.0, 100.0)
    floor, ceiling = bounds(weighed.rule, found.floor_pct)
    ends = None if found.low is None or found.high is None else (found.low, found.high)
    drawing = Drawing(
        words=f"{weighed.measured}, interval {weighed.interval}, {weighed.rule.asked}",
        outcome=weighed.outcome.replace(" ", "-"),
        ticks=ticks(found.unit),
        band=(
            _x(least if floor is None else floor, found.unit),
            _x(most if ceiling is None else ceiling, found.unit),
        ),
        line=ends and (_x(ends[0], found.unit), _x(ends[1], found.unit)),
        dot=_x(found.value, found.unit),
        below=bool(ends and ends[0] < least),
        above=bool(ends and ends[1] > most),
    )
    return _svg(drawing)


def legend() -> Markup:
    """Return the scale of changes alone, with its labels."""
    return Markup(texts.render("scale.svg.j2", width=WIDTH, ticks=ticks("+%")))  # noqa: S704  # escaped by its template


def ticks(unit: str) -> tuple[Tick, ...]:
    """Return the marks of a unit's scale."""
    if unit == "%":
        return tuple(Tick(_x(value, unit), f"{value}") for value in (0, 25, 50, 75, 100))
    return tuple(
        Tick(_x(value, unit), f"{value:+d}" if value else "0", value == 0) for value in _TICKS_PCT
    )


def _x(value: float, unit: str) -> float:
    """Return where a value lies, in pixels; what is beyond the scale lies at its edge."""
    if unit == "%":
        share = min(max(value, 0.0), 100.0) / 100
    else:
        place = _bent(min(max(value, _LEAST_PCT), _MOST_PCT))
        share = (place - _bent(_LEAST_PCT)) / (_bent(_MOST_PCT) - _bent(_LEAST_PCT))
    return round(_EDGE + share * (WIDTH - 2 * _EDGE), 1)


def _bent(pct: float) -> float:
    return math.asinh(pct / _STRAIGHT_PCT)


def _svg(drawing: Drawing) -> Markup:
    return Markup(texts.render("interval.svg.j2", width=WIDTH, drawing=drawing))  # noqa: S704  # escaped by its template
