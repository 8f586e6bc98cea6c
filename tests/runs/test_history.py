# SPDX-License-Identifier: GPL-2.0-only
"""One metric over all runs."""

import shutil
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from patchbench.errors import BadInput
from patchbench.runs import folder as runs
from patchbench.runs import history, publishing, reading
from tests import recorded
from tests.fakes import machine

pytestmark = pytest.mark.slow

LATER = "20261124T090000-v0-against-none-mainline"


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    return recorded.root(tmp_path)


def follow(checkout: Path, metric: str = "exit_ns", *machines: str) -> list[history.Point]:
    return history.points(reading.comparisons(checkout), metric, machines)


def test_runs_come_in_the_order_of_time_wherever_they_are_kept(checkout: Path) -> None:
    recorded.add_run(checkout, LATER)
    early = recorded.add_run(checkout, "20261101T000000-v0-against-none-mainline")
    publishing.publish(checkout, early, "v0-on-7.3")
    shutil.rmtree(early)
    stamps = [row[0][:8] for row in history.rows(follow(checkout))]
    assert stamps == ["20261101"] * 2 + ["20261123"] * 2 + ["20261124"] * 2


def test_each_arm_has_its_median_and_the_test_arm_the_change(checkout: Path) -> None:
    base, test = history.rows(follow(checkout))
    assert base[3:4] + base[5:] == ("none", "valid", "126.332 ms", "-", "-")
    assert test[3:4] + test[5:] == ("v0", "valid", "117.826 ms", "-6.10 %", "-")


def test_an_invalid_run_stays_and_says_why(checkout: Path) -> None:
    folder = recorded.add_run(checkout, LATER)
    recorded.lose(folder, "exact/v0/seed-2")
    points = follow(checkout)
    assert [row[5] for row in history.rows(points)] == ["valid"] * 2 + ["INVALID"] * 2
    assert history.reasons(points) == [f"INVALID: {LATER}: 1 boots gave no usable samples"]


def test_a_run_that_lost_everything_or_cannot_be_read_stays_too(checkout: Path) -> None:
    folder = recorded.add_run(checkout, LATER)
    recorded.lose(folder, "exact/v0/*")
    (recorded.add_run(checkout, "20261125T000000-x") / "plan.json").write_text("{}")
    points = follow(checkout, "exit_ns", "exact")
    assert [row[6] for row in history.rows(points)[2:]] == ["-", "-", "-"]
    assert "cannot be read" in history.reasons(points)[1]
    assert ">invalid</text>" in history.svg(points, "exit_ns")


def test_only_runs_of_the_same_conditions_share_a_line(checkout: Path) -> None:
    recorded.add_run(checkout, LATER, version="7.3.5")
    recorded.add_run(checkout, "20261125T000000-x", guest="another")
    recorded.add_run(checkout, "20261126T000000-x", seeds={"exact": (1, 2)})
    lines = [point.line for point in follow(checkout) if point.tested]
    assert lines[0] == lines[1]
    assert len(set(lines)) == 3


def test_the_same_runs_give_the_same_picture_to_the_byte(checkout: Path) -> None:
    recorded.add_run(checkout, LATER)
    one = history.svg(follow(checkout), "exit_ns")
    assert one == history.svg(follow(checkout), "exit_ns")
    assert ET.fromstring(one).tag == "{http://www.w3.org/2000/svg}svg"  # noqa: S314  # our own
    assert "v0 on mainline" in one
    assert "2026-11-24 09:00" in one
    assert "/tmp" not in one


def test_what_never_ended_is_marked_in_the_picture(checkout: Path) -> None:
    points = follow(checkout, "drain_ns")
    assert [row[6] for row in history.rows(points)] == ["130.001 ms", "never"]
    assert ">never</text>" in history.svg(points, "drain_ns")


def test_of_a_noisy_machine_only_the_change_is_plotted(checkout: Path) -> None:
    noisy = machine("parallel", accel="tcg", icount_shift=None)
    folder = recorded.add_run(checkout, LATER, machines=(noisy,), seeds={"parallel": (1, 2, 3)})
    (folder / "boots/exact").rename(folder / "boots/parallel")
    runs.seal(folder)
    picture = history.svg(follow(checkout, "exit_ns", "parallel"), "exit_ns")
    assert "change, %" in picture
    assert "none on mainline" not in picture
    assert "exit_ns on exact" in history.svg(follow(checkout), "exit_ns")


def test_an_unknown_metric_lists_what_was_measured(checkout: Path) -> None:
    with pytest.raises(BadInput, match="measured: cpu_ns on exact, drain_ns on exact"):
        follow(checkout, "../nosuch")
    with pytest.raises(BadInput, match="no run measured 'exit_ns' on parallel"):
        follow(checkout, "exit_ns", "parallel")
