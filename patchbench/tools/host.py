# SPDX-License-Identifier: GPL-2.0-only
"""The host itself: what it is, and the one thing made on it rather than in a container."""

import os
import platform
import shutil
from pathlib import Path

from patchbench.errors import ToolFailed
from patchbench.story import Story
from patchbench.tools import process
from patchbench.tools.container import Engine

_SUITE = "trixie"
_BOOTSTRAP_LINES = 400


def describe() -> dict[str, str]:
    """Return what a reader needs to know of the host; no name, no path."""
    return {
        "cpu": _cpu_model(),
        "cores": str(os.cpu_count() or 1),
        "memory": f"{_memory_gib():.0f} GiB",
        "kernel": platform.release(),
        "machine": platform.machine(),
    }


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


def _memory_gib() -> float:
    for line in _lines(Path("/proc/meminfo")):
        if line.startswith("MemTotal:"):
            return int(line.split()[1]) / (1 << 20)
    return 0.0


def _lines(path: Path) -> list[str]:
    return path.read_text().splitlines() if path.is_file() else []
