# SPDX-License-Identifier: GPL-2.0-only
"""The published study says what its runs say, and nothing that they could not have shown.

The first version of it refuted or confirmed a dozen statements on legs that could not tell:
one CPU, a saturated metric, a bound out of reach, a series at rest, memory that nobody lacked.
"""

import shutil
from pathlib import Path

import pytest

from patchbench.errors import BadInput
from patchbench.runs import folder as runs
from patchbench.study import evidence, publishing
from patchbench.study import folder as studies
from patchbench.study.evidence import Study
from tests.recorded import PROJECT

FOLDER = PROJECT / "results/published/v0-study"


@pytest.fixture(scope="module")
def study() -> Study:
    return evidence.study_of(PROJECT, FOLDER)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("a74", "no more than -42 % can come"),
        ("d", "no room below the base"),
        ("Q3", "the series was at rest"),
    ],
)
def test_a_leg_that_could_not_have_shown_it_cannot_tell(
    study: Study, name: str, reason: str
) -> None:
    (one,) = [one for one in study.conclusions if one.statement.id == name]
    untold = [weighed for weighed in one.weighed if weighed.outcome == "cannot tell"]
    assert any(reason in weighed.why for weighed in untold), one.weighed
    assert one.statement.corrected


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "outcome"),
    [
        ("c", "refuted"), ("f1", "refuted"), ("Q1", "refuted"), ("Q6", "refuted"),
        ("Q8", "confirmed"), ("Q9", "confirmed"), ("Q10", "confirmed"), ("Q20", "confirmed"),
    ],
)  # fmt: skip
def test_what_one_cpu_could_not_tell_is_answered_by_many(
    study: Study, name: str, outcome: str
) -> None:
    (one,) = [one for one in study.conclusions if one.statement.id == name]
    assert one.outcome == outcome
    assert one.statement.corrected


@pytest.mark.slow
def test_no_statement_stays_undecided_for_want_of_seeds(study: Study) -> None:
    assert not [one.statement.id for one in study.conclusions if one.outcome == "undecided"]


def test_the_readme_counts_the_outcomes_as_the_page_does() -> None:
    page = (FOLDER / "report.md").read_text()
    counted = next(line for line in page.splitlines() if "confirmed" in line)
    assert counted.strip("> *") in (FOLDER / "README.md").read_text()


@pytest.mark.slow
def test_a_reaper_on_two_cpus_leaves_the_series_work_in_every_boot(study: Study) -> None:
    reading = study.readings["mrelease/mainline/exact2"]
    assert not isinstance(reading, str)
    assert reading.counter is not None
    assert (reading.counter.moved, reading.counter.boots) == (24, 24)


@pytest.mark.slow
def test_the_longest_frame_is_longer_where_cpus_are_few(study: Study) -> None:
    (one,) = [one for one in study.conclusions if one.statement.id == "frame"]
    outcomes = [weighed.outcome for weighed in one.weighed]
    assert outcomes == ["refuted", "refuted", "confirmed", "undecided"]
    assert [weighed.measured for weighed in one.weighed][:2] == ["+69.84 %", "+86.60 %"]


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """Return a checkout with the study, of whose runs only a hazard is kept, and a short plan."""
    for name in ("qemu", "workloads", "patches", "configs/kernels", "configs/splats.toml"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).symlink_to(PROJECT / name)
    folder = tmp_path / "results/published/v0-study"
    (run,) = (FOLDER / "runs").glob("*-cgroups-mainline-exact-10-seeds")
    shutil.copytree(run, folder / "runs" / run.name)
    logbook = studies.read(FOLDER)
    logbook.legs = [one for one in logbook.legs if one.leg.cell == "cgroups"]
    studies.save(folder, logbook)
    runs.seal(folder)
    return tmp_path


PLAN = """
title = "shorter"
series = "v0"

[[cells]]
name = "cgroups"
kind = "hazard"
value = 1
workload = "cgroup-exit"
seeds = { small = 6, full = 10 }

[[statements]]
id = "mine"
by = "a test"
says = "groups go"
rules = [{ cell = "cgroups", finding = "dying_groups", says = "fail" }]
"""

PLAN_SINCE = """
[[cells]]
name = "groups-killed"
kind = "hazard"
value = 1
workload = "cgroup-kill"
seeds = { small = 6, full = 1 }
"""


def put_plan(checkout: Path, text: str) -> None:
    path = checkout / "configs/studies/v0.toml"
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)


def test_a_published_study_is_weighed_again_by_its_plan_of_today(checkout: Path) -> None:
    put_plan(checkout, PLAN)
    folder = publishing.weigh_again(checkout, "v0-study")
    assert "### mine confirmed: groups go" in (folder / "report.md").read_text()
    runs.check_seal(folder)


def test_a_leg_that_the_plan_got_since_then_was_not_run(checkout: Path) -> None:
    put_plan(checkout, PLAN.replace("[[statements]]", PLAN_SINCE + "\n[[statements]]"))
    folder = publishing.weigh_again(checkout, "v0-study")
    assert "made before its plan had this leg" in (folder / "report.md").read_text()


def test_a_plan_that_measures_something_else_is_refused(checkout: Path) -> None:
    put_plan(checkout, PLAN.replace("full = 10", "full = 3"))
    with pytest.raises(BadInput, match="did not measure cgroups/mainline/exact as configs/studies"):
        publishing.weigh_again(checkout, "v0-study")


def test_a_published_study_with_an_edited_run_is_not_weighed_again(checkout: Path) -> None:
    put_plan(checkout, PLAN)
    (found,) = (checkout / "results/published/v0-study/runs").glob("*/findings.json")
    found.write_text(found.read_text().replace('"fail"', '"pass"'))
    with pytest.raises(BadInput, match="is not what was measured"):
        publishing.weigh_again(checkout, "v0-study")
