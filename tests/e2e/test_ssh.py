# SPDX-License-Identifier: GPL-2.0-only
"""Another host over ssh, as `cluster up` has it: a network of its own, and sshd alone reaches it.

Needs sshd and root; `test --nightly` runs it.
"""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.conftest import ROOT
from tests.e2e.test_bench import bench, hear_interrupts

pytestmark = pytest.mark.nightly
NAMESPACE, HERE, THERE = "patchbench-ssh", "10.213.7.1", "10.213.7.2"
PORT = 18786
_MOST_S = 180


def shell(*words: str | Path, check: bool = True) -> None:
    subprocess.run([str(word) for word in words], check=check, stdout=subprocess.DEVNULL)


@pytest.fixture
def network() -> Iterator[str]:
    """Give a network namespace that is one cable away."""
    shell("ip", "netns", "add", NAMESPACE)
    try:
        shell("ip", "link", "add", "pb-here", "type", "veth", "peer", "name", "pb-there",
              "netns", NAMESPACE)  # fmt: skip
        shell("ip", "address", "add", f"{HERE}/30", "dev", "pb-here")
        shell("ip", "link", "set", "pb-here", "up")
        inside = ("ip", "-n", NAMESPACE)
        shell(*inside, "address", "add", f"{THERE}/30", "dev", "pb-there")
        shell(*inside, "link", "set", "pb-there", "up")
        shell(*inside, "link", "set", "lo", "up")
        yield NAMESPACE
    finally:
        shell("ip", "netns", "delete", NAMESPACE)


@pytest.fixture
def alpha(network: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Give the file of a cluster with one host, which ssh knows as alpha."""
    for name in ("host", "user"):
        shell("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", tmp_path / name)
    (tmp_path / "sshd.conf").write_text(
        f"Port 22\nListenAddress {THERE}\nHostKey {tmp_path}/host\nPidFile {tmp_path}/pid\n"
        f"AuthorizedKeysFile {tmp_path}/user.pub\nStrictModes no\nUsePAM no\n"
        "PermitRootLogin prohibit-password\n"
    )
    (tmp_path / "known").write_text(f"alpha {(tmp_path / 'host.pub').read_text()}")
    (tmp_path / "ssh.conf").write_text(
        f"Host alpha\nHostName {THERE}\nHostKeyAlias alpha\nIdentityFile {tmp_path}/user\n"
        f"UserKnownHostsFile {tmp_path}/known\nUser root\n"
    )
    programs = tmp_path / "bin"
    programs.mkdir()
    (programs / "ssh").write_text(f'#!/bin/sh\nexec /usr/bin/ssh -F {tmp_path}/ssh.conf "$@"\n')
    (programs / "ssh").chmod(0o755)
    monkeypatch.setenv("PATH", f"{programs}:{os.environ['PATH']}")
    Path("/run/sshd").mkdir(exist_ok=True)
    hosts = tmp_path / "hosts.toml"
    hosts.write_text(f'port = {PORT}\n\n[[host]]\nssh = "alpha"\ncheckout = "{ROOT}"\n')
    daemon = subprocess.Popen(
        ["ip", "netns", "exec", network, "/usr/sbin/sshd", "-D", "-e", "-f", tmp_path / "sshd.conf"]
    )
    try:
        yield hosts
    finally:
        daemon.terminate()
        daemon.wait()


@pytest.fixture
def cluster(alpha: Path) -> Iterator[str]:
    """Start the scheduler here and the worker there, and give the scheduler's address."""
    log = alpha.with_name("cluster.log")
    with log.open("wb") as stream:
        started = subprocess.Popen(
            [sys.executable, "-m", "invoke", "cluster", "up", str(alpha)],
            cwd=ROOT, stdin=subprocess.DEVNULL, stdout=stream, stderr=stream,
            preexec_fn=hear_interrupts,
        )  # fmt: skip
    try:
        deadline_s = time.monotonic() + _MOST_S
        while b"worker alpha: " not in log.read_bytes():
            assert started.poll() is None, log.read_text()
            assert time.monotonic() < deadline_s, log.read_text()
            time.sleep(0.2)
        yield f"tcp://127.0.0.1:{PORT}"
    finally:
        started.send_signal(signal.SIGINT)
        started.wait()


def test_a_host_that_ssh_alone_reaches_boots_the_same_to_the_byte(cluster: str) -> None:
    bench("--seeds", "1")
    again = bench("--seeds", "1", "--fresh", "--hosts", cluster)  # compares with the shelf
    notes = ROOT.glob(f"results/runs/{again['run']}/boots/exact/*/seed-1/host.json")
    workers = [note.read_text().rpartition('"worker": ')[2] for note in notes]
    assert workers == ['"alpha"}'] * 2
