# SPDX-License-Identifier: GPL-2.0-only
"""Which folder of results/ a name means, and of what kind it is."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from patchbench.errors import BadInput
from patchbench.runs import archive
from patchbench.runs.archive import FINDINGS, PLAN, STUDY, StoredBench, StoredCheck, StoredStudy

EARLY = "20260101T000000-v0-against-none-mainline"
CHECKED = "20260102T000000-check-v0"
LATE = "20260103T000000-v0-against-none-lts"
STUDIED = "20260104T000000-study-v0-small"
LEG = "20260104T000000-v0-storm"


def store(results: Path, folder: str, file: str, text: str = "{}") -> Path:
    path = results / folder / file
    path.parent.mkdir(parents=True)
    path.write_text(text)
    return path.parent


@pytest.fixture
def results(tmp_path: Path) -> Path:
    """Return a results folder with a bench, a check, a bench, and a study of one leg."""
    store(tmp_path, f"runs/{EARLY}", PLAN)
    store(tmp_path, f"runs/{CHECKED}", FINDINGS)
    store(tmp_path, f"runs/{LATE}", PLAN)
    store(tmp_path, f"studies/{STUDIED}", STUDY)
    store(tmp_path, f"runs/{LEG}", PLAN)
    return tmp_path


@pytest.mark.parametrize(
    ("name", "kind", "folder"),
    [
        (EARLY, StoredBench, f"runs/{EARLY}"),
        ("20260101", StoredBench, f"runs/{EARLY}"),
        (f"runs/{EARLY}", StoredBench, f"runs/{EARLY}"),
        ("20260102", StoredCheck, f"runs/{CHECKED}"),
        (f"studies/{STUDIED}", StoredStudy, f"studies/{STUDIED}"),
        ("latest", StoredBench, f"runs/{LEG}"),
        ("latest-study", StoredStudy, f"studies/{STUDIED}"),
    ],
)
def test_a_name_its_beginning_or_a_path_finds_what_is_stored(
    results: Path, name: str, kind: type[archive.Stored], folder: str
) -> None:
    assert archive.find(results, name) == kind(results / folder)


def test_the_latest_is_a_check_where_that_was_run_last(results: Path) -> None:
    newest = store(results, "runs/20260105T000000-check-v0", FINDINGS)
    assert archive.find(results, "latest") == StoredCheck(newest)
    assert archive.find_bench(results, "latest") == results / "runs" / LEG


def test_a_run_that_left_neither_plan_nor_findings_is_not_the_latest(results: Path) -> None:
    store(results, "runs/20260105T000000-profile-v0", "shares.json")
    assert archive.find(results, "latest") == StoredBench(results / "runs" / LEG)


def test_what_a_study_and_its_runs_begin_with_means_the_study(results: Path) -> None:
    assert archive.find(results, "20260104T000000") == StoredStudy(results / "studies" / STUDIED)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("2026010", "is the beginning of 5 runs"),
        ("nothing", f"no run is called 'nothing'\n.*{LATE}"),
        ("", "no run is called ''"),
    ],
)
def test_a_name_of_nothing_or_of_several_things_lists_what_there_is(
    results: Path, name: str, words: str
) -> None:
    store(results, "studies/20260105T000000-study-v0-full", STUDY)
    shutil.rmtree(results / "runs" / LEG)
    with pytest.raises(BadInput, match=words):
        archive.find(results, name)


def test_where_a_bench_is_needed_another_kind_is_refused_by_name(results: Path) -> None:
    with pytest.raises(BadInput, match=f"{CHECKED} is a check, and this takes a run of `bench`"):
        archive.find_bench(results, CHECKED)


@pytest.mark.parametrize("find", [archive.find, archive.find_bench])
def test_without_any_run_the_message_says_how_to_make_one(
    tmp_path: Path, find: Callable[[Path, str], object]
) -> None:
    with pytest.raises(BadInput, match="invoke bench"):
        find(tmp_path, "latest")


def test_a_published_run_keeps_its_name_and_is_never_the_latest(tmp_path: Path) -> None:
    kept = store(tmp_path, "published/v0-on-7.3", PLAN, json.dumps({"run": EARLY}))
    for name in (EARLY, "20260101", "published/v0-on-7.3"):
        assert archive.find_bench(tmp_path, name) == kept
    with pytest.raises(BadInput, match="invoke bench"):
        archive.find(tmp_path, "latest")
    ours = store(tmp_path, f"runs/{EARLY}", PLAN)
    assert archive.benches(tmp_path) == {EARLY: ours}


def test_a_published_study_holds_its_runs(tmp_path: Path) -> None:
    kept = store(tmp_path, "published/v0-study", STUDY)
    leg = store(tmp_path, f"published/v0-study/runs/{LEG}", PLAN, json.dumps({"run": LEG}))
    assert archive.find(tmp_path, "published/v0-study") == StoredStudy(kept)
    assert archive.find(tmp_path, LEG) == StoredBench(leg)


def test_a_published_check_is_found_by_its_path(tmp_path: Path) -> None:
    kept = store(tmp_path, "published/v0-hazards", FINDINGS)
    assert archive.find(tmp_path, "published/v0-hazards") == StoredCheck(kept)
