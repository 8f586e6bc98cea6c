# SPDX-License-Identifier: GPL-2.0-only
"""The shelf: what can be rebuilt, kept under the hash of what it was made from.

An entry is a folder KIND/KEY that holds the artefact's files, `ingredients.json` (what the
key was made from) and `sums.json` (sha256 of every file). It appears by one rename, so an
entry that exists is whole. One with a damaged file or note is as good as absent, and made again.
"""

import hashlib
import json
import os
import shutil
import stat
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

from patchbench.model import Json

_INGREDIENTS = "ingredients.json"
_SUMS = "sums.json"


def canonical(value: Json | Mapping[str, Json]) -> str:
    """Return the one JSON text of a value: sorted keys, no spaces, no NaN."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)


def key(ingredients: Mapping[str, Json]) -> str:
    """Return the sha256 of the ingredients' canonical JSON, in hex."""
    return hashlib.sha256(canonical(ingredients).encode()).hexdigest()


def file_sha256(path: Path) -> str:
    """Return the sha256 of a file's bytes, in hex."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def write_whole(path: Path, text: str) -> None:
    """Write a file so that it is seen either whole or not at all, power cut included."""
    descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(descriptor, "w") as stream:
            stream.write(text)
            stream.flush()
            os.fchmod(descriptor, 0o644)
            os.fsync(descriptor)
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def contents(entry: Path) -> list[Path]:
    """Return the files of an entry, without the shelf's own notes."""
    return sorted(path for path in entry.iterdir() if path.name not in (_INGREDIENTS, _SUMS))


class Store:
    """A folder of entries. Safe to delete as a whole, at any time that nothing runs.

    durable: what is published outlives a power cut. Where it need not, an entry that did not is
    damaged, and so as good as absent.
    """

    def __init__(self, root: Path, *, durable: bool = True) -> None:
        self.root = root
        self._durable = durable

    def entry(self, kind: str, ingredients: Mapping[str, Json]) -> Path:
        """Return where the entry made from these ingredients is or would be."""
        return self.root / kind / key(ingredients)

    def get(self, kind: str, ingredients: Mapping[str, Json]) -> Path | None:
        """Return the entry's folder, or None if it is absent or damaged.

        Its time becomes now: what was not used for longest is evicted first.
        """
        folder = self.entry(kind, ingredients)
        if not _is_whole(folder, ingredients):
            return None
        with suppress(OSError):  # a shelf that is read-only has entries all the same
            os.utime(folder)
        return folder

    def whole(self, kind: str) -> Iterator[tuple[Mapping[str, Json], Path]]:
        """Give each entry of a kind that is neither damaged nor under another's key."""
        for path in sorted((self.root / kind).glob("[0-9a-f]*")):
            made_of = _read_json(path / _INGREDIENTS)
            if isinstance(made_of, dict) and _is_entry(path):
                yield made_of, path

    def ensure(
        self, kind: str, ingredients: Mapping[str, Json], fill: Callable[[Path], None]
    ) -> Path:
        """Return the entry's folder; where it is absent or damaged, `fill` makes it first."""
        if folder := self.get(kind, ingredients):
            return folder
        with self.publish(kind, ingredients) as new:
            fill(new)
        return self.entry(kind, ingredients)

    @contextmanager
    def publish(self, kind: str, ingredients: Mapping[str, Json]) -> Iterator[Path]:
        """Give a folder to fill; when the block ends without an error it is on the shelf.

        What was on the shelf under the same key, damaged or outdated, is replaced.
        """
        final = self.entry(kind, ingredients)
        final.parent.mkdir(parents=True, exist_ok=True)
        folder = Path(tempfile.mkdtemp(dir=final.parent, prefix=".new-"))
        try:
            yield folder
            sums = {
                str(path.relative_to(folder)): file_sha256(path)
                for path in sorted(folder.rglob("*"))
                if path.is_file()
            }
            (folder / _INGREDIENTS).write_text(canonical(ingredients) + "\n")
            (folder / _SUMS).write_text(json.dumps(sums, indent=1) + "\n")
            folder.chmod(0o755)
            if self._durable:
                for path in [*folder.rglob("*"), folder]:
                    _fsync(path)
            _remove(final)
            try:
                folder.rename(final)
            except OSError:
                # Another run put the same there since; its boots are as good.
                if not _is_whole(final, ingredients):
                    raise
                shutil.rmtree(folder)
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise

    def explain(self, kind: str, ingredients: Mapping[str, Json]) -> tuple[str, ...]:
        """Return which ingredients keep the nearest shelved entry from being this one.

        Empty when the entry is there; `("nothing of this kind is shelved",)` when none is.
        """
        if self.get(kind, ingredients):
            return ()
        shelved = map(_read_json, sorted(self.root.glob(f"{kind}/*/{_INGREDIENTS}")))
        differences = [
            tuple(_differing(old, dict(ingredients))) for old in shelved if isinstance(old, dict)
        ]
        return min(differences, key=len, default=("nothing of this kind is shelved",))

    def damaged(self) -> list[Path]:
        """Return what lies where entries do and is none: damaged, under another's key, or alien."""
        return [path for path in self._entries() if not _is_entry(path)]

    def prune(self) -> int:
        """Remove what an interrupted run left half-made; return how many folders."""
        left = [path for path in self._entries() if path.name.startswith(".new-")]
        for folder in left:
            _remove(folder)
        return len(left)

    def _entries(self) -> list[Path]:
        """Return what lies where entries do; a kind that is a link is none, wherever it leads."""
        kinds = [path for path in self.root.glob("*") if path.is_dir() and not path.is_symlink()]
        return sorted(path for kind in kinds for path in kind.iterdir())


def _remove(path: Path) -> None:
    """Remove an entry, or whatever the disk or somebody put in its place."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def _is_entry(path: Path) -> bool:
    """Return whether a folder is whole, and is where the key of its ingredients says."""
    ingredients = _read_json(path / _INGREDIENTS)
    if path.is_symlink() or not isinstance(ingredients, dict):
        return False
    try:
        return path.name == key(ingredients) and _is_whole(path, ingredients)
    except (ValueError, RecursionError):
        return False


def _fsync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _is_whole(folder: Path, ingredients: Mapping[str, Json]) -> bool:
    """Return whether an entry holds what was published, no more and no less."""
    sums = _read_json(folder / _SUMS)
    if not (isinstance(sums, dict) and sums):
        return False
    try:
        files = {*_regular_files(folder)} - {_SUMS, _INGREDIENTS}
        return (
            (folder / _INGREDIENTS).read_bytes() == f"{canonical(ingredients)}\n".encode()
            and files == sums.keys()
            and all(file_sha256(folder / name) == digest for name, digest in sums.items())
        )
    except OSError:
        return False


def _regular_files(folder: Path) -> Iterator[str]:
    """Give what lies below a folder, but for folders; a link or a FIFO is an error."""
    for path in folder.rglob("*"):
        mode = path.lstat().st_mode
        if stat.S_ISREG(mode):
            yield str(path.relative_to(folder))
        elif not stat.S_ISDIR(mode):
            raise OSError(f"{path} is not a regular file")


def _read_json(path: Path) -> Json:
    """Return what a note of the shelf says, or None if it cannot be read."""
    try:
        read: Json = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError):
        return None
    return read


def _differing(old: Json, new: Json, path: str = "") -> Iterator[str]:
    if isinstance(old, dict) and isinstance(new, dict):
        for name in sorted({*old, *new}):
            below = f"{path}.{name}" if path else name
            yield from _differing(old.get(name), new.get(name), below)
    elif old != new:
        yield path
