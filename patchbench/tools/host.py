# SPDX-License-Identifier: GPL-2.0-only
"""The host itself: what it is, and the one thing made on it rather than in a container."""

import os
import platform
import shutil
import time
from pathlib import Path

from patchbench.errors import ToolFailed
from patchbench.story import Story
from patchbench.tools import process
from patchbench.tools.container import Engine

_SUITE = "trixie"
_BOOTSTRAP_LINES = 400


def cores() -> int:
    """Return how many cores this process may use."""
    return len(os.sched_getaffinity(0))


def describe() -> dict[str, str]:
    """Return what a reader needs to know of the host; no name, no path."""
    return {
        "cpu": _cpu_model(),
        "cores": str(os.cpu_count() or 1),
        "memory": f"{memory_mib() / 1024:.0f} GiB",
        "kernel": platform.release(),
        "machine": platform.machine(),
    }


class HostWatch:
    """What else the host had to do from now until `seen`, as far as Linux tells.

    steal_pct: CPU time that a hypervisor below gave to others. waited_pct: time in which some
    task waited for a CPU (pressure stall information). busy_cores: cores busy with anything,
    in the mean. load: tasks that ran or waited to, over the minute before; load_per_core: now, if
    that is more, for each core that this run may use. stopped_s: the longest time between two
    looks. mhz: the slowest core's clock now. What the host does not report is missing.
    """

    def __init__(self) -> None:
        self._load = os.getloadavg()[0]
        self._jiffies, self._waited_us = _jiffies(), _cpu_pressure_us()
        self._began = time.monotonic()
        self._looked_s: float | None = None
        self._longest_s = 0.0

    def look(self) -> None:
        """Be here: who is stopped, or on a host that sleeps, does not come for a long time."""
        now_s = _boot_time_s()
        if self._looked_s is not None:  # what comes before the first look takes what it takes
            self._longest_s = max(self._longest_s, now_s - self._looked_s)
        self._looked_s = now_s

    def seen(self) -> dict[str, float]:
        """Return what happened since the watch began, by name."""
        spent = [now - then for now, then in zip(_jiffies(), self._jiffies, strict=False)]
        load = max(self._load, os.getloadavg()[0])
        seen = {"load": self._load, "load_per_core": load / cores(), "stopped_s": self._longest_s}
        if (whole := sum(spent[:8])) > 0:  # user .. steal; guest time is in user already
            idle = spent[3] + spent[4]
            seen["steal_pct"] = 100 * spent[7] / whole
            seen["busy_cores"] = (os.cpu_count() or 1) * (whole - idle) / whole
        waited = _cpu_pressure_us()
        seconds = time.monotonic() - self._began
        if waited is not None and self._waited_us is not None and seconds:
            seen["waited_pct"] = (waited - self._waited_us) / seconds / 1e4
        if clocks := _numbers(Path("/proc/cpuinfo"), "cpu MHz"):
            seen["mhz"] = min(clocks)
        return {name: round(value, 2) for name, value in seen.items()}


def bootstrap_base(
    engine: Engine, tag: str, folder: Path, story: Story, *, label: tuple[str, str]
) -> None:
    """Make Debian's base image from its archive; the tool's own default says which mirror."""
    debootstrap = shutil.which("debootstrap", path=os.environ.get("PATH", "") + ":/usr/sbin")
    if debootstrap is None:
        raise ToolFailed(
            "no container registry answers, and debootstrap, which makes the base image without "
            "one, is not installed\n  apt-get install debootstrap"
        )
    sudo = [] if os.getuid() == 0 else ["sudo", "-n"]
    _remove(folder, sudo)
    folder.mkdir(parents=True)
    with story.meter(f"bootstrapping {_SUITE}", _BOOTSTRAP_LINES, "lines") as meter:
        command = [*sudo, debootstrap, "--variant=minbase", _SUITE, str(folder)]
        for number, _ in enumerate(process.lines(command)):
            meter.at(number)
    engine.import_root(folder, tag, label)
    _remove(folder, sudo)


def _remove(folder: Path, sudo: list[str]) -> None:
    """Remove a root file system; a debootstrap that was killed leaves /proc mounted in it."""
    for mounted in ("proc", "sys"):
        if (folder / mounted).is_mount():
            process.run([*sudo, "umount", "--recursive", str(folder / mounted)])
    process.run([*sudo, "rm", "-rf", "--one-file-system", str(folder)])


def _cpu_model() -> str:
    for line in _lines(Path("/proc/cpuinfo")):
        name, _, value = line.partition(":")
        if name.strip() in {"model name", "Model"}:
            return value.strip()
    return platform.processor() or "unknown"


def memory_mib() -> int:
    """Return how much memory the host has; 0 if it does not tell."""
    for line in _lines(Path("/proc/meminfo")):
        if line.startswith("MemTotal:"):
            return int(line.split()[1]) >> 10
    return 0


def _jiffies() -> list[int]:
    first = next(iter(_lines(Path("/proc/stat"))), "cpu")
    return [int(field) for field in first.split()[1:]]


def _boot_time_s() -> float:
    """Return a clock that goes on while the host sleeps, and that nobody sets."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


def _cpu_pressure_us() -> int | None:
    for line in _lines(Path("/proc/pressure/cpu")):
        if line.startswith("some"):
            return int(line.rpartition("total=")[2])
    return None


def _numbers(path: Path, name: str) -> list[float]:
    pairs = (line.partition(":") for line in _lines(path))
    return [float(value) for key, _, value in pairs if key.strip() == name]


def _lines(path: Path) -> list[str]:
    return path.read_text().splitlines() if path.is_file() else []
