# SPDX-License-Identifier: GPL-2.0-only
"""The whole thing as a user types it: a bench, its repetition, and a bench that is killed."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import docker
import pytest

from patchbench import pipeline
from patchbench.catalog import Catalog
from patchbench.tools.engines import find_engine
from tests.e2e.conftest import ROOT


def start(*arguments: str) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-m", "invoke", *arguments],
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=hear_interrupts,
    )


def hear_interrupts() -> None:
    # What a shell starts in the background ignores SIGINT, and so does all that it starts.
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def bench(*arguments: str) -> dict[str, Any]:
    process = start("bench", "--json", "--machine", "exact", *arguments)
    out, err = process.communicate()
    assert process.returncode == 0, err
    read: dict[str, Any] = json.loads(out)  # nothing else is on stdout
    return read


def logs(run: str) -> dict[str, bytes]:
    folder = ROOT / "results/runs" / run / "boots"
    paths = sorted([*folder.rglob("results.log"), *folder.rglob("console.log")])
    return {str(path.relative_to(folder)): path.read_bytes() for path in paths}


def containers() -> int:
    label = f"patchbench.cache={pipeline.default_cache()}"
    client = docker.DockerClient(base_url=find_engine())
    return len(client.containers.list(all=True, filters={"label": label}))


def test_a_bench_of_v0_is_valid_and_repeats_to_the_byte() -> None:
    first = bench("--seeds", "2")
    assert first["valid"]
    assert first["engaged"] == {"exact": True}
    assert first["kernel_version"].startswith("7.3.")
    assert first["splats"] == []
    # All but what only a storm with reapers, or one with frames, measures.
    wanted = {*Catalog(ROOT).metrics("exit-storm")} - {"mrelease_ns"}
    wanted = {name for name in wanted if not name.startswith(("frame_", "late_frames", "wakeup_"))}
    assert {metric["name"] for metric in first["metrics"]} == wanted
    again = bench("--seeds", "2", "--fresh")
    assert again["metrics"] == first["metrics"]
    assert len(logs(first["run"])) == 8
    assert logs(again["run"]) == logs(first["run"])


def boots_on_the_shelf() -> int:
    return len(list((pipeline.default_cache() / "shelf/boots").glob("[0-9a-f]*")))


@pytest.mark.parametrize(
    "end", [signal.SIGKILL, pytest.param(signal.SIGINT, marks=pytest.mark.nightly)]
)
def test_a_bench_that_is_ended_half_way_carries_on(end: signal.Signals) -> None:
    # Content of its own, and --fresh, so that there is something to boot each time.
    content = f"random_bytes={1400 + end}"
    arguments = ["bench", "--machine", "exact", "--seeds", "2", "--set", content, "--fresh"]
    process = start(*arguments)
    deadline = time.monotonic() + 300
    while containers() == 0 or boots_on_the_shelf() == 0:
        assert process.poll() is None, process.communicate()[1]
        assert time.monotonic() < deadline
        time.sleep(0.2)
    process.send_signal(end)
    process.communicate()
    assert process.returncode == (-signal.SIGKILL if end == signal.SIGKILL else 130)
    if end == signal.SIGINT:
        assert containers() == 0
    assert not list((pipeline.default_cache() / "shelf").glob("*/.new-*")) or end == signal.SIGKILL

    process = start(*[word for word in arguments if word != "--fresh"])
    out, err = process.communicate()
    assert process.returncode == 0, out + err
    assert containers() == 0


def test_a_report_is_made_again_from_the_logs_alone(tmp_path: Path) -> None:
    compared = bench("--seeds", "2")
    process = start("report", "--run", compared["run"], "--json")
    out, _ = process.communicate()
    assert json.loads(out) == compared
    assert os.access(ROOT / "results/reports" / compared["run"] / "report.md", os.R_OK)
