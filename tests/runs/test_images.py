# SPDX-License-Identifier: GPL-2.0-only
"""Images that are published with a run: small, whole, and what was booted."""

import hashlib
import lzma
from dataclasses import replace
from pathlib import Path

import pytest

from patchbench.errors import BadInput
from patchbench.model import Plan
from patchbench.runs import images
from patchbench.store import key
from tests.fakes import plan

INITRD = b"an initrd"


@pytest.fixture
def shelf(tmp_path: Path) -> Path:
    """Return a shelf that has what a plan's arms boot."""
    planned, root = booted(), tmp_path / "shelf"
    for note in planned.arms:
        (root / "images" / note.image).mkdir(parents=True)
        (root / "images" / note.image / "Image").write_text(f"kernel of {note.series}")
    (root / "guests" / planned.guest).mkdir(parents=True)
    (root / "guests" / planned.guest / "initrd").write_bytes(INITRD)
    return root


def booted() -> Plan:
    return replace(plan(), guest=key({"initrd": hashlib.sha256(INITRD).hexdigest()}))


def kept(tmp_path: Path, shelf: Path) -> Path:
    folder = tmp_path / "kept"
    folder.mkdir()
    images.keep(booted(), shelf, folder)
    return folder


def test_what_is_kept_is_what_was_booted(tmp_path: Path, shelf: Path) -> None:
    found, guest = images.unpack(kept(tmp_path, shelf), booted(), tmp_path / "new")
    assert {name: image.path.read_text() for name, image in found.items()} == {
        note.series: f"kernel of {note.series}" for note in booted().arms
    }
    assert [image.key for image in found.values()] == [note.image for note in booted().arms]
    assert guest.key == booted().guest


def test_a_guest_that_was_replaced_has_another_key(tmp_path: Path, shelf: Path) -> None:
    folder = kept(tmp_path, shelf)
    (folder / "images/initrd.xz").write_bytes(lzma.compress(b"another"))
    _, guest = images.unpack(folder, booted(), tmp_path / "new")
    assert guest.key != booted().guest


def test_images_beyond_what_a_repository_carries_are_refused(
    tmp_path: Path, shelf: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(images, "MOST_BYTES", 100)
    with pytest.raises(BadInput, match="publish it without --images"):
        kept(tmp_path, shelf)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"no xz", "cannot be unpacked"),
        (lzma.compress(b"half of one" * 50)[:-9], "cannot be unpacked"),
        (lzma.compress(bytes(1000)), "unpacks to more than"),
    ],
    ids=["text", "half", "bomb"],
)
def test_what_cannot_be_an_image_is_refused(
    tmp_path: Path, shelf: Path, monkeypatch: pytest.MonkeyPatch, content: bytes, says: str
) -> None:
    monkeypatch.setattr(images, "_MOST_UNPACKED_BYTES", 999)
    folder = kept(tmp_path, shelf)
    (folder / "images/initrd.xz").write_bytes(content)
    with pytest.raises(BadInput, match=says):
        images.unpack(folder, booted(), tmp_path / "new")
