# SPDX-License-Identifier: GPL-2.0-only
"""What a check is asked for, and how a stored one is found again."""

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest

from patchbench.check import checking
from patchbench.check.matrixing import CheckRequest
from patchbench.errors import BadInput
from patchbench.model import Finding, Source
from patchbench.pipeline import Pipeline
from patchbench.runs import folder as runs
from patchbench.runs.archive import FINDINGS

ROOT = Path(__file__).resolve().parents[2]
FOUND = Finding("build", "mainline", "7.3.4", "v0", "arm64-noswap: build", "fail", "broken")


@pytest.fixture
def results(tmp_path: Path) -> Path:
    """Return a results folder with a bench and, after it, a check."""
    for name, file in (("20260101T000000-v0", "plan.json"), ("20260102T000000-check-v0", "")):
        folder = tmp_path / "runs" / name
        folder.mkdir(parents=True)
        (folder / (file or FINDINGS)).write_text(checking.as_json([FOUND]))
    return tmp_path


def test_nothing_asked_for_is_everything() -> None:
    assert checking.parts(matrix=False, hazards=False) == ("matrix", "hazards")
    assert checking.parts(matrix=True, hazards=False) == ("matrix",)
    assert checking.parts(matrix=False, hazards=True) == ("hazards",)


def test_a_check_is_read_as_it_was_found(results: Path) -> None:
    assert checking.read(results / "runs/20260102T000000-check-v0") == (FOUND,)


def test_a_damaged_file_is_named(results: Path) -> None:
    folder = results / "runs/20260102T000000-check-v0"
    (folder / FINDINGS).write_text("[{")
    with pytest.raises(BadInput, match=r"findings\.json is damaged"):
        checking.read(folder)


def test_a_published_check_keeps_its_answers_and_is_not_overwritten(tmp_path: Path) -> None:
    (tmp_path / "configs").mkdir()
    sheet = "configs/questions.toml"
    (tmp_path / sheet).write_bytes((ROOT / sheet).read_bytes())
    left = replace(FOUND, check="hazard", subject="residue: left_pages", questions=("C8",))
    folder = tmp_path / "results/runs/20260102T000000-check-v0"
    folder.mkdir(parents=True)
    (folder / FINDINGS).write_text(checking.as_json([left]))

    kept = checking.publish(tmp_path, folder, "v0-hazards")
    assert checking.read(kept) == (left,)
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
        root=tmp_path,
        results=tmp_path / "results",
        source=lambda kernel, _: Source(kernel, versions[kernel], "a test's", tmp_path, "c0"),
    )
    request = CheckRequest("vx", ("mainline", "stable"), parts=("matrix",))
    told = checking.check(cast(Pipeline, pipeline), request)
    assert [(one.kernel, one.state) for one in told.findings] == [
        ("mainline", "untested"),
        ("stable", "untested"),
    ]
    assert "no port of series vx is called '7.3'" in told.findings[0].says
    assert checking.read(told.folder) == told.findings
    error = checking.verdict_error(told.findings, told.errors)
    assert error
    assert error.exit_code == 20


def test_the_table_shows_the_arms_in_the_order_of_the_patches() -> None:
    found = [
        Finding("build", "mainline", "7.3.4", arm, "row: build", "pass", "it builds")
        for arm in ("v0@2", "v0", "none", "v0@1", "v0@10")
    ]
    assert checking.headings(found)[2:] == ["none", "v0@1", "v0@2", "v0@10", "v0"]
