# SPDX-License-Identifier: GPL-2.0-only
"""What `iterate` does with the pipeline: between two edits, one seed, plain and counted."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from patchbench.errors import BootFailed
from patchbench.model import Arm, Boot
from patchbench.pipeline import Pipeline
from patchbench.profile import boots, counting, iterations
from patchbench.profile.iterations import Iteration, Progress
from patchbench.profile.profiling import ProfileRequest
from patchbench.stages.boots import Job
from patchbench.store import key
from patchbench.tools import files

_KEY_LETTERS = 16


def iterate(run: Pipeline, request: ProfileRequest, typed: str) -> Progress:
    """Build a series and its base, boot each with one seed, and return what changed.

    typed: the series as it was asked for, which stays the same from edit to edit. Images, boots
    and counts are shelved, and are those of a bench under the same conditions. Raises BadInput as
    `profiling.profile`, BootFailed for a boot without samples.
    """
    machine = run.catalog.machine(request.machine)
    boots.check_machine(machine)
    workload = run.workload(request.workload, request.parameters, machine)
    source = run.source(request.kernel, request.tree)
    names = (request.against, request.series)
    arms = run.arms(source, names, flavour=request.flavour, machine=machine, workload=workload)
    base, now = _boot(run, arms, request.seed)
    conditions = {
        name: value
        for name, value in arms[0].conditions().items()
        if name not in ("image", "toolchain")
    }
    conditions |= {"series": typed, "kernel": source.kernel, "origin": source.origin}
    note = run.cache / "work/iterations" / f"{key(conditions)[:_KEY_LETTERS]}.json"
    return Progress(base, iterations.remember(note, now), now)


def _boot(run: Pipeline, arms: list[Arm], seed: int) -> list[Iteration]:
    """Boot the arms plain on one core and counted on another."""
    folder = run.cache / "work/iterating"
    files.remove(folder)
    counting.profiler(run)  # compiled before two threads want it
    booter = run.booter(folder)
    with ThreadPoolExecutor(1) as pool:
        jobs = [Job(arm, seed) for arm in arms]
        plain = pool.submit(booter.exact, jobs, fresh=False, pick=None)
        counts = [counting.counted(run, arm, seed) for arm in arms]
        booted = plain.result()
    metrics = run.catalog.metrics(arms[0].workload.program)
    shown = iterations.shown(metrics, run.catalog.metric_notes())
    return [
        iterations.of_boot(_usable(boot, folder), arm.image.key, count, shown)
        for arm, boot, count in zip(arms, booted, counts, strict=True)
    ]


def _usable(boot: Boot, folder: Path) -> Boot:
    if boot.failure:
        raise BootFailed(f"{boot.series} seed {boot.seed}: {boot.failure}\n  logs: {folder}")
    return boot
