# SPDX-License-Identifier: GPL-2.0-only
"""What a study's cells say of several series, as tables: a row a design. Pure."""

from collections.abc import Sequence

from patchbench.findings import CheckResult
from patchbench.model import Comparison, Delta
from patchbench.report import arms
from patchbench.study.estimates import for_what_was_done
from patchbench.study.evidence import Study
from patchbench.study.plan import Column
from patchbench.study.readings import Reading, reasons_against
from patchbench.study.tables import Table

_NOT_MEASURED = "-"


def tables(study: Study) -> tuple[Table, ...]:
    """Return the tables of designs, of what this scale asks of several series, if anything."""
    legs = {one.leg.key for one in study.logbook.legs}
    plan, names = study.logbook.plan, _names(study)
    asked = [one for one in plan.designs if legs & {one.leg(plan, name) for name in names}]
    titles = dict.fromkeys(column.table for column in asked)
    return tuple(
        _table(study, title, [one for one in asked if one.table == title]) for title in titles
    )


def about(study: Study) -> str:
    """Return what the tables of designs have in common, in words."""
    lines = study.logbook.lines.items()
    costs = ", ".join(f"{name} +{added} -{removed}" for name, (added, removed) in lines)
    return (
        "Each design against the unpatched kernel, booted with the same seeds. * differs from no "
        f"change at 5 %, by Holm's rule over the {len(_names(study))} of its column; the best and "
        "the worst are of those. Per page: of each page that was freed, because the series left "
        "more in swap. That a hazard passes in one boot tells little. -: not measured, or not to "
        "be relied on; the table of cells says why. What "
        f"they cost, in lines: {costs or 'not known'}."
    )


def _names(study: Study) -> tuple[str, ...]:
    return (study.logbook.plan.series, *study.logbook.plan.rivals)


def _table(study: Study, title: str, asked: Sequence[Column]) -> Table:
    names = _names(study)
    columns = [_filled(study, column, names) for column in asked]
    headings = ("series", *(column.asks for column in asked))
    return Table(title, "", headings, tuple(zip(names, *columns, strict=True)))


def _filled(study: Study, column: Column, names: tuple[str, ...]) -> list[str]:
    readings = [_reading(study, column, name) for name in names]
    if column.finding:
        return [_hazard(one, column, name) for one, name in zip(readings, names, strict=True)]
    found = [_delta(one, column) for one in readings]
    adjusted = arms.adjusted([delta for delta, _ in found])
    stars = [" *" if one.differs else "" for one in adjusted]
    return [
        said.replace(" %", f" %{star}", 1) + basis
        for said, star, (_, basis) in zip(arms.ranked(adjusted), stars, found, strict=True)
    ]


def _reading(study: Study, column: Column, series: str) -> Reading | None:
    found = study.readings.get(column.leg(study.logbook.plan, series))
    if not isinstance(found, Reading) or reasons_against(found):
        return None
    return found


def _delta(reading: Reading | None, column: Column) -> tuple[Delta | None, str]:
    """Return what a bench says of a metric, and what it is per, if not of all that was asked."""
    result = reading.result if reading else None
    if not isinstance(result, Comparison):
        return None, ""
    for one in result.deltas:
        if (one.machine, one.metric.name) == (column.machine, column.metric):
            delta, basis = for_what_was_done(one, result)
            return delta, " per page" if basis else ""
    return None, ""


def _hazard(reading: Reading | None, column: Column, series: str) -> str:
    result = reading.result if reading else None
    if not isinstance(result, CheckResult):
        return _NOT_MEASURED
    found = [one.state for one in result.of(series) if one.on == column.finding]
    if not found or "untested" in found:
        return _NOT_MEASURED
    failed = found.count("fail")
    return (
        f"fails in {failed} of {len(found)}"
        if failed
        else f"passes in {len(found)} of {len(found)}"
    )
