# SPDX-License-Identifier: GPL-2.0-only
"""The pool of other hosts: which may be used, which of them boots what, and what came of it.

Each boot that is asked for is placed on a host with a free slot, and placed again if that host is
lost, refuses it, or delivers something else. What is done is in the run's folder and on the shelf
and nowhere else, so whatever dies, the next run carries on.
"""

import threading
import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, Protocol

from patchbench.errors import BadInput, HostLost, HostSilent, NotReached, PipelineError, ToolFailed
from patchbench.model import Machine
from patchbench.pipeline import Pipeline
from patchbench.stages.pool import Asked, ToBoot
from patchbench.store import file_sha256
from patchbench.story import Story
from patchbench.tools.cluster import Cluster, versions
from patchbench.tools.qemu import Profiler, Ran
from patchbench.work import worker, working
from patchbench.work.jobs import Delivery, HostJob, JobBoot, Labels

#: How long to wait for a host that may be used: one that died is being started again.
_JOIN_S = 30.0
_LOOK_S = 1.0
_TELL_S = 15.0
#: Beyond the deadlines of a job's boots: other users of its host may come first.
_PATIENCE_S = 600.0
#: So many hosts may die on a job before it is the job that is to blame.
_MOST_LOST = 3


class CanCall(Protocol):
    """What reaches workers: tools.cluster.Cluster, or a fake in a test."""

    def workers(self) -> Mapping[str, str]:
        """Return the workers by address, each with its name."""

    def call(
        self,
        worker: str,
        function: Callable[..., Any],
        /,
        *arguments: Any,
        timeout_s: float = ...,
        resources: Mapping[str, float] | None = None,
    ) -> Any:
        """Return what a function returns there; HostLost or HostSilent if that is no more."""

    def send(self, worker: str, function: Callable[..., Any], /, *arguments: Any) -> None:
        """Run a function there at once, with arguments of any size."""

    def close(self) -> None:
        """Let go of them."""


@dataclass(slots=True)
class _Host:
    """A worker that greeted: its labels, its artefacts, and how many of its slots this run uses."""

    address: str
    labels: Labels
    files: set[str]
    refused: str = ""  # why it may not be used; empty if it may
    used: int = 0
    sending: threading.Lock = field(default_factory=threading.Lock)

    def has_room(self, job: Asked) -> bool:
        """Return whether this run may place a job here now."""
        return self.used < self.labels.cores if job.exact else not self.used


