# SPDX-License-Identifier: GPL-2.0-only
"""Hazards on a real kernel: what v0 leaves behind is found, and what it does not is not."""

import json
import subprocess
import sys
from typing import Any

from tests.e2e.conftest import ROOT


def check(*arguments: str) -> tuple[int, list[dict[str, Any]]]:
    done = subprocess.run(
        [sys.executable, "-m", "invoke", "check", "--json", *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout, done.stderr
    return done.returncode, json.loads(done.stdout)


def states(findings: list[dict[str, Any]], subject: str) -> dict[str, str]:
    return {one["series"]: one["state"] for one in findings if one["subject"] == subject}


def test_v0_leaves_records_above_its_knee_and_fails_for_it() -> None:
    status, findings = check("--hazards", "knee-above")
    assert status == 10
    left = {"none": "pass", "v0@1": "fail", "v0": "fail"}
    assert states(findings, "knee-above: left_pages") == left
    assert states(findings, "knee-above: swapoff") == left
    assert set(states(findings, "knee-above: console").values()) == {"pass"}


def test_below_its_knee_v0_passes() -> None:
    status, findings = check("--hazards", "knee-below")
    assert status == 0
    assert {one["state"] for one in findings} == {"pass"}
    assert states(findings, "knee-below: gathered_records") == {"v0@1": "pass", "v0": "pass"}


def test_a_kernel_that_lacks_failslab_is_untested_and_no_pass() -> None:
    status, findings = check("--hazards", "gather-fails", "--flavour", "bench")
    assert status == 11
    assert set(states(findings, "gather-fails").values()) == {"untested"}
