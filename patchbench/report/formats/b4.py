# SPDX-License-Identifier: GPL-2.0-only
"""What b4's review-series-check-cmd reads: a JSON array of checks, each pass, warn or fail.

A bench says pass only of what it measured; what cannot be relied on is a warning, and a series
that lost boots, made the kernel splat or left a clock running is a failure.
"""

import json
from collections.abc import Sequence

from patchbench.findings import CheckResult
from patchbench.model import Boot, Comparison
from patchbench.report import sentences, tables
from patchbench.texts import printable

TOOL = "patchbench"
_SHOWN = {"PASS": "pass", "FAIL": "fail", "INCONCLUSIVE": "warn"}


def render(comparison: Comparison, boots: Sequence[Boot]) -> str:
    """Return one check: the worst of what the run says, with its headline as details."""
    told = [f"{one.machine}: {one.sentence}" for one in sentences.summaries(comparison, boots)]
    headline = tables.headline(comparison)
    summary = (headline or told or ["nothing was measured"])[0]
    table = [" ".join(row) for row in tables.rows(comparison)]
    details = [*headline, *told, *table, f"Repeat it: {comparison.plan.command}"]
    return _array(_status(comparison), f"bench: {summary}", details)


def render_findings(run: str, result: CheckResult) -> str:
    """Return one check: what only the series breaks fails it, what is untested is a warning."""
    worse = result.regressions()
    untested = [one for one in result.findings if one.state == "untested"]
    status = "fail" if worse else "warn" if untested else "pass"
    summary = f"check: {len(worse)} broken, {len(untested)} untested of {len(result.findings)}"
    lines = [f"{one.kernel} {one.title}: {one.says}" for one in (*worse, *untested)]
    return _array(status, summary, [*lines, f"Run {run}"])


def verdict(ruled: str, headline: str, lines: list[str]) -> str:
    """Return a gate's verdict as the one check."""
    return _array(_SHOWN[ruled], f"gate: {headline}", lines)


def unmeasured(what: str) -> str:
    """Return the check for a series that no run here measured."""
    return _array("warn", f"no run here measured {what}", [])


def _status(comparison: Comparison) -> str:
    test = comparison.plan.test.series
    if test in comparison.failed_arms or comparison.splats or comparison.outcomes:
        return "fail"
    return "warn" if comparison.invalid or comparison.nothing_to_measure else "pass"


def _array(status: str, summary: str, details: list[str]) -> str:
    check = {
        "tool": TOOL,
        "status": status,
        "summary": printable(summary.splitlines()[0]),
        "url": "",
        "details": printable("\n".join(details)),
    }
    return json.dumps([check], indent=1) + "\n"
