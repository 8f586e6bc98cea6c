# SPDX-License-Identifier: GPL-2.0-only
"""What a leg cannot tell: where the answer was known before booting, or could not come."""

from collections.abc import Sequence
from dataclasses import replace

import pytest

from patchbench.model import Comparison, Delta, Machine, Metric, Timelines
from patchbench.study import instrument, weigh
from patchbench.study.instrument import Reach
from patchbench.study.readings import ArmShares, Counter, Reading, Shares
from patchbench.study.rules import ChangeRule, DifferenceRule, Rule, ShareRule, VariantRule
from tests.fakes import machine, plan
from tests.storms import NOTES, PARALLEL

Pairs = Sequence[tuple[float, float]]
REACH = Reach(
    metrics=("exit_ns",),
    cell="where",
    functions=("swap_put_entries_direct",),
    spared_pages=3072,
    process_mib={"storm": "mib * swapped_pct / 100"},
)
CLOCKS = Timelines(quantum_ns=1000, spin_ns=100, picoseconds_per_instruction=(1000,) * 4)


def delta(name: str, unit: str, pairs: Pairs, change_pct: float = -20) -> Delta:
    """Return a metric with its pairs, and a change of which five per cent are uncertain."""
    low, high = change_pct - 5, change_pct + 5
    return Delta("exact", Metric(name, unit, "lower"), 1, 1, change_pct, low, high, tuple(pairs))


def reading(
    *deltas: Delta,
    on: Machine | None = None,
    parameters: dict[str, int] | None = None,
    moved: int = 6,
) -> Reading:
    engaged = {"exact": moved == 6}
    comparison = Comparison(plan(), deltas, engaged, (), (), (), (), metric_notes=NOTES)
    return Reading(
        "a-run", "./bootstrap bench", on or machine(), at_work=True, result=comparison,
        counter=Counter("async_swap_count", moved, 6),
        program="storm", parameters=parameters or {"mib": 32, "swapped_pct": 100},
    )  # fmt: skip


EXIT = delta("exit_ns", "ns", [(100, 80)] * 6)
SHORTER = ChangeRule(cell="storm", metric="exit_ns", at_most_pct=0)


def blindness(rule: Rule, leg: Reading, reach: Reach | None = None) -> str:
    return instrument.blindness(rule, leg, reach, lambda _: "it was not run")


def test_a_leg_that_can_show_both_is_weighed() -> None:
    assert blindness(SHORTER, reading(EXIT), REACH) == ""


def test_what_a_leg_cannot_tell_it_neither_confirms_nor_refutes() -> None:
    rule = ChangeRule(cell="storm", cpus=2, metric="exit_ns", at_most_pct=0)
    found = weigh.weigh(rule, lambda _: reading(EXIT))
    assert (found.outcome, found.measured) == ("cannot tell", "-20.00 %")
    assert "runs one CPU at a time and the statement is about 2" in found.why


@pytest.mark.parametrize(
    ("on", "cpus"),
    [
        (machine(), 1),
        (machine("exact4", vcpus=4), 1),
        (machine("exact4", vcpus=4, icount_shift=None, timelines=CLOCKS), 4),
        (PARALLEL, 2),
    ],
    ids=["one", "four that take turns", "four with a clock each", "two side by side"],
)
def test_cpus_that_take_turns_are_one(on: Machine, cpus: int) -> None:
    assert instrument.cpus_at_once(on) == cpus


def test_a_parameter_that_decides_the_answer_is_named() -> None:
    rule = ShareRule(
        cell="where", functions=("free",), arm="base", at_least_pct=33,
        about={"swapped_pct": (25, 90)},
    )  # fmt: skip
    leg = replace(reading(), result=Shares((ArmShares(9, {}), ArmShares(9, {}))))
    assert "swapped_pct from 25 to 90, and it is 100 here" in blindness(rule, leg)
    assert blindness(rule, replace(leg, parameters={"swapped_pct": 65})) == ""


def test_where_nobody_lacks_memory_nothing_is_said_about_lack_of_it() -> None:
    rule = ChangeRule(cell="storm", metric="exit_ns", at_most_pct=0, scarce="memory")
    quiet = delta("alloc_stalls", "stalls", [(0, 3)] * 6)
    assert "alloc_stalls are 0 in all 6 boots" in blindness(rule, reading(EXIT, quiet))
    stalls = delta("alloc_stalls", "stalls", [(0, 0)] * 5 + [(1, 0)])
    assert blindness(rule, reading(EXIT, stalls)) == ""
    assert "does not measure whether anybody lacks memory" in blindness(rule, reading(EXIT))


def test_a_metric_that_is_at_its_most_in_every_boot_is_saturated() -> None:
    rule = ChangeRule(cell="storm", metric="cpu_peak_permille", at_most_pct=-1)
    full = delta("cpu_peak_permille", "permille", [(1000, 1000)] * 6)
    assert "1000 permille, the most there can be, in all 12 boots" in blindness(rule, reading(full))
    once = delta("cpu_peak_permille", "permille", [(1000, 1000)] * 5 + [(1000, 990)])
    assert blindness(rule, reading(once)) == ""


@pytest.mark.parametrize(
    ("base", "blind"), [((0, 0, 1, 1, 0, 1), True), ((1, 2, 1, 1, 3, 1), False)]
)
def test_a_base_without_late_frames_has_no_room_for_fewer(
    base: tuple[int, ...], blind: bool
) -> None:
    rule = DifferenceRule(cell="storm", metric="late_frames", difference_at_most=-1)
    frames = delta("late_frames", "frames", [(late, late) for late in base])
    assert ("no room below the base" in blindness(rule, reading(frames))) is blind


@pytest.mark.parametrize(("mib", "blind"), [(16, True), (32, True), (400, False)])
def test_an_effect_beyond_what_the_series_may_touch_cannot_be_shown(mib: int, blind: bool) -> None:
    rule = ChangeRule(cell="storm", metric="exit_ns", at_most_pct=-66)
    leg = reading(EXIT, parameters={"mib": mib, "swapped_pct": 100})
    profile = replace(leg, result=Shares((ArmShares(9, {"swap_put_entries_direct": 92.7}),) * 2))
    assert bool(instrument.blindness(rule, leg, REACH, lambda _: profile)) is blind


def test_without_a_profile_all_of_an_exit_is_within_reach() -> None:
    rule = ChangeRule(cell="storm", metric="exit_ns", at_most_pct=-60)
    assert blindness(rule, reading(EXIT), REACH) == ""


@pytest.mark.parametrize(
    "rule", [SHORTER, VariantRule(cell="storm", than="other", metric="exit_ns", at_most_pct=-2)]
)
def test_a_series_at_rest_shows_no_effect(rule: Rule) -> None:
    assert "the series was at rest" in blindness(rule, reading(EXIT, moved=0))


def test_a_series_at_rest_may_show_that_nothing_changes() -> None:
    rule = ChangeRule(cell="storm", metric="exit_ns", at_least_pct=-2, at_most_pct=2)
    assert blindness(rule, reading(EXIT, moved=0)) == ""
