# SPDX-License-Identifier: GPL-2.0-only
"""Makes this host a worker, or starts a scheduler here and workers on the hosts of a file, by ssh.

    port = 8786              # of the scheduler, on each host's loopback; workers have the next ones

    [[host]]
    ssh = "alpha"            # as ssh and its configuration know it; without it, this host
    checkout = "patchbench"  # this same commit, on that host

All of them talk through ssh's tunnels, and nothing listens on a network.
"""

import fcntl
import platform
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from pydantic import with_config

from patchbench.catalog import load_toml
from patchbench.errors import BadInput
from patchbench.model import STRICT
from patchbench.pipeline import Pipeline
from patchbench.story import Story
from patchbench.tools import cluster, process
from patchbench.tools.cluster import check_address
from patchbench.work import worker, working

_PRELOAD = "patchbench.work.worker"
#: Beside those that boot: for what is asked of a worker meanwhile.
_MORE_THREADS = 4
_SSH = ("ssh", "-tt", "-o", "BatchMode=yes", "-o", "ExitOnForwardFailure=yes")


@with_config(STRICT)
@dataclass(frozen=True, slots=True)
class HostEntry:
    """A host of the file; `ssh` is empty for this one."""

    ssh: str = ""
    checkout: str = "patchbench"


@with_config(STRICT)
@dataclass(frozen=True, slots=True)
class HostsFile:
    """The file: the scheduler's port, and the hosts."""

    host: tuple[HostEntry, ...]
    port: int = 8786

    @property
    def scheduler(self) -> str:
        """Return the scheduler's address, the same on every host."""
        return f"tcp://127.0.0.1:{self.port}"


def serve(root: Path, scheduler: str, name: str, port: int, story: Story) -> None:
    """Be a worker until the scheduler is gone; the toolchain is made first if there is none.

    Raises BadInput if this host has a worker already: two would take twice what there is.
    """
    check_address(scheduler)
    name = name or platform.node()
    with _only_worker():
        with Pipeline(root, worker.cache(), story) as run:
            here = working.labels(run, name, cluster.versions())
        story.say(f"worker {here.says}; scheduler {scheduler}")
        cluster.serve_worker(
            scheduler,
            name,
            _PRELOAD,
            threads=here.cores + _MORE_THREADS,
            resources={"slot": here.cores, "whole_host": 1},
            port=port,
        )


@contextmanager
def _only_worker() -> Iterator[None]:
    cache = worker.cache()
    cache.parent.mkdir(parents=True, exist_ok=True)
    with cache.with_name(f"{cache.name}.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as err:
            raise BadInput("this host has a worker, and one takes all of its slots") from err
        yield


def start_all(root: Path, file: Path, ready: Callable[[str], object]) -> None:
    """Be the scheduler, with a worker on each host of a file, until interrupted.

    Raises BadInput for a file that is none, or has no host.
    """
    hosts = load_toml(file, HostsFile)
    if not hosts.host:
        raise BadInput(f"{file} has no [[host]]")
    commands = [command(root, hosts, number) for number in range(len(hosts.host))]
    with process.beside(commands):
        cluster.serve_scheduler(hosts.scheduler, ready)


def command(root: Path, hosts: HostsFile, number: int) -> Sequence[str]:
    """Return what starts the worker of one of the hosts, and its tunnels."""
    one, port = hosts.host[number], hosts.port + 1 + number
    flags = ["--scheduler", hosts.scheduler]
    if not one.ssh:
        return [sys.executable, "-m", "invoke", "--search-root", str(root), "worker", *flags]
    there, here = f"{hosts.port}:127.0.0.1:{hosts.port}", f"{port}:127.0.0.1:{port}"
    remote = ["./bootstrap", "worker", *flags, "--name", one.ssh, "--port", str(port)]
    line = f"cd {one.checkout} && exec {' '.join(remote)}"
    return [*_SSH, "-R", f"127.0.0.1:{there}", "-L", f"127.0.0.1:{here}", one.ssh, line]
