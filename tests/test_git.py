# SPDX-License-Identifier: GPL-2.0-only
"""What is asked of git itself."""

from pathlib import Path

import pytest

from patchbench.errors import ToolFailed
from patchbench.tools.git import Repository
from tests.fakes import git, small_repository


def test_words_are_whole_and_found_in_the_commit_and_not_in_the_folder(tmp_path: Path) -> None:
    repository = Repository(small_repository(tmp_path / "kernel"))
    commit = git(repository.path, "rev-parse", "HEAD")
    (repository.path / "mm/swapfile.c").write_text("later\n")
    asked = {"line", "lin", "later", "VERSION", "-x"}
    assert repository.words(commit, asked, ["*.c"]) == {"line"}
    assert repository.words(commit, asked, []) == {"line", "VERSION"}
    assert repository.words(commit, (), ["*.c"]) == set()


def test_a_search_that_breaks_is_not_a_search_that_finds_nothing(tmp_path: Path) -> None:
    repository = Repository(small_repository(tmp_path / "kernel"))
    with pytest.raises(ToolFailed):
        repository.words("0123456789", {"line"}, ["*.c"])


def test_the_lines_of_a_commit_are_counted_and_those_of_a_binary_file_are_none(
    tmp_path: Path,
) -> None:
    folder = small_repository(tmp_path / "kernel")
    base = git(folder, "rev-parse", "HEAD")
    source = folder / "mm/swapfile.c"
    source.write_text(source.read_text().replace("line 7\n", "one\ntwo\nthree\n"))
    (folder / "logo.bin").write_bytes(b"\0\n\0\n")
    git(folder, "add", "--all", "--force")
    git(folder, "commit", "--quiet", "--message", "change")
    assert Repository(folder).lines(base, git(folder, "rev-parse", "HEAD")) == (3, 1)
