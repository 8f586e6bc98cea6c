# SPDX-License-Identifier: GPL-2.0-only
"""Stage 6: two arms, machines and seeds in, a run's folder full of logs out.

Exact boots are shelved and reused, and as many run at once as the host has cores: nothing on
the host can change them, and every bench boots one of them again to prove it. Other boots run
alone, the two arms alternating in an order drawn for each block.
"""

import os
import random
import shutil
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from enum import Enum, auto
from functools import partial
from pathlib import Path

from patchbench.catalog import SplatPolicy
from patchbench.errors import BadInput, BootFailed, NotComparable, NotRepeatable, ToolFailed
from patchbench.model import Arm, Boot, Machine
from patchbench.stages import boot
from patchbench.store import Store
from patchbench.story import Story
from patchbench.tools.qemu import CONSOLE, RESULTS

#: After this many lost boots of one arm the rest would only cost time.
_LOST_TOO_MANY = 2


@dataclass(frozen=True, slots=True)
class Job:
    """One boot to come: which arm, which seed."""

    arm: Arm
    seed: int

    def folder(self, run: Path) -> Path:
        """Return where its logs go in a run's folder."""
        return boot_folder(run, self.arm.machine.name, self.arm.image.series, self.seed)


def boot_folder(run: Path, machine: str, series: str, seed: int) -> Path:
    """Return the folder of one boot's logs."""
    return run / "boots" / machine / series / f"seed-{seed}"


def host_cores() -> int:
    """Return how many cores this process may use."""
    return len(os.sched_getaffinity(0))


def check_comparable(base: Arm, test: Arm) -> None:
    """Raise NotComparable, naming the conditions that differ, unless only the image does."""
    ours, theirs = base.conditions(), test.conditions()
    different = [name for name in ours if name != "image" and ours[name] != theirs[name]]
    if different:
        raise NotComparable(f"the arms differ in {', '.join(different)}, not in the image alone")


def check_machine(machine: Machine) -> None:
    """Refuse more vCPUs than host cores where vCPUs run in parallel.

    Spinning vCPUs burn whole host time slices: four on two cores take a thousand times longer.
    """
    cores = host_cores()
    if not machine.exact and machine.vcpus > cores:
        raise BadInput(
            f"machine {machine.name} has {machine.vcpus} vCPUs, this host has {cores} cores; "
            "use an exact machine, or a machine file with fewer"
        )


class Booter:
    """What boots need: QEMU, the shelf, and who listens."""

    def __init__(
        self, hypervisor: boot.CanBoot, store: Store, policy: SplatPolicy, story: Story, run: Path
    ) -> None:
        self._hypervisor = hypervisor
        self._store = store
        self._policy = policy
        self._story = story
        self._run = run
        self._lost: dict[tuple[str, str], int] = {}
        self._lock = threading.Lock()
        self._proved: set[str] = set()
        #: When to start no more boots, on time.monotonic's clock; and which were left out for it.
        self.until: float | None = None
        self.left_out: list[Job] = []

    def exact(self, jobs: list[Job], *, fresh: bool, pick: random.Random | None) -> list[Boot]:
        """Return the boots of an exact machine, from the shelf where they are there.

        Of each machine one boot that `pick` draws is run again and must not differ from the shelf
        in a single byte; with `fresh` all are. Raises NotRepeatable when one does.
        """
        before = [job for job in jobs if self._shelved(job)]
        todo = jobs if fresh else [job for job in jobs if job not in before]
        work = [partial(self._boot_and_shelve, job) for job in todo]
        machine = jobs[0].arm.machine.name
        if pick and before and not fresh and machine not in self._proved:
            work.insert(0, partial(self._prove, pick.choice(before)))
        with self._story.meter(f"booting {machine}", len(work), "boots") as meter:
            _in_parallel(work, meter.at, self._hypervisor.stop)
        good = [job for job in jobs if self._shelved(job)]
        if pick and good and not before and machine not in self._proved:
            self._prove(pick.choice(good))
        return [self._collect(job, shelf=not fresh) for job in jobs]

    def blocks(self, arms: Sequence[Arm], seeds: Sequence[int], order: random.Random) -> list[Boot]:
        """Return the boots of a noisy machine: one at a time, all arms in each block, shuffled."""
        jobs = []
        for seed in seeds:
            block = [Job(arm, seed) for arm in arms]
            order.shuffle(block)
            jobs += block
        # A run that is carried on has some of them already, good or lost.
        todo = [job for job in jobs if not boot.came_to_its_end(job.folder(self._run))]
        with self._story.meter(f"booting {arms[0].machine.name}", len(todo), "boots") as meter:
            for number, job in enumerate(todo):
                meter.at(number)
                if not self._left_out(job):
                    self._boot(job, job.folder(self._run))
            meter.at(len(todo))
        return [self._collect(job, shelf=False) for job in jobs]

    def _boot_and_shelve(self, job: Job) -> None:
        if self._left_out(job):
            return
        made_of = boot.ingredients(job.arm, job.seed)
        old = self._store.get("boots", made_of)
        folder = job.folder(self._run)
        if self._boot(job, folder) is _Fate.GOOD:
            if old:
                _same_bytes(folder, old, job)
                return
            with self._store.publish("boots", made_of) as new:
                _copy(folder, new)

    def _prove(self, job: Job) -> None:
        shelf = self._shelved(job)
        assert shelf is not None  # for mypy: only shelved jobs are picked
        again = self._run / "again"
        self._story.say(
            f"booting {job.arm.image.series} seed {job.seed} again, to see it repeat to the byte"
        )
        ran = boot.run(self._hypervisor, job.arm, job.seed, again)
        if ran.timed_out:
            raise ToolFailed(
                f"{job.arm.image.series} seed {job.seed} did not end in time when booted again; "
                f"is the host overloaded?  {again}"
            )
        _same_bytes(again, shelf, job)
        shutil.rmtree(again)
        self._proved.add(job.arm.machine.name)

    def _boot(self, job: Job, folder: Path) -> "_Fate":
        """Boot once, count it where its samples cannot be used, and return what it is worth."""
        ran = boot.run(self._hypervisor, job.arm, job.seed, folder)
        try:
            boot.read(folder, boot.wanted(job.arm, job.seed), self._policy)
        except BootFailed as err:
            with self._lock:
                lost = self._lost[_place(job)] = self._lost.get(_place(job), 0) + 1
            self._story.say(f"{job.arm.image.series} seed {job.seed}: {err}")
            if lost == _LOST_TOO_MANY:
                self._story.say(f"{job.arm.image.series}: {lost} boots lost, leaving out the rest")
            return _Fate.LOST
        return _Fate.GOOD if ran.orderly else _Fate.UNCLEAN

    def _collect(self, job: Job, *, shelf: bool) -> Boot:
        """Return a job's boot, copied from the shelf if it may be."""
        folder = job.folder(self._run)
        if shelf and (shelved := self._shelved(job)):
            folder.mkdir(parents=True, exist_ok=True)  # a copy may have been cut off
            _copy(shelved, folder)
        return boot.read_or_count(folder, boot.wanted(job.arm, job.seed), self._policy)

    def _shelved(self, job: Job) -> Path | None:
        return self._store.get("boots", boot.ingredients(job.arm, job.seed))

    def _left_out(self, job: Job) -> bool:
        if self._lost.get(_place(job), 0) >= _LOST_TOO_MANY:
            return True
        if self.until is None or time.monotonic() < self.until:
            return False
        self.left_out.append(job)
        return True


