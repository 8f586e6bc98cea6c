# SPDX-License-Identifier: GPL-2.0-only
"""Series from a user's own branch and mailbox, taken into the pipeline and onto a kernel."""

from pathlib import Path

import pytest

from patchbench.errors import BadInput, ToolFailed
from patchbench.intake import taking
from patchbench.pipeline import Pipeline
from patchbench.runs.benching import BenchRequest
from tests.fakes import KERNEL_FILES, Listener, git, small_repository

pytestmark = pytest.mark.slow

EDITED = KERNEL_FILES["mm/swapfile.c"].replace("\n", " /* edited */\n", 1)


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """Return a kernel with a branch of two commits, `mine`, and HEAD elsewhere."""
    path = small_repository(tmp_path / "linux")
    git(path, "branch", "base")
    for number in (1, 2):
        (path / "mm/swapfile.c").write_text(EDITED * number)
        git(path, "commit", "--all", "--message", f"mm: edit {number}\n\nBecause.")
    git(path, "branch", "mine")
    (path / "mm/swapfile.c").write_text("// not part of anything\n")
    return path


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    root = tmp_path / "checkout"
    (root / "patches").mkdir(parents=True)
    return root


def test_a_branch_is_measured_with_no_file_in_the_checkout(
    tmp_path: Path, repository: Path, checkout: Path
) -> None:
    with Pipeline(checkout, tmp_path / "cache", Listener()) as run:
        name, _ = taking.take(run, "base..mine", tree=str(repository))
        applied = run.apply(run.source("", str(repository)), name)
    assert name == "series-mine"
    assert applied.series.base.endswith(
        "has 1 of 1 files as the author saw them; base-commit "
        f"{git(repository, 'rev-parse', 'base')[:12]} is in its tree"
    )
    assert applied.id == git(repository, "rev-parse", "mine^{tree}")
    assert len(applied.series.patches) == 2


def test_the_first_patch_of_a_branch_can_be_asked_for_alone(
    tmp_path: Path, repository: Path, checkout: Path
) -> None:
    with Pipeline(checkout, tmp_path / "cache", Listener()) as run:
        name, _ = taking.take(run, "base..mine", tree=str(repository))
        applied = run.apply(run.source("", str(repository)), f"{name}@1")
    assert applied.id == git(repository, "rev-parse", "mine~1^{tree}")


def test_a_mailbox_on_standard_input_is_a_series(
    tmp_path: Path, repository: Path, checkout: Path
) -> None:
    mbox = git(repository, "format-patch", "--stdout", "base..mine").encode() + b"\n"
    git(repository, "reset", "--hard", "base")
    with Pipeline(checkout, tmp_path / "cache", Listener()) as run:
        name, _ = taking.take(run, "-", tree=str(repository), stdin=lambda: mbox)
        applied = run.apply(run.source("", str(repository)), name)
    assert applied.id == git(repository, "rev-parse", "mine^{tree}")


def test_a_range_without_its_repository_is_refused(tmp_path: Path, checkout: Path) -> None:
    with (
        Pipeline(checkout, tmp_path / "cache", Listener()) as run,
        pytest.raises(BadInput, match="--tree names it"),
    ):
        taking.take(run, "base..mine")


@pytest.mark.parametrize(
    ("text", "message"),
    [("mine..base", "holds no commit"), ("base..nowhere", "no commit 'nowhere'")],
)
def test_a_range_that_holds_nothing_is_refused(
    tmp_path: Path, repository: Path, checkout: Path, text: str, message: str
) -> None:
    with (
        Pipeline(checkout, tmp_path / "cache", Listener()) as run,
        pytest.raises(BadInput, match=message),
    ):
        taking.take(run, text, tree=str(repository))


