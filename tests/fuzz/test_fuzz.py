# SPDX-License-Identifier: GPL-2.0-only
"""No parser is brought down by what it reads; `invoke harden --fuzz` feeds each of them more."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.fuzz.running import MOST_S
from tests.fuzz.targets import TARGETS

ROOT = Path(__file__).resolve().parents[2]
#: Of CPU time, by all cores together.
TOTAL_S = 60


@pytest.mark.slow
def test_whatever_a_parser_reads_it_ends_in_time_and_with_an_error_of_ours(tmp_path: Path) -> None:
    seconds = str(TOTAL_S // len(os.sched_getaffinity(0)))
    command = [sys.executable, "-m", "tests.fuzz", "20261125", "seconds", seconds, str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    assert {row["target"] for row in rows} == {
        target.name for kind in TARGETS.values() for target in kind
    }
    assert {row["target"]: row["wrong"] for row in rows if row["wrong"]} == {}
    assert max(row["slowest_s"] for row in rows) <= MOST_S
