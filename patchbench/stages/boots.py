# SPDX-License-Identifier: GPL-2.0-only
"""Stage 6, many times: arms and seeds in, boots out, their logs in a run's folder.

Exact boots are shelved and reused, and as many run at once as the host has cores: nothing on
the host can change them, and every bench boots one of them again to prove it. Other boots run
one at a time, all arms alternating in an order drawn for each block.
"""

import random
import shutil
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from functools import partial
from itertools import count
from pathlib import Path

from patchbench.errors import BadInput, NotComparable, NotRepeatable, ToolFailed
from patchbench.model import Arm, Boot, Machine
from patchbench.stages import boot
from patchbench.stages.pool import Pool, ToBoot
from patchbench.stages.splats import SplatPolicy
from patchbench.store import Store
from patchbench.story import Story
from patchbench.tools import files, host
from patchbench.tools.qemu import CONSOLE, RESULTS, Ran

#: After so many lost boots of one arm the others would only cost time.
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


def check_comparable(base: Arm, test: Arm) -> None:
    """Raise NotComparable, which names what differs, unless only the image does."""
    ours, theirs = base.conditions(), test.conditions()
    different = [name for name in ours if name != "image" and ours[name] != theirs[name]]
    if different:
        raise NotComparable(f"the arms differ in {', '.join(different)}, not in the image alone")


def check_machine(machine: Machine) -> None:
    """Refuse more vCPUs than host cores where vCPUs run in parallel.

    Spinning vCPUs use up whole host time slices: four on two cores take a thousand times longer.
    """
    cores = host.cores()
    if not machine.exact and machine.vcpus > cores:
        raise BadInput(
            f"machine {machine.name} has {machine.vcpus} vCPUs, this host has {cores} cores; "
            "use an exact machine, or a machine file with fewer"
        )


