# SPDX-License-Identifier: GPL-2.0-only
"""Which kernel a series from a mailbox goes on, and why."""

from pathlib import Path

import pytest

from patchbench.errors import BadInput, DoesNotApply
from patchbench.intake import bases, taking
from patchbench.intake.bases import Score
from patchbench.pipeline import Pipeline
from patchbench.tools.git import Repository
from tests.fakes import Listener, git, small_repository

slow = pytest.mark.slow


def scored(kernel: str, seen: int, *, has_base: bool = False) -> Score:
    return Score(kernel, "7.3.4", seen, 9, has_base)


def test_the_base_commit_s_kernel_comes_first_then_the_one_with_most_files_as_seen() -> None:
    scores = [scored("few", 2), scored("most", 9), scored("base", 1, has_base=True)]
    assert [one.kernel for one in bases.in_order(scores)] == ["base", "most", "few"]


def test_a_base_commit_that_is_in_no_tree_is_said_with_what_the_kernel_has() -> None:
    assert bases.fit("0123" * 10, scored("mainline", 7)) == (
        "mainline 7.3.4 has 7 of 9 files as the author saw them; "
        "base-commit 012301230123 is not in its tree"
    )


def test_a_series_that_only_adds_files_fits_any_kernel() -> None:
    assert bases.fit("", Score("lts", "6.12", 0, 0, has_base=False)) == (
        "the series only adds files to lts 6.12"
    )


@pytest.fixture
def mbox(tmp_path: Path) -> Path:
    """Return a patch of line 30, made on a kernel in which line 1 is another."""
    kernel = small_repository(tmp_path / "author")
    source = kernel / "mm/swapfile.c"
    source.write_text(source.read_text().replace("line 1\n", "line one\n"))
    git(kernel, "commit", "--all", "--message", "mm: theirs")
    source.write_text(source.read_text().replace("line 30\n", "line thirty\n"))
    git(kernel, "commit", "--all", "--message", "mm: say thirty\n\nBecause.")
    (tmp_path / "thirty.mbox").write_text(git(kernel, "format-patch", "-1", "--stdout") + "\n")
    return tmp_path / "thirty.mbox"


@pytest.fixture
def run(tmp_path: Path, mbox: Path) -> Pipeline:
    """Return a pipeline that has fetched `theirs`, which has what the author saw, and `other`."""
    author, other = tmp_path / "author", small_repository(tmp_path / "other")
    kernels = tmp_path / "checkout/configs/kernels"
    kernels.mkdir(parents=True)
    (tmp_path / "checkout/patches").mkdir()
    for name, path, ref in (("mainline", other, "HEAD"), ("theirs", author, "HEAD~1")):
        git(path, "branch", "here", ref)
        (kernels / f"{name}.toml").write_text(
            f'summary = "a test\'s"\n[origin]\nkind = "git"\nurl = "{path}"\nref = "here"\n'
        )
    made = Pipeline(tmp_path / "checkout", tmp_path / "cache", Listener())
    for name in ("mainline", "theirs"):
        made.fetch(made.catalog.kernel(name))
    return made


@slow
def test_a_mailbox_goes_on_the_kernel_that_its_author_saw(run: Pipeline, mbox: Path) -> None:
    assert taking.take(run, str(mbox))[1] == "theirs"


@slow
def test_a_kernel_that_is_asked_for_is_taken_and_what_it_lacks_is_said(
    run: Pipeline, mbox: Path
) -> None:
    name, kernel = taking.take(run, str(mbox), kernel="mainline")
    assert kernel == "mainline"
    assert run.series(name, "7.3").base.startswith("mainline 7.3.4 has 0 of 1 files")


@slow
def test_a_series_that_applies_nowhere_is_refused_with_the_table(run: Pipeline, mbox: Path) -> None:
    mbox.write_text(mbox.read_text().replace(" line 29\n", " line nine-and-twenty\n"))
    with pytest.raises(DoesNotApply, match=r"none of the kernels here\n  theirs: .*\n  mainline: "):
        taking.take(run, str(mbox))


@slow
def test_a_change_that_is_in_the_kernel_is_said_to_be(run: Pipeline, tmp_path: Path) -> None:
    git(tmp_path / "author", "branch", "--force", "here", "HEAD")
    run.fetch(run.catalog.kernel("theirs"))
    taken = taking.read(run, str(tmp_path / "thirty.mbox"))
    run.adopt(taken.name, taken.root)
    with pytest.raises(DoesNotApply, match=r"already in theirs 7\.3\.4"):
        run.apply(run.source("theirs"), taken.name)


@slow
def test_prerequisites_that_the_tree_has_are_met(run: Pipeline, tmp_path: Path) -> None:
    tree = tmp_path / "author"
    mail = (tmp_path / "thirty.mbox").read_text()
    base = git(tree, "rev-parse", "HEAD~1")
    (ident,) = Repository(tree).patch_ids("--max-count=1", "HEAD~1")
    met = f"prerequisite-patch-id: {ident}\nprerequisite-base-commit: {base}\n"
    taking.take(run, "-", tree=str(tree), stdin=(mail + met).encode)
    other = mail + "prerequisite-patch-id: " + "0123456789" * 4 + "\n"
    with pytest.raises(BadInput, match="needs first:\n  prerequisite-patch-id: 0123456789"):
        taking.take(run, "-", tree=str(tree), stdin=other.encode)
