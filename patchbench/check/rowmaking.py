# SPDX-License-Identifier: GPL-2.0-only
"""What a host does with a row as a job: it makes what is needed, and delivers what it shelved."""

import platform
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

from patchbench.catalog import load_json
from patchbench.check import matrix, onerow, rowjobs
from patchbench.check.names import Names
from patchbench.check.rowjobs import DONE, KIND, RowDelivery, RowEntry, RowJob, checksum, entry_of
from patchbench.errors import BadInput, BuildFailed, KconfigDropped
from patchbench.model import Json, SeriesName, Tree
from patchbench.pipeline import Pipeline
from patchbench.store import Store
from patchbench.tools import files
from patchbench.work import worker, working


def holds_row(file: Path) -> bool:
    """Return whether a job's file is a row's, and not one of boots."""
    try:
        return "row" in load_json(file)
    except (OSError, ValueError):
        return False  # whoever reads it says what is wrong with it


def work(run: Pipeline, file: Path) -> list[Path]:
    """Carry out the job in a file, and return the entries that it left below the file's folder.

    Its patches are pulled from the folder beside it. Raises BadInput if the file is no job, or one
    for another toolchain, kernel or version of the code.
    """
    try:
        job = rowjobs.loads(file.read_text(), str(file))
    except (OSError, UnicodeError) as err:
        raise BadInput(f"{file} cannot be read: {err}") from err
    names = [one.sha256 for one in job.series.patches]
    working.artefacts(run).pull(names, file.parent / "artefacts")
    done, delivery = Store(file.parent / DONE), make(run, job, platform.node())
    for entry in delivery.entries:
        if not done.get(KIND, entry.made_of):
            rowjobs.shelve(done, entry)
    return [done.entry(KIND, entry.made_of) for entry in delivery.entries]


def perform(text: str) -> RowDelivery:
    """Carry out a job on a worker, given as its text, and deliver what it shelved."""
    asked = worker.this()
    return make(asked.run, rowjobs.loads(text, "a job"), asked.labels.name)


def make(run: Pipeline, job: RowJob, host: str) -> RowDelivery:
    """Make what is needed of a row on this host, and deliver its entries of the shelf.

    A row that does not come to its end is delivered as far as it came: whoever asked meets the same
    error. Raises BadInput, naming this host, if that has another code, toolchain or kernel.
    """
    _check(run, job, host)
    shelf = _NotingStore(run.store.root)
    with working.alone(run.cache / "work/jobs", f"author-{job.author}"):
        applied = _applied(run, job, host)
        lane = run.lane(applied, "")
        run.check_out(applied, lane)
        config = matrix.config(matrix.load(run.root), job.row, applied, run.catalog, lane.source)
        try:
            onerow.make(
                onerow.builder(run, applied, config, shelf),
                config,
                job.needed,
                applied,
                files=job.touched,
                names=Names(applied.source, job.touched),
                source=lane.source,
            )
        except (BuildFailed, KconfigDropped) as err:
            run.story.say(f"{job.title}: {err}")
    entries = tuple(shelf.noted())
    return RowDelivery(job.key, entries, checksum(entries))


def _check(run: Pipeline, job: RowJob, host: str) -> None:
    for what, ours, theirs in (
        ("code", working.code(), job.code),
        ("toolchain", run.cross_toolchain.digest, job.toolchain),
        (job.kernel, run.source(job.kernel).commit, job.commit),
    ):
        if ours != theirs:
            raise BadInput(
                f"{host} has another {what} than the job: {ours[:12]}, not {theirs[:12]}"
            )


def _applied(run: Pipeline, job: RowJob, host: str) -> Tree:
    """Return the kernel with the job's patches, which lie in a place of their author's own."""
    place = (
        run.cache
        / "work/asked"
        / job.author
        / "patches"
        / SeriesName.parse(job.series.name).stem
        / job.series.line
    )
    files.remove(place)
    place.mkdir(parents=True)
    kept = working.artefacts(run)
    for one in job.series.patches:
        (place / one.path).write_bytes(kept.path(Path(one.sha256)).read_bytes())
    patches = tuple(replace(one, path=place / one.path) for one in job.series.patches)
    applied = run.apply_series(run.source(job.kernel), replace(job.series, patches=patches))
    if applied.id != job.tree:
        raise BadInput(f"{host} makes another tree of {job.series.name}: {applied.id[:12]}")
    return applied


class _NotingStore(Store):
    """A shelf that notes which entries were asked of it."""

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self._noted: dict[Path, Mapping[str, Json]] = {}

    def ensure(
        self, kind: str, ingredients: Mapping[str, Json], fill: Callable[[Path], None]
    ) -> Path:
        """Return the entry's folder, made first if it is absent, and note it."""
        folder = super().ensure(kind, ingredients, fill)
        self._noted[folder] = ingredients
        return folder

    def noted(self) -> list[RowEntry]:
        """Return the noted entries, without the shelf's own notes on them."""
        return [entry_of(made_of, folder) for folder, made_of in self._noted.items()]
