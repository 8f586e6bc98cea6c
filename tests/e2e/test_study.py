# SPDX-License-Identifier: GPL-2.0-only
"""A study is killed amid its boots and carried on: no finished boot is lost, and none repeated."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

from patchbench.study import evidence
from patchbench.study import page as study_page
from patchbench.study.evidence import Study
from tests.e2e.conftest import ROOT

PLAN = """
title = "a tiny study"
series = "v0"

[[cells]]
name = "noisy"
value = 2
machines = ["parallel"]
set = {{ victims = 2, mib = 32, extent_pages = 8, random_bytes = {content} }}
seeds = {{ small = 2, full = 2 }}

[[cells]]
name = "counted"
value = 1
set = {{ victims = 2, mib = 32, extent_pages = 8, random_bytes = {content} }}
seeds = {{ small = 2, full = 2 }}

[[statements]]
id = "a"
by = "cover letter"
says = "exits are shorter"
rules = [
  {{ cell = "noisy", machine = "parallel", metric = "exit_ns", at_most_pct = 0 }},
  {{ cell = "counted", metric = "exit_ns", at_most_pct = 0 }},
]
"""
STUDY = """
import sys
from pathlib import Path
from patchbench.pipeline import Pipeline, default_cache
from patchbench.study.studying import StudyRequest, study_series
from patchbench.tools.terminal import Terminal

with Pipeline(Path(sys.argv[1]), default_cache(), Terminal()) as pipeline:
    study_series(pipeline, StudyRequest("tiny"))
"""


def start(project: Path) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-c", STUDY, str(project)],
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def ended(project: Path, cell: str) -> dict[Path, int]:
    """Return when each boot of a cell came to its end, by its logbook."""
    notes = (project / "results/runs").glob(f"*-{cell}-*/boots/*/*/*/host.json")
    return {path: path.stat().st_mtime_ns for path in notes}


def again(path: Path) -> int:
    """Return how often a boot's block was done again, by its note."""
    return int(json.loads(path.read_text())["host"].get("again", 0))


def carried_on(project: Path) -> Study:
    out, _ = (process := start(project)).communicate()
    assert process.returncode == 0, out
    (folder,) = (project / "results/studies").iterdir()  # the one that was begun
    return evidence.study_of(project, folder)


def test_a_study_that_is_killed_carries_on_and_boots_nothing_twice(project: Path) -> None:
    # Content of its own, so that there is something to boot each time.
    plan = PLAN.format(content=1000 + os.getpid() % 2000)
    (project / "configs/studies/tiny.toml").write_text(plan)
    process = start(project)
    deadline = time.monotonic() + 600
    while not ended(project, "noisy"):
        assert process.poll() is None, process.communicate()[0]
        assert time.monotonic() < deadline
        time.sleep(0.2)
    process.kill()
    process.communicate()
    before = ended(project, "noisy")
    assert 0 < len(before) < 4

    study = carried_on(project)
    after = ended(project, "noisy")
    assert len(after) == 4
    # A neighbour on this host may disturb a block; it is done again then, and its boots say so.
    assert [path for path in before if after[path] != before[path] and not again(path)] == []
    assert {one.state for one in study.logbook.legs} == {"done"}
    assert len(ended(project, "counted")) == 4
    (conclusion,) = study.conclusions
    assert conclusion.weighed[1].why.startswith("2 pairs are too few")
    page = study_page.markdown(study)
    assert "parallel (TCG, side by side)" in page
