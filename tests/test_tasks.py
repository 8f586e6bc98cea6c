# SPDX-License-Identifier: GPL-2.0-only
"""The command line as a user meets it: words and exit statuses."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]


def invoke(*arguments: str, **environment: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "invoke", *arguments],
        cwd=ROOT,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_list_of_verbs_reads_like_a_manual() -> None:
    told = invoke("--list").stdout
    for number, verb in enumerate(("list", "fetch", "apply", "build", "boot", "bench"), start=1):
        assert any(
            line.split()[:2] == [verb, str(number)] for line in told.splitlines() if line.strip()
        )


def test_list_names_what_is_dropped_in() -> None:
    told = invoke("list").stdout
    for name in ("v0", "mainline", "exact", "parallel", "exit-storm", "bench"):
        assert name in told


@pytest.mark.parametrize(
    ("arguments", "status", "words"),
    [
        (("bench", "--machine", "nosuch"), 20, "no machine is called 'nosuch'"),
        (("bench", "--set", "mib"), 20, "expected name=NUMBER"),
        (("build", "--kernel", "nosuch"), 20, "no kernel is called 'nosuch'"),
        (("build", "--tree", "/"), 20, "no Makefile"),
        (("check", "--hazards", "exit-storm"), 20, "exit-storm has no conditions"),
        (("check", "--machine", "parallel"), 20, "parallel is none"),
        (("check", "--seeds", "0"), 20, "at least 1"),
        (("clean",), 20, "clean what?"),
        (("report", "--run", "nosuch"), 20, "run"),
        (("nosuch",), 1, "nosuch"),
    ],
)
def test_a_mistake_says_what_and_leaves_its_own_status(
    tmp_path: Path, arguments: tuple[str, ...], status: int, words: str
) -> None:
    done = invoke(*arguments, PATCHBENCH_CACHE=str(tmp_path))
    assert (done.returncode, done.stdout) == (status, "")
    assert words in done.stderr
    assert "Traceback" not in done.stderr


def test_without_an_engine_a_build_ends_with_thirty(tmp_path: Path) -> None:
    dead = f"unix://{tmp_path}/none.sock"
    done = invoke("build", PATCHBENCH_CACHE=str(tmp_path), DOCKER_HOST=dead)
    assert done.returncode == 30
    assert "no container engine answers" in done.stderr


def test_doctor_names_the_lack_and_the_remedy(tmp_path: Path) -> None:
    done = invoke("doctor", DOCKER_HOST=f"unix://{tmp_path}/none.sock")
    assert done.returncode == 30
    assert "MISSING" in done.stdout
    assert "./bootstrap" in done.stderr
