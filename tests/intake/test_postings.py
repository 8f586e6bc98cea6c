# SPDX-License-Identifier: GPL-2.0-only
from collections.abc import Sequence

import pytest

from patchbench.errors import BadInput
from patchbench.intake.mails import Mail
from patchbench.intake.postings import Posting, choose
from tests.intake.build import DIFF, mail


def post(*mails: Mail, revision: int | None = None) -> Posting:
    return choose(mails, where="thread.mbox", revision=revision)


def titles(patches: Sequence[Mail]) -> list[str]:
    return [one.subject.title for one in patches]


def test_patches_come_in_the_order_of_their_numbers() -> None:
    assert titles(post(mail("[PATCH 2/2] b"), mail("[PATCH 1/2] a")).patches) == ["a", "b"]


def test_the_highest_revision_is_taken_unless_another_is_asked_for() -> None:
    both = (mail("[PATCH 1/1] old"), mail("[PATCH v2 1/1] new"))
    assert titles(post(*both).patches) == ["new"]
    assert titles(post(*both, revision=1).patches) == ["old"]


def test_a_revision_that_is_not_there_is_refused_with_those_that_are() -> None:
    with pytest.raises(BadInput, match=r"no revision 3; it holds v1, v2"):
        post(mail("[PATCH] a"), mail("[PATCH v2] a"), revision=3)


def test_a_partial_reroll_keeps_the_other_patches_and_the_cover() -> None:
    posting = post(
        mail("[PATCH 0/3] all", "0", body="words"),
        mail("[PATCH 1/3] a", "1", "0"),
        mail("[PATCH 2/3] b", "2", "0"),
        mail("[PATCH 3/3] c", "3", "0"),
        mail("[PATCH v2 2/3] b, better", "2b", "2"),
    )
    assert titles(posting.patches) == ["a", "b, better", "c"]
    assert posting.taken_over == (1, 3)
    assert posting.title == "all"


def test_a_new_thread_that_lacks_a_part_is_not_completed_from_an_older_one() -> None:
    with pytest.raises(BadInput, match="lacks part 1/2"):
        post(mail("[PATCH 1/2] a", "1"), mail("[PATCH 2/2] b", "2"), mail("[PATCH v2 2/2] b", "x"))


def test_replies_are_put_aside_with_the_reason() -> None:
    posting = post(
        mail("[PATCH] a", "1"),
        mail("Re: [PATCH] a", "2", "1", body="> +++ quoted\nReviewed-by: R <r@b.org>\n"),
        mail("Re: [PATCH] a", "3", "1", body=f"on top:\n{DIFF}"),
    )
    assert titles(posting.patches) == ["a"]
    assert [one.why for one in posting.aside] == ["a reply", "a reply with a diff of its own"]


def test_a_robots_mail_is_put_aside() -> None:
    posting = post(mail("[PATCH] a", "1"), mail("[akpm-mm] a added to mm-new", "2", "1", "branch"))
    assert [one.why for one in posting.aside] == ["no diff in it"]


def test_copies_of_a_mail_count_once() -> None:
    assert len(post(mail("[PATCH] a", "1"), mail("[PATCH] a", "1")).patches) == 1


def test_an_unthreaded_series_is_one() -> None:
    assert titles(post(mail("[PATCH 1/2] a", "1"), mail("[PATCH 2/2] b", "2")).patches) == [
        "a",
        "b",
    ]


def test_patches_without_numbers_come_as_they_came() -> None:
    assert titles(post(mail("[PATCH] a", "1"), mail("[PATCH] b", "2")).patches) == ["a", "b"]


@pytest.mark.parametrize(
    ("mails", "message"),
    [
        ([mail("[PATCH RFC v3 02/10] a")], "lacks parts 1/10, 3/10, 4/10"),
        ([mail("[PATCH 1/2] a", "1"), mail("[PATCH 1/2] b", "2")], "2 patches with number 1"),
        ([mail("[PATCH 0/2] all", body="words")], "only the cover letter"),
        ([mail("[GIT PULL] mm", body="git://x tags/y")], "it is a pull request"),
        ([mail("hello", body="words")], "holds no patch\n  hello: no diff in it"),
        (
            [mail("[PATCH 0/1] a", "1", body="w"), mail("[PATCH 0/1] b", "2", body="w"),
             mail("[PATCH 1/1] c", "3")],
            "holds 2 series:\n  a\n  b",
        ),
        ([mail("[PATCH 1/2] a", "1"), mail("[PATCH 1/3] b", "2")], "two series, of 2 and 3"),
        ([mail("[PATCH 3/2] a")], "lacks parts 1/2, 2/2"),
        ([mail("[PATCH 1/1] a", "1"), mail("[PATCH] b", "2")], "'b' has no number"),
    ],
)  # fmt: skip
def test_what_is_no_whole_series_is_refused_and_named(mails: list[Mail], message: str) -> None:
    with pytest.raises(BadInput) as refused:
        choose(mails, where="x.mbox")
    assert message in str(refused.value)


def test_what_it_is_based_on_and_needs_first_is_known() -> None:
    footers = "base-commit: 0123\nprerequisite-patch-id: 45\nprerequisite-change-id: c:v1\n"
    posting = post(mail("[PATCH] a", body=f"x\n---\n{DIFF}\n{footers}"))
    assert posting.base_commit == "0123"
    assert posting.prerequisites == (
        ("prerequisite-patch-id", "45"),
        ("prerequisite-change-id", "c:v1"),
    )
