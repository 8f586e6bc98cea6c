# SPDX-License-Identifier: GPL-2.0-only
"""Stage 1: patches/SERIES/LINE/*.patch in, a Series out. Every oddity is refused here."""

import re
from dataclasses import replace
from pathlib import Path

from patchbench.catalog import PLAIN_NAME, Catalog
from patchbench.errors import BadInput, UnknownName
from patchbench.model import NONE, Patch, Series, SeriesName
from patchbench.store import file_sha256
from patchbench.tools.gitmail import read_mail

#: The port of a series that was taken as it was posted, for whatever kernel it is tried on.
ANY_LINE = "any"
_FILE_NAME = re.compile(r"(\d{4})-.+\.patch")


def load(root: Path, name: str, line: str) -> Series:
    """Return the series `name` as ported to the kernel line, for example 7.3.

    `v0@1` is the first patch of v0 alone: each patch of a series must stand without the next. A
    series that is on another has that one's patches first, and counts on from there.
    Raises UnknownName for a series or a port that does not exist, BadInput for a gap in the
    numbering, a stray file, a patch that is not a mail, more patches than there are, or series that
    are on one another.
    """
    if name == NONE:
        return Series(NONE, line)
    asked = SeriesName.parse(name)
    if asked.first is not None and asked.today() == name:
        return _first(load(root, asked.stem, line), name, asked.first)
    folder = _folder(root, name)
    port = folder / line if (folder / line).is_dir() else folder / ANY_LINE
    if not port.is_dir():
        ports = sorted(path.name for path in folder.iterdir() if path.is_dir())
        raise UnknownName(f"port of series {name}", line, ports, folder)
    note = Catalog(root).series_note(folder)
    _, *under = stack(root, name)
    below = load(root, under[0], line).patches if under else ()
    ids = (note.cover, *note.message_ids)
    return Series(
        name,
        line,
        (*below, *_patches(port, len(below) + 1)),
        note.engaged_vmstat,
        message_ids=tuple(filter(None, ids)),
    )


def on(root: Path, name: str) -> str:
    """Return the series whose patches come before those of this one; empty if there is none."""
    return Catalog(root).series_note(_folder(root, name)).on


def stack(root: Path, name: str) -> list[str]:
    """Return a series and those that it is on, itself first; BadInput if they go round."""
    names = [name]
    while below := on(root, names[-1]):
        if below in names:
            where = root / "patches" / name / "series.toml"
            raise BadInput(f"{where}: {' is on '.join([*names, below])}")
        names.append(below)
    return names


def check_known(root: Path, name: str) -> None:
    """Raise UnknownName for a series that no folder has, whatever part of it is meant."""
    if name != NONE:
        _folder(root, SeriesName.parse(name).stem)


def ports(root: Path) -> list[tuple[str, str]]:
    """Return every port there is, as (series, kernel line)."""
    folders = (root / "patches").glob("*/*/")
    return sorted((folder.parent.name, folder.name) for folder in folders)


def _folder(root: Path, name: str) -> Path:
    patches_folder = root / "patches"
    folder = patches_folder / name
    if not PLAIN_NAME.fullmatch(name) or not folder.is_dir():
        known = [NONE, *sorted(path.name for path in patches_folder.iterdir() if path.is_dir())]
        raise UnknownName("series", name, known, patches_folder)
    return folder


def _first(series: Series, name: str, count: str) -> Series:
    if not (count.isdigit() and 1 <= int(count) <= len(series.patches)):
        raise BadInput(
            f"series {name}: {series.name} for {series.line} has {len(series.patches)} patches; "
            f"{series.name}@1 is the first one alone"
        )
    return replace(series, name=name, patches=series.patches[: int(count)])


def _patches(folder: Path, first: int) -> tuple[Patch, ...]:
    files = sorted(path for path in folder.iterdir() if path.name != "README.md")
    if not files:
        raise BadInput(f"{folder} holds no patch; `git format-patch` writes them")
    for expected, path in enumerate(files, start=first):
        match = _FILE_NAME.fullmatch(path.name)
        if not match:
            raise BadInput(f"{path} is not named NNNN-subject.patch; rename it or move it away")
        if int(match[1]) != expected:
            raise BadInput(f"{folder}: patch {expected:04} is missing, {path.name} comes instead")
    return tuple(_patch(number, path) for number, path in enumerate(files, start=first))


def _patch(number: int, path: Path) -> Patch:
    try:
        if not path.is_file():  # a fifo would keep its reader waiting for ever
            raise BadInput(f"{path} is not a file")
        mail = read_mail(path)
    except OSError as err:
        raise BadInput(f"{path} cannot be read: {err.strerror}") from err
    subject = " ".join(mail.subject.split())
    parts = {"Subject:": subject, "From: with an address": mail.email, "a diff": mail.files}
    if lacking := [name for name, part in parts.items() if not part]:
        raise BadInput(
            f"{path} is not a patch as a mail: it lacks {', '.join(lacking)}\n"
            "  `git format-patch -N` writes one"
        )
    return Patch(number, path, subject, file_sha256(path), mail.files)
