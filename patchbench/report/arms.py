# SPDX-License-Identifier: GPL-2.0-only
"""Comparisons of one run of several series in; one report with a column for each out.

The more comparisons, the likelier that one of them differs by chance: for each metric and
machine the p-values of all comparisons (signed-rank, two-sided) are adjusted by Holm's rule.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from markupsafe import Markup

from patchbench import stats, texts
from patchbench.model import NEVER, Boot, Comparison, Delta, Json
from patchbench.report import formats, tables
from patchbench.report.numbers import interval, per_cent, quantity
from patchbench.store import write_whole

_LEVEL = 1 - stats.CONFIDENCE
#: What is asked of a design first: columns of the table that has a row for each.
_ASKED = ("exit_ns", "drain_ns", "cpu_ns")
#: With fewer there is no best and no worst.
_FEW = 3


@dataclass(frozen=True, slots=True)
class AdjustedDelta:
    """One comparison's change of one metric on one machine; None where it has no such metric.

    adjusted_p: over all comparisons of that metric and machine; None where there is no ratio.
    """

    delta: Delta | None
    adjusted_p: float | None

    def text(self) -> str:
        """Return the change with its interval, and a star where it differs beyond chance."""
        if self.delta is None:
            return "-"
        if self.delta.equal:
            return "equal"
        star = " *" if self.differs else ""
        return f"{per_cent(self.delta.change_pct)} {interval(self.delta)}{star}"

    @property
    def differs(self) -> bool:
        """Return whether it differs from no change beyond chance."""
        if self.delta and self.delta.change_pct == NEVER:
            return True
        return self.adjusted_p is not None and self.adjusted_p <= _LEVEL


def name(comparison: Comparison) -> str:
    """Return what a comparison is of: its test arm against its base arm."""
    return f"{comparison.plan.test.series} against {comparison.plan.base.series}"


def headings(comparisons: Sequence[Comparison]) -> tuple[str, ...]:
    """Return the table's headings: machine, metric, the base's value, a column a comparison."""
    return ("machine", "metric", comparisons[0].plan.base.series, *map(name, comparisons))


def cells(comparisons: Sequence[Comparison]) -> dict[tuple[str, str], tuple[AdjustedDelta, ...]]:
    """Return each (machine, metric)'s cells, in the order of the comparisons."""
    places = dict.fromkeys((d.machine, d.metric.name) for one in comparisons for d in one.deltas)
    return {place: _cells(place, comparisons) for place in places}


def rows(comparisons: Sequence[Comparison]) -> list[tuple[str, ...]]:
    """Return the table's rows under `headings`, without what is equal in all arms."""
    base = comparisons[0].plan.base
    shown = []
    for (machine, metric), found in cells(comparisons).items():
        there = [cell.delta for cell in found if cell.delta]
        if all(delta.equal for delta in there):
            continue
        value = next(
            (
                quantity(delta.base, delta.metric.unit)
                for cell, one in zip(found, comparisons, strict=True)
                if (delta := cell.delta) and one.plan.base == base
            ),
            "-",
        )
        better = " (higher is better)" if there[0].metric.better == "higher" else ""
        shown.append((machine, f"{metric}{better}", value, *(cell.text() for cell in found)))
    return shown


def designs(comparisons: Sequence[Comparison]) -> list[tuple[str, ...]]:
    """Return a table with its headings: a row a series, a column a question, best and worst said.

    Empty if there are fewer than three series, or if they are not against one base.
    """
    if len(comparisons) < _FEW or len({one.plan.base.series for one in comparisons}) > 1:
        return []
    asked = {place: found for place, found in cells(comparisons).items() if place[1] in _ASKED}
    columns = [
        (f"{metric} on {machine}", *ranked(found)) for (machine, metric), found in asked.items()
    ]
    names = ("series", *(one.plan.test.series for one in comparisons))
    return [*zip(names, *columns, strict=True)]


