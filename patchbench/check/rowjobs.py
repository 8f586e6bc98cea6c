# SPDX-License-Identifier: GPL-2.0-only
"""Rows of the matrix as jobs: another host compiles one, and what it shelves is shelved here.

A job names the kernel, which a host fetches by itself, and carries the series, whose patches go
there by their sha256. What comes back are entries of the shelf; the run then finds its rows there.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from patchbench.catalog import adapter
from patchbench.check.onerow import Needed
from patchbench.errors import BadInput
from patchbench.model import Json, Series
from patchbench.store import Store, contents, key

SCHEMA = 1
KIND = "rows"
#: Where `work` leaves entries, beside the files of their jobs.
DONE = "done"
#: The slowest row from nothing took 7 minutes on two cores.
_TIMEOUT_S = 3600


@dataclass(frozen=True, slots=True)
class RowJob:
    """What is needed of a row with one series, for one host.

    commit: of the unpatched kernel. series: the path of each patch is its file's name. tree: the id
    of what the series makes of the kernel. author: whose series it is; two authors never build in
    one folder. touched: the files that any series of the check touches. toolchain: the digest of
    the one with other architectures' compilers. code: see `working.code`.
    """

    kernel: str
    commit: str
    series: Series
    tree: str
    author: str
    row: str
    needed: Needed
    touched: tuple[str, ...]
    toolchain: str
    code: str
    schema: int = SCHEMA

    #: It compiles with all of a host's cores.
    exact = False
    timeout_s = _TIMEOUT_S

    @property
    def title(self) -> str:
        """Return its name for people."""
        return f"row {self.row} with {self.series.name}"

    @property
    def key(self) -> str:
        """Return the hash of all of it."""
        return key({"job": adapter(RowJob).dump_python(self, mode="json")})

    def lacked_by(self, _: object) -> str:
        """Return "": whatever can be a worker can compile."""
        return ""

    def dumps(self) -> str:
        """Return its text."""
        return adapter(RowJob).dump_json(self, indent=1).decode() + "\n"

    def fault(self, told: object) -> str:
        """Return what is wrong with what a host says is its delivery; empty if nothing."""
        if not isinstance(told, RowDelivery):
            return f"it is a {type(told).__name__}"
        if told.key != self.key:
            return f"it is of job {told.key[:12]}, and {self.key[:12]} was asked for"
        if told.sha256 != checksum(told.entries):
            return "its files have another checksum"
        for entry in told.entries:
            if entry.made_of.get("tree") != self.tree:
                return "it has an entry of another tree"
            if alien := [name for name in entry.files if Path(name).name != name]:
                return f"it has a file {alien[0]!r}"
        return ""


@dataclass(frozen=True, slots=True)
class RowEntry:
    """An entry of the shelf: what it was made from, and its files by name."""

    made_of: Mapping[str, Json]
    files: Mapping[str, bytes]


@dataclass(frozen=True, slots=True)
class RowDelivery:
    """What a job left. key: the job's. sha256: of all entries."""

    key: str
    entries: tuple[RowEntry, ...]
    sha256: str


def entry_of(made_of: Mapping[str, Json], folder: Path) -> RowEntry:
    """Return an entry that lies in a folder."""
    return RowEntry(made_of, {path.name: path.read_bytes() for path in contents(folder)})


def checksum(entries: Sequence[RowEntry]) -> str:
    """Return the sha256 over what entries were made from and the bytes of their files, in hex."""
    sums: list[Json] = [
        {
            "made_of": dict(one.made_of),
            "files": {name: hashlib.sha256(data).hexdigest() for name, data in one.files.items()},
        }
        for one in entries
    ]
    return key({"entries": sums})


def loads(text: str, name: str) -> RowJob:
    """Return the job that a text holds; BadInput if it is none, or one of another schema."""
    try:
        job = adapter(RowJob).validate_json(text)
    except ValueError as err:
        raise BadInput(f"{name} is not a job that this version reads:\n  {err}") from err
    if job.schema != SCHEMA:
        raise BadInput(f"{name} has schema {job.schema}, this version has {SCHEMA}")
    if alien := [str(one.path) for one in job.series.patches if one.path.name != str(one.path)]:
        raise BadInput(f"{name}: {alien[0]!r} is not the name of a file")
    if not (job.author and set(job.author) <= set("0123456789abcdef")):
        raise BadInput(f"{name}: {job.author!r} is not the hash of an author")
    return job


def shelve(shelf: Store, entry: RowEntry) -> None:
    """Put an entry on a shelf."""
    with shelf.publish(KIND, entry.made_of) as new:
        for name, data in entry.files.items():
            (new / name).write_bytes(data)
