# SPDX-License-Identifier: GPL-2.0-only
"""What `bench --plan-only` does with the pipeline: builds the arms, writes the boots as jobs.

    RUN/jobs/0001.json, ...        a job each, see work/jobs.py
    RUN/jobs/artefacts/SHA256      what they need: kernels, initrds, plugins

Whoever sees this folder can do them, in any order and more than once: `invoke work 0001.json`.
"""

from collections.abc import Sequence
from pathlib import Path

from patchbench.errors import BadInput
from patchbench.pipeline import Pipeline
from patchbench.runs import archive, benching
from patchbench.runs import folder as runs
from patchbench.runs.benching import BenchRequest
from patchbench.stages.pool import ToBoot
from patchbench.store import write_whole
from patchbench.work import hosts, working


def plan_only(pipeline: Pipeline, request: BenchRequest) -> list[Path]:
    """Build all arms, and return a file for each job that the run's boots are.

    When `work` has done them, the same command with --run takes them in, and reports.
    """
    prepared = benching.prepare(pipeline, request, run=request.run)
    blocks = [
        block
        for arms in prepared.to_boot(fresh=request.fresh)
        for block in prepared.booter.planned(
            arms, prepared.plan.seeds[arms[0].machine.name], prepared.order
        )
    ]
    return _write(pipeline, blocks, prepared.folder / "jobs")


def begun(pipeline: Pipeline, name: str) -> str:
    """Return the name of a run that is to be carried on; BadInput if it is finished."""
    folder = archive.find_bench(pipeline.results, name)
    if runs.is_sealed(folder):
        raise BadInput(f"{folder} is finished; `report --run {folder.name}` says what came of it")
    return folder.name


def _write(run: Pipeline, blocks: Sequence[Sequence[ToBoot]], folder: Path) -> list[Path]:
    here = working.labels(run, "this host", {})
    folder.mkdir(exist_ok=True)
    kept = working.Artefacts(folder / "artefacts")
    written = []
    for number, block in enumerate(blocks, start=1):
        job, files = hosts.as_job(block, here)
        for name in files.keys() - kept.names():
            kept.put(name, files[name].read_bytes())
        path = folder / f"{number:04}.json"
        write_whole(path, job.leaving([out for _, _, out in block], folder).dumps())
        written.append(path)
    return written
