# SPDX-License-Identifier: GPL-2.0-only
"""What this machine has and what it lacks, with the remedy for each lack."""

import os
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

from patchbench.errors import PipelineError
from patchbench.tools import process
from patchbench.tools.engines import find_engine

#: Two kernels with their build folders, the toolchain image and its base.
_DISK_GIB = 12


@dataclass(frozen=True, slots=True)
class Need:
    """One thing that was looked at; `remedy` is the command that puts it right."""

    what: str
    good: bool
    detail: str
    remedy: str = ""

    def row(self) -> tuple[str, str, str]:
        """Return the need as a table's row."""
        return self.what, "ok" if self.good else "MISSING", self.detail


def examine(cache: Path) -> list[Need]:
    """Return every finding; nothing is installed, started or written."""
    return [_python(), _git(), _engine(), _debootstrap(), _cores(), _disk(cache)]


def _python() -> Need:
    version = ".".join(map(str, sys.version_info[:3]))
    return Need("python", sys.version_info >= (3, 11), version, "install Python 3.11 or newer")


def _git() -> Need:
    try:
        return Need("git", True, process.run(["git", "--version"]).strip())
    except PipelineError as err:
        return Need("git", False, str(err), "apt-get install git")


def _engine() -> Need:
    try:
        return Need("container engine", True, find_engine())
    except PipelineError as err:
        remedy = (
            "./bootstrap sets one up for the verbs that need it, for example `./bootstrap build`"
        )
        return Need("container engine", False, str(err), remedy)


def _debootstrap() -> Need:
    path = shutil.which("debootstrap", path=os.environ.get("PATH", "") + ":/usr/sbin")
    detail = path or "not installed; needed only where no container registry answers"
    return Need("debootstrap", True, detail)


def _cores() -> Need:
    cores = os.cpu_count() or 1
    return Need("host cores", True, f"{cores}; machines with parallel vCPUs need as many")


def _disk(cache: Path) -> Need:
    place = next(folder for folder in [cache, *cache.parents] if folder.exists())
    free = shutil.disk_usage(place).free / (1 << 30)
    good = free >= _DISK_GIB
    detail = f"{free:.0f} GiB free at {place}; {_DISK_GIB} GiB needed"
    return Need("disk", good, detail, "make room, or point PATCHBENCH_CACHE to another disk")
