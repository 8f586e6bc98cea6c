# SPDX-License-Identifier: GPL-2.0-only
"""A mail as git reads it: who wrote the patch, its subject, the files that it touches."""

import re
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from patchbench.errors import BadInput, ToolFailed
from patchbench.tools import gitrun

#: The old name of a file that a patch renames or copies, where git did not have to quote it.
_MOVED = re.compile(r"^(?:rename|copy) from ([^\n\"]+)$", re.MULTILINE)
#: What git says of a mail without a diff, or of no mail at all.
_NOTHING = re.compile(r"No valid patches in input|empty patch: ")


@dataclass(frozen=True, slots=True)
class MailParts:
    """A mail as git reads it: who wrote the patch, its subject, and the files that it touches."""

    author: str
    email: str
    subject: str
    files: tuple[str, ...]


def read_mail(path: Path) -> MailParts:
    """Return what `git mailinfo` and `git apply --numstat` make of a mail.

    A renamed or copied file counts with both names; a mail without a diff has no files. Raises
    BadInput, in git's words, for a mail or a diff that git cannot read.
    """
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        with path.open("rb") as mail:
            headers = _read(path, folder, "mailinfo", "message", "patch", stdin=mail)
        listed = _read(path, folder, "apply", "--numstat", "-z", "patch")
        before = _MOVED.findall((folder / "patch").read_text(errors="surrogateescape"))
    found = dict(line.partition(": ")[::2] for line in headers.splitlines())
    rows = [row.split("\t", 2)[-1] for row in listed.split("\0") if row.count("\t") == 2]
    files = tuple(dict.fromkeys(name for name in (*rows, *before) if name))
    return MailParts(
        found.get("Author", ""), found.get("Email", ""), found.get("Subject", ""), files
    )


def _read(mail: Path, folder: Path, *arguments: str, stdin: BinaryIO | None = None) -> str:
    """Return what git reads in a mail: nothing if there is none, BadInput if it is damaged."""
    try:
        return gitrun.run(folder, *arguments, stdin=stdin)
    except ToolFailed as err:
        said = str(err).partition("\n")[2]
        if _NOTHING.search(said):
            return ""
        raise BadInput(f"{mail} is damaged\n  {said}") from err
