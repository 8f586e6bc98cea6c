# SPDX-License-Identifier: GPL-2.0-only
"""The verb that answers a whole cover letter and its reviewers: study."""

import sys
from pathlib import Path

from invoke.context import Context
from invoke.tasks import task

from patchbench.errors import PipelineError, UnknownName
from patchbench.verbs.common import ROOT, exits, flags, opened, seconds_of
from patchbench.verbs.needs import needs


@task(
    help=flags("series", "fresh", "hosts")
    | {
        "kernel": "files in configs/kernels/, separated by commas; by default all of the plan's",
        "scale": "small (half an hour on two cores once the images are built) or full",
        "only": "run only what these statements need, separated by commas: Q3,Q7",
        "budget": "run the most valuable cells within this time: 90s, 10m, 2h",
        "until_decided": "double the seeds of undecided cells, three times at most",
    }
)
@needs("engine")
def study(
    _: Context,
    series: str = "v0",
    scale: str = "small",
    only: str = "",
    kernel: str = "",
    budget: str = "",
    until_decided: bool = False,
    fresh: bool = False,
    hosts: str = "",
) -> None:
    """Answer the claims of SERIES and its reviewers' questions, by configs/studies/SERIES.toml."""
    from patchbench.study.plan import FOLDER, SCALES
    from patchbench.study.studying import StudyRequest, study_series

    with exits():
        known = {name: name for name in SCALES}
        if scale not in known:
            raise UnknownName("scale", scale, [*known], FOLDER)
        request = StudyRequest(
            series=series,
            scale=known[scale],
            only=tuple(name for name in only.split(",") if name),
            kernels=tuple(name for name in kernel.split(",") if name),
            budget_s=seconds_of(budget) if budget else None,
            fresh=fresh,
            until_decided=until_decided,
        )
        with opened(hosts) as run:
            folder = study_series(run, request)
        report_study(folder)


def report_study(folder: Path, *, as_json: bool = False) -> None:
    """Write a study's page, print its conclusions, and leave the status that it deserves."""
    from patchbench.store import write_whole
    from patchbench.study import evidence, formats, page, report
    from patchbench.tools.terminal import print_table

    whole = evidence.study_of(ROOT, folder)
    out = ROOT / "results/reports" / folder.name
    out.mkdir(parents=True, exist_ok=True)
    for name, text in page.files(whole).items():
        write_whole(out / name, text)
    if as_json:
        sys.stdout.write(formats.as_json(whole))
    else:
        print_table(report.HEADINGS, report.rows(whole), whole.logbook.plan.title, words=6)
        for line in report.headline(whole):
            print(line)
        print(f"study {folder}")
        print(f"report {out / 'report.md'}  {out / 'report.html'}")
    if error := evidence.first_error(whole):
        raise error


def export_study(folder: Path, name: str) -> PipelineError | None:
    """Print a study in a format and nothing else, and return the error that it deserves."""
    from patchbench.study import evidence, formats

    render = formats.find(name)
    whole = evidence.study_of(ROOT, folder)
    sys.stdout.write(render(whole))
    return evidence.first_error(whole)
