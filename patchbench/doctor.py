# SPDX-License-Identifier: GPL-2.0-only
"""What this machine has and what it lacks, with the remedy for each lack."""

import os
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

from patchbench.cache import parts
from patchbench.errors import PipelineError
from patchbench.tools import disk, process
from patchbench.tools.engines import find_engine


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
    free_bytes = disk.room(place).free_bytes
    good = free_bytes >= parts.ROOM_BYTES
    detail = f"{parts.gib(free_bytes)} free at {place}; {parts.gib(parts.ROOM_BYTES)} needed"
    remedy = "make room (`invoke clean` says how), or point PATCHBENCH_CACHE to another disk"
    return Need("disk", good, detail, remedy)
