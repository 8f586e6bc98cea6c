# SPDX-License-Identifier: GPL-2.0-only
"""What is to be expected of a machine's times, and what gives a bad one away."""

import pytest

from patchbench.clocks import clockwork
from patchbench.model import Machine, Timelines
from tests.fakes import boot, machine

TWO = machine("exact2", icount_shift=None, vcpus=2, timelines=Timelines(1000, 200, (2000, 4000)))
Samples = dict[str, list[tuple[str, str]]]
GOOD: Samples = {
    "clock_step_ns": [("144", ""), ("160", "")],
    "clock_back_count": [("0", "")],
    "work_ns": [
        ("40090000", "1-threads-cpu-0"),
        ("40080000", "2-threads-cpu-0"),
        ("80200000", "2-threads-cpu-1"),
    ],
    "wake_idle_ns": [("8900", ""), ("9000", ""), ("31000", "")],
    "yield_hand_over_ns": [("240", "")],
    "ticket_section_ns": [("1600", "")],
}


def judge(changes: Samples | None = None, on: Machine = TWO) -> dict[str, bool | None]:
    """Return what becomes of each row of a record with some metrics changed."""
    samples = {**GOOD, **(changes or {})}
    lines = ["patchbench 1", "meta release r", "meta parameter.loops 10000000"]
    lines += [f"metric {name} ns lower" for name in samples]
    lines += [
        f"sample {name} {value} {label}" for name in samples for value, label in samples[name]
    ]
    booted = boot("none", 1, "\n".join([*(line.strip() for line in lines), "end ok", ""]), on.name)
    return {row.what: row.good for row in clockwork.judge(booted, on)}


def test_a_machine_that_keeps_time_is_good_in_every_row() -> None:
    assert set(judge().values()) == {True}
    assert len(judge()) == 7


@pytest.mark.parametrize(
    ("metric", "samples", "what"),
    [
        # what several vCPUs on one timeline would show
        ("work_ns", [("80100000", "2-threads-cpu-0")], "the same work in 2 threads"),
        # and a thread that is not counted in full
        ("work_ns", [("39990000", "1-threads-cpu-0")], "the same work in 1 thread"),
        ("clock_back_count", [("3", "")], "the clock went back across CPUs"),
        ("wake_idle_ns", [("212000", "")] * 3, "waking a thread on an idle CPU"),
        ("yield_hand_over_ns", [("1001", "")], "hand-over by spinning with YIELD"),
        # held for 500 instructions, in the mean of 3 ns: shorter is that sections overlap
        ("ticket_section_ns", [("1499", "")], "a section under a lock that all CPUs want"),
        ("ticket_section_ns", [("2001", "")], "a section under a lock that all CPUs want"),
    ],
)
def test_a_time_that_cannot_be_is_wrong(
    metric: str, samples: list[tuple[str, str]], what: str
) -> None:
    assert judge({metric: samples})[what] is False


def test_a_machine_on_the_host_s_clock_is_shown_and_not_judged() -> None:
    parallel = machine("parallel", accel="tcg", icount_shift=None, vcpus=2)
    assert set(judge({"clock_back_count": [("3", "")]}, parallel).values()) == {None}


def test_one_cpu_has_no_rows_on_others() -> None:
    alone: Samples = {name: [] for name in GOOD if name != "clock_step_ns"}
    alone["work_ns"] = [("40090000", "1-threads-cpu-0")]
    assert judge(alone, machine()) == {
        "between two readings of the clock": True,
        "the same work in 1 thread": True,
    }
