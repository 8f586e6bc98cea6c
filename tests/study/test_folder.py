# SPDX-License-Identifier: GPL-2.0-only
"""A study's logbook: read in every schema, refused if it is damaged."""

from pathlib import Path

import pytest

from patchbench.catalog import adapter
from patchbench.errors import BadInput
from patchbench.runs.archive import STUDY
from patchbench.study import folder as studies
from patchbench.study import loading, upgrade
from patchbench.study import plan as plans
from patchbench.study.folder import LegEntry, Logbook
from patchbench.study.rules import ChangeRule, DifferenceRule, HazardRule
from tests.recorded import PROJECT


@pytest.fixture(scope="module")
def logbook() -> Logbook:
    """Return the logbook of a study of v0 of which nothing was run."""
    plan = loading.load(PROJECT, "v0")
    legs = [LegEntry(leg) for leg in plans.legs(plan, "small")]
    name, versions = "20260101T000000-study-v0-small", {"mainline": "7.3.4"}
    return Logbook(name, "./bootstrap study", "key", "small", plan, legs, versions)


def test_a_logbook_is_read_as_it_was_written(logbook: Logbook, tmp_path: Path) -> None:
    studies.save(tmp_path, logbook)
    assert studies.read(tmp_path) == logbook


def test_a_study_of_a_newer_schema_is_refused(logbook: Logbook, tmp_path: Path) -> None:
    studies.save(tmp_path, logbook)
    path = tmp_path / STUDY
    newer = studies.SCHEMA + 1
    path.write_text(path.read_text().replace(f'"schema": {studies.SCHEMA}', f'"schema": {newer}'))
    with pytest.raises(BadInput, match=f"has schema {newer}: update patchbench"):
        studies.read(tmp_path)


@pytest.mark.parametrize("text", ["{", "{}", '{"schema": 1}', "[]"])
def test_a_damaged_study_is_bad_input(tmp_path: Path, text: str) -> None:
    (tmp_path / STUDY).write_text(text)
    with pytest.raises(BadInput, match="is not a study this version reads"):
        studies.read(tmp_path)


#: A rule as schema 1 wrote every rule down.
EMPTY = {
    "cell": "storm", "kernel": "mainline", "machine": "exact", "metric": "", "arm": "", "since": "",
    "than": "", "functions": [], "finding": "", "says": "pass", "patches": 0, "at_most": None,
    "at_least": None, "at_most_pct": None, "at_least_pct": None,
}  # fmt: skip


def test_rules_and_legs_of_schema_1_are_read_in_todays_words() -> None:
    rules = [
        {**EMPTY, "metric": "exit_ns", "at_most_pct": 0.0},
        {**EMPTY, "metric": "late_frames", "arm": "both", "at_most": -1.0},
        {**EMPTY, "finding": "swapoff", "says": "fail", "patches": 1},
    ]
    stored = {
        "plan": {"statements": [{"rules": rules}], "controls": []},
        "legs": [{"state": "left out"}],
        "schema": 1,
    }
    upgraded = upgrade.upgraded(stored)
    statement = adapter(plans.Statement).validate_python(
        {"id": "a", "by": "b", "says": "c", **upgraded["plan"]["statements"][0]}
    )
    assert statement.rules == (
        ChangeRule(cell="storm", metric="exit_ns", at_most_pct=0),
        DifferenceRule(cell="storm", metric="late_frames", difference_at_most=-1),
        HazardRule(cell="storm", finding="swapoff", says="fail", patches=1),
    )
    assert (upgraded["legs"], upgraded["schema"]) == ([{"state": "skipped"}], 2)


def test_what_reads_a_kind_of_file_is_made_once() -> None:
    assert adapter(Logbook) is adapter(Logbook)
