# SPDX-License-Identifier: GPL-2.0-only
"""CPU time that cannot be true spoils a run, and what looking took of it is told."""

import pytest

from patchbench.model import Comparison
from patchbench.runs import reading
from patchbench.stages.compare import compare
from tests.fakes import boot, plan
from tests.recorded import PROJECT

#: Of a study that was published once.
RUN = PROJECT / "tests/data/runs/20261123T191253-v0-victims-30-mainline-exact"
OLD = "meta drained yes\nmeta observer_cpu_ns 8000000\nmeta curve_cpu_ns 2000000"
NEW = "meta cpu_window_ns 110000000\nmeta cpu_observer_ns 8000000\nmeta cpu_curve_ns 2000000"
FRAMES = f"{NEW}\nmeta cpu_foreground_ns 1000000"


def log(cpu_ns: int, *told: str) -> str:
    return "\n".join(
        [
            "patchbench 1",
            "meta release r",
            *told,
            "metric cpu_ns ns lower",
            "metric drain_ns ns lower",
            f"sample cpu_ns {cpu_ns}",
            "sample drain_ns 100000000",
            "end ok\n",
        ]
    )


def one_pair(base: str, test: str) -> Comparison:
    return compare(plan(seeds=1), [boot("none", 1, base), boot("v0", 1, test)])


@pytest.mark.parametrize(
    ("test", "reason"),
    [
        (log(100_000_001, NEW), "110.0 ms of CPU time in 110.0 ms on 1 CPU"),
        (log(121_000_000, OLD), "121.0 ms of CPU time in 120.0 ms on 1 CPU"),
        (log(99_000_001, FRAMES), "110.0 ms of CPU time in 110.0 ms on 1 CPU"),
    ],
)
def test_a_boot_that_used_more_cpu_than_there_was_makes_its_run_invalid(
    test: str, reason: str
) -> None:
    (invalid,) = one_pair(log(90_000_000, NEW), test).invalid
    assert invalid == f"exact v0 seed 1: {reason}, which is more than there was"


@pytest.mark.parametrize("test", [log(100_000_000, NEW), log(119_000_000, OLD), log(10**9)])
def test_cpu_time_that_was_there_or_whose_window_is_unknown_is_believed(test: str) -> None:
    assert one_pair(log(90_000_000), test).invalid == ()


def test_looking_is_told_as_a_share_of_all_cpu_time_that_the_guest_took_out() -> None:
    assert one_pair(log(90_000_000, NEW), log(70_000_000, NEW)).books == (
        (
            "exact: looking took 10.0 % with none and 12.5 % with v0, as a share of all CPU time; "
            "cpu_ns is without it"
        ),
    )


def test_a_foreground_that_only_looks_is_told_with_the_rest() -> None:
    (line,) = one_pair(log(89_000_000, FRAMES), log(69_000_000, FRAMES)).books
    assert line.startswith("exact: looking took 11.0 % with none and 13.8 % with v0")


def test_of_guests_that_did_not_take_it_out_it_is_told_that_cpu_ns_has_it() -> None:
    assert one_pair(log(100_000_000, OLD), log(80_000_000, OLD)).books == (
        (
            "exact: looking took 10.0 % with none and 12.5 % with v0, as a share of all CPU time; "
            "cpu_ns has it"
        ),
    )


def test_nothing_is_told_of_looking_where_one_arm_does_not_report_it() -> None:
    assert one_pair(log(100_000_000, OLD), log(80_000_000)).books == ()


def test_the_published_boot_with_more_cpu_time_than_there_was_is_refused() -> None:
    (reason,) = reading.comparison(PROJECT, RUN).invalid
    assert reason.startswith("exact none seed 4: 295.9 ms of CPU time in 243.4 ms on 1 CPU")
