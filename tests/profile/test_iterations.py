# SPDX-License-Identifier: GPL-2.0-only
"""What changed between two edits: two boots side by side."""

from dataclasses import replace
from pathlib import Path

from patchbench.model import NEVER, Metric, MetricNote
from patchbench.profile import iterations
from patchbench.profile.counts import Profile
from patchbench.profile.iterations import Iteration, Progress


def iteration(image: str, cpu_ns: float, pages: int = 10, **instructions: int) -> Iteration:
    profile = Profile(image, pages, 0, 0, instructions, {}, frozenset())
    return Iteration(image, image, {"cpu_ns": cpu_ns}, profile)


NONE = iteration("none", 200e6, exit=100, zs_free=50)
FIRST = iteration("v1", 100e6, exit=100, zs_free=20)
SECOND = iteration("v1'", 90e6, exit=100, zs_free=10, batch=5)


def test_the_first_time_a_series_is_compared_with_the_base_alone() -> None:
    headings, rows = iterations.times(Progress(NONE, None, FIRST))
    assert headings == ("", "v1 now", "none", "against none")
    assert rows == [
        ("cpu_ns", "100.000 ms", "200.000 ms", "-50.00 %"),
        ("instructions", "120", "150", "-20.00 %"),
        ("instructions a freed page", "12.0", "15.0", "-20.00 %"),
    ]


def test_functions_are_sorted_by_what_the_last_edit_changed() -> None:
    headings, rows = iterations.functions(Progress(NONE, FIRST, SECOND))
    assert headings == ("function", "v1' now", "against before", "against none")
    assert rows == [("zs_free", "10", "-10", "-40"), ("batch", "5", "+5", "+5")]


def test_a_clock_that_does_not_stop_is_never_and_no_number() -> None:
    parked = Progress(NONE, FIRST, iteration("v1'", NEVER))
    _, (row, *_) = iterations.times(parked)
    assert row == ("cpu_ns", "never", "100.000 ms", "to never", "200.000 ms", "to never")
    _, (row, *_) = iterations.times(Progress(NONE, iteration("v1", NEVER), SECOND))
    assert row[2:4] == ("never", "ends again")


def test_pages_that_nobody_counted_have_no_share() -> None:
    _, rows = iterations.times(Progress(NONE, None, iteration("v1", 1, pages=0, exit=1)))
    assert [row[0] for row in rows] == ["cpu_ns", "instructions"]


def test_what_is_compared_is_the_last_other_kernel_not_the_same_one_again(tmp_path: Path) -> None:
    note = tmp_path / "work/note.json"
    assert iterations.remember(note, FIRST) is None
    assert iterations.remember(note, SECOND) == FIRST
    assert iterations.remember(note, SECOND) == FIRST
    assert iterations.remember(note, FIRST) == SECOND


def test_a_clock_that_did_not_stop_is_remembered_as_such(tmp_path: Path) -> None:
    note = tmp_path / "note.json"
    parked = iteration("v0", NEVER, exit=1)
    iterations.remember(note, parked)
    assert iterations.remember(note, SECOND) == parked


def test_who_left_pages_unfreed_is_named_before_anything_looks_saved() -> None:
    left = replace(FIRST, profile=replace(FIRST.profile, unfreed_pages=4))
    (note,) = iterations.notes(Progress(NONE, None, left))
    assert note.startswith("v1: 4 of 10 pages were never freed")
    assert iterations.notes(Progress(NONE, None, FIRST)) == []


def test_a_note_that_cannot_be_read_is_none(tmp_path: Path) -> None:
    note = tmp_path / "note.json"
    note.write_text('[{"series": 1}]')
    assert iterations.remember(note, FIRST) is None
    assert iterations.remember(note, SECOND) == FIRST


def test_times_that_start_with_a_kill_or_are_shared_by_pages_are_shown() -> None:
    metrics = {
        name: Metric(name, unit, "lower")
        for name, unit in (("exit_ns", "ns"), ("cpu_ns", "ns"), ("frame_ns", "ns"), ("left", "KiB"))
    }
    notes = {
        "exit_ns": MetricNote("exit_ns", "exit", starts="its kill"),
        "cpu_ns": MetricNote("cpu_ns", "CPU", per_page=True),
        "frame_ns": MetricNote("frame_ns", "frame"),
        "left": MetricNote("left", "left", starts="its kill"),
    }
    assert iterations.shown(metrics, notes) == ["exit_ns", "cpu_ns"]