class Hosts:
    """The hosts of one scheduler, and what this run has under way on each.

    busy: which host booted when, in seconds since the epoch by its own clock.
    """

    def __init__(self, cluster: CanCall, here: Labels, story: Story) -> None:
        self.cluster = cluster
        self.here = here
        self.story = story
        self.busy: list[tuple[str, float, float]] = []
        self._hosts: dict[str, _Host] = {}
        self._changed = threading.Condition()
        self._waiting = 0
        self._told_s = time.monotonic()

    def usable(self) -> list[Labels]:
        """Return the hosts that may be used now."""
        with self._changed:
            self._look()
            return [one.labels for one in self._hosts.values() if not one.refused]

    def check(self, machine: Machine) -> None:
        """Raise BadInput, with the list of what there is, if no host can boot on a machine."""
        usable = self.usable()
        if not any(not one.lack(machine) for one in usable):
            lacks = (f"{one.says}; lacks {one.lack(machine)}" for one in usable)
            raise BadInput(f"no host can boot on machine {machine.name}:\n  " + "\n  ".join(lacks))

    def pool(self, profiler: Profiler | None = None) -> "HostsPool":
        """Return the pool of these hosts."""
        return HostsPool(self, profiler)

    @contextmanager
    def place(self, job: Asked, without: Mapping[str, str], avoid: str) -> Iterator[_Host]:
        """Give a host that has room for a job, and keep that while the block runs.

        without: addresses that are no good for it, and why. Raises ToolFailed, with all the
        reasons, if no other comes.
        """
        with self._changed:
            self._waiting += 1
            try:
                host = self._wait(job, without, avoid)
            finally:
                self._waiting -= 1
            room = 1 if job.exact else host.labels.cores
            host.used += room
            self.tell()
        try:
            yield host
        finally:
            with self._changed:
                host.used -= room
                self._changed.notify_all()

    def deliver(
        self, job: Asked, files: Mapping[str, Path], do: Callable[[str], Any], avoid: str = ""
    ) -> Any:
        """Return what a job left, on the first host that delivers just that.

        Raises ToolFailed if no host is left for it, or if it ended several; NotReached if the
        scheduler is gone.
        """
        without: dict[str, str] = {}
        lost: list[str] = []
        while len(lost) < _MOST_LOST:
            with self.place(job, without, avoid) as host:
                told, trouble = self._try(host, job, files, do)
            if trouble is None:
                return told
            why = f"{host.labels.name}: {trouble}"
            self.story.say(f"{job.title} is to be done again; {why}")
            if isinstance(trouble, HostLost):
                lost.append(why)
                self.forget(host)
            else:
                without[host.address] = why
            if isinstance(trouble, HostSilent):
                host.refused = str(trouble)
        raise ToolFailed(f"{job.title} was lost with every host:\n  " + "\n  ".join(lost))

    def _try(
        self, host: _Host, job: Asked, files: Mapping[str, Path], do: Callable[[str], Any]
    ) -> tuple[Any, PipelineError | None]:
        """Return what a host delivers, or what is wrong with it; NotReached is raised."""
        needs = {"slot": 1} if job.exact else {"whole_host": 1}
        timeout_s = 2 * job.timeout_s + _PATIENCE_S
        try:
            self.send(host, files)
            told = self.cluster.call(
                host.address, do, job.dumps(), timeout_s=timeout_s, resources=needs
            )
        except NotReached:
            raise
        except PipelineError as err:
            return None, err
        fault = job.fault(told)
        return told, ToolFailed(f"its delivery was thrown away: {fault}") if fault else None

    def send(self, host: _Host, files: Mapping[str, Path]) -> None:
        """Send a host the artefacts that it lacks, by their sha256."""
        with host.sending:
            absent = files.keys() - host.files
            if absent:
                data = {name: files[name].read_bytes() for name in absent}
                self.cluster.send(host.address, worker.keep, data)
                host.files |= absent

    def forget(self, host: _Host) -> None:
        """Ask a host again who it is, and what it has, before it is used again."""
        with self._changed:
            if self._hosts.get(host.address) is host:
                del self._hosts[host.address]

    def tell(self) -> None:
        """Say now and then which host boots how much, and how many boots wait for a slot."""
        if time.monotonic() - self._told_s < _TELL_S:
            return
        self._told_s = time.monotonic()
        hosts = [one for one in self._hosts.values() if not one.refused]
        what = ", ".join(f"{one.labels.name} {one.used} of {one.labels.cores}" for one in hosts)
        waits = f"; {self._waiting} wait for a slot" if self._waiting else ""
        self.story.say(f"slots in use: {what or 'no host is left'}{waits}")

    def _wait(self, job: Asked, without: Mapping[str, str], avoid: str) -> _Host:
        """Return the host with the most room, if there is any, and rather not the one to avoid."""
        until_s = time.monotonic() + _JOIN_S
        while True:
            self._look()
            able = [
                one
                for one in self._hosts.values()
                if not (one.refused or one.address in without or job.lacked_by(one.labels))
            ]
            others = [one for one in able if one.labels.name != avoid]
            free = [one for one in others or able if one.has_room(job)]
            if free:
                return max(free, key=lambda one: one.labels.cores - one.used)
            if able:
                until_s = time.monotonic() + _JOIN_S
            elif without or time.monotonic() > until_s:
                raise ToolFailed(self._nobody(job, without))
            self.tell()
            self._changed.wait(_LOOK_S)

    def _nobody(self, job: Asked, without: Mapping[str, str]) -> str:
        refused = [one for one in self._hosts.values() if one.refused]
        reasons = [*without.values(), *(f"{one.labels.name}: {one.refused}" for one in refused)]
        told = "\n  ".join(reasons or ["no worker is there"])
        return f"no host is left for {job.title}:\n  {told}"

    def _look(self) -> None:
        """Greet who joined, and forget who left."""
        present = self.cluster.workers()
        for address in [one for one in self._hosts if one not in present]:
            self.story.say(f"{self._hosts.pop(address).labels.name} left")
        for address, name in present.items():
            if address not in self._hosts:
                try:
                    self._hosts[address] = self._greeted(address)
                except (HostLost, HostSilent) as err:
                    self.story.say(f"{name}: {err}")

    def _greeted(self, address: str) -> _Host:
        labels, files = self.cluster.call(address, worker.greet)
        host = _Host(address, labels, files, self.here.difference(labels))
        if host.refused:
            self.story.say(f"{labels.name} is not used, it has another {host.refused}")
        else:
            self.story.say(f"host {labels.says}")
        return host


