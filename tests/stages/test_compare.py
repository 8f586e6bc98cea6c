# SPDX-License-Identifier: GPL-2.0-only
"""What a run says, and when it says that it must not be relied on."""

from dataclasses import replace

from patchbench.model import NEVER
from patchbench.stages.compare import compare
from tests.fakes import boot, lost, machine, plan, results

SIX = range(1, 7)


def test_the_change_of_a_metric_is_that_of_its_pairs() -> None:
    boots = [boot("none", seed, results(100 * seed)) for seed in SIX]
    boots += [boot("v0", seed, results(50 * seed)) for seed in SIX]
    told = compare(plan(seeds=6), boots)
    exit_ns = told.deltas[0]
    assert (exit_ns.metric.name, exit_ns.base, exit_ns.test, exit_ns.pairs) == (
        "exit_ns",
        350,
        175,
        6,
    )
    assert round(exit_ns.change_pct or 0, 6) == -50
    assert told.invalid == ()


def test_a_boot_counts_as_the_median_of_its_samples() -> None:
    log = results(1).replace("drain_ns 200", "drain_ns 200\nsample exit_ns 3\nsample exit_ns 1000")
    told = compare(plan(seeds=1), [boot("none", 1, log), boot("v0", 1, log)])
    assert told.deltas[0].base == 3


def test_what_never_ended_is_an_outcome_and_keeps_the_boot_valid() -> None:
    boots = [boot("none", seed, results()) for seed in SIX]
    boots += [boot("v0", seed, results(drain_ns="never")) for seed in SIX]
    told = compare(plan(seeds=6), boots)
    assert told.outcomes == ("exact: drain_ns never ended with v0 in 6 of 6 boots",)
    assert told.deltas[1].test == NEVER
    assert told.invalid == ()


def test_a_lost_boot_makes_the_run_invalid_and_leaves_out_its_pair() -> None:
    boots = [boot("none", seed, results()) for seed in (1, 2)]
    told = compare(plan(), [*boots, boot("v0", 1, results()), lost("v0", 2)])
    assert told.failures == ("exact v0 seed 2: it hung",)
    assert told.invalid == ("1 boots gave no usable samples",)
    assert told.deltas[0].pairs == 1


def test_an_arm_that_lost_everything_has_nothing_to_compare() -> None:
    told = compare(plan(seeds=1), [boot("none", 1, results()), lost("v0", 1)])
    assert "exact: no pair of boots to compare" in told.invalid


def test_a_series_whose_counter_moved_was_at_work() -> None:
    boots = [boot("none", 1, results()), boot("v0", 1, results(counter=7))]
    told = compare(plan(seeds=1, engaged="async_swap_count"), boots)
    assert told.engaged == {"exact": True}
    assert told.invalid == ()


def test_a_series_whose_counter_rested_in_one_boot_measured_nothing() -> None:
    boots = [boot("none", seed, results()) for seed in (1, 2)]
    boots += [boot("v0", 1, results(counter=7)), boot("v0", 2, results())]
    told = compare(plan(engaged="async_swap_count"), boots)
    assert told.engaged == {"exact": False}
    assert "async_swap_count did not move" in told.invalid[0]


def test_the_base_s_own_series_must_have_been_at_work_too() -> None:
    told = plan(seeds=1)
    told = replace(told, base=replace(told.base, engaged_vmstat="async_swap_count"))
    boots = [boot("none", 1, results()), boot("v0", 1, results(counter=7))]
    assert compare(told, boots).engaged == {"exact": False}


def test_boots_that_measure_different_things_are_no_comparison() -> None:
    other = results().replace("drain_ns", "other_ns")
    told = compare(plan(seeds=1), [boot("none", 1, results()), boot("v0", 1, other)])
    assert [delta.metric.name for delta in told.deltas] == ["exit_ns"]
    assert told.invalid == ("the boots did not all measure the same",)


def test_what_became_of_a_clock_that_never_stopped_is_told() -> None:
    log = results(drain_ns="never").replace("end ok", "meta drain no\nend ok")
    told = compare(plan(seeds=1), [boot("none", 1, results()), boot("v0", 1, log)])
    assert told.outcomes[0].endswith("in 1 of 1 boots (drain no: 1)")


def test_machines_are_compared_each_by_itself() -> None:
    two = (machine("exact"), machine("parallel", accel="tcg", icount_shift=None))
    boots = [
        boot(series, 1, results(value), on=name)
        for name, value in (("exact", 10), ("parallel", 20))
        for series in ("none", "v0")
    ]
    told = compare(plan(*two, seeds=1), boots)
    assert [(delta.machine, delta.base) for delta in told.deltas if delta.base < 100] == [
        ("exact", 10),
        ("parallel", 20),
    ]
