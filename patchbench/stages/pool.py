# SPDX-License-Identifier: GPL-2.0-only
"""Where boots run: this host, or whatever else keeps the promise of `Pool`.

A block is what has to run on one host, one boot after the other: a single boot of an exact
machine, or all arms of a noisy machine's block.
"""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol, TypeAlias

from patchbench.model import Arm, Machine
from patchbench.stages import boot
from patchbench.tools import host
from patchbench.tools.qemu import Profiler, Ran
from patchbench.tools.slots import Slots

#: An arm, a seed, and the folder for the logs.
ToBoot: TypeAlias = tuple[Arm, int, Path]


class Pool(Protocol):
    """Where boots run."""

    @property
    def slots(self) -> int:
        """Return how many boots of an exact machine may run at once."""

    @property
    def hosts(self) -> int:
        """Return how many blocks of a noisy machine may run at once."""

    def boot(self, block: Sequence[ToBoot], *, fresh: bool = False, avoid: str = "") -> list[Ran]:
        """Boot a block on one host, in its order, and leave each boot's logs in its folder.

        fresh: also if it was booted before. avoid: the host to boot on only if there is no other.
        """

    def stop(self) -> None:
        """Kill every boot that is under way, and start no more."""


class Asked(Protocol):
    """What is asked of another host, as data."""

    @property
    def title(self) -> str:
        """Return its name for people."""

    @property
    def exact(self) -> bool:
        """Return whether it needs a slot of a host, and not all of it."""

    @property
    def timeout_s(self) -> int:
        """Return how long it may take by its own deadlines."""

    def lacked_by(self, host: Any) -> str:
        """Return what a host, by its labels, lacks for it; empty if it has all."""

    def dumps(self) -> str:
        """Return its text."""

    def fault(self, told: Any) -> str:
        """Return what is wrong with what came back; empty if nothing."""


class Elsewhere(Protocol):
    """Other hosts, as a pipeline knows them."""

    busy: list[tuple[str, float, float]]  # which booted when, in seconds since the epoch

    def pool(self, profiler: Profiler | None = None) -> Pool:
        """Return the pool of these hosts."""

    def check(self, machine: Machine) -> None:
        """Raise BadInput, with the list of what there is, if no host can boot on a machine."""

    def usable(self) -> Sequence[Any]:
        """Return the labels of the hosts that may be used now."""

    def deliver(
        self, job: Asked, files: Mapping[str, Path], do: Callable[[str], Any], avoid: str = ""
    ) -> Any:
        """Return what a function makes of a job's text on one of the hosts, which has the files.

        files: by their sha256. avoid: the host to ask only if there is no other.
        """


class LocalPool:
    """Boots on this host, in its slots."""

    def __init__(self, hypervisor: boot.CanBoot, slots: Slots) -> None:
        self._hypervisor = hypervisor
        self._slots = slots

    @property
    def slots(self) -> int:
        """Return how many cores this process may use."""
        return host.cores()

    @property
    def hosts(self) -> int:
        """Return 1."""
        return 1

    def boot(self, block: Sequence[ToBoot], *, fresh: bool = False, avoid: str = "") -> list[Ran]:
        """Boot a block in a slot of this host, or alone on it; nothing is remembered."""
        del fresh, avoid
        exact = all(arm.machine.exact for arm, _, _ in block)
        with self._slots.one() if exact else self._slots.whole():
            return [boot.run(self._hypervisor, *each) for each in block]

    def stop(self) -> None:
        """Kill every boot that is under way, and start no more."""
        self._slots.close()
        self._hypervisor.stop()
