# SPDX-License-Identifier: GPL-2.0-only
"""A Verdict in; table rows, sentences, JSON, JUnit XML and Markdown out."""

import json
from dataclasses import asdict
from pathlib import Path

from junitparser import Failure, JUnitXml, Skipped, TestCase, TestSuite

from patchbench import texts
from patchbench.gate import policy as policies
from patchbench.gate.limits import FunctionRise, Limit, Ruling, Verdict
from patchbench.model import Json
from patchbench.report.formats import b4
from patchbench.report.numbers import per_cent, quantity
from patchbench.report.tables import plain
from patchbench.store import write_whole

HEADINGS = ("metric", "base", "test", "change", "interval", "limit", "verdict", "why")


def write(folder: Path, verdict: Verdict) -> None:
    """Leave verdict.json, junit.xml, b4.json and summary.md in a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    write_whole(folder / "verdict.json", json.dumps(as_json(verdict), indent=1) + "\n")
    write_whole(folder / "junit.xml", junit(verdict))
    lines = [*sentences(verdict), f"Repeat it: {verdict.command}"]
    write_whole(folder / "b4.json", b4.verdict(verdict.ruled, headline(verdict), lines))
    write_whole(folder / "summary.md", markdown(verdict))


def rows(verdict: Verdict) -> list[tuple[str, ...]]:
    """Return the table's rows as text, one per limit, under HEADINGS."""
    return [_row(ruling) for ruling in verdict.rulings]


def sentences(verdict: Verdict) -> list[str]:
    """Return what there is to say besides the table, one per line, the most important first."""
    # What a FAIL left unmeasured is listed below, and stopped nothing.
    stopping = ("FAIL",) if verdict.ruled == "FAIL" else ("FAIL", "INCONCLUSIVE")
    limits = [one.limit for one in verdict.rulings if one.ruled in stopping and one.limit.why]
    lines = [
        *verdict.reasons,
        *(
            f"{_name(one.limit)} is broken, and {one.waived}"
            for one in verdict.rulings
            if one.waived
        ),
        *(f"{one.quantity} on {one.machine} has a limit because {one.why}" for one in limits),
        *map(_rise, verdict.rises),
        *dict.fromkeys(
            f"measure it again: {one.command}" for one in verdict.rulings if one.command
        ),
    ]
    if verdict.not_looked_at:
        parts = ", ".join(verdict.not_looked_at)
        lines.append(f"not looked at, as the verdict was FAIL already: {parts} (`--all`)")
    return lines


def as_json(verdict: Verdict) -> Json:
    """Return the verdict as `gate --json` prints it; NEVER is the word "never"."""
    fields = plain(asdict(verdict))
    assert isinstance(fields, dict)  # for mypy
    return {"schema": 1, **fields}


def junit(verdict: Verdict) -> str:
    """Return the verdict as JUnit XML: a case per limit, and one for each other reason."""
    suite = TestSuite(f"{verdict.series} against {verdict.against}, {verdict.kernel}")
    suite.timestamp = verdict.gate.partition("-")[0]
    for ruling in verdict.rulings:
        case = TestCase(_name(ruling.limit), classname=f"gate.{verdict.series}")
        cells = zip(HEADINGS, _row(ruling), strict=True)
        text = ", ".join(f"{name} {value}" for name, value in cells)
        if ruling.waived:
            case.result = [Skipped(f"{text}; {ruling.waived}")]
        elif ruling.ruled != "PASS":
            text += f"; the limit is there because {ruling.limit.why}" if ruling.limit.why else ""
            # INCONCLUSIVE too: a reader that knows two answers must not take it for a pass.
            case.result = [Failure(text, type_=ruling.ruled)]
        case.system_out = text
        suite.add_testcase(case)
    for reason in verdict.reasons:
        case = TestCase("besides the limits", classname=f"gate.{verdict.series}")
        case.result = [Skipped(reason) if verdict.ruled == "PASS" else Failure(reason)]
        suite.add_testcase(case)
    for part in verdict.not_looked_at:
        case = TestCase(part, classname=f"gate.{verdict.series}")
        case.result = [Skipped("not looked at: the verdict was FAIL already")]
        suite.add_testcase(case)
    xml = JUnitXml()
    xml.add_testsuite(suite)
    raw: bytes = xml.tostring()  # type: ignore[no-untyped-call]
    return raw.decode() + "\n"


def markdown(verdict: Verdict) -> str:
    """Return a summary for a CI job's page."""
    return texts.render(
        "verdict.md.j2",
        verdict=verdict,
        headings=HEADINGS,
        rows=rows(verdict),
        sentences=sentences(verdict),
    )


def headline(verdict: Verdict) -> str:
    """Return the verdict in one line."""
    return (
        f"{verdict.ruled}: {verdict.series} against {verdict.against} on {verdict.kernel}, "
        f"{verdict.seeds} seeds, {verdict.cpu_seconds:.0f} CPU-seconds, "
        f"{verdict.wall_seconds:.0f} s"
    )


def _rise(one: FunctionRise) -> str:
    return (
        f"{one.function} runs {one.test:.4g} instructions a {one.per} in {one.workload}, "
        f"{one.base:.4g} in the base"
    )


def _name(limit: Limit) -> str:
    return f"{limit.workload} {limit.machine} {limit.quantity}"


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
        f"{ruling.ruled} (waived)" if ruling.waived else ruling.ruled,
        ruling.why,
    )
