# SPDX-License-Identifier: GPL-2.0-only
"""Files that a container made, and that nobody vouches for: taken within bounds, or refused.

What compiles or runs a patch can leave anything in its folders: a link to a file of the host, a
FIFO, a file of 3 GiB that takes no space, folders 3000 deep. So each component of a path is opened
by itself and without following a link, and what was opened is looked at before it is read.
"""

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from fnmatch import fnmatchcase
from pathlib import Path, PurePosixPath

from patchbench.errors import Unfit

#: What the name of a folder begins with that is being removed.
REMOVED = ".removed-"
#: A file of a megabyte and more is refused if less than half of it is data and not holes.
_SMALL_BYTES = 1 << 20
_MOST_EXTENTS = 100_000
_CHUNK_BYTES = 1 << 20
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


def exists(folder: Path, name: str) -> bool:
    """Return whether a path below a folder is a regular file that no link leads to."""
    try:
        with _opened(folder, name) as descriptor:
            return stat.S_ISREG(os.fstat(descriptor).st_mode)
    except Unfit:
        return False


def take(folder: Path, name: str, *, most_bytes: int) -> bytes:
    """Return a file's bytes; Unfit for anything but a regular file of at most so many.

    name: a path below `folder`, of which no component may be a link.
    """
    with _regular(folder, name, most_bytes) as descriptor:
        chunks = list(_chunks(descriptor, name, most_bytes))
    return b"".join(chunks)


def take_text(folder: Path, name: str, *, most_bytes: int) -> str:
    """Return a file's text as `take` does; what is not UTF-8 is replaced."""
    return take(folder, name, most_bytes=most_bytes).decode(errors="replace")


def take_head(folder: Path, name: str, *, most_bytes: int) -> bytes:
    """Return the beginning of a file, of any size; Unfit for anything but a regular file."""
    with _opened(folder, name) as descriptor:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise Unfit(f"{folder / name} is not a regular file")
        head = b""
        while len(head) < most_bytes and (more := os.read(descriptor, most_bytes - len(head))):
            head += more
    return head


def copy(folder: Path, name: str, target: Path, *, most_bytes: int) -> None:
    """Write a file's bytes to `target`, a chunk at a time; Unfit as `take`."""
    with _regular(folder, name, most_bytes) as descriptor, target.open("wb") as out:
        for chunk in _chunks(descriptor, name, most_bytes):
            out.write(chunk)


def remove(folder: Path) -> None:
    """Remove a folder and all below it, however deep and whoever made it; absent is fine.

    A folder that is a link is unlinked, and where it leads is left alone.
    """
    if not _is_folder(folder):
        folder.unlink(missing_ok=True)
        return
    root = os.open(folder, _FOLDER)
    try:
        os.fchmod(root, 0o700)
        _empty(root)
    finally:
        os.close(root)
    folder.rmdir()


def remove_whole(folder: Path) -> None:
    """Remove a folder as `remove` does; whoever looks sees all of it, or nothing.

    It is moved out of the way first: what is half removed must not be taken for whole. One that a
    killed run left half removed goes with the next of its name, and with `doctor --cache`.
    """
    going = folder.with_name(f"{REMOVED}{folder.name}")
    remove(going)
    if os.path.lexists(folder):
        folder.rename(going)
        remove(going)


def listed(root: Path, pattern: str) -> list[Path]:
    """Return what matches a pattern below a folder, in order; no link is followed on the way.

    pattern: components with * and ? in them, as `shelf/*/*`. Path.glob goes through links, and
    what is found there must not be removed for what lies here.
    """
    found = [root]
    for part in PurePosixPath(pattern).parts:
        folders = [path for path in found if path == root or _is_folder(path)]
        found = [path for folder in folders for path in _children(folder, part)]
    return sorted(found)


def _children(folder: Path, part: str) -> list[Path]:
    try:
        return [path for path in folder.iterdir() if fnmatchcase(path.name, part)]
    except OSError:
        return []


def written_since(folder: Path, moment: float) -> tuple[int, int]:
    """Return how many bytes on disk, and how many files, changed since a moment.

    moment: seconds since the epoch. It goes by the inode's change time, which nobody but the
    kernel sets, and looks no deeper than a path may be long.
    """
    written_bytes = files = 0
    waiting = [os.fspath(folder)]
    while waiting:
        try:
            entries = os.scandir(waiting.pop())
        except OSError:
            continue  # gone, or too deep for a path
        with entries:
            for entry in entries:
                try:
                    found = entry.stat(follow_symlinks=False)
                except OSError:
                    continue
                if found.st_ctime >= moment:
                    written_bytes += found.st_blocks * 512
                    files += 1
                if stat.S_ISDIR(found.st_mode):
                    waiting.append(entry.path)
    return written_bytes, files


