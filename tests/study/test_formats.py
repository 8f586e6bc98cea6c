# SPDX-License-Identifier: GPL-2.0-only
"""A study outside the project: every statement, in each format, and nothing else on stdout."""

import json
import shutil
from pathlib import Path

import pytest

from tests.command import in_checkout, invoke
from tests.recorded import PROJECT

STUDY = "published/v0-study"


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a checkout with the published study, of which only two hazards are kept."""
    for name in ("configs", "qemu", "workloads", "patches"):
        (tmp_path / name).symlink_to(PROJECT / name)
    source, target = PROJECT / "results" / STUDY, tmp_path / "results" / STUDY
    target.mkdir(parents=True)
    shutil.copyfile(source / "study.json", target / "study.json")
    for run in (source / "runs").glob("*-cgroups-*"):
        shutil.copytree(run, target / "runs" / run.name)
    in_checkout(monkeypatch, tmp_path)
    return tmp_path


def test_report_json_of_a_study_prints_json_and_nothing_else(checkout: Path) -> None:
    done = invoke("report", "--run", STUDY, "--json")
    outcomes = {one["id"]: one["outcome"] for one in json.loads(done.stdout)["statements"]}
    assert (outcomes["Q16"], outcomes["Q13"]) == ("refuted", "not answered")


@pytest.mark.parametrize(
    ("name", "begins"), [("html", "<!DOCTYPE html>"), ("markdown", "# "), ("json", "{")]
)
def test_a_study_is_exported_in_the_formats_that_it_has(
    checkout: Path, name: str, begins: str
) -> None:
    done = invoke("report", "--run", STUDY, "--format", name)
    assert (done.status, done.stdout.lstrip().startswith(begins)) == (0, True), done.stderr


def test_a_format_that_a_study_lacks_is_refused_with_those_that_it_has(checkout: Path) -> None:
    done = invoke("report", "--run", STUDY, "--format", "csv")
    assert done.status == 20
    assert "--format csv: a study has the formats html, json, markdown" in done.stderr
