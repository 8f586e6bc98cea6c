# SPDX-License-Identifier: GPL-2.0-only
import base64
import quopri
import random
import time

from hypothesis import example, given
from hypothesis import strategies as st

from patchbench.intake import mails
from tests.intake.build import DIFF, mbox, text


def test_an_mbox_is_split_where_git_would_split_it() -> None:
    assert len(mails.split(mbox(text("[PATCH 1/2] a"), text("[PATCH 2/2] b")))) == 2


def test_two_mails_of_format_patch_in_one_file_are_two() -> None:
    line = b"From 659acf247813fe0b2359e630a73734ebfb3e0226 Mon Sep 17 00:00:00 2001\n"
    assert len(mails.split(line + text("a") + b"\n" + line + text("b"))) == 2


def test_a_message_with_a_line_that_begins_with_from_stays_one() -> None:
    body = "From the log:\n\nFrom 0123456789abcdef Mon Sep 17 00:00:00 2001\nFrom here on: slow.\n"
    assert len(mails.split(text("[PATCH] a", body=f"{body}---\n{DIFF}"))) == 1


def test_mboxrd_quoting_is_taken_off_once() -> None:
    (raw,) = mails.split(mbox(text("a", body=">From here\n>>From there\n")))
    assert raw.endswith(b"\nFrom here\n>From there\n")


def test_what_git_wrote_is_not_quoted_and_stays_as_it_is() -> None:
    line = b"From 659acf247813fe0b2359e630a73734ebfb3e0226 Mon Sep 17 00:00:00 2001\n"
    (raw,) = mails.split(line + text("a", body=">From here\n"))
    assert raw.endswith(b"\n>From here\n")


def test_a_byte_order_mark_and_leading_blank_lines_hide_no_header() -> None:
    (raw,) = mails.split(b"\xef\xbb\xbf\n\n" + text("[PATCH] a"))
    assert mails.read(raw).subject.title == "a"


def test_a_mail_that_was_saved_with_crlf_has_lf_again() -> None:
    raw = text("[PATCH] a").replace(b"\n", b"\r\n")
    assert mails.read(raw).raw == text("[PATCH] a")


def test_a_crlf_file_in_an_lf_mail_keeps_its_line_ends() -> None:
    raw = text("[PATCH] a", body="x\n---\n" + DIFF.replace("two\n", "two\r\n"))
    assert mails.read(raw).raw == raw


def encoded(encoding: str, body: bytes) -> bytes:
    head = b"From: A <a@b.org>\nSubject: [PATCH] a\nContent-Type: text/plain; charset=utf-8\n"
    return head + f"Content-Transfer-Encoding: {encoding}\n\n".encode() + body


def test_base64_and_quoted_printable_bodies_have_their_diff() -> None:
    for raw in (
        encoded("base64", base64.encodebytes(DIFF.encode())),
        encoded("quoted-printable", quopri.encodestring(DIFF.encode())),
    ):
        assert mails.read(raw).has_diff


def test_a_diff_as_an_attachment_is_one() -> None:
    raw = (
        b"From: A <a@b.org>\nSubject: [PATCH] a\nMIME-Version: 1.0\n"
        b'Content-Type: multipart/mixed; boundary="XX"\n\n--XX\nContent-Type: text/plain\n\nSee.\n'
        b"--XX\nContent-Type: text/x-patch\nContent-Transfer-Encoding: base64\n\n"
        + base64.encodebytes(DIFF.encode())
        + b"--XX--\n"
    )
    assert mails.read(raw).has_diff


def test_a_quoted_diff_is_none() -> None:
    quoted = "".join(f"> {line}\n" for line in DIFF.splitlines())
    assert not mails.read(text("Re: [PATCH] a", body=quoted)).has_diff


def test_footers_of_git_and_b4_are_read() -> None:
    footers = "base-commit: 0123\nchange-id: 20260101-x\nprerequisite-message-id: <a@b>\n"
    one = mails.read(text("[PATCH] a", body=f"x\n---\n{DIFF}\n{footers}"))
    assert one.footer("base-commit") == ["0123"]
    assert one.footer("change-id") == ["20260101-x"]
    assert one.footer("prerequisite-message-id") == ["<a@b>"]


def test_malformed_authors_are_text_and_no_traceback() -> None:
    for author in ('"Ann <a@b.org>', "Ann \\", '"', "Ann <", "mm: a@b.org;", "A. U. Thor. <a@b>"):
        assert mails.read(text("[PATCH] a", author=author)).author


@given(st.binary(max_size=400))
@example(b"Subject: =?x?b?=FF=?=\n\n")
@example(b"Content-Type: text/plain; charset=\xff\n\nx")
def test_any_bytes_are_mails(data: bytes) -> None:
    for raw in mails.split(data):
        mails.read(raw)


def test_any_mutation_of_a_mail_is_one_that_can_be_read() -> None:
    whole = mbox(text("=?utf-8?b?W1BBVENIXSBh?=", ident="1"), encoded("base64", b"AAAA"))
    draw = random.Random(1)
    for _ in range(500):
        data = bytearray(whole)
        for _ in range(draw.randint(1, 6)):
            data[draw.randrange(len(data))] = draw.randrange(256)
        for raw in mails.split(bytes(data)):
            mails.read(raw)


def test_a_line_that_begins_as_a_separator_and_has_no_end_is_read_once() -> None:
    began_s = time.process_time()
    line = b"From x " + b"10:00 2026 " * 20_000
    assert len(mails.split(b"%b.\nFrom: a\n\n%b.\nFrom: b\n" % (line, line))) == 1
    assert time.process_time() - began_s < 1


def test_a_subject_of_encoded_words_that_never_end_is_read_at_once() -> None:
    began_s = time.process_time()
    sent = "a " + "=?utf-8?q?it do " * 8000
    mail = mails.read(text(sent))
    assert time.process_time() - began_s < 0.5
    assert mail.sent_subject == sent.strip()


def test_a_subject_as_long_as_people_write_them_is_decoded() -> None:
    assert mails.read(text("=?utf-8?q?gr=C3=BC=C3=9Fe?= " * 100)).sent_subject == "grüße" * 100
