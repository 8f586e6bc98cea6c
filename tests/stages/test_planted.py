# SPDX-License-Identifier: GPL-2.0-only
"""A planted series: a text of a kernel, replaced."""

from pathlib import Path

import pytest

from patchbench.errors import BadInput
from patchbench.model import Source
from patchbench.stages import planted, series
from patchbench.stages.planted import Plant
from tests.fakes import git, small_repository


@pytest.fixture
def source(tmp_path: Path) -> Source:
    repository = small_repository(tmp_path / "linux")
    commit = git(repository, "rev-parse", "HEAD")
    return Source("small", "7.3.4", "a test's", repository / ".git", commit, "")


def plant(find: str) -> Plant:
    return Plant("do more", "mm/swapfile.c", find, "line 5 and {n} instructions\n")


def test_a_plant_becomes_a_series_of_one_patch_with_its_size(
    source: Source, tmp_path: Path
) -> None:
    planted.write(plant("line 5\n"), source, tmp_path, "slower-8", tmp_path / "scratch", 8)
    (patch,) = series.load(tmp_path, "slower-8", "7.3").patches
    assert "+line 5 and 8 instructions" in patch.path.read_text()
    assert not (tmp_path / "scratch").exists()


@pytest.mark.parametrize(("find", "found"), [("line 1", 11), ("line 99", 0)])
def test_a_text_that_is_not_there_exactly_once_is_refused_with_its_count(
    source: Source, tmp_path: Path, find: str, found: int
) -> None:
    with pytest.raises(BadInput, match=f"must contain the text exactly once, found {found}"):
        planted.write(plant(find), source, tmp_path, "slower-8", tmp_path / "scratch", 8)
