# SPDX-License-Identifier: GPL-2.0-only
"""Published runs: what they keep, what they refuse, and what a repetition says."""

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from patchbench.errors import BadInput, ClaimFails, LostGuest, NotComparable, NotRepeatable
from patchbench.runs import archive, publishing, reading
from patchbench.runs import folder as runs
from patchbench.runs.verifying import Ingredient, Replay, Verification
from patchbench.study import evidence, loading
from patchbench.study import folder as studies
from patchbench.study import plan as study
from patchbench.study import publishing as study_publishing
from patchbench.study.folder import LegEntry, Logbook
from patchbench.study.readings import Reading
from tests.fakes import plan, results
from tests.runs.test_folder import write_run

ROOT = Path(__file__).resolve().parents[2]


def publish(root: Path, name: str = "v0") -> Path:
    return publishing.publish(root, write_run(root / "results", plan()), name)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "configs").mkdir()
    (tmp_path / "configs/splats.toml").write_bytes((ROOT / "configs/splats.toml").read_bytes())
    return tmp_path


def test_a_published_run_says_what_the_run_said(project: Path) -> None:
    folder = publish(project)
    compared = reading.comparison(project, folder)
    assert compared.invalid == ()
    assert [(one.metric.name, one.base) for one in compared.deltas] == [
        ("exit_ns", 100), ("drain_ns", 200),
    ]  # fmt: skip
    assert (folder / "report.md").is_file()
    assert archive.find_bench(project / "results", "published/v0") == folder


def test_a_published_run_keeps_no_console_and_no_host(project: Path) -> None:
    names = {path.name for path in publish(project).rglob("*") if path.is_file()}
    assert names == {
        "plan.json", "boots.json", "seed-1.log", "seed-2.log", "comparison.json", "report.md",
        "report.html", "SHA256SUMS",
    }  # fmt: skip


def test_a_published_sample_edited_by_hand_is_refused(project: Path) -> None:
    log = publish(project) / "boots/exact/v0/seed-1.log"
    log.write_text(results(exit_ns=1))
    with pytest.raises(BadInput, match=r"seed-1\.log is not what was measured"):
        reading.comparison(project, project / "results/published/v0")


def test_what_is_published_is_not_overwritten(project: Path) -> None:
    folder = publish(project)
    before = (folder / "SHA256SUMS").read_text()
    with pytest.raises(BadInput, match="published already"):
        publishing.publish(project, archive.find_bench(project / "results", "latest"), "v0")
    assert (folder / "SHA256SUMS").read_text() == before


def test_a_run_that_cannot_be_relied_on_is_not_published(project: Path) -> None:
    run = write_run(project / "results", plan())
    (run / "boots/exact/v0/seed-2/results.log").write_text("patchbench 1\n")
    runs.seal(run)
    with pytest.raises(LostGuest):
        publishing.publish(project, run, "v0")
    assert not (project / "results/published").exists()


@pytest.mark.parametrize("name", ["../v0", "--help", "", ".", "two words", "a\nb"])
def test_what_is_no_plain_name_is_refused(project: Path, name: str) -> None:
    with pytest.raises(BadInput, match="a folder's name, of letters"):
        publish(project, name)
    assert not (project / "results/published").exists()


def test_a_boot_that_is_missing_is_named(project: Path) -> None:
    folder = publish(project)
    (folder / "boots/exact/v0/seed-1.log").unlink()
    runs.seal(folder)
    with pytest.raises(BadInput, match=r"it lacks boots/exact/v0/seed-1\.log"):
        reading.comparison(project, folder)


def verification(*differences: str, moved: bool = False) -> Verification:
    return Verification(
        "v0",
        (Ingredient("toolchain", "aaa", "bbb" if moved else "aaa"),),
        tuple(Replay("exact", "v0", seed, text) for seed, text in enumerate(differences)),
        0,
    )


def test_identical_boots_verify() -> None:
    verified = verification("", "")
    assert verified.error() is None
    assert [row[-1] for row in verified.rows()] == ["identical"] * 3


def test_a_report_with_a_number_that_the_logs_do_not_give_is_wrong() -> None:
    verified = replace(verification(""), reported=216, wrong=("exact exit_ns base: 1, not 2",))
    assert isinstance(verified.error(), ClaimFails)
    assert ("numbers of the report", "216", "215", "DIFFERENT") in verified.rows()


def test_a_boot_that_differs_with_the_same_ingredients_is_not_repeatable() -> None:
    assert isinstance(verification("", "line 7").error(), NotRepeatable)


def test_a_boot_that_differs_with_another_toolchain_names_the_toolchain() -> None:
    verified = verification("line 7", moved=True)
    error = verified.error()
    assert isinstance(error, NotComparable)
    assert "toolchain" in str(error)
    assert verified.rows()[0] == ("toolchain", "aaa", "bbb", "DIFFERENT")


@pytest.fixture
def studied(project: Path) -> Path:
    """Return the folder of a study with one leg, whose run is stored."""
    shutil.copytree(ROOT / "qemu/machines", project / "qemu/machines")
    whole = loading.load(ROOT, "v0")
    leg = study.legs(whole, "small")[0]
    logbook = Logbook("20260101T000000-study-v0-small", "./bootstrap study", "key", "small",
                      whole, [LegEntry(leg, "done")], {"mainline": "7.3.4"})  # fmt: skip
    write_run(project / "results", replace(plan(), run=logbook.run(leg)))
    folder = project / "results/studies" / logbook.study
    folder.mkdir(parents=True)
    studies.save(folder, logbook)
    return folder


def test_a_published_study_says_the_same_without_the_runs_it_was_made_of(
    project: Path, studied: Path
) -> None:
    kept = study_publishing.publish(project, studied, "study")
    before = evidence.study_of(project, studied)
    shutil.rmtree(project / "results/runs")
    after = evidence.study_of(project, kept)
    assert after.conclusions == before.conclusions
    source = next(iter(after.readings.values()))
    assert isinstance(source, Reading)
    assert archive.find_bench(project / "results", source.run) == kept / "runs" / source.run
    runs.check_seal(kept)


def test_a_study_that_was_cut_off_is_not_published(project: Path, studied: Path) -> None:
    logbook = studies.read(studied)
    logbook.legs[0].state = "to do"
    studies.save(studied, logbook)
    with pytest.raises(BadInput, match="did not finish"):
        study_publishing.publish(project, studied, "study")
    assert not (project / "results/published").exists()


def test_a_study_with_an_edited_sample_is_not_published_by_half(
    project: Path, studied: Path
) -> None:
    log = next((project / "results/runs").rglob("seed-1/results.log"))
    log.write_text(results(exit_ns=1))
    with pytest.raises(BadInput, match="is not what was measured"):
        study_publishing.publish(project, studied, "study")
    assert not (project / "results/published/study").exists()
