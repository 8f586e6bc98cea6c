# SPDX-License-Identifier: GPL-2.0-only
"""Bytes in, mails out: mboxes split, headers and bodies decoded. Pure.

Nothing here trusts a mail to be well formed. What it cannot read it reads as text with
replacement characters; whether a patch applies is for git to say, from the raw bytes.
"""

import codecs
import re
from dataclasses import dataclass
from email import message_from_bytes, policy
from email.errors import MessageError
from email.header import decode_header
from email.message import Message

from patchbench.intake import subjects
from patchbench.intake.subjects import Subject

#: A longer header stays as it was sent. The library looks for the end of each encoded word in all
#: that follows, so a subject of 128 KiB took it eleven seconds.
_MOST_ENCODED_LETTERS = 4096
#: As git's own mailsplit wants it: an address, and a date that ends in a year.
_TIME = re.compile(rb"\b\d{1,2}:\d{2}(?::\d{2})?\b")
_YEAR_AT_END = re.compile(rb"\b(?:19|20)\d{2}(?:\s[-+]\d{4})?\s*\Z")
#: `git format-patch` writes this date and quotes nothing; every other mbox is taken for mboxrd.
_FROM_GIT = re.compile(rb"From [0-9a-f]{40,64} Mon Sep 17 00:00:00 2001\s*")
_HEADER = re.compile(rb"[!-9;-~]+:")
_QUOTED_FROM = re.compile(rb"^>(>*From )", re.MULTILINE)
_DIFF = re.compile(
    r"^(?:diff --git |diff -\S* |Index: \S|GIT binary patch$|--- \S.*\n\+\+\+ \S)", re.MULTILINE
)
_MESSAGE_ID = re.compile(r"<([^<>\s]+)>")
_FOOTER = re.compile(
    r"^(base-commit|change-id|prerequisite-(?:patch-id|message-id|change-id|base-commit))"
    r": *(\S.*)$",
    re.MULTILINE,
)
_BASED_ON = re.compile(r"\bbased on (?:commit )?([0-9a-f]{40})\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Mail:
    """One mail. `raw` is what git gets: unquoted, without the mbox's separator line.

    footers: what `git format-patch --base` and b4 write under a patch, as (key, value) in order.
    """

    raw: bytes
    subject: Subject
    author: str
    message_id: str
    parents: tuple[str, ...]  # message-ids that it refers to, the nearest first
    body: str
    footers: tuple[tuple[str, str], ...]
    sent_subject: str = ""  # with its brackets

    @property
    def has_diff(self) -> bool:
        """Return whether its text holds a diff that is not quoted."""
        return bool(_DIFF.search(self.body))

    def footer(self, key: str) -> list[str]:
        """Return the values of one key of its footers."""
        return [value for name, value in self.footers if name == key]


def split(data: bytes) -> list[bytes]:
    """Return the mails of an mbox, or the one mail that the bytes are; none of blank bytes.

    A separator is a `From ` line as git takes one, at the beginning or behind a blank line, with a
    header behind it: a commit message may well have a line that begins with From.
    """
    data = data.removeprefix(codecs.BOM_UTF8).lstrip(b"\r\n")
    if not data.strip():
        return []
    lines = data.removeprefix(b">" if data.startswith(b">From ") else b"").splitlines(keepends=True)
    starts = [
        number
        for number, line in enumerate(lines)
        if _is_separator(line)
        and (number == 0 or not lines[number - 1].strip())
        and number + 1 < len(lines)
        and _HEADER.match(lines[number + 1])
    ]
    if not starts or starts[0] != 0:
        starts.insert(0, 0)
    ends = [*starts[1:], len(lines)]
    return [_one(lines[start:end]) for start, end in zip(starts, ends, strict=True)]


def unwrapped(raw: bytes) -> bytes:
    """Return a mail with LF line ends if it was saved with CRLF, which its headers show.

    A CRLF file in an LF mail keeps its line ends: `git am` gets --keep-cr.
    """
    first = raw.partition(b"\n")[0]
    return raw.replace(b"\r\n", b"\n") if first.endswith(b"\r") else raw


def read(raw: bytes) -> Mail:
    """Return a mail, decoded; every sequence of bytes is one, if perhaps an empty one."""
    raw = unwrapped(raw)
    message = message_from_bytes(raw, policy=policy.compat32)
    parents = _MESSAGE_ID.findall(_header(message, "In-Reply-To"))
    parents += reversed(_MESSAGE_ID.findall(_header(message, "References")))
    own = _MESSAGE_ID.findall(_header(message, "Message-ID"))
    body = _body(message)
    footers = [(key, value.strip()) for key, value in _FOOTER.findall(body)]
    footers += [("base-commit", commit) for commit in _BASED_ON.findall(body)]
    return Mail(
        raw=raw,
        subject=subjects.parse(_header(message, "Subject")),
        author=_header(message, "From"),
        message_id=own[0] if own else "",
        parents=tuple(dict.fromkeys(parents)),
        body=body,
        footers=tuple(footers),
        sent_subject=_header(message, "Subject"),
    )


def _is_separator(line: bytes) -> bool:
    """Return whether a line is an mbox's `From WHO ... TIME ... YEAR`."""
    if not line.startswith(b"From ") or line[5:6].isspace():
        return False
    time = _TIME.search(line, 6)
    return bool(time and _YEAR_AT_END.search(line, time.end()))


def _one(lines: list[bytes]) -> bytes:
    """Return one mail of an mbox without its separator, unquoted as mboxrd has it."""
    separator = lines[0] if _is_separator(lines[0]) else b""
    if not separator or _FROM_GIT.fullmatch(separator):
        return b"".join(lines)
    return _QUOTED_FROM.sub(rb"\1", b"".join(lines[1:]))


def _header(message: Message, name: str) -> str:
    """Return a header as text on one line; empty where there is none."""
    value = message.get(name)
    if value is None:
        return ""
    try:
        long = len(str(value)) > _MOST_ENCODED_LETTERS
        parts = [(str(value), None)] if long else decode_header(value)
    except (MessageError, ValueError, LookupError):  # an encoded word that is none
        parts = [(str(value), None)]
    text = "".join(
        part if isinstance(part, str) else _decoded(part, charset) for part, charset in parts
    )
    return " ".join(text.split())


def _body(message: Message) -> str:
    """Return all of a mail's text parts, with LF line ends: as `git mailinfo` joins them."""
    texts = []
    for part in message.walk():
        if part.is_multipart() or part.get_content_maintype() not in ("text", "application"):
            continue
        if part.get_content_subtype() == "html":
            continue
        payload = part.get_payload(decode=True)
        if isinstance(payload, bytes):
            texts.append(_decoded(payload, part.get_param("charset")))
    return "\n".join(texts).replace("\r\n", "\n")


def _decoded(data: bytes, charset: object) -> str:
    try:
        return data.decode(str(charset or "utf-8"), errors="replace")
    except (LookupError, ValueError):  # a charset that nobody knows
        return data.decode("utf-8", errors="replace")
