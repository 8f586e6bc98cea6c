# SPDX-License-Identifier: GPL-2.0-only
"""A mail as git reads it: who wrote the patch, its subject, the files that it touches."""

import re
import tempfile
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import BinaryIO

from patchbench.errors import BadInput, ToolFailed
from patchbench.tools import gitrun

#: The old name of a file that a patch renames or copies, where git did not have to quote it.
_MOVED = re.compile(r"^(?:rename|copy) from ([^\n\"]+)$", re.MULTILINE)
#: What git says of a mail without a diff, or of no mail at all.
_NOTHING = re.compile(r"No valid patches in input|empty patch: ")


_MAX_BYTES = 64 << 20


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
    if path.stat().st_size > _MAX_BYTES:
        raise BadInput(f"{path} has more than {_MAX_BYTES >> 20} MiB; no patch is that long")
    raw = path.read_bytes()
    try:
        return _parts(raw)
    except BadInput as err:
        raise BadInput(f"{path} is damaged\n  {err}") from err


@lru_cache(maxsize=512)  # a series is loaded for every arm and check of a run
def _parts(raw: bytes) -> MailParts:
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        (folder / "mail").write_bytes(raw)
        with (folder / "mail").open("rb") as mail:
            headers = _read(folder, "mailinfo", "message", "patch", stdin=mail)
        listed = _read(folder, "apply", "--numstat", "-z", "patch")
        before = _MOVED.findall((folder / "patch").read_text(errors="surrogateescape"))
    found = dict(line.partition(": ")[::2] for line in headers.splitlines())
    rows = [row.split("\t", 2)[-1] for row in listed.split("\0") if row.count("\t") == 2]
    files = tuple(dict.fromkeys(name for name in (*rows, *before) if name))
    return MailParts(
        found.get("Author", ""), found.get("Email", ""), found.get("Subject", ""), files
    )


def _read(folder: Path, *arguments: str, stdin: BinaryIO | None = None) -> str:
    """Return what git reads in a mail: nothing if there is none, BadInput if it is damaged."""
    try:
        return gitrun.run(folder, *arguments, stdin=stdin)
    except ToolFailed as err:
        said = str(err).partition("\n")[2]
        if _NOTHING.search(said):
            return ""
        raise BadInput(said) from err
