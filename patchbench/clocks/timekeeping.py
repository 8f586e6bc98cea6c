# SPDX-License-Identifier: GPL-2.0-only
"""Whether a machine is what its file says: its own times, what moves them, and whether it repeats.

None of it is about a series: all boots are of the unpatched kernel.
"""

import random
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from statistics import mean, stdev

from patchbench.catalog import Catalog
from patchbench.clocks import clockwork
from patchbench.errors import BadInput, BootFailed
from patchbench.model import NONE, Arm, Boot, Machine
from patchbench.pipeline import Pipeline
from patchbench.stages import boot, boots, splats
from patchbench.stages.boots import Job
from patchbench.tools import files, host
from patchbench.tools.qemu import CONSOLE, RESULTS, Hypervisor

_WORKLOAD = "clockwork"
#: Small enough for forty boots, and still a storm: ten exits at once.
_STORM = {"victims": 10, "mib": 8}
_SEEDS = range(1, 5)
_QUANTA_NS = (250, 1000, 4000, 10000, 50000, 200000)
_SPINS_NS = (50, 200, 1000)
REPEAT_HEADINGS = ("workload", "state", "detail")


@dataclass(frozen=True, slots=True)
class Repeat:
    """How two boots of one workload and seed compare; `failure` is what both said of theirs."""

    workload: str
    difference: str
    failure: str = ""

    def cells(self) -> tuple[str, str, str]:
        """Return the row as a table has it."""
        state = "DIFFERS" if self.difference else "ok"
        return self.workload, state, self.difference or self.failure


def examine(run: Pipeline, machine: Machine, kernel: str) -> list[clockwork.Timing]:
    """Boot clockwork on a machine and return what its times are, and should be.

    Raises BootFailed if it gives no result, NotRepeatable if a second boot differs.
    """
    workload = run.workload(_WORKLOAD, {}, machine)
    (arm,) = run.arms(
        run.source(kernel), [NONE], flavour="bench", machine=machine, workload=workload
    )
    if not machine.exact:
        return clockwork.judge(run.boot_once(arm, 1)[1], machine)
    (booted,) = _boots(run, arm, [1], pick=random.Random())  # no secret
    return clockwork.judge(booted, machine)


def sweep_headings(catalog: Catalog) -> tuple[str, ...]:
    """Return the headings of `sweep`: what was varied, and the metrics that are swept."""
    clocks = (f"{note.label} ms" for note in catalog.metric_notes().values() if note.swept)
    return "machine", "quantum us", "spin us", *clocks


def sweep(run: Pipeline, machine: Machine, kernel: str) -> Iterator[tuple[str, ...]]:
    """Give a row for each quantum and spin: what a storm takes there, mean and deviation by seed.

    Before them one for each way to count on a single vCPU, which have to agree. Raises BadInput
    for a machine without timelines.
    """
    timelines = machine.timelines
    if timelines is None:
        raise BadInput(f"machine {machine.name} has no [timelines] whose numbers could be varied")
    single = run.catalog.machine("exact")
    yield _swept(run, replace(single, name="exact1", icount_shift=1, timelines=None), kernel)
    yield _swept(run, single, kernel)
    varied = [replace(timelines, quantum_ns=ns) for ns in _QUANTA_NS]
    varied += [replace(timelines, spin_ns=ns) for ns in _SPINS_NS if ns != timelines.spin_ns]
    for one in varied:
        name = f"{machine.name}-{one.quantum_ns}-{one.spin_ns}"
        yield _swept(run, replace(machine, name=name, timelines=one), kernel)


def _swept(run: Pipeline, machine: Machine, kernel: str) -> tuple[str, ...]:
    workload = run.workload("exit-storm", _STORM, machine)
    (arm,) = run.arms(
        run.source(kernel), [NONE], flavour="bench", machine=machine, workload=workload
    )
    booted = _boots(run, arm, _SEEDS)
    times = machine.timelines
    setting = (f"{times.quantum_ns / 1000:g}", f"{times.spin_ns / 1000:g}") if times else ("", "")
    notes = run.catalog.metric_notes()
    clocks = (_mean(booted, metric) for metric, note in notes.items() if note.swept)
    return machine.name.partition("-")[0], *setting, *clocks


def _mean(booted: Sequence[Boot], metric: str) -> str:
    values = [one.value(metric) / 1e6 for one in booted]
    return f"{mean(values):.2f} +- {stdev(values):.2f}"


def _boots(
    run: Pipeline, arm: Arm, seeds: Iterable[int], *, pick: random.Random | None = None
) -> list[Boot]:
    """Return an arm's boots, shelved like any exact ones; the first that failed is raised."""
    jobs = [Job(arm, seed) for seed in seeds]
    booted = run.booter(_empty(run, "timekeeping")).exact(jobs, fresh=False, pick=pick)
    for one in booted:
        if one.failure:
            raise BootFailed(f"{arm.workload.name} on {arm.machine.name}: {one.failure}")
    return booted


def repeat(
    run: Pipeline,
    machine: Machine,
    kernel: str,
    workloads: Iterable[str],
    parameters: Mapping[str, int],
) -> Iterator[Repeat]:
    """Boot each workload twice, side by side, and give how the two compare.

    parameters: instead of its own, for each workload that has them. A boot that fails must fail
    alike.
    """
    source = run.source(kernel)
    for name in workloads:
        own = run.catalog.workload(name)
        known = run.catalog.parameters(own.program)
        changed = {key: value for key, value in parameters.items() if key in known}
        workload = run.workload(name, changed, machine)
        (arm,) = run.arms(source, [NONE], flavour=own.flavour, machine=machine, workload=workload)
        yield twice(run, arm)


def twice(run: Pipeline, arm: Arm) -> Repeat:
    """Boot an arm twice, at once where the host can, and return how the two compare."""
    folder = _empty(run, "repeat")
    hypervisor = Hypervisor(run.engine, run.toolchain)
    outs = [folder / "one", folder / "two"]
    with ThreadPoolExecutor(min(2, host.cores())) as pool:
        list(pool.map(partial(boot.run, hypervisor, arm, 1), outs))
    differences = (
        boots.describe_difference(*(boot.read_log(out, log) or b"" for out in outs))
        for log in (RESULTS, CONSOLE)
    )
    booted = boot.read_or_count(outs[0], boot.wanted(arm, 1), splats.load(run.root))
    failure = booted.failure.partition("\n")[0]
    return Repeat(arm.workload.name, next(filter(None, differences), ""), failure)


def _empty(run: Pipeline, name: str) -> Path:
    folder = run.cache / "work" / name
    files.remove(folder)
    return folder
