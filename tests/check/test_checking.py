# SPDX-License-Identifier: GPL-2.0-only
"""What a check goes through, what it comes to, and what is kept of it."""

from dataclasses import replace
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest

from patchbench import findings
from patchbench.check import checking
from patchbench.check.request import CheckRequest
from patchbench.errors import BadInput, GateFailed, KernelSplat, LostGuest, Undecided
from patchbench.findings import Finding
from patchbench.model import Condition, Source
from patchbench.pipeline import Pipeline
from patchbench.runs import folder as runs
from patchbench.stages import series
from patchbench.store import Store
from tests.fakes import check_result, condition

ROOT = Path(__file__).resolve().parents[2]


def test_nothing_asked_for_is_everything() -> None:
    assert checking.parts(matrix=False, hazards=False) == ("matrix", "hazards")
    assert checking.parts(matrix=True, hazards=False) == ("matrix",)
    assert checking.parts(matrix=False, hazards=True) == ("hazards",)
    assert checking.parts(matrix=False, hazards=False, style=True) == ("style",)


def test_a_published_check_keeps_its_answers_and_is_not_overwritten(tmp_path: Path) -> None:
    (tmp_path / "configs").mkdir()
    sheet = "configs/questions.toml"
    (tmp_path / sheet).write_bytes((ROOT / sheet).read_bytes())
    result = check_result(condition("v0", "fail", questions=("C8",)))
    folder = tmp_path / "results/runs/20260102T000000-check-v0"
    folder.mkdir(parents=True)
    findings.write(folder, result)

    kept = checking.publish(tmp_path, folder, "v0-hazards")
    assert findings.read(kept) == result
    assert "| C8 | " in (kept / "answers.md").read_text()
    runs.check_seal(kept)
    with pytest.raises(BadInput, match="published already"):
        checking.publish(tmp_path, folder, "v0-hazards")


def test_a_kernel_without_a_port_is_untested_and_the_others_still_run(tmp_path: Path) -> None:
    (tmp_path / "configs").mkdir()
    (tmp_path / "configs/matrix.toml").write_text("compilers = {}\n[rows]\n")
    (tmp_path / "patches/vx/6.12").mkdir(parents=True)
    versions = {"mainline": "7.3.4", "stable": "7.2.1"}
    pipeline = SimpleNamespace(
        store=Store(tmp_path / "shelf"),
        root=tmp_path,
        results=tmp_path / "results",
        source=lambda kernel, _: Source(kernel, versions[kernel], "a test's", tmp_path, "c0", ""),
        series=partial(series.load, tmp_path),
        new_name=lambda what: f"20260101T000000-{what}",
    )
    request = CheckRequest("vx", ("mainline", "stable"), parts=("matrix",))
    checked = checking.check(cast(Pipeline, pipeline), request)
    assert [(one.kernel, one.state) for one in checked.result.findings] == [
        ("mainline", "untested"),
        ("stable", "untested"),
    ]
    assert "no port of series vx is called '7.3'" in checked.result.findings[0].says
    assert findings.read(checked.folder) == checked.result
    error = checking.verdict_error(checked.result, checked.errors)
    assert error
    assert error.exit_code == 20


def test_the_status_tells_a_worse_series_from_a_bad_kernel_and_from_an_open_question() -> None:
    good = [condition("none", "pass"), condition("v0", "pass")]
    worse = condition("v0", "fail", "x")
    splat, lost = (condition("none", "fail", "", kind=kind) for kind in ("console", "boot"))

    def error(*more: Finding) -> type | None:
        found = checking.verdict_error(check_result(*good, *more))
        return type(found) if found else None

    assert error() is None
    assert error(condition("v0", "untested", "x")) is Undecided
    assert error(worse) is GateFailed
    assert error(worse, splat) is KernelSplat
    assert error(worse, lost) is LostGuest


def test_what_fails_with_the_revision_before_as_well_is_no_news() -> None:
    known = [condition("v0", "fail"), condition("v1", "fail")]
    result = check_result(*known, series="v1", against="v0")
    assert checking.verdict_error(result) is None
    assert checking.problems(result)[1].endswith("(with v0 as well)")
    worse = (condition("v0", "pass", "x"), condition("v1", "fail", "x"))
    error = checking.verdict_error(replace(result, findings=(*known, *worse)))
    assert isinstance(error, GateFailed)
    assert "1 checks fail with v1 and do not with v0" in str(error)


def test_the_table_says_what_a_condition_that_passes_keeps_to() -> None:
    bound = Condition("left_bytes", ("C5",), "lost", at_most=524288).bound
    result = check_result(condition("v0", "pass", "left_bytes", bound=bound))
    assert checking.table(result) == [["mainline", "residue: left_bytes, at most 524288", "pass"]]


@pytest.mark.parametrize(
    ("condition_", "bound"),
    [
        (Condition("n", (), "w", at_most_base_pct=105), "on average at most 105 % of that"),
        (Condition("n", (), "w", at_least_base_pct=95), "on average at least 95 % of that"),
        (Condition("n", (), "w", at_least=1), "at least 1"),
        (Condition("n", (), "w", equals="0"), "must be 0"),
    ],
)
def test_a_condition_s_bound_is_said_in_words(condition_: Condition, bound: str) -> None:
    assert condition_.bound == bound


def test_the_table_has_a_row_for_each_question_and_a_column_for_each_series() -> None:
    result = check_result(
        condition("none", "pass"), condition("v0", "pass"), condition("v0", "fail"),
        condition("v0", "pass", "swapoff"),
    )  # fmt: skip
    assert checking.headings(result) == ["kernel", "what", "none", "v0"]
    assert checking.table(result) == [
        ["mainline", "residue: left_pages", "pass", "FAIL"],
        ["mainline", "residue: swapoff", "-", "pass"],
    ]
