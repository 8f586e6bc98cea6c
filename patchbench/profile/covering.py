# SPDX-License-Identifier: GPL-2.0-only
"""What `coverage` and `--workload auto` do with the pipeline: every workload counted once.

The index is of the unpatched kernel, and each workload's part of it is shelved by itself: a new
workload, or one that was changed, costs one boot.
"""

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

from patchbench.errors import BadInput, BootFailed, NotEngaged
from patchbench.model import NONE, CodeMap, Image, Machine, Source, Workload
from patchbench.pipeline import Pipeline
from patchbench.profile import counting
from patchbench.profile.counts import Profile
from patchbench.profile.coverage import Coverage, WorkloadReach, changed, choose, reaches

SEED = 1
#: It measures the machine, and not the kernel.
_NOT_OF_THE_KERNEL = "clockwork"
#: More workloads than these would take an afternoon; the others are named.
_MOST_CHOSEN = 3


def cover(run: Pipeline, source: Source, machine: str, workloads: Sequence[str]) -> Coverage:
    """Return which functions the workloads run on an unpatched kernel, booted unless shelved.

    Raises BadInput for a machine whose instructions cannot be counted.
    """
    on = run.catalog.machine(machine)
    if not counting.can_count(on):
        raise BadInput(f"the instructions of machine {machine} cannot be counted; use exact")
    (image,) = run.images(source, [NONE], "bench")
    runs: dict[str, Profile] = {}
    lost: dict[str, str] = {}
    jobs: dict[str, Callable[[], Profile]] = {}
    for name in workloads:
        try:
            jobs[name] = _job(run, image, on, run.catalog.workload(name))
        except BadInput as err:
            lost[name] = _first_line(err)
    counting.profiler(run)  # or every job would compile it
    with (
        run.story.meter(f"counting on {machine}", len(jobs), "workloads") as meter,
        ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool,
    ):
        try:
            futures = {name: pool.submit(job) for name, job in jobs.items()}
            for done, (name, future) in enumerate(futures.items(), start=1):
                try:
                    runs[name] = future.result()
                except BootFailed as err:
                    lost[name] = _first_line(err)
                meter.at(done)
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            run.engine.stop_all()
            raise
    return Coverage(f"{source.kernel} {source.version}", machine, runs, lost)


def workloads(run: Pipeline, *, hazards: bool) -> list[str]:
    """Return the workloads to bench, or the hazards to check, that may be chosen."""
    known = map(run.catalog.workload, run.catalog.listing()["workload"])
    return [
        one.name
        for one in known
        if bool(one.conditions) is hazards and one.name != _NOT_OF_THE_KERNEL
    ]


def chosen(
    run: Pipeline, source: Source, names: tuple[str, str], *, machine: str, hazards: bool
) -> list[WorkloadReach]:
    """Return the workloads that run what the second of two series changes, and say why.

    Of hazards all that do, of others at most three. Raises NotEngaged, with the functions, if no
    workload does.
    """
    images = run.images(source, names, "bench")
    code = run.code_map(images[0], images[1])
    coverage = cover(run, source, machine, workloads(run, hazards=hazards))
    ranked = reaches(coverage, code)
    if not ranked:
        raise NotEngaged(_none(code, coverage, names[1]))
    found = ranked if hazards else choose(ranked, _MOST_CHOSEN)
    for one in found:
        run.story.say(one.why())
    if left := [one.workload for one in ranked if one not in found]:
        run.story.say(f"these run some of it as well: {', '.join(left)}")
    return found


def _none(code: CodeMap, coverage: Coverage, series: str) -> str:
    names = changed(code)
    if not names:
        return f"{series} changes no function that is in the kernel without it"
    listed = "\n  ".join(f"{name} is run by no workload here" for name in names)
    lost = "".join(f"\n  not counted: {name}: {why}" for name, why in coverage.lost.items())
    return f"no workload runs what {series} changes\n  {listed}{lost}"


def _job(
    run: Pipeline, image: Image, machine: Machine, workload: Workload
) -> Callable[[], Profile]:
    arm = run.arm(image, machine, replace(workload, machine=machine.name))
    return lambda: counting.counted(run, arm, SEED)


def _first_line(err: Exception) -> str:
    return str(err).partition("\n")[0]
