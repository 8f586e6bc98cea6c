# SPDX-License-Identifier: GPL-2.0-only
"""Verbs that read what is stored: report, compare, history."""

from __future__ import annotations

import functools
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from invoke.context import Context
from invoke.tasks import task

from patchbench.errors import PipelineError
from patchbench.verbs.common import ROOT, exits, flags, show, show_findings
from patchbench.verbs.needs import needs
from patchbench.verbs.studies import export_study, report_study

if TYPE_CHECKING:
    from patchbench.model import Boot, Comparison
    from patchbench.runs import archive
    from patchbench.runs.reading import Compared


@task(
    help=flags("run", "json", "format")
    | {
        "check-claims": "a mail or text whose marked numbers are checked against the runs' logs",
        "all-pairs": "of a run of several series: compare them with each other as well",
        "thread": "the series' mails, a file or -: what `--format reply` answers, or b4 asks about",
        "cc": "whom else a reply goes to, with commas: a list",
    }
)
@needs()
def report(
    _: Context,
    run: str = "latest",
    json: bool = False,
    format: str = "",  # noqa: A002  # the flag's name
    check_claims: str = "",
    all_pairs: bool = False,
    thread: str = "",
    cc: str = "",
) -> None:
    """Report a stored run, check or study again, or check the numbers that a text quotes."""
    from patchbench.runs import archive
    from patchbench.verbs import replying

    with exits():
        if check_claims:
            _check_claims(Path(check_claims))
        elif format == "reply":
            replying.reply(archive.find_bench(ROOT / "results", run), thread, cc)
        elif format == "b4" and thread:
            replying.check(thread)
        elif format:
            _export(archive.find(ROOT / "results", run), format)
        else:
            stored = archive.find(ROOT / "results", run)
            _report(stored, all_pairs=all_pairs, as_json=json)


@task(
    help=flags("json")
    | {
        "base": "a run, or RUN:SERIES for its other arm",
        "test": "another run, or RUN:SERIES",
        "machine": "exact machines that both runs were made on, with commas",
    }
)
@needs()
def compare(_: Context, base: str, test: str, machine: str = "exact", json: bool = False) -> None:
    """Compare arms of two stored runs that differ in nothing but the image."""
    from patchbench.runs import reading

    with exits():
        comparison = reading.compare_arms(ROOT, base, test, machine.split(","))
        show(comparison, as_json=json)
        if error := reading.verdict_error(comparison):
            raise error


@task(
    help={
        "metric": "what to follow, for example exit_ns",
        "machine": "machines, with commas; by default all",
    }
)
@needs()
def history(_: Context, metric: str, machine: str = "") -> None:
    """Follow METRIC over all runs, and plot it."""
    from patchbench.runs import history as histories
    from patchbench.runs import reading
    from patchbench.store import write_whole
    from patchbench.tools.terminal import print_table

    with exits():
        machines = [name for name in machine.split(",") if name]
        points = histories.points(reading.comparisons(ROOT), metric, machines)
        out = ROOT / "results/reports" / f"history-{metric}.svg"
        out.parent.mkdir(parents=True, exist_ok=True)
        write_whole(out, histories.svg(points, metric))
        print_table(histories.HEADINGS, histories.rows(points), metric, words=6)
        for line in histories.reasons(points):
            print(line)
        print(f"plot {out}")


def _report_run(
    folder: Path, compared: Comparison, boots: Sequence[Boot], *, as_json: bool
) -> PipelineError | None:
    """Write a run's report, print it, and return the error to end with."""
    from patchbench.report import formats
    from patchbench.runs import reading, scaling

    compared = scaling.add(ROOT, compared)
    out = ROOT / "results/reports" / folder.name
    formats.write(out, compared, boots)
    show(compared, as_json=as_json, written=out)
    return reading.verdict_error(compared)


def report_bench(folder: Path, *, pairs: bool, as_json: bool) -> PipelineError | None:
    """Write a run's report, with a column a series where there are several, and print it.

    Return the error to end with.
    """
    from patchbench.runs import reading

    compared = reading.read_all(ROOT, folder, pairs=pairs)
    if len(compared) == 1:
        return _report_run(folder, *compared[0], as_json=as_json)
    return _report_arms(folder, compared, as_json=as_json)


def _report_arms(
    folder: Path, compared: Sequence[Compared], *, as_json: bool
) -> PipelineError | None:
    from patchbench.report import arms
    from patchbench.runs import reading
    from patchbench.tools.terminal import print_table

    out = ROOT / "results/reports" / folder.name
    arms.write(out, compared)
    comparisons = [comparison for comparison, _ in compared]
    if as_json:
        print(arms.dumps(comparisons))
    else:
        for line in arms.headline(comparisons):
            print(line)
        plan = comparisons[0].plan
        title = f"{plan.workload.name} on {plan.kernel} {plan.version}"
        print_table(arms.headings(comparisons), arms.rows(comparisons), title)
        print(arms.note(comparisons))
        print(f"report {out / 'report.md'}  {out / 'report.html'}")
    return next(filter(None, map(reading.verdict_error, comparisons)), None)


def _report(stored: archive.Stored, *, all_pairs: bool, as_json: bool) -> None:
    from patchbench import findings
    from patchbench.runs import archive

    match stored:
        case archive.StoredStudy(folder):
            report_study(folder, as_json=as_json)
        case archive.StoredCheck(folder):
            show_findings(folder, findings.read(folder), as_json=as_json)
        case archive.StoredBench(folder):
            if error := report_bench(folder, pairs=all_pairs, as_json=as_json):
                raise error


def _export(stored: archive.Stored, name: str) -> None:
    """Print a study, a check or a run in a format, and leave the status that it deserves."""
    from patchbench import findings
    from patchbench.check import checking
    from patchbench.report import formats
    from patchbench.runs import archive, reading, scaling

    error: PipelineError | None
    match stored:
        case archive.StoredStudy(folder):
            error = export_study(folder, name)
        case archive.StoredCheck(folder):
            result = findings.read(folder)
            sys.stdout.write(formats.find_for_findings(name)(folder.name, result))
            error = checking.verdict_error(result)
        case archive.StoredBench(folder):
            render = formats.find(name)
            comparison, boots = reading.read(ROOT, folder)
            sys.stdout.write(render(scaling.add(ROOT, comparison), boots))
            error = reading.verdict_error(comparison)
    if error:
        raise error


def _check_claims(path: Path) -> None:
    """Print what became of each number that a text claims; the worst decides the status."""
    from patchbench.report import claims
    from patchbench.runs import archive, reading
    from patchbench.tools.terminal import print_table

    @functools.cache
    def read(name: str) -> tuple[Comparison, list[Boot]]:
        return reading.read(ROOT, archive.find_bench(ROOT / "results", name))

    checked = claims.check(claims.parse(claims.read_mail(path)), read)
    if checked:
        print_table(claims.HEADINGS, [claim.row() for claim in checked], words=3)
    for line in claims.reasons(checked):
        print(line)
    if error := claims.error(checked, path):
        raise error
    print(f"all {len(checked)} claims hold")
