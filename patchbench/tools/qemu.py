# SPDX-License-Identifier: GPL-2.0-only
"""QEMU, inside the toolchain container: an image and an initrd in, two log files out.

QEMU's exit status says nothing about the guest; whoever reads the logs decides.
"""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from patchbench.errors import DiskFull, Overrun, ToolFailed
from patchbench.model import Machine, Platform, Timelines, Toolchain, Workload
from patchbench.tools import host
from patchbench.tools.container import Bind, Engine, Limits, own

RESULTS = "results.log"
CONSOLE = "console.log"
PROFILE = "profile.raw"
_BOARD = "virt,gic-version=3"
_PLUGIN = "/timelines.so"
_MARKS = "/marks.so"
_DEVICE_TREE = "/machine.dtb"
#: QEMU ends itself this much after its deadline, should nobody be left to end it.
_GRACE_S = 10
_DISTURBED = re.compile(
    r"^marks: wall (?P<wall>\d{1,18}) steal (?P<steal>\d{1,18}) delay(?P<delays>(?: -?\d{1,18})*)$",
    re.MULTILINE | re.ASCII,
)
#: A guest that writes without end is ended by it; a profile of the largest storm has 40 MB.
_MAX_FILE_BYTES = 128 << 20
#: What is left where SIGKILL ended QEMU, and what `timeout` leaves where it did.
_KILLED = 137
_ENDED_BY_TIMEOUT = (124, _KILLED)
_ACCELERATORS = {
    "icount": ["-accel", "tcg,thread=single"],
    "tcg": ["-accel", "tcg,thread=multi"],
}


@dataclass(frozen=True, slots=True)
class Ran:
    """How a boot went on the host.

    `orderly` is that QEMU ended by itself and said so; only then are the logs known to be
    whole. `said` is what QEMU itself had to say. `host` is what else the host had to do
    meanwhile, as tools.host.HostWatch tells it. `ended_by_host` is why the host ended it, or never
    began it, where that is no doing of the guest's: its disk was full, somebody killed QEMU.
    `worker` is which of several hosts it ran on; empty for this one.
    """

    seconds: float
    timed_out: bool
    orderly: bool
    said: str = ""
    host: Mapping[str, float] = field(default_factory=dict)
    ended_by_host: str = ""
    worker: str = ""


@dataclass(frozen=True, slots=True)
class Profiler:
    """qemu/plugins/profile.c, compiled, and how many instructions there are to a sample.

    whole: for a workload without marks, all since user space began.
    """

    path: Path
    every_instructions: int
    whole: bool = False

    def arguments(self, machine: Machine) -> list[str]:
        """Return what is added to QEMU's command line. Paths are the container's."""
        line = f"/profile.so,out=/out/{PROFILE},every={self.every_instructions}"
        line += ",whole=1" if self.whole else ""
        return ["-plugin", f"{line},timelines={_PLUGIN}" if machine.timelines else line]


def jitter_of(seed: int) -> int:
    """Return what draws a replicate's interleaving; the arms of a pair share it, as their seed."""
    return seed


def command(
    machine: Machine, workload: Workload, seed: int, *, jitter: int | None = None
) -> list[str]:
    """Return the QEMU command line of a boot. Paths are the container's.

    jitter: on a machine with timelines, instead of what the seed gives; 0 is none.
    """
    return [
        "qemu-system-aarch64",
        *("-M", _BOARD, *_size_of(machine), "-no-reboot", "-display", "none"),
        *_ACCELERATORS[machine.accel],
        *_clock(machine, jitter_of(seed) if jitter is None else jitter),
        *("-seed", str(seed)),
        *("-chardev", f"file,id=console,path=/out/{CONSOLE}", "-serial", "chardev:console"),
        # Or the host's main loop decides when a queue is served, and exact is not exact.
        *("-global", "virtio-mmio.ioeventfd=off", "-device", "virtio-serial-device"),
        *("-chardev", f"file,id=results,path=/out/{RESULTS}"),
        *("-device", "virtserialport,chardev=results,name=patchbench"),
        *("-kernel", "/image", "-initrd", "/initrd"),
        *("-append", kernel_arguments(machine, workload, seed)),
    ]


def dump_device_tree(machine: Machine, path: str) -> list[str]:
    """Return the command that writes the device tree of a machine's board, always the same."""
    board = f"{_BOARD},dumpdtb={path}"
    return ["qemu-system-aarch64", "-M", board, *_size_of(machine), "-seed", "0"]


def _size_of(machine: Machine) -> list[str]:
    processors = ["-cpu", machine.cpu, "-smp", str(machine.vcpus)]
    return [*processors, "-m", str(machine.memory_mib), "-nodefaults"]


def _clock(machine: Machine, jitter: int) -> list[str]:
    if not machine.exact:
        return ["-plugin", _MARKS]
    timelines = machine.timelines
    # The plugin keeps the clocks; QEMU counts instructions for it.
    shift = 0 if timelines else machine.icount_shift
    line = ["-icount", f"shift={shift},sleep=off", "-rtc", "base=2026-01-01T00:00:00,clock=vm"]
    if timelines:
        line += ["-plugin", f"{_PLUGIN},{_plugin_arguments(timelines, jitter)}"]
        line += ["-dtb", _DEVICE_TREE] if timelines.capacities_dmips_mhz else []
    return line


def _plugin_arguments(timelines: Timelines, jitter: int) -> str:
    speeds = ":".join(map(str, timelines.picoseconds_per_instruction))
    return f"quantum={timelines.quantum_ns},spin={timelines.spin_ns},ps={speeds},jitter={jitter}"


