# SPDX-License-Identifier: GPL-2.0-only
"""Faults at drawn points: nothing half-made is trusted, and the next run is right to the byte.

`invoke harden` draws more of the same: a hundred kills, and each other fault more than once.
"""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
SEED = 20261125


def struck(folder: Path, kills: int, rounds: int) -> list[dict[str, Any]]:
    """Return what came of each fault."""
    numbers = [str(SEED), str(kills), str(rounds)]
    command = [sys.executable, "-m", "tests.faults", str(folder), *numbers]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    return [json.loads(line) for line in done.stdout.splitlines()]


@pytest.mark.slow
def test_a_killed_run_leaves_nothing_half_made_and_the_next_one_is_right(tmp_path: Path) -> None:
    kills = struck(tmp_path, kills=8, rounds=0)
    assert len(kills) == 8
    assert [kill for kill in kills if kill["wrong"]] == []
    assert sum(kill["killed"] for kill in kills) > 4


@pytest.mark.slow
def test_a_host_that_fails_costs_a_run_and_never_a_result(tmp_path: Path) -> None:
    faults = struck(tmp_path, kills=0, rounds=1)
    assert len({fault["kind"] for fault in faults}) == len(faults) > 20
    assert [fault for fault in faults if fault["wrong"]] == []
