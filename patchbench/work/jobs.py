# SPDX-License-Identifier: GPL-2.0-only
"""A job: boots for one host, one after the other, as data that any host can carry out. Pure.

It names each file by the sha256 of its bytes and carries none of them. What comes back is a
delivery: what the boots left, with the job's key and a checksum.
"""

import hashlib
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from patchbench.catalog import adapter
from patchbench.errors import BadInput
from patchbench.model import Arm, Json, Machine
from patchbench.stages import boot
from patchbench.store import key
from patchbench.tools.qemu import CONSOLE, PROFILE, RESULTS, Profiler, Ran

SCHEMA = 1
#: What files a boot leaves, if it leaves them.
LOGS = (CONSOLE, RESULTS, PROFILE)
#: What QEMU itself takes beside its guest's memory.
_QEMU_MIB = 256


@dataclass(frozen=True, slots=True)
class JobBoot:
    """One boot of a job: every path of its arm is the sha256 of a file.

    folder: where its logs go, as seen from the folder of the job's file; for `work` alone.
    """

    arm: Arm
    seed: int
    folder: str = ""


@dataclass(frozen=True, slots=True)
class HostJob:
    """Boots for one host, in their order.

    toolchain: the digest of the one that made the files and has to boot them. code: see
    `working.code`. profiler: what QEMU is to load besides. turn: tells apart jobs that are to be
    done although the same was done before; empty where one will do for all.
    """

    boots: tuple[JobBoot, ...]
    toolchain: str
    code: str
    profiler: Profiler | None = None
    turn: str = ""
    schema: int = SCHEMA

    @property
    def exact(self) -> bool:
        """Return whether its boots need a slot of a host, and not all of it."""
        return self.machine.exact

    @property
    def machine(self) -> Machine:
        """Return the machine of its boots."""
        return self.boots[0].arm.machine

    @property
    def title(self) -> str:
        """Return its name for people: the machine, the series, the seeds."""
        parts = (f"{one.arm.image.series} seed {one.seed}" for one in self.boots)
        return f"{self.machine.name}: {', '.join(parts)}"

    @property
    def timeout_s(self) -> int:
        """Return how long its boots may take by their own deadlines."""
        return sum(one.arm.machine.boot_timeout_s for one in self.boots)

    def lacked_by(self, host: "Labels") -> str:
        """Return what a host lacks to boot on its machine; empty if it has all."""
        return host.lack(self.machine)

    def fault(self, told: object) -> str:
        """Return what is wrong with what a host says is its delivery; empty if nothing."""
        if not isinstance(told, Delivery):
            return f"it is a {type(told).__name__}"
        return told.fault(self)

    def files(self) -> tuple[str, ...]:
        """Return the sha256 of every file that it needs, each once."""
        return tuple(dict.fromkeys(path.name for path in _paths(self)))

    def ingredients(self) -> dict[str, Json]:
        """Return everything that decides what it delivers, and on a noisy machine its turn."""
        profiler: Json = adapter(HostJob).dump_python(self, mode="json", include={"profiler"})
        return {
            "boots": [boot.ingredients(one.arm, one.seed) for one in self.boots],
            "files": [*self.files()],
            "profiler": profiler,
            "toolchain": self.toolchain,
            "turn": self.turn,
        }

    @property
    def key(self) -> str:
        """Return the hash of its ingredients."""
        return key(self.ingredients())

    def with_files(self, place: Callable[[Path], Path]) -> "HostJob":
        """Return it with another path for each of its files."""
        boots = tuple(replace(one, arm=_placed(one.arm, place)) for one in self.boots)
        profiler = self.profiler and replace(self.profiler, path=place(self.profiler.path))
        return replace(self, boots=boots, profiler=profiler)

    def leaving(self, folders: Sequence[Path], start: Path) -> "HostJob":
        """Return it with where the logs of each boot go, as seen from the folder `start`."""
        places = (os.path.relpath(folder, start) for folder in folders)
        pairs = zip(self.boots, places, strict=True)
        return replace(self, boots=tuple(replace(one, folder=place) for one, place in pairs))

    def dumps(self) -> str:
        """Return its text."""
        return adapter(HostJob).dump_json(self, indent=1).decode() + "\n"