class _Fate(Enum):
    GOOD = auto()
    UNCLEAN = auto()  # good samples, but QEMU did not end by itself: its logs may be cut
    LOST = auto()


def _place(job: Job) -> tuple[str, str]:
    return job.arm.machine.name, job.arm.image.key


def _same_bytes(new: Path, shelf: Path, job: Job) -> None:
    for name in (RESULTS, CONSOLE):
        ours, theirs = (new / name).read_bytes(), (shelf / name).read_bytes()
        if ours != theirs:
            raise NotRepeatable(
                f"{job.arm.image.series} seed {job.seed} on {job.arm.machine.name} did not repeat: "
                f"{name} differs in line {_first_difference(ours, theirs)}\n"
                f"  shelved: {shelf / name}\n  now:     {new / name}\n"
                "  this host or its QEMU is not deterministic: rely on none of its exact results"
            )


def _first_difference(ours: bytes, theirs: bytes) -> int:
    pairs = enumerate(zip(ours.splitlines(), theirs.splitlines(), strict=False), start=1)
    shorter = min(len(ours.splitlines()), len(theirs.splitlines()))
    return next((number for number, (one, two) in pairs if one != two), shorter + 1)


def describe_difference(ours: bytes, theirs: bytes) -> str:
    """Return the first line in which two logs differ, and what it was; empty if none does."""
    if ours == theirs:
        return ""
    line = _first_difference(ours, theirs)
    told = [text.splitlines()[line - 1 : line] or [b"(nothing)"] for text in (ours, theirs)]
    old, new = (one[0].decode(errors="replace")[:60] for one in told)
    return f"line {line}: {old!r}, now {new!r}"


def _copy(source: Path, target: Path) -> None:
    # The results come last: without them the rest is no boot.
    for name in (CONSOLE, boot.HOST_NOTE, RESULTS):
        shutil.copyfile(source / name, target / name)


def _in_parallel(
    work: Sequence[Callable[[], None]], progress: Callable[[float], None], stop: Callable[[], None]
) -> None:
    """Do all the work, as much at once as there are cores; the first error stops the rest.

    `stop` ends the work that is under way, which would otherwise be waited for.
    """
    with ThreadPoolExecutor(host_cores()) as pool:
        try:
            futures = [pool.submit(piece) for piece in work]
            for done, future in enumerate(as_completed(futures), start=1):
                future.result()
                progress(done)
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            stop()
            raise
