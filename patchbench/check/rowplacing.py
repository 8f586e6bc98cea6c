# SPDX-License-Identifier: GPL-2.0-only
"""What a run does with rows as jobs: it has other hosts do them, or writes them down for `work`."""

import platform
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from pathlib import Path

from patchbench.check import matrix, onerow, rowmaking
from patchbench.check.onerow import Needed
from patchbench.check.rowjobs import DONE, KIND, RowDelivery, RowJob, entry_of, shelve
from patchbench.errors import BadInput
from patchbench.model import Tree
from patchbench.pipeline import Pipeline
from patchbench.stages.pool import Elsewhere
from patchbench.store import Store, key, write_whole
from patchbench.work import working


def ahead(
    run: Pipeline,
    hosts: Elsewhere,
    applied: Tree,
    needed: Mapping[str, Needed],
    touched: Sequence[str],
) -> None:
    """Have other hosts compile the whole rows that are not shelved, and shelve what they deliver.

    applied: a tree that is checked out. A kernel that no other host can fetch, and a row that
    cannot be configured, are left to this host. Raises ToolFailed if no host is left.
    """
    jobs = lacking(run, applied, needed, touched)
    patches = {one.sha256: one.path for one in applied.series.patches}
    work = [partial(_have_made, run, hosts, job, patches) for job in jobs]
    _all_at_once(work, max(1, len(hosts.usable())))


def lacking(
    run: Pipeline, applied: Tree, needed: Mapping[str, Needed], touched: Sequence[str]
) -> list[RowJob]:
    """Return the whole rows that are not shelved, as jobs; see `ahead` for what is left out."""
    if not run.is_packaged(applied.source):
        run.story.say(f"rows of {applied.source.kernel} are built here: no other host has it")
        return []
    return [
        job_of(run, applied, row, wanted, touched)
        for row, wanted in needed.items()
        if wanted.whole and not _is_made(run, applied, row, touched)
    ]


def job_of(
    run: Pipeline, applied: Tree, row: str, needed: Needed, touched: Sequence[str]
) -> RowJob:
    """Return a row with a series as a job."""
    patches = applied.series.patches
    place = str(patches[0].path.resolve().parents[3]) if patches else ""
    return RowJob(
        kernel=applied.source.kernel,
        commit=applied.source.commit,
        series=replace(
            applied.series, patches=tuple(replace(one, path=Path(one.path.name)) for one in patches)
        ),
        tree=applied.id,
        author=key({"host": platform.node(), "place": place})[:12],
        row=row,
        needed=needed,
        touched=tuple(touched),
        toolchain=run.cross_toolchain.digest,
        code=working.code(),
    )


def _is_made(run: Pipeline, applied: Tree, row: str, touched: Sequence[str]) -> bool:
    """Return whether a row's objects are not worth another host's time."""
    source = run.lane(applied, "").source
    try:
        config = matrix.config(matrix.load(run.root), row, applied, run.catalog, source)
    except BadInput:
        return True  # the matrix says why
    return onerow.builder(run, applied, config, run.store).has_compiled(touched)


def _have_made(run: Pipeline, hosts: Elsewhere, job: RowJob, patches: Mapping[str, Path]) -> None:
    delivery: RowDelivery = hosts.deliver(job, patches, rowmaking.perform)
    for entry in delivery.entries:
        shelve(run.store, entry)


def write(jobs: Iterable[tuple[RowJob, Tree]], folder: Path) -> list[Path]:
    """Write jobs into a folder, with the patches that they need, and return their files.

    Whoever sees the folder can do them, in any order and more than once: `invoke work FILE`.
    """
    folder.mkdir(parents=True, exist_ok=True)
    kept, written = working.Artefacts(folder / "artefacts"), []
    for number, (job, applied) in enumerate(jobs, start=1):
        for patch in applied.series.patches:
            kept.put(patch.sha256, patch.path.read_bytes())
        path = folder / f"row-{number:03}.json"
        write_whole(path, job.dumps())
        written.append(path)
    return written


def take_in(shelf: Store, folder: Path) -> None:
    """Shelve what `work` left of the jobs in a folder."""
    for made_of, entry in Store(folder / DONE).whole(KIND):
        if not shelf.get(KIND, made_of):
            shelve(shelf, entry_of(made_of, entry))


def _all_at_once(work: Sequence[Callable[[], None]], most: int) -> None:
    """Do all the work, so much at once; the first error is raised when what is under way ends."""
    with ThreadPoolExecutor(most) as pool:
        futures = [pool.submit(piece) for piece in work]
        try:
            for future in futures:
                future.result()
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