def loads(text: str, name: str) -> HostJob:
    """Return the job that a text holds; BadInput if it is none, or one of another schema.

    name: what the text is called in the error.
    """
    try:
        job = adapter(HostJob).validate_json(text)
    except ValueError as err:
        raise BadInput(f"{name} is not a job that this version reads:\n  {err}") from err
    if job.schema != SCHEMA:
        raise BadInput(f"{name} has schema {job.schema}, this version has {SCHEMA}")
    if not job.boots:
        raise BadInput(f"{name} has no boots")
    if bad := [file for file in job.files() if not _is_sha256(file)]:
        raise BadInput(f"{name}: {bad[0]!r} is not the sha256 of a file")
    return job


def _is_sha256(name: str) -> bool:
    return len(name) == hashlib.sha256().digest_size * 2 and set(name) <= set("0123456789abcdef")


def _paths(job: HostJob) -> Iterator[Path]:
    for one in job.boots:
        yield from (one.arm.image.path, one.arm.guest.path)
        if platform := one.arm.platform:
            yield from filter(None, (platform.plugin, platform.device_tree))
    if job.profiler:
        yield job.profiler.path


def _placed(arm: Arm, place: Callable[[Path], Path]) -> Arm:
    platform = arm.platform
    if platform:
        tree = platform.device_tree
        platform = replace(
            platform, plugin=place(platform.plugin), device_tree=tree and place(tree)
        )
    return replace(
        arm,
        image=replace(arm.image, path=place(arm.image.path)),
        guest=replace(arm.guest, path=place(arm.guest.path)),
        platform=platform,
    )


@dataclass(frozen=True, slots=True)
class Delivery:
    """What a job's boots left, by file name, and how each went on the host.

    began, ended: by that host's clock, in seconds since the epoch. sha256: of all files.
    """

    key: str
    worker: str
    boots: tuple[Mapping[str, bytes], ...]
    ran: tuple[Ran, ...]
    began: float
    ended: float
    sha256: str

    def fault(self, job: HostJob) -> str:
        """Return what is wrong with it as the delivery of a job; empty if nothing."""
        if self.key != job.key:
            return f"it is of job {self.key[:12]}, and {job.key[:12]} was asked for"
        if not len(self.boots) == len(self.ran) == len(job.boots):
            return f"it has {len(self.boots)} boots, and the job has {len(job.boots)}"
        if alien := {name for one in self.boots for name in one} - {*LOGS}:
            return f"it has a file {min(alien)!r}"
        return "" if self.sha256 == checksum(self.boots) else "its files have another checksum"


def checksum(boots: Sequence[Mapping[str, bytes]]) -> str:
    """Return the sha256 over the names and bytes of what boots left, in hex."""
    sums = [{name: hashlib.sha256(data).hexdigest() for name, data in one.items()} for one in boots]
    return key({"boots": [dict(one) for one in sums]})


@dataclass(frozen=True, slots=True)
class Labels:
    """What a host is, and what is on it; `says` is all of it in words."""

    name: str
    machine: str  # as uname has it
    kvm: bool
    cores: int
    memory_mib: int
    toolchain: str
    code: str
    versions: Mapping[str, str]  # of what client and worker must have the same of
    schema: int = SCHEMA

    @property
    def says(self) -> str:
        """Return the host in words."""
        kvm = "with KVM" if self.kvm else "without KVM"
        return f"{self.name}: {self.machine} {kvm}, {self.cores} cores, {self.memory_mib} MiB"

    def difference(self, other: "Labels") -> str:
        """Return in what two hosts must not differ, and do; empty if they may work together."""
        ours, theirs = asdict(self), asdict(other)
        names = ("schema", "code", "toolchain", "versions")
        found = [f"{name} {_short(theirs[name])}, here {_short(ours[name])}" for name in names
                 if ours[name] != theirs[name]]  # fmt: skip
        return "; ".join(found)

    def lack(self, machine: Machine) -> str:
        """Return what a host lacks to boot on a machine; empty if it has all."""
        if not machine.exact and self.cores < machine.vcpus:
            return f"{machine.vcpus} cores for as many vCPUs"
        wanted_mib = machine.memory_mib + _QEMU_MIB
        return f"{wanted_mib} MiB of memory" if self.memory_mib < wanted_mib else ""


def _short(value: Any) -> str:
    return value[:12] if isinstance(value, str) else str(value)
