# SPDX-License-Identifier: GPL-2.0-only
"""What a scheduler has this host do: the functions that are called here, by name, from elsewhere.

`dask_setup` is called once in a worker's process, before it joins; a worker that died is started
again and gets ready again, which removes the containers that the dead one left behind.
"""

from contextlib import ExitStack
from pathlib import Path
from typing import Any

from patchbench import pipeline
from patchbench.errors import BadInput
from patchbench.pipeline import Pipeline
from patchbench.story import Silence
from patchbench.tools import cluster
from patchbench.work import jobs, working
from patchbench.work.jobs import Delivery, Labels

_ROOT = Path(__file__).parents[2]


class WorkerProcess:
    """A worker's process: its pipeline, on a cache of its own, and its labels."""

    def __init__(self, run: Pipeline, name: str) -> None:
        self.run = run
        self.labels = working.labels(run, name, cluster.versions())


_open = ExitStack()
_workers: list[WorkerProcess] = []


def cache() -> Path:
    """Return the cache of this host's worker, so that a run beside it has its own."""
    usual = pipeline.default_cache()
    return usual.with_name(f"{usual.name}-worker")


def dask_setup(worker: Any) -> None:
    """Get ready: open the pipeline, and look what is here."""
    run = _open.enter_context(Pipeline(_ROOT, cache(), Silence()))
    _workers.append(WorkerProcess(run, str(worker.name)))


def dask_teardown(_: Any) -> None:
    """Kill what still boots, and let go of the cache."""
    _workers.clear()
    _open.close()


def greet() -> tuple[Labels, set[str]]:
    """Return what this host is, and which artefacts are here."""
    return this().labels, working.artefacts(this().run).names()


def keep(artefacts: dict[str, bytes]) -> None:
    """Keep artefacts; BadInput if one's bytes are not what its name says."""
    for name, data in artefacts.items():
        working.artefacts(this().run).put(name, data)


def perform(text: str) -> Delivery:
    """Carry out a job, given as its text, and deliver what it left.

    Raises BadInput, naming this host, if it is not for this toolchain, code or schema.
    """
    asked = this()
    job = jobs.loads(text, "a job")
    working.check(job, asked.labels)
    return working.perform(asked.run, job, asked.labels.name)


def this() -> WorkerProcess:
    """Return what this process is; BadInput if it is no worker."""
    if not _workers:
        raise BadInput("this worker was not started by `invoke worker`")
    return _workers[0]
