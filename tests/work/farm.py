# SPDX-License-Identifier: GPL-2.0-only
"""A scheduler and workers as processes of their own, for the small project; all end with the test.

Each worker has a cache and slots of its own, as a host has.
"""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from tests.engine import PROJECT
from tests.work import preload

_MOST_S = 120


@dataclass
class Farm:
    """What was started: the scheduler, and workers by name."""

    root: Path
    folder: Path
    boot_s: float = 0.0
    settings: dict[str, str] = field(default_factory=dict)
    scheme: str = "tcp"
    port: int = 0
    started: dict[str, "subprocess.Popen[bytes]"] = field(default_factory=dict)

    @property
    def address(self) -> str:
        return f"{self.scheme}://127.0.0.1:{self.port}"

    def start_scheduler(self) -> None:
        if not self.port:
            with socket.socket() as free:
                free.bind(("127.0.0.1", 0))
                self.port = free.getsockname()[1]
        log = self.folder / "scheduler.log"
        told = log.read_bytes().count(self.address.encode()) if log.exists() else 0
        self._start("scheduler", "scheduler", self.address)
        wait(lambda: log.read_bytes().count(self.address.encode()) > told)

    def start_worker(self, name: str, *, cores: int = 2, fault: str = "") -> None:
        host = self.folder / name
        host.mkdir(parents=True, exist_ok=True)
        environment = {
            "PATCHBENCH_CACHE": str(host / "cache"),
            "PATCHBENCH_SLOTS": str(host / "slots"),
            preload.ROOT: str(self.root),
            preload.BOOT_S: str(self.boot_s),
            preload.FAULT: fault,
        }
        self._start(name, "worker", self.address, name, str(cores), **environment)

    def wait_for(self, *names: str) -> None:
        """Wait until these workers are ready to join."""
        for name in names:
            wait((self.folder / name / "cache-worker/pid").exists)

    def booting(self, name: str) -> list[int]:
        """Return the processes that stand in for QEMU on a worker."""
        marked = f"{preload.QEMU}={self.folder / name}".encode()
        return [pid for pid in _pids() if marked in _read(pid, "environ")]

    def process(self, name: str) -> int:
        """Return the process in which a worker works; its parent starts it again."""
        return int((self.folder / name / "cache-worker/pid").read_text())

    def wait_for_boots(self, name: str) -> None:
        wait(lambda: bool(self.booting(name)))

    def _start(self, name: str, *arguments: str, **environment: str) -> None:
        with (self.folder / f"{name}.log").open("ab") as log:
            self.started[name] = subprocess.Popen(
                [sys.executable, "-m", "tests.work", *arguments],
                cwd=PROJECT, env={**os.environ, **self.settings, **environment},
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
            )  # fmt: skip


@contextmanager
def farm(
    root: Path,
    folder: Path,
    *workers: str,
    boot_s: float = 0.0,
    scheme: str = "tcp",
    settings: Mapping[str, str] | None = None,
) -> Iterator[Farm]:
    """Give a farm with a scheduler and these workers; settings: of their environment."""
    folder.mkdir()
    made = Farm(root, folder, boot_s, dict(settings or {}), scheme)
    try:
        made.start_scheduler()
        for name in workers:
            made.start_worker(name)
        made.wait_for(*workers)
        yield made
    finally:
        for one in made.started.values():
            _end(one.pid)
            one.wait()
        for name in made.started:
            for pid in made.booting(name):
                os.kill(pid, signal.SIGKILL)


def _end(session: int) -> None:
    """Kill a session, but for what then gives back its semaphores and ends by itself."""
    for pid in _pids():
        with suppress(ProcessLookupError):
            if os.getsid(pid) == session and b"resource_tracker" not in _read(pid, "cmdline"):
                os.kill(pid, signal.SIGKILL)


def wait(until: Callable[[], bool]) -> None:
    deadline_s = time.monotonic() + _MOST_S
    while not until():
        assert time.monotonic() < deadline_s, "it never came"
        time.sleep(0.05)


def _pids() -> list[int]:
    return [int(path.name) for path in Path("/proc").glob("[0-9]*")]


def _read(pid: int, name: str) -> bytes:
    try:
        return Path(f"/proc/{pid}/{name}").read_bytes()
    except OSError:
        return b""
