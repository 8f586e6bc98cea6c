# SPDX-License-Identifier: GPL-2.0-only
"""SOURCE, whatever it is, in; the posting that it holds out.

A source is a file or folder of mails, `-` (standard input), a range or `b4 prep` branch of
`--tree`, or a message-id or lore link, which b4 fetches. What is fetched or asked of git is handed
in, so that nothing here starts a program.
"""

import re
import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from patchbench.errors import BadInput
from patchbench.intake import postings, sources
from patchbench.intake.mails import Mail
from patchbench.intake.postings import Posting

STDIN = "-"
_RANGE = re.compile(r"[^\s/].*?\.\.[^.\s].*|[^.\s]+\.\.")
_MESSAGE_ID = re.compile(r"<?[^\s<>/@]+@[^\s<>/@]+\.[^\s<>/@]+>?")
_LINK = re.compile(r"https?://\S+")
#: Text that a reader sees otherwise than a compiler does: CVE-2021-42574.
_BIDI = re.compile("[\u202a-\u202e\u2066-\u2069\u200e\u200f\u061c]")


@dataclass(frozen=True, slots=True)
class Fetchers:
    """What a source may need of the outside world.

    stdin: all of it. of_range: a folder with the mails of a range of a tree, as git writes
    them; without a base the tip is a `b4 prep` branch. of_thread: the mbox of a
    message-id or link, as b4 fetches it.
    """

    stdin: Callable[[], bytes]
    of_range: Callable[[str, str], Path]
    of_thread: Callable[[str], Path]


def is_source(text: str) -> bool:
    """Return whether a `--series` is a source of mails, and not the name of a series."""
    return (
        text == STDIN
        or bool(_LINK.fullmatch(text) or _MESSAGE_ID.fullmatch(text) or _RANGE.fullmatch(text))
        or "/" in text
        or Path(text).suffix in (".mbox", ".mbx", ".patch", ".eml", ".gz", ".diff")
    )


def is_range(text: str) -> bool:
    """Return whether a source is a range of commits, BASE..TIP or BASE.. for up to HEAD."""
    return bool(_RANGE.fullmatch(text)) and not Path(text).exists()


def _is_branch(text: str) -> bool:
    """Return whether a source can only be a branch of --tree: b4/NAME, as `b4 prep` calls them."""
    return text.startswith("b4/") and not Path(text).exists()


def read(source: str, fetchers: Fetchers, *, revision: int | None = None) -> Posting:
    """Return what a source posts; BadInput as `postings.choose`, or for a patch not to trust."""
    posting = postings.choose(_mails(source, fetchers), where=source, revision=revision)
    for mail in posting.patches:
        _refuse_hidden(mail)
    return posting


def name_of(source: str, posting: Posting) -> str:
    """Return a name for the series, fit for a folder: the range's tip, else its title's words."""
    tip = source.partition("..")[2] if is_range(source) else ""
    tip = source if _is_branch(source) else tip
    text = tip or posting.title
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode().lower()
    words = [word for word in re.split(r"[^a-z0-9]+", plain) if word]
    name = ""
    for word in words:
        if len(name) + len(word) >= 40:
            break
        name = f"{name}-{word}" if name else word
    # A name that could be a series of this checkout, or `none`, would hide it.
    return name if len(name) > 4 else f"series-{name or 'unnamed'}"


def _mails(source: str, fetchers: Fetchers) -> Sequence[Mail]:
    if source == STDIN:
        return sources.parse(fetchers.stdin(), "standard input")
    if Path(source).expanduser().exists():
        return sources.read(Path(source).expanduser())
    if _LINK.fullmatch(source) or _MESSAGE_ID.fullmatch(source):
        return sources.read(fetchers.of_thread(source))
    if is_range(source):
        base, _, tip = source.partition("..")
        return sources.read(fetchers.of_range(base, tip or "HEAD"))
    if _is_branch(source):
        return sources.read(fetchers.of_range("", source))
    raise BadInput(f"--series {source}: there is no such file or folder")


def _refuse_hidden(mail: Mail) -> None:
    """Refuse what a reviewer cannot see: direction overrides, and control characters in names."""
    if found := _BIDI.search(mail.body):
        line = mail.body[: found.start()].count("\n") + 1
        raise BadInput(
            f"{mail.subject.title!r} holds U+{ord(found[0]):04X} in line {line} of its text: what "
            "is read is not what is compiled\n  remove it, then take the series again"
        )
    names = [line for line in mail.body.splitlines() if line.startswith(("+++ ", "--- ", "diff "))]
    for shown in (mail.subject.title, mail.author, *names):
        if hidden := next((char for char in shown if _is_control(char)), ""):
            raise BadInput(
                f"{mail.subject.title!r} has the control character U+{ord(hidden):04X} in its "
                "subject, author or a file's name"
            )


def _is_control(char: str) -> bool:
    return char != "\t" and unicodedata.category(char) == "Cc"