class Booter:
    """Boots arms into a run's folder: where they run, the shelf, and who listens.

    meanwhile: what surrounds boots that nothing on the host disturbs: others may build then.
    tally: is told of boots that were made, and not taken from a shelf; from several threads.
    """

    def __init__(
        self,
        pool: Pool,
        store: Store,
        policy: SplatPolicy,
        story: Story,
        run: Path,
        meanwhile: Callable[[], AbstractContextManager[None]] = nullcontext,
        tally: Callable[[int], None] = lambda _: None,
    ) -> None:
        self._pool = pool
        self._store = store
        self._policy = policy
        self._story = story
        self._run = run
        self._meanwhile = meanwhile
        self._tally = tally
        self._booted: dict[Path, Boot] = {}  # by the folder of its logs
        self._lost: Counter[tuple[str, str]] = Counter()  # by machine and image
        self._lock = threading.Lock()
        self._proved: set[str] = set()
        #: When to start no more boots, on time.monotonic's clock, and which were skipped for it.
        self.until: float | None = None
        self.skipped: list[Job] = []

    def exact(self, jobs: list[Job], *, fresh: bool, pick: random.Random | None) -> list[Boot]:
        """Return the boots of an exact machine, from the shelf if they are there.

        On each machine one boot, drawn by `pick`, is run again and must not differ from the shelf
        in a single byte; with `fresh` all are. Raises NotRepeatable if one differs.
        """
        work = self.lacking(jobs, fresh=fresh)
        shelved = [job for job in jobs if self._shelved(job)]
        machine = jobs[0].arm.machine.name
        if pick and shelved and not fresh and machine not in self._proved:
            work.insert(0, partial(self._prove, pick.choice(shelved)))
        self.queue(work, machine)
        good = [job for job in jobs if self._shelved(job)]
        if pick and good and not shelved and machine not in self._proved:
            with self._meanwhile():
                self._prove(pick.choice(good))
        return [self._collect(job, shelf=not fresh) for job in jobs]

    def lacking(self, jobs: Sequence[Job], *, fresh: bool = False) -> list[Callable[[], None]]:
        """Return the boots of an exact machine that neither shelf nor run has, each as work.

        With `fresh` all of them. Work of several runs can wait in one queue.
        """
        self._take_in(jobs)
        todo = jobs if fresh else [job for job in jobs if not self._shelved(job)]
        again = [job for job in todo if fresh or not self._booted_as(job)]
        return [partial(self._boot_and_shelve, job, fresh) for job in again]

    def queue(self, work: Sequence[Callable[[], None]], what: str) -> None:
        """Do all the work, as much at once as there are slots; the first error stops the rest."""
        with self._meanwhile(), self._story.meter(f"booting {what}", len(work), "boots") as meter:
            _in_parallel(work, self._pool.slots, meter.at, self._pool.stop)

    def blocks(self, arms: Sequence[Arm], seeds: Sequence[int], order: random.Random) -> list[Boot]:
        """Return the boots of a noisy machine: all arms in each block, shuffled.

        A block has a host for itself while it runs. One that the host disturbed is done again, all
        arms of it, and counted; over all blocks as often as there are blocks. What is disturbed
        then is kept, and says so.
        """
        blocks = [[Job(arm, seed) for arm in arms] for seed in seeds]
        for block in blocks:
            order.shuffle(block)
        left = threading.Semaphore(len(blocks))
        work = [partial(self._boot_until_quiet, block, left) for block in blocks]
        with self._story.meter(f"booting {arms[0].machine.name}", len(blocks), "blocks") as meter:
            _in_parallel(work, self._pool.hosts, meter.at, self._pool.stop)
        return [self._collect(job, shelf=False) for block in blocks for job in block]

    def planned(
        self, arms: Sequence[Arm], seeds: Sequence[int], order: random.Random
    ) -> list[list[ToBoot]]:
        """Return the blocks that `exact` or `blocks` would boot and that neither shelf nor run has.

        A boot of an exact machine is a block of its own.
        """
        blocks = [[Job(arm, seed) for arm in arms] for seed in seeds]
        if arms[0].machine.exact:
            blocks = [[job] for block in blocks for job in block if not self._shelved(job)]
        for block in blocks:
            order.shuffle(block)
        left = ([job for job in block if not self._has_ended(job)] for block in blocks)
        return [[self._to_boot(job) for job in block] for block in left if block]

    def _take_in(self, jobs: Sequence[Job]) -> None:
        """Shelve what this run's folder has and the shelf lacks: boots that a job left there."""
        for job in jobs:
            if self._has_ended(job) and not self._booted_as(job) and not self._shelved(job):
                folder = job.folder(self._run)
                if boot.is_orderly(folder) and not self._read(job).failure:
                    with self._store.publish("boots", boot.ingredients(job.arm, job.seed)) as new:
                        _copy(folder, new)

    def _boot_until_quiet(self, block: Sequence[Job], left: threading.Semaphore) -> None:
        """Boot a block, and again while something disturbs it and any such boots are left."""
        # A run that is carried on has some of them already, good or lost.
        self._boot([one for one in block if not self._has_ended(one)])
        for times in count(1):
            disturbed = [boot for boot in map(self._booted_as, block) if boot and boot.overload]
            if not disturbed or any(self._skip(job) for job in block):
                return
            if not left.acquire(blocking=False):
                return
            first = disturbed[0]
            self._story.say(f"seed {first.seed}: {first.overload}; its block is done again")
            self._boot(block, fresh=True)
            for job in block:
                boot.note_again(job.folder(self._run), times)
                self._booted[job.folder(self._run)] = self._read(job)

    def _has_ended(self, job: Job) -> bool:
        return boot.has_ended(job.folder(self._run))

    def _booted_as(self, job: Job) -> Boot | None:
        return self._booted.get(job.folder(self._run))

    def _boot_and_shelve(self, job: Job, fresh: bool) -> None:
        made_of = boot.ingredients(job.arm, job.seed)
        shelved = self._store.get("boots", made_of)
        ran, folder = self._boot([job], fresh=fresh), job.folder(self._run)
        # A QEMU that did not end by itself may have cut the logs of a good boot.
        if ran and ran[0].orderly and not self._booted[folder].failure:
            if shelved:
                _check_same(folder, shelved, job)
                return
            with self._store.publish("boots", made_of) as new:
                _copy(folder, new)

    def _prove(self, job: Job) -> None:
        """Run a shelved boot again; NotRepeatable if it differs."""
        shelved = self._shelved(job)
        assert shelved is not None  # for mypy: only shelved jobs are picked
        again = self._run / "again"
        self._story.say(
            f"booting {job.arm.image.series} seed {job.seed} again, to prove it repeats to the byte"
        )
        to_boot = job.arm, job.seed, again
        (ran,) = self._pool.boot([to_boot], fresh=True, avoid=boot.where(shelved))
        self._tally(1)
        if not ran.orderly:
            why = ran.ended_by_host or "is the host overloaded?"
            raise ToolFailed(
                f"{job.arm.image.series} seed {job.seed} did not finish when booted again; "
                f"{why}  {again}"
            )
        _check_same(again, shelved, job)
        files.remove(again)
        self._proved.add(job.arm.machine.name)

    def _boot(self, block: Iterable[Job], *, fresh: bool = False) -> list[Ran]:
        """Boot what is not to be skipped on one host, and keep what was read of it."""
        todo = [job for job in block if not self._skip(job)]
        if not todo:
            return []
        ran = self._pool.boot([self._to_boot(job) for job in todo], fresh=fresh)
        self._tally(len(todo))
        for job in todo:
            self._keep(job)
        return ran

    def _to_boot(self, job: Job) -> ToBoot:
        return job.arm, job.seed, job.folder(self._run)

    def _keep(self, job: Job) -> None:
        """Keep what a boot's logs say; a boot without usable samples is counted."""
        read = self._booted[job.folder(self._run)] = self._read(job)
        if read.failure:
            series = job.arm.image.series
            with self._lock:
                self._lost[_place(job)] += 1
                lost = self._lost[_place(job)]
            self._story.say(f"{series} seed {job.seed}: {read.failure}")
            if lost == _LOST_TOO_MANY:
                self._story.say(f"{series}: {lost} boots lost, skipping the rest")

    def _collect(self, job: Job, *, shelf: bool) -> Boot:
        """Return a job's boot: as it was just read, or from the shelf if allowed, or the run."""
        folder = job.folder(self._run)
        if folder in self._booted:
            return self._booted[folder]
        if shelf and (shelved := self._shelved(job)):
            folder.mkdir(parents=True, exist_ok=True)  # an earlier copy may have been cut off
            _copy(shelved, folder)
        return self._read(job)

    def _read(self, job: Job) -> Boot:
        wanted = boot.wanted(job.arm, job.seed)
        return boot.read_or_count(job.folder(self._run), wanted, self._policy)

    def _shelved(self, job: Job) -> Path | None:
        return self._store.get("boots", boot.ingredients(job.arm, job.seed))

    def _skip(self, job: Job) -> bool:
        """Return whether a job is not to be booted: its arm loses every boot, or time is up."""
        if self._lost[_place(job)] >= _LOST_TOO_MANY:
            return True
        if self.until is None or time.monotonic() < self.until:
            return False
        self.skipped.append(job)
        return True


