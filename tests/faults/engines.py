# SPDX-License-Identifier: GPL-2.0-only
"""A container engine of a test's own, which may be killed and may run out of disk.

It shares nothing with the host's engine but its programs, and starts no network.
"""

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import docker
import requests
from docker.errors import DockerException

_ANSWERS_S = 60
IMAGE = "bash:test"


class OwnEngine:
    """dockerd below a folder; `url` is where it answers."""

    def __init__(self, folder: Path, data: Path) -> None:
        self.url = f"unix://{folder}/docker.sock"
        self._folder = folder
        self._data = data
        self._daemon: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it, and wait until it answers."""
        (self._folder / "pid").unlink(missing_ok=True)  # a killed engine leaves it
        program = shutil.which("dockerd", path=f"{os.environ['PATH']}:/usr/sbin:/sbin")
        assert program, "dockerd is not installed"
        options = {
            "host": self.url,
            "data-root": self._data,
            "exec-root": self._folder / "exec",
            "pidfile": self._folder / "pid",
            "shutdown-timeout": "1",
            "bridge": "none",
            "iptables": "false",
            "ip-forward": "false",
            "ip-masq": "false",
        }
        words = [f"--{name}={value}" for name, value in options.items()]
        # What it mounts is gone with it and its containers. An engine without a bridge takes the
        # one of the host's own away, if it sees it.
        alone = ["unshare", "--net", "--mount", "--propagation", "slave", program, *words]
        with (self._folder / "log").open("ab") as log:
            self._daemon = subprocess.Popen(alone, stdout=log, stderr=log)
        ends = time.monotonic() + _ANSWERS_S
        while not self._answers():
            assert time.monotonic() < ends, (self._folder / "log").read_text()[-2000:]
            time.sleep(0.1)

    def _answers(self) -> bool:
        try:
            client = docker.DockerClient(base_url=self.url, timeout=5)
            return bool(client.ping())
        except (DockerException, requests.RequestException, OSError):
            return False

    def kill(self) -> None:
        """Kill it as a host short of memory does; its containers live on."""
        assert self._daemon
        self._daemon.kill()
        self._daemon.wait()
        self._end_helper(signal.SIGKILL)

    def end(self) -> None:
        """End it and what it started."""
        if self._daemon and self._daemon.poll() is None:
            self._daemon.terminate()
            self._daemon.wait()
        self._end_helper(signal.SIGTERM)

    def _end_helper(self, how: signal.Signals) -> None:
        """End its containerd, which outlives it; the next one would wait for that in vain."""
        for pid in self._folder.glob("exec/**/containerd.pid"):
            # One that ended by itself may have left its number to another program.
            with suppress(OSError):
                process = int(pid.read_text())
                if str(self._folder) in Path(f"/proc/{process}/cmdline").read_text():
                    os.kill(process, how)
            pid.unlink(missing_ok=True)


@contextmanager
def own_engine(folder: Path, data: Path) -> Iterator[OwnEngine]:
    """Start an engine that keeps its images and containers in `data`; it has none yet."""
    engine = OwnEngine(folder, data)
    try:
        engine.start()
        yield engine
    finally:
        engine.end()


def root_with_bash(folder: Path) -> Path:
    """Return a root file system that has bash and what it is linked to, and nothing else."""
    bash = shutil.which("bash")
    assert bash
    linked = subprocess.run(["ldd", bash], capture_output=True, text=True, check=True).stdout
    files = [word for word in linked.split() if word.startswith("/")]
    for path in (bash, *files):
        inside = folder / "bin/bash" if path == bash else folder / path.lstrip("/")
        inside.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, inside)
    (folder / "tmp").mkdir()
    return folder
