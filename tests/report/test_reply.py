# SPDX-License-Identifier: GPL-2.0-only
"""What goes back to a list: a mail that answers the series, and a check for b4's review."""

import json
import sys
from dataclasses import replace
from email import message_from_bytes, policy
from importlib import import_module
from pathlib import Path
from types import ModuleType

import pytest

from patchbench.errors import BadInput
from patchbench.intake import threads
from patchbench.report import claims, reply
from patchbench.report.formats import b4
from patchbench.report.reply import Answered
from patchbench.runs import archive
from patchbench.stages.compare import compare
from tests import recorded
from tests.fakes import boot, lost, plan, results
from tests.intake.build import mbox, text
from tests.runs.test_folder import write_run

COVER = Answered(
    "[PATCH v2 0/2] mm: swap: free in batches", "Ann Author <ann@example.org>", "cover@example.org",
    ("before@example.org",),
)  # fmt: skip


def test_a_reply_answers_the_cover_letter_and_goes_to_its_author() -> None:
    raw = reply.render(*recorded.read(), COVER, cc=["linux-mm@kvack.org"])
    mail = message_from_bytes(raw, policy=policy.default)
    assert mail["Subject"] == "Re: [PATCH v2 0/2] mm: swap: free in batches"
    assert (mail["To"], mail["Cc"]) == ("Ann Author <ann@example.org>", "linux-mm@kvack.org")
    assert mail["In-Reply-To"] == "<cover@example.org>"
    assert mail["References"] == "<before@example.org> <cover@example.org>"


def test_its_first_ten_lines_say_what_was_measured_and_how_to_repeat_it() -> None:
    raw = reply.render(*recorded.read(), COVER)
    body = raw.decode().partition("\n\n")[2]
    first = "\n".join(body.splitlines()[:12])
    assert "QEMU" in first
    assert "Repeat:\n  ./bootstrap bench" in first
    assert "Tested-by" not in body
    assert max(map(len, body.splitlines())) <= 72


def test_the_numbers_of_a_reply_can_be_checked(tmp_path: Path) -> None:
    comparison, boots = recorded.read()
    path = tmp_path / "reply.eml"
    path.write_bytes(reply.render(comparison, boots, COVER))
    checked = claims.check(claims.parse(claims.read_mail(path)), lambda _: (comparison, boots))
    assert checked
    assert {claim.state for claim in checked} == {"holds"}


def test_a_mail_without_an_id_cannot_be_answered() -> None:
    with pytest.raises(BadInput, match="has no Message-ID"):
        reply.render(*recorded.read(), Answered("[PATCH] x", "a@example.org", ""))


def test_no_change_is_no_news_and_a_lost_boot_is() -> None:
    good = [boot(series, 1, results()) for series in ("none", "v0")]
    assert not reply.is_news(compare(plan(seeds=1), good))
    assert reply.is_news(compare(plan(seeds=1), [good[0], lost("v0", 1)]))


def test_the_cover_letter_of_a_thread_is_answered(tmp_path: Path) -> None:
    thread = tmp_path / "thread.mbox"
    thread.write_bytes(
        mbox(
            text("[PATCH 0/1] mm: two", ident="cover", body="Words.\n"),
            text("[PATCH 1/1] mm: one", ident="one", to="cover"),
            text("Re: [PATCH 1/1] mm: one", ident="answer", to="one", body="Fine.\n"),
        )
    )
    answered = threads.answered(threads.read(str(thread), lambda: b""), str(thread))
    assert answered.subject == "[PATCH 0/1] mm: two"
    assert answered.message_id == "cover@example.org"


def status(series: str, log: str) -> str:
    boots = [boot("none", 1, results()), boot(series, 1, log)]
    (check,) = json.loads(b4.render(compare(plan(seeds=1), boots), boots))
    return str(check["status"])


def test_b4_is_told_of_what_never_ended_as_a_failure() -> None:
    assert status("v0", results(50)) == "pass"
    assert status("v0", results(drain_ns="never")) == "fail"


@pytest.mark.parametrize(
    ("ruled", "status"), [("PASS", "pass"), ("FAIL", "fail"), ("INCONCLUSIVE", "warn")]
)
def test_b4_is_told_a_verdict_in_its_own_words(ruled: str, status: str) -> None:
    (check,) = json.loads(b4.verdict(ruled, "v1 against v0", []))
    assert (check["tool"], check["status"]) == ("patchbench", status)


def test_a_series_that_was_not_measured_is_a_warning() -> None:
    (check,) = json.loads(b4.unmeasured("x@example.org"))
    assert check["status"] == "warn"


@pytest.mark.slow
def test_b4_itself_reads_the_check(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # b4 imports what checks signatures of mails, and comes here without it: requirements-b4.in
    monkeypatch.setitem(sys.modules, "dkim", ModuleType("dkim"))
    checks = import_module("b4.review.checks")
    answer = tmp_path / "answer.json"
    answer.write_text(b4.render(*recorded.read()))
    mail = message_from_bytes(
        text("[PATCH 0/2] x", ident="x", body="Words.\n"), policy=policy.default
    )
    (read,) = checks.run_series_checks(("x@example.org", mail), [f"cat {answer}"], str(tmp_path))
    assert (read["tool"], read["status"]) == ("patchbench", "fail")
    assert "never" in read["details"]


def test_the_run_of_a_series_is_found_by_the_ids_of_its_mails(tmp_path: Path) -> None:
    planned = plan()
    ids = ("cover@example.org", "one@example.org")
    write_run(tmp_path, replace(planned, test=replace(planned.test, message_ids=ids)))
    found = archive.measured(tmp_path, ["one@example.org"])
    assert found is not None
    assert found.name == planned.run
    assert archive.measured(tmp_path, ["other@example.org"]) is None