def ranked(found: Sequence[AdjustedDelta]) -> list[str]:
    """Return the changes of one metric as text, the best and the worst of them marked.

    Only what differs beyond chance is either; what never ends is the worst there is.
    """
    sizes = {
        place: -change if one.delta.metric.better == "higher" else change
        for place, one in enumerate(found)
        if one.delta and (change := one.delta.change_pct) is not None and one.differs
    }
    said = [per_cent(one.delta.change_pct) if one.delta else "-" for one in found]
    if sizes and min(sizes.values()) < 0:
        said[min(sizes, key=sizes.__getitem__)] += " (best)"
    if sizes and max(sizes.values()) > 0:
        said[max(sizes, key=sizes.__getitem__)] += " (worst)"
    return said


def headline(comparisons: Sequence[Comparison]) -> list[str]:
    """Return what a reader must know before any number, each line once, with whose it is."""
    return [f"{name(one)}: {line}" for one in comparisons for line in tables.headline(one)]


def note(comparisons: Sequence[Comparison]) -> str:
    """Return what a star in the table means."""
    return (
        f"* differs from no change at {_LEVEL:.0%}, by Holm's rule over the {len(comparisons)} "
        "comparisons of its row; the intervals are each comparison's own"
    )


def write(folder: Path, compared: Sequence[tuple[Comparison, Sequence[Boot]]]) -> None:
    """Leave the report in a folder, and each comparison's own in a folder below it."""
    folder.mkdir(parents=True, exist_ok=True)
    comparisons = [comparison for comparison, _ in compared]
    for comparison, boots in compared:
        formats.write(folder / slug(comparison), comparison, boots)
    write_whole(folder / "comparison.json", dumps(comparisons) + "\n")
    for file in ("report.md", "report.html"):
        write_whole(folder / file, _render(f"arms{Path(file).suffix}.j2", comparisons))


def dumps(comparisons: Sequence[Comparison]) -> str:
    """Return all comparisons as the text of `bench --json`, with their adjusted p-values."""
    holm: list[Json] = [
        {
            "machine": machine,
            "metric": metric,
            **{name(one): cell.adjusted_p for one, cell in zip(comparisons, found, strict=True)},
        }
        for (machine, metric), found in cells(comparisons).items()
    ]
    everything: dict[str, Json] = {
        "comparisons": [tables.as_json(one) for one in comparisons],
        "holm": holm,
    }
    return json.dumps(everything, indent=1)


def slug(comparison: Comparison) -> str:
    """Return the name of the folder with a comparison's own report."""
    return name(comparison).replace(" ", "-")


def _render(template: str, comparisons: Sequence[Comparison]) -> str:
    return texts.render(
        template,
        plan=comparisons[0].plan,
        series=[one.plan.test.series for one in comparisons],
        style=Markup((texts.FOLDER / "report.css").read_text()),  # noqa: S704  # our own
        headline=headline(comparisons),
        designs=designs(comparisons),
        headings=headings(comparisons),
        rows=rows(comparisons),
        note=note(comparisons),
        own=[(name(one), slug(one), tables.at_work(one)) for one in comparisons],
    )


def _cells(place: tuple[str, str], comparisons: Sequence[Comparison]) -> tuple[AdjustedDelta, ...]:
    return adjusted(
        [
            next((one for one in other.deltas if (one.machine, one.metric.name) == place), None)
            for other in comparisons
        ]
    )


def adjusted(deltas: Sequence[Delta | None]) -> tuple[AdjustedDelta, ...]:
    """Return changes of one metric on one machine, which are compared with each other."""
    p_values = [_p_value(delta) if delta else None for delta in deltas]
    by_holm = iter(stats.holm([one for one in p_values if one is not None]))
    return tuple(
        AdjustedDelta(delta, None if p_value is None else next(by_holm))
        for delta, p_value in zip(deltas, p_values, strict=True)
    )


def _p_value(delta: Delta) -> float | None:
    logs = stats.log_ratios(*zip(*delta.values, strict=True))
    return None if logs is None else stats.Shift(logs).p_different()
