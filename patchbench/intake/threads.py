# SPDX-License-Identifier: GPL-2.0-only
"""Which mail of a thread an answer to a series goes to."""

from collections.abc import Callable
from pathlib import Path

from patchbench.intake import postings, sources
from patchbench.intake.mails import Mail
from patchbench.intake.reading import STDIN
from patchbench.report.reply import Answered


def read(source: str, stdin: Callable[[], bytes]) -> list[Mail]:
    """Return the mails of a file, a folder or standard input; BadInput as sources.read."""
    if source == STDIN:
        return sources.parse(stdin(), "standard input")
    return sources.read(Path(source).expanduser())


def answered(mails: list[Mail], where: str) -> Answered:
    """Return the mail to answer: the cover letter, else the first patch; BadInput if none is."""
    posting = postings.choose(mails, where=where)
    mail = posting.cover or posting.patches[0]
    return Answered(mail.sent_subject, mail.author, mail.message_id, mail.parents[::-1])