def kernel_arguments(machine: Machine, workload: Workload, seed: int) -> str:
    """Return the kernel's command line; what the kernel does not know reaches init."""
    parameters = {**workload.parameters, "seed": seed}
    run = " ".join([workload.program, *(f"{name}={value}" for name, value in parameters.items())])
    faster = machine.zram_algorithm == "lz4" and workload.lz4_acceleration
    more = f"{machine.kernel_parameters} " if machine.kernel_parameters else ""
    return (
        f"console=ttyAMA0 loglevel=7 panic=-1 {more}"
        f"pb_zram_mib={machine.zram_mib} pb_zram_algorithm={machine.zram_algorithm} "
        f"{f'pb_lz4_acceleration={faster} ' if faster else ''}"
        f'pb_workload="{run}"'
    )


class Hypervisor:
    """QEMU of one toolchain; with a profiler its boots leave PROFILE as well."""

    def __init__(
        self, engine: Engine, toolchain: Toolchain, profiler: Profiler | None = None
    ) -> None:
        self._engine = engine
        self._image = toolchain.image_id
        self._profiler = profiler
        self.version = toolchain.qemu

    def stop(self) -> None:
        """End every boot that is under way, and start no more."""
        self._engine.stop_all()

    def run(
        self,
        machine: Machine,
        workload: Workload,
        *,
        image: Path,
        initrd: Path,
        seed: int,
        out: Path,
        platform: Platform | None = None,
    ) -> Ran:
        """Boot once, until the guest powers off, panics, or its time is up.

        A full disk, or a guest that fills it, ends this boot alone. Raises ToolFailed where QEMU
        does not start, or not with the clocks that it was to have.
        """
        own(out)
        deadline = str(machine.boot_timeout_s + _GRACE_S)
        watch = host.HostWatch()
        plugin = self._profiler.arguments(machine) if self._profiler else []
        line = ["timeout", "--kill-after=1", deadline, *command(machine, workload, seed), *plugin]
        binds = [
            Bind(image, "/image"),
            Bind(initrd, "/initrd"),
            Bind(out, "/out", True),
            *([Bind(self._profiler.path, "/profile.so")] if self._profiler else []),
            *(_binds(machine, platform) if platform else []),
        ]
        try:
            done = self._engine.run(
                self._image, line, _limits(machine), binds=binds, poll=watch.look
            )
        except Overrun as err:
            return Ran(0.0, timed_out=False, orderly=False, said=str(err), host=watch.seen())
        except DiskFull as err:
            return Ran(0.0, timed_out=False, orderly=False, ended_by_host=str(err))
        late = done.seconds >= machine.boot_timeout_s
        if done.status == _KILLED and not late:
            why = "QEMU was killed: the host is short of memory, or somebody ended it"
            return Ran(done.seconds, timed_out=False, orderly=False, ended_by_host=why)
        if done.status and not any(_size(out / log) for log in (RESULTS, CONSOLE)):
            raise ToolFailed(f"QEMU does not start (status {done.status}):\n{done.said[-2000:]}")
        _check_clocks(machine, done.said)
        if _disk_full(out):
            why = f"the disk is full; make room below {out}, then run again"
            return Ran(done.seconds, timed_out=False, orderly=False, ended_by_host=why)
        timed_out = done.status is None or (done.status in _ENDED_BY_TIMEOUT and late)
        seen = {**watch.seen(), **disturbance(done.said)}
        return Ran(done.seconds, timed_out, done.status == 0, done.said[-2000:], seen)


def disturbance(said: str) -> dict[str, float]:
    """Return what disturbed a boot between the workload's marks, as the plugin marks prints it.

    delayed_pct: how much of that time the vCPU that fared worst was runnable and did not run;
    stolen_pct: how much of all CPUs' time a hypervisor below took. Empty if nothing was told.
    """
    if not (found := _DISTURBED.search(said)) or not int(found["wall"]):
        return {}
    wall_ns = int(found["wall"])
    told = {"stolen_pct": 100 * int(found["steal"]) / (wall_ns * (os.cpu_count() or 1))}
    delays_ns = [int(delay) for delay in found["delays"].split()]
    if delays_ns and min(delays_ns) >= 0:
        told["delayed_pct"] = 100 * max(delays_ns) / wall_ns
    return {name: round(value, 2) for name, value in told.items()}


def _limits(machine: Machine) -> Limits:
    return Limits(
        timeout_s=machine.boot_timeout_s,
        memory_gib=machine.memory_mib // 1024 + 2,
        processes=256,
        file_bytes=_MAX_FILE_BYTES,
    )


def _binds(machine: Machine, platform: Platform) -> list[Bind]:
    tree = platform.device_tree
    inside = _PLUGIN if machine.exact else _MARKS
    return [Bind(platform.plugin, inside), *([Bind(tree, _DEVICE_TREE)] if tree else [])]


def _check_clocks(machine: Machine, said: str) -> None:
    """Raise ToolFailed unless the plugin has said that it took over: no boot is without it."""
    if machine.timelines and f"timelines: {machine.vcpus} clocks" not in said.splitlines():
        raise ToolFailed(
            f"QEMU ran machine {machine.name} without a clock for each vCPU; it said:\n"
            f"{said[-2000:] or '(nothing)'}"
        )


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def _disk_full(folder: Path) -> bool:
    free = os.statvfs(folder)
    return free.f_bavail * free.f_frsize < 1 << 20