def size_bytes(folder: Path) -> int:
    """Return how much of the disk a folder takes, links not followed."""
    return written_since(folder, 0)[0]


@contextmanager
def _opened(folder: Path, name: str) -> Iterator[int]:
    """Open a path below a folder component by component; each but the last must be a folder."""
    parts = PurePosixPath(name).parts
    if not parts or PurePosixPath(name).is_absolute() or ".." in parts:
        raise Unfit(f"{name!r} is not a path below {folder}")
    held: list[int] = []
    try:
        held.append(os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC))
        for part in parts[:-1]:
            held.append(os.open(part, _FOLDER, dir_fd=held[-1]))
        held.append(os.open(parts[-1], _FILE, dir_fd=held[-1]))
        yield held[-1]
    except (FileNotFoundError, NotADirectoryError) as err:
        raise Unfit(f"{folder / name} is missing, or a link or a file is in its way") from err
    except OSError as err:  # ELOOP: a link; ENXIO: a socket
        raise Unfit(f"{folder / name} is not a regular file: {err.strerror}") from err
    finally:
        for descriptor in held:
            os.close(descriptor)


@contextmanager
def _regular(folder: Path, name: str, most_bytes: int) -> Iterator[int]:
    with _opened(folder, name) as descriptor:
        found = os.fstat(descriptor)
        if not stat.S_ISREG(found.st_mode):
            raise Unfit(f"{folder / name} is not a regular file")
        if found.st_size > most_bytes:
            raise Unfit(
                f"{folder / name} has {found.st_size} bytes, and at most {most_bytes} are taken"
            )
        if (
            found.st_size > _SMALL_BYTES
            and 2 * _data_bytes(descriptor, found.st_size) < found.st_size
        ):
            raise Unfit(f"{folder / name} is sparse: {found.st_size} bytes, mostly holes")
        yield descriptor


def _data_bytes(descriptor: int, size_bytes: int) -> int:
    """Return how much of a file is not holes, which blocks do not tell of a compressed one."""
    data_bytes = at = 0
    for _ in range(_MOST_EXTENTS):
        try:
            begin = os.lseek(descriptor, at, os.SEEK_DATA)
        except OSError:  # ENXIO: holes to the end
            break
        at = os.lseek(descriptor, begin, os.SEEK_HOLE)
        data_bytes += at - begin
        if at >= size_bytes:
            break
    os.lseek(descriptor, 0, os.SEEK_SET)
    return data_bytes


def _chunks(descriptor: int, name: str, most_bytes: int) -> Iterator[bytes]:
    taken = 0
    while chunk := os.read(descriptor, _CHUNK_BYTES):
        taken += len(chunk)
        if taken > most_bytes:
            raise Unfit(f"{name} grew beyond {most_bytes} bytes while it was read")
        yield chunk


def _is_folder(path: Path) -> bool:
    try:
        return stat.S_ISDIR(path.lstat().st_mode)
    except FileNotFoundError:
        return False


def _empty(root: int) -> None:
    """Empty a folder with one descriptor open at a time and no path built, so depth is no matter.

    The way up is `..`, which leads where we came from: whoever could move a folder is gone.
    """
    here, names = os.dup(root), list[str]()
    waiting = [_unlink_files(here)]
    try:
        while waiting[-1] or names:
            if waiting[-1]:
                names.append(waiting[-1].pop())
                os.chmod(names[-1], 0o700, dir_fd=here)
                here = _step(here, names[-1])
                waiting.append(_unlink_files(here))
            else:
                here = _step(here, "..")
                os.rmdir(names.pop(), dir_fd=here)
                waiting.pop()
    finally:
        os.close(here)


def _step(here: int, name: str) -> int:
    there = os.open(name, _FOLDER, dir_fd=here)
    os.close(here)
    return there


def _unlink_files(folder: int) -> list[str]:
    """Remove all but folders from a folder, and return the names of these."""
    with os.scandir(folder) as entries:
        found = [(entry.name, entry.is_dir(follow_symlinks=False)) for entry in entries]
    for name, is_folder in found:
        if not is_folder:
            os.unlink(name, dir_fd=folder)
    return [name for name, is_folder in found if is_folder]
