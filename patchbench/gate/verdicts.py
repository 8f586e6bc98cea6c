# SPDX-License-Identifier: GPL-2.0-only
"""A Verdict in; table rows, JSON, JUnit XML and Markdown out."""

import json
from dataclasses import asdict
from pathlib import Path

from junitparser import Failure, JUnitXml, Skipped, TestCase, TestSuite

from patchbench import texts
from patchbench.gate import policy as policies
from patchbench.model import Json, Limit, Ruling, Verdict
from patchbench.report.numbers import per_cent, quantity
from patchbench.report.tables import plain
from patchbench.store import write_whole

HEADINGS = ("metric", "base", "test", "change", "interval", "limit", "verdict", "why")


def write(folder: Path, verdict: Verdict) -> None:
    """Leave verdict.json, junit.xml and summary.md in a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    write_whole(folder / "verdict.json", json.dumps(as_json(verdict), indent=1) + "\n")
    write_whole(folder / "junit.xml", junit(verdict))
    write_whole(folder / "summary.md", markdown(verdict))


def rows(verdict: Verdict) -> list[tuple[str, ...]]:
    """Return the table's rows as text, one a limit, under HEADINGS."""
    return [_row(ruling) for ruling in verdict.rulings]


def as_json(verdict: Verdict) -> Json:
    """Return the verdict as `gate --json` prints it; `never` is the word "never"."""
    told = plain(asdict(verdict))
    assert isinstance(told, dict)  # for mypy
    return {"schema": 1, **told}


def junit(verdict: Verdict) -> str:
    """Return the verdict as JUnit XML: a case a limit, and one for what else was wrong."""
    suite = TestSuite(f"{verdict.series} against {verdict.against}, {verdict.kernel}")
    suite.timestamp = verdict.gate.partition("-")[0]
    for ruling in verdict.rulings:
        case = TestCase(_name(ruling.limit), classname=f"gate.{verdict.series}")
        told = zip(HEADINGS, _row(ruling), strict=True)
        text = ", ".join(f"{name} {value}" for name, value in told)
        if ruling.ruled != "PASS":
            # INCONCLUSIVE too: what knows only passed and failed must not take it for a pass.
            case.result = [Failure(text, type_=ruling.ruled)]
        case.system_out = text
        suite.add_testcase(case)
    for reason in verdict.reasons:
        case = TestCase("beside the limits", classname=f"gate.{verdict.series}")
        case.result = [Skipped(reason) if verdict.ruled == "PASS" else Failure(reason)]
        suite.add_testcase(case)
    xml = JUnitXml()
    xml.add_testsuite(suite)
    raw: bytes = xml.tostring()  # type: ignore[no-untyped-call]
    return raw.decode() + "\n"


def markdown(verdict: Verdict) -> str:
    """Return a summary fit for a CI job's page."""
    return texts.render("verdict.md.j2", verdict=verdict, headings=HEADINGS, rows=rows(verdict))


def headline(verdict: Verdict) -> str:
    """Return the verdict in one line."""
    return (
        f"{verdict.ruled}: {verdict.series} against {verdict.against} on {verdict.kernel}, "
        f"{verdict.seeds} seeds, {verdict.cpu_seconds:.0f} CPU-seconds, "
        f"{verdict.wall_seconds:.0f} s"
    )


def _name(limit: Limit) -> str:
    return f"{limit.workload} {limit.machine} {limit.metric}"


def _row(ruling: Ruling) -> tuple[str, ...]:
    delta, limit = ruling.delta, ruling.limit
    bounds = (ruling.low_pct, ruling.high_pct)
    interval = "-" if None in bounds else f"[{', '.join(map(per_cent, bounds))}]".replace(" %", "")
    return (
        _name(limit),
        quantity(delta.base, delta.metric.unit) if delta else "-",
        quantity(delta.test, delta.metric.unit) if delta else "-",
        per_cent(delta.change_pct) if delta else "-",
        interval,
        policies.describe(limit),
        ruling.ruled,
        ruling.why,
    )
