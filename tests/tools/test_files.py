# SPDX-License-Identifier: GPL-2.0-only
"""What a container may leave, and what the host makes of it."""

import os
import socket
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from patchbench.errors import Unfit
from patchbench.tools import files

MOST_BYTES = 1 << 22


@pytest.fixture
def out(tmp_path: Path) -> Path:
    folder = tmp_path / "out"
    folder.mkdir()
    (tmp_path / "secret").write_text("the host's")
    return folder


def link(out: Path) -> None:
    (out / "file").symlink_to(out.parent / "secret")


def link_on_the_way(out: Path) -> None:
    (out / "below").symlink_to(out.parent)


def link_to_itself(out: Path) -> None:
    (out / "file").symlink_to("file")


def fifo(out: Path) -> None:
    os.mkfifo(out / "file")


def unix_socket(out: Path) -> None:
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(out / "file"))


def folder(out: Path) -> None:
    (out / "file").mkdir()


def too_large(out: Path) -> None:
    (out / "file").write_bytes(b"x" * (MOST_BYTES + 1))


def sparse(out: Path) -> None:
    with (out / "file").open("wb") as stream:
        stream.truncate(MOST_BYTES)


def nothing(out: Path) -> None:
    del out


@pytest.mark.parametrize(
    "leave",
    [link, link_to_itself, fifo, unix_socket, folder, too_large, sparse, nothing],
)
def test_what_is_not_a_plain_file_of_a_fair_size_is_refused(
    out: Path, leave: Callable[[Path], None]
) -> None:
    leave(out)
    with pytest.raises(Unfit, match="file"):
        files.take(out, "file", most_bytes=MOST_BYTES)
    with pytest.raises(Unfit, match="file"):
        files.copy(out, "file", out.parent / "taken", most_bytes=MOST_BYTES)
    assert not (out.parent / "taken").exists()


@pytest.mark.parametrize("name", ["below/secret", "../secret", "/etc/passwd", ""])
def test_no_path_leads_out_of_the_folder(out: Path, name: str) -> None:
    link_on_the_way(out)
    with pytest.raises(Unfit):
        files.take(out, name, most_bytes=MOST_BYTES)
    assert not files.exists(out, name)


def test_a_plain_file_is_taken_as_it_is(out: Path) -> None:
    (out / "deep").mkdir()
    (out / "deep/file").write_bytes(b"\xff" * MOST_BYTES)
    assert files.take(out, "deep/file", most_bytes=MOST_BYTES) == b"\xff" * MOST_BYTES
    files.copy(out, "deep/file", out.parent / "taken", most_bytes=MOST_BYTES)
    assert (out.parent / "taken").read_bytes() == b"\xff" * MOST_BYTES
    assert files.exists(out, "deep/file")


def test_the_head_of_a_large_file_is_taken_and_the_rest_left(out: Path) -> None:
    (out / "file").write_bytes(b"x" * 100)
    assert files.take_head(out, "file", most_bytes=10) == b"x" * 10


def test_a_few_holes_do_not_make_a_file_sparse(out: Path) -> None:
    with (out / "file").open("wb") as stream:
        stream.write(b"x" * (MOST_BYTES - (1 << 16)))
        stream.truncate(MOST_BYTES)
    assert len(files.take(out, "file", most_bytes=MOST_BYTES)) == MOST_BYTES


def test_folders_too_deep_for_a_stack_or_a_path_are_removed(out: Path) -> None:
    descriptor = os.open(out, os.O_RDONLY)
    for _ in range(1100):
        os.mkdir("deep", dir_fd=descriptor)
        deeper = os.open("deep", os.O_RDONLY, dir_fd=descriptor)
        os.close(descriptor)
        descriptor = deeper
    os.close(descriptor)
    files.remove(out)
    assert not out.exists()


def test_what_a_link_leads_to_is_not_removed(out: Path) -> None:
    (out / "closed").mkdir()
    (out / "closed/up").symlink_to(out.parent)
    (out / "closed").chmod(0o000)
    files.remove(out)
    assert not out.exists()
    assert (out.parent / "secret").read_text() == "the host's"


def test_a_link_in_place_of_a_folder_is_removed_alone(out: Path) -> None:
    (out / "link").symlink_to(out.parent)
    files.remove(out / "link")
    files.remove(out / "absent")
    assert (out.parent / "secret").is_file()
    assert list(out.iterdir()) == []


def test_what_was_written_since_a_moment_is_counted_in_blocks(out: Path) -> None:
    (out / "old").write_bytes(b"x" * MOST_BYTES)
    time.sleep(0.02)  # the clock of inodes has ticks
    moment = time.time()
    time.sleep(0.02)
    sparse(out)
    assert files.written_since(out, moment)[0] < MOST_BYTES
    (out / "new").write_bytes(b"x" * MOST_BYTES)
    os.utime(out / "new", (0, 0))  # as a patch would, to look old
    assert MOST_BYTES <= files.written_since(out, moment)[0] < 2 * MOST_BYTES
    assert files.size_bytes(out) >= 2 * MOST_BYTES