class HostsPool:
    """Boots on other hosts; with a profiler, with that."""

    def __init__(self, hosts: Hosts, profiler: Profiler | None = None) -> None:
        self._hosts = hosts
        self._profiler = profiler

    @property
    def slots(self) -> int:
        """Return how many cores the hosts have."""
        return max(1, sum(one.cores for one in self._hosts.usable()))

    @property
    def hosts(self) -> int:
        """Return how many hosts there are."""
        return max(1, len(self._hosts.usable()))

    def boot(self, block: Sequence[ToBoot], *, fresh: bool = False, avoid: str = "") -> list[Ran]:
        """Boot a block on one of the hosts, in its order, and leave the logs in their folders.

        Raises ToolFailed if no host is left for it, if it ended several, or if the scheduler is
        gone.
        """
        job, files = as_job(block, self._hosts.here, self._profiler, fresh=fresh)
        delivery: Delivery = self._hosts.deliver(job, files, worker.perform, avoid)
        self._hosts.busy.append((delivery.worker, delivery.began, delivery.ended))
        for (_, _, folder), logs, ran in zip(block, delivery.boots, delivery.ran, strict=True):
            working.leave(folder, logs, ran, delivery.worker)
        return [*delivery.ran]

    def stop(self) -> None:
        """Ask for no more; what is under way elsewhere ends by itself, and is kept there."""
        self._hosts.cluster.close()


def as_job(
    block: Sequence[ToBoot], here: Labels, profiler: Profiler | None = None, *, fresh: bool = False
) -> tuple[HostJob, dict[str, Path]]:
    """Return a block as a job, and its files by their sha256.

    An exact machine's boots are the same whenever they are made, so the same job will do for all
    who ask for them, unless `fresh`.
    """
    files: dict[str, Path] = {}

    def named(path: Path) -> Path:
        name = _sha256(path)
        files[name] = path
        return Path(name)

    boots = tuple(JobBoot(arm, seed) for arm, seed, _ in block)
    turn = "" if boots[0].arm.machine.exact and not fresh else uuid.uuid4().hex
    job = HostJob(boots, here.toolchain, here.code, profiler, turn)
    return job.with_files(named), files


@cache
def _sha256(path: Path) -> str:
    """Return a shelved file's sha256, read once: nothing changes what is on the shelf."""
    return file_sha256(path)


@contextmanager
def joined(run: Pipeline, address: str) -> Iterator[None]:
    """Let a pipeline boot on the workers of a scheduler while the block runs.

    Raises ToolFailed if no scheduler answers or none of its workers may be used.
    """
    here = working.labels(run, "this host", versions())
    hosts = Hosts(Cluster(address), here, run.story)
    try:
        _wait_for_one(hosts, address)
        run.elsewhere = hosts
        yield
    finally:
        run.elsewhere = None
        hosts.cluster.close()


def _wait_for_one(hosts: Hosts, address: str) -> None:
    until_s = time.monotonic() + _JOIN_S
    while not hosts.usable():
        if time.monotonic() > until_s:
            raise ToolFailed(
                f"no worker of {address} may be used; start one: "
                f"./bootstrap worker --scheduler {address}"
            )
        time.sleep(_LOOK_S)
