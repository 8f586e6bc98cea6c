# SPDX-License-Identifier: GPL-2.0-only
"""The answer sheet says no more than was looked at."""

import json
from pathlib import Path

import pytest

from patchbench.check import answers
from patchbench.check.answers import Question
from patchbench.findings import Finding, FindingKind, FindingState
from tests.fakes import check_result, condition

ROOT = Path(__file__).resolve().parents[2]


def found(
    series: str, state: FindingState, on: str = "left_pages", kind: FindingKind = "condition"
) -> Finding:
    return condition(series, state, on, kind=kind, questions=("C8",))


def state(*findings: Finding, question: Question | None = None) -> str:
    asked = {"C8": question or Question("swap stays")}
    (answer,) = answers.answer(asked, check_result(*findings), "run").answers
    return answer.state


def test_every_question_is_here_and_numbered() -> None:
    assert [*answers.questions(ROOT)] == [f"C{number}" for number in range(1, 15)]


@pytest.mark.parametrize(
    ("findings", "expected"),
    [
        ((found("none", "pass"), found("v0", "fail")), "confirmed"),
        ((found("none", "pass"), found("v0", "pass")), "not confirmed"),
        ((found("none", "pass"), found("v0", "untested")), "not tested"),
        ((found("none", "fail"), found("v0", "fail")), "not tested"),  # the kernel's own
        ((found("none", "pass"), found("v0@1", "fail")), "not tested"),  # of another arm
    ],
)
def test_a_claim_of_harm_is_confirmed_only_by_a_regression(
    findings: tuple[Finding, ...], expected: str
) -> None:
    assert state(*findings) == expected


def test_an_untested_condition_leaves_a_claim_open_unless_another_confirms_it() -> None:
    base, open_one = found("none", "pass"), found("v0", "untested", "swapoff")
    assert state(base, found("v0", "pass"), open_one) == "not tested"
    assert state(base, found("v0", "fail"), open_one) == "confirmed"


def test_a_claim_that_nothing_changes_is_confirmed_by_passing() -> None:
    as_is = Question("paths are left as they are", confirmed_by="pass")
    assert state(found("none", "pass"), found("v0", "pass"), question=as_is) == "confirmed"
    assert state(found("none", "pass"), found("v0", "fail"), question=as_is) == "not confirmed"
    assert state(found("none", "pass"), found("v0", "untested"), question=as_is) == "not tested"


def test_a_lost_guest_answers_nothing_and_leaves_the_question_open() -> None:
    base = found("none", "pass")
    assert state(base, found("v0", "fail", "", "boot")) == "not tested"
    assert state(base, found("v0", "pass"), found("v0", "fail", "", "boot")) == "not tested"


def test_a_quiet_console_is_no_answer() -> None:
    quiet = [found(series, "pass", "", "console") for series in ("none", "v0")]
    assert state(*quiet) == "not tested"


def test_the_sheet_answers_for_the_judged_series_and_not_for_the_older_revision() -> None:
    # Before 26201f18983b: the longest name was taken for the judged series.
    """The revision with the longest name was taken for the judged one: v0~COMMIT, which fails."""
    older, newer = found("v0~0123456789ab", "fail"), found("v0", "pass")
    result = check_result(older, newer, against="v0~0123456789ab")
    sheet = answers.answer({"C8": Question("swap stays")}, result, "run")
    assert (sheet.series, sheet.answers[0].state) == ("v0", "not confirmed")


def test_what_no_run_can_answer_says_why() -> None:
    never = Question("setting up fails", untestable="it cannot be made to fail")
    (answer,) = answers.answer({"C14": never}, check_result(found("v0", "pass")), "run").answers
    assert (answer.state, answer.evidence) == ("not testable here", ("it cannot be made to fail",))


def test_the_sheet_is_written_with_the_figure_and_the_run(tmp_path: Path) -> None:
    asked = {"C8": Question("swap stays"), "C9": Question("groups stay")}
    result = check_result(found("none", "pass"), found("v0", "fail"))
    sheet = answers.answer(asked, result, "20260101T0")
    text = answers.write(tmp_path, sheet).read_text()
    assert "| C8 | swap stays | confirmed |" in text
    assert "| C9 | groups stay | not tested |" in text
    assert "fail: residue: left_pages: 5120" in text
    assert "# Answers of run 20260101T0" in text
    kept = json.loads((tmp_path / "answers.json").read_text())
    assert (kept["schema"], kept["series"]) == (2, "v0")
    assert (kept["answers"][0]["question"], kept["answers"][0]["state"]) == ("C8", "confirmed")