def _place(job: Job) -> tuple[str, str]:
    return job.arm.machine.name, job.arm.image.key


def _check_same(new: Path, shelf: Path, job: Job) -> None:
    for name in (RESULTS, CONSOLE):
        ours, theirs = boot.read_log(new, name) or b"", (shelf / name).read_bytes()
        if ours != theirs:
            raise NotRepeatable(
                f"{job.arm.image.series} seed {job.seed} on {job.arm.machine.name} did not repeat: "
                f"{name} differs in line {_first_difference(ours, theirs)}\n"
                f"  shelved: {shelf / name}\n  now:     {new / name}\n"
                "  this host or its QEMU is not deterministic; none of its exact results can be "
                "trusted"
            )


def _first_difference(ours: bytes, theirs: bytes) -> int:
    pairs = enumerate(zip(ours.splitlines(), theirs.splitlines(), strict=False), start=1)
    shorter = min(len(ours.splitlines()), len(theirs.splitlines()))
    return next((number for number, (one, two) in pairs if one != two), shorter + 1)


def describe_difference(ours: bytes, theirs: bytes) -> str:
    """Return the first line in which two logs differ, as it was and is; empty if none does."""
    if ours == theirs:
        return ""
    line = _first_difference(ours, theirs)
    lines = [text.splitlines()[line - 1 : line] or [b"(nothing)"] for text in (ours, theirs)]
    old, new = (found[0].decode(errors="replace")[:60] for found in lines)
    return f"line {line}: {old!r}, now {new!r}"


def _copy(source: Path, target: Path) -> None:
    # The results last: without them a folder holds no boot.
    for name in (CONSOLE, boot.HOST_NOTE, RESULTS):
        shutil.copyfile(source / name, target / name)


def _in_parallel(
    work: Sequence[Callable[[], None]],
    at_once: int,
    progress: Callable[[float], None],
    stop: Callable[[], None],
) -> None:
    """Do all the work, so much at once, begun in its order; the first error stops the rest.

    `stop` ends what is running, which would otherwise be waited for.
    """
    with ThreadPoolExecutor(at_once) as pool:
        try:
            futures = [pool.submit(piece) for piece in work]
            for done, future in enumerate(as_completed(futures), start=1):
                future.result()
                progress(done)
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            stop()
            raise
