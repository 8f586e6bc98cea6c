# SPDX-License-Identifier: GPL-2.0-only
"""A published report's numbers are those of its logs, whatever its checksums say."""

import json
import shutil
from pathlib import Path

import pytest

from patchbench.runs import folder, recounting
from tests.recorded import PROJECT

REPORTED = sorted(PROJECT.glob("results/published/*/comparison.json"))


@pytest.mark.parametrize("path", REPORTED, ids=lambda path: path.parent.name)
def test_every_number_of_a_published_report_is_that_of_its_logs(path: Path) -> None:
    assert recounting.count(path.parent) > 100
    assert [*recounting.differences(PROJECT, path.parent)] == []


def test_a_number_that_was_edited_and_sealed_again_is_told(tmp_path: Path) -> None:
    run = tmp_path / "edited"
    shutil.copytree(PROJECT / "results/published/v1-exit-storm-7.3", run)
    report = json.loads((run / recounting.REPORT).read_text())
    report["metrics"][0]["change_pct"] = -99.0
    (run / recounting.REPORT).write_text(json.dumps(report))
    folder.seal(run)
    (line,) = recounting.differences(PROJECT, run)
    assert line.startswith("exact exit_ns change_pct: -99.0 is reported, and the logs say -48.42")