def test_a_series_that_needs_another_first_is_refused_by_name(
    tmp_path: Path, repository: Path, checkout: Path
) -> None:
    mail = git(repository, "format-patch", "-1", "--stdout", "mine")
    mail += "\nprerequisite-message-id: <20260101-other@example.org>\n"
    with (
        Pipeline(checkout, tmp_path / "cache", Listener()) as run,
        pytest.raises(BadInput, match="needs first:\n  prerequisite-message-id: <20260101-other"),
    ):
        taking.take(run, "-", stdin=mail.encode)


def test_a_message_id_without_b4_says_what_to_do(
    tmp_path: Path, checkout: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with (
        Pipeline(checkout, tmp_path / "cache", Listener()) as run,
        pytest.raises(ToolFailed, match=r"b4 is not installed\n  `pip install b4`"),
    ):
        taking.take(run, "20260101-x-v1-1@example.org")


def test_the_name_of_a_series_here_is_taken_as_it_is(tmp_path: Path, checkout: Path) -> None:
    with Pipeline(checkout, tmp_path / "cache", Listener()) as run:
        assert taking.take(run, "v0@1") == ("v0@1", "mainline")


def test_a_bench_of_a_branch_is_repeated_by_the_command_that_was_typed(
    tmp_path: Path, repository: Path, checkout: Path
) -> None:
    asked = BenchRequest(
        "base..mine", "none", "", str(repository), "exit-storm", ("exact",), "bench", 2, False, {}
    )
    with Pipeline(checkout, tmp_path / "cache", Listener()) as run:
        request = taking.resolved(run, asked)
    assert request.series == "series-mine"
    assert "--series base..mine" in request.command()


def test_two_branches_on_two_bases_are_not_compared(
    tmp_path: Path, repository: Path, checkout: Path
) -> None:
    with Pipeline(checkout, tmp_path / "cache", Listener()) as run:
        taking.take(run, "base..mine", tree=str(repository))
        with pytest.raises(BadInput, match="compare series on one base"):
            taking.take(run, "mine~1..mine", tree=str(repository))


TRACKING = """mm: edit twice

Because it is twice as good.

--- b4-submit-tracking ---
# This section is used internally by b4 prep for tracking purposes.
{{"series": {{"revision": 3, "change-id": "20260101-edit-0123", "prerequisites": [{}]}}}}
"""


def prepared(repository: Path, prerequisite: str = "") -> None:
    """Make the branch b4/edit: `mine` with the cover letter that `b4 prep` keeps before it."""
    git(repository, "stash")
    git(repository, "checkout", "-b", "b4/edit", "base")
    git(repository, "commit", "--allow-empty", "--message", TRACKING.format(prerequisite))
    git(repository, "cherry-pick", "base..mine")


def test_a_branch_of_b4_prep_knows_its_base_and_its_cover_letter(
    tmp_path: Path, repository: Path, checkout: Path
) -> None:
    prepared(repository)
    with Pipeline(checkout, tmp_path / "cache", Listener()) as run:
        taken = taking.read(run, "b4/edit", tree=str(repository))
    posting = taken.posting
    assert (posting.title, posting.revision) == ("mm: edit twice", 3)
    assert posting.change_id == "20260101-edit-0123"
    assert posting.base_commit == git(repository, "rev-parse", "base^0")
    assert len(posting.patches) == 2


def test_what_a_branch_of_b4_prep_needs_first_is_refused_by_name(
    tmp_path: Path, repository: Path, checkout: Path
) -> None:
    prepared(repository, '"change-id: 20251231-first-9876:v2"')
    with (
        Pipeline(checkout, tmp_path / "cache", Listener()) as run,
        pytest.raises(BadInput, match="prerequisite-change-id: 20251231-first-9876:v2"),
    ):
        taking.read(run, "b4/edit", tree=str(repository))


def test_any_other_branch_needs_a_base(tmp_path: Path, repository: Path, checkout: Path) -> None:
    git(repository, "branch", "b4/plain", "mine")
    with (
        Pipeline(checkout, tmp_path / "cache", Listener()) as run,
        pytest.raises(BadInput, match=r"give a range: --series BASE\.\.b4/plain"),
    ):
        taking.read(run, "b4/plain", tree=str(repository))
