# SPDX-License-Identifier: GPL-2.0-only
"""A study in results/published/NAME, whole: its page, study.json, and every run it is made of.

runs/RUN/ is a bench as runs/published.py has it, a hazard's findings.json or a profile's
shares.json.
"""

import shutil
from pathlib import Path

from patchbench.errors import BadInput
from patchbench.runs import folder as runs
from patchbench.runs import published, reading
from patchbench.runs.archive import FINDINGS, PLAN, STUDY
from patchbench.store import write_whole
from patchbench.study import evidence, loading, page
from patchbench.study import folder as studies


def publish(root: Path, folder: Path, name: str) -> Path:
    """Copy a study and its runs into results/published/NAME, and return that folder.

    Raises BadInput for a study that did not finish, the error of a run that lost boots, and as
    published.publishing. A run in which the series was not at work is copied as well: the page
    says so.
    """
    logbook = studies.read(folder)
    if missing := [one.leg.key for one in logbook.legs if one.state == "to do"]:
        raise BadInput(f"{folder} did not finish: {missing[0]} was not run; carry it on")
    study = evidence.study_of(root, folder)
    names = [logbook.run(one.leg) for one in logbook.legs if one.state == "done"]
    with published.publishing(root, name) as new:
        for run in names:
            _copy(root, evidence.runs_of(root, folder) / run, new / "runs" / run)
        for file, text in page.files(study).items():
            write_whole(new / file, text)
        shutil.copyfile(folder / STUDY, new / STUDY)
        runs.seal(new)
    return root / "results/published" / name


def weigh_again(root: Path, name: str) -> Path:
    """Weigh results/published/NAME by its plan as it is today, and seal it again; no boot.

    Raises BadInput if a run is not as it was sealed, or if the plan measures something else.
    """
    folder = root / "results/published" / name
    logbook = studies.read(folder)
    runs.check_seal(folder, below="runs/")
    studies.save(folder, studies.reworded(logbook, loading.load(root, logbook.plan.name)))
    for file, text in page.files(evidence.study_of(root, folder)).items():
        write_whole(folder / file, text)
    runs.seal(folder)
    return folder


def _copy(root: Path, run: Path, place: Path) -> None:
    place.mkdir(parents=True)
    if (run / PLAN).is_file():
        comparison, boots = reading.read(root, run)
        if comparison.failures and (error := reading.verdict_error(comparison)):
            raise error
        published.publish(run, boots, place)
        runs.seal(place)
        return
    for name in (FINDINGS, evidence.SHARES):
        if (run / name).is_file():
            shutil.copyfile(run / name, place / name)
