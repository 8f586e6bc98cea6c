# SPDX-License-Identifier: GPL-2.0-only
"""Files in, mails out: a folder of patches, a quilt folder, a maildir, an mbox, gzipped or not."""

import gzip
import stat
import zlib
from collections.abc import Iterator
from datetime import UTC, datetime
from email.header import Header
from email.utils import format_datetime
from pathlib import Path

from patchbench.errors import BadInput
from patchbench.intake import mails
from patchbench.intake.mails import Mail

#: More than a mailing list's busiest month of patches; what is larger was named by mistake.
MAX_BYTES = 256 << 20
_GZIP = b"\x1f\x8b"
_PATCHES = (".patch", ".diff", ".eml", ".mbox", ".mbx", ".txt", ".gz")
_QUILT = "series"


def read(path: Path) -> list[Mail]:
    """Return the mails of a file or folder, in the order that their names or lines have.

    Raises BadInput if it cannot be read, is neither, holds nothing or is too large.
    """
    if path.is_dir():
        found = [*_folder(path)]
    else:
        found = [mails.read(raw) for raw in mails.split(_bytes(path))]
    if not found:
        raise BadInput(f"{path} holds no mail")
    return found


def parse(data: bytes, where: str) -> list[Mail]:
    """Return the mails of an mbox's bytes, gzipped or not; BadInput if there are none."""
    found = [mails.read(raw) for raw in mails.split(_unpacked(data, where))]
    if not found:
        raise BadInput(f"{where} holds no mail")
    return found


def _folder(folder: Path) -> Iterator[Mail]:
    if (folder / _QUILT).is_file():
        yield from _quilt(folder)
        return
    if (folder / "cur").is_dir() and (folder / "new").is_dir():
        files = [path for part in ("cur", "new") for path in sorted((folder / part).iterdir())]
    else:
        files = sorted(path for path in folder.iterdir() if path.suffix in _PATCHES)
    for path in files:
        for raw in mails.split(_bytes(path)):
            yield mails.read(raw)


def _quilt(folder: Path) -> Iterator[Mail]:
    """Give a quilt folder's patches; one without a mail's headers is given a subject, its name."""
    for line in (folder / _QUILT).read_text(errors="replace").splitlines():
        words = line.partition("#")[0].split()
        if not words:
            continue
        if options := [word for word in words[1:] if word not in ("-p1", "-p", "1")]:
            raise BadInput(f"{folder / _QUILT}: {words[0]} {options[0]}: only -p1 can be applied")
        path = folder / words[0]
        if not path.resolve().is_relative_to(folder.resolve()):
            raise BadInput(f"{folder / _QUILT}: {words[0]} lies outside the folder")
        raw = _bytes(path)
        mail = mails.read(raw)
        yield mail if mail.subject.title and mail.author else mails.read(_as_mail(path.stem, raw))


def _as_mail(name: str, diff: bytes) -> bytes:
    date = format_datetime(datetime(1970, 1, 1, tzinfo=UTC))
    subject = Header(f"[PATCH] {name}", "utf-8").encode()
    head = f"From: unknown <unknown@localhost>\nDate: {date}\nSubject: {subject}\n\n"
    return head.encode() + diff


def _bytes(path: Path) -> bytes:
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            raise BadInput(f"{path} is neither a file nor a folder")
        if path.stat().st_size > MAX_BYTES:
            raise BadInput(f"{path} has more than {MAX_BYTES >> 20} MiB: no series is that long")
        return _unpacked(path.read_bytes(), str(path))
    except OSError as err:
        raise BadInput(f"{path} cannot be read: {err.strerror}") from err


def _unpacked(data: bytes, where: str) -> bytes:
    if not data.startswith(_GZIP):
        return data
    unpacker = zlib.decompressobj(wbits=zlib.MAX_WBITS | 16)
    try:
        text = unpacker.decompress(data, MAX_BYTES)
    except (zlib.error, gzip.BadGzipFile) as err:
        raise BadInput(f"{where} is not a whole gzip file: {err}") from err
    if unpacker.unconsumed_tail:
        raise BadInput(f"{where} has more than {MAX_BYTES >> 20} MiB: no series is that long")
    if not unpacker.eof:
        raise BadInput(f"{where} is cut off: its gzip stream has no end")
    return text
