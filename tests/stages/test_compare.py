# SPDX-License-Identifier: GPL-2.0-only
"""What a run says, and when it says that it must not be relied on."""

from dataclasses import replace

from patchbench.model import NEVER
from patchbench.stages.compare import compare
from tests.fakes import boot, lost, machine, plan, results
from tests.storms import NOTES, log

SIX = range(1, 7)


def test_the_change_of_a_metric_is_that_of_its_pairs() -> None:
    boots = [boot("none", seed, results(100 * seed)) for seed in SIX]
    boots += [boot("v0", seed, results(50 * seed)) for seed in SIX]
    comparison = compare(plan(seeds=6), boots)
    exit_ns = comparison.deltas[0]
    assert (exit_ns.metric.name, exit_ns.base, exit_ns.test, exit_ns.pairs) == (
        "exit_ns",
        350,
        175,
        6,
    )
    assert round(exit_ns.change_pct or 0, 6) == -50
    assert comparison.invalid == ()


def test_a_boot_counts_as_the_median_of_its_samples() -> None:
    log = results(1).replace("drain_ns 200", "drain_ns 200\nsample exit_ns 3\nsample exit_ns 1000")
    comparison = compare(plan(seeds=1), [boot("none", 1, log), boot("v0", 1, log)])
    assert comparison.deltas[0].base == 3


def test_what_did_not_finish_is_an_outcome_and_keeps_the_boot_valid() -> None:
    boots = [boot("none", seed, results()) for seed in SIX]
    boots += [boot("v0", seed, results(drain_ns="never")) for seed in SIX]
    comparison = compare(plan(seeds=6), boots)
    assert comparison.outcomes == ("exact: drain_ns did not finish with v0 in 6 of 6 boots",)
    assert comparison.deltas[1].test == NEVER
    assert comparison.invalid == ()


def test_a_lost_boot_makes_the_run_invalid_and_leaves_out_its_pair() -> None:
    boots = [boot("none", seed, results()) for seed in (1, 2)]
    comparison = compare(plan(), [*boots, boot("v0", 1, results()), lost("v0", 2)])
    assert comparison.failures == ("exact v0 seed 2: it hung",)
    assert comparison.invalid == ("1 boots gave no usable samples",)
    assert comparison.deltas[0].pairs == 1


def test_an_arm_that_lost_everything_has_nothing_to_compare() -> None:
    comparison = compare(plan(seeds=1), [boot("none", 1, results()), lost("v0", 1)])
    assert "exact: no pair of boots to compare" in comparison.invalid


def test_a_series_whose_counter_moved_was_at_work() -> None:
    boots = [boot("none", 1, results()), boot("v0", 1, results(counter=7))]
    comparison = compare(plan(seeds=1, engaged="async_swap_count"), boots)
    assert comparison.engaged == {"exact": True}
    assert comparison.invalid == ()


def test_a_series_whose_counter_rested_in_one_boot_measured_nothing() -> None:
    boots = [boot("none", seed, results()) for seed in (1, 2)]
    boots += [boot("v0", 1, results(counter=7)), boot("v0", 2, results())]
    comparison = compare(plan(engaged="async_swap_count"), boots)
    assert comparison.engaged == {"exact": False}
    assert "async_swap_count did not move" in comparison.invalid[0]


def test_the_base_s_own_series_must_have_been_at_work_too() -> None:
    planned = plan(seeds=1)
    base = replace(planned.base, engaged_vmstat="async_swap_count")
    boots = [boot("none", 1, results()), boot("v0", 1, results(counter=7))]
    assert compare(replace(planned, base=base), boots).engaged == {"exact": False}


def test_boots_that_measure_different_things_are_no_comparison() -> None:
    other = results().replace("drain_ns", "other_ns")
    comparison = compare(plan(seeds=1), [boot("none", 1, results()), boot("v0", 1, other)])
    assert [delta.metric.name for delta in comparison.deltas] == ["exit_ns"]
    assert comparison.invalid == ("the boots did not all measure the same",)


def test_the_fate_of_a_clock_that_did_not_stop_is_reported() -> None:
    log = results(drain_ns="never").replace("end ok", "meta drain no\nend ok")
    comparison = compare(plan(seeds=1), [boot("none", 1, results()), boot("v0", 1, log)])
    assert comparison.outcomes[0].endswith("in 1 of 1 boots (drain no: 1)")


def test_two_pairs_that_disagree_show_no_change() -> None:
    # The estimate is +1 %, from -15 % and +20 %; the medians fall from 550 to 485.
    boots = [boot("none", 1, results(1000)), boot("none", 2, results(100))]
    boots += [boot("v0", 1, results(850)), boot("v0", 2, results(120))]
    (exit_ns, _) = compare(plan(seeds=2), boots).deltas
    assert (exit_ns.base, exit_ns.test, exit_ns.change_pct) == (550, 485, None)
    assert "the pairs disagree" in exit_ns.note


def test_a_metric_can_be_given_per_freed_page() -> None:
    base, test = log(100, 1_024_000, 5), log(100, 960_000, "never")
    boots = [boot("none", seed, base) for seed in SIX] + [boot("v0", seed, test) for seed in SIX]
    comparison = compare(plan(seeds=6), boots, NOTES)
    (cpu_ns,) = (one for one in comparison.deltas if one.metric.name == "cpu_ns")
    assert cpu_ns.per_page
    assert (cpu_ns.per_page.base, cpu_ns.per_page.test) == (1000, 1000)
    assert comparison.undone_pct == {"exact": (0, 6.25)}


def disturbed(*overloads: str) -> tuple[str, ...]:
    """Return what is said of pairs of boots, done again once each, that were still disturbed so."""
    boots = [
        replace(boot(series, seed, results()), overload=overload, again=1)
        for seed, overload in enumerate(overloads, start=1)
        for series in ("none", "v0")
    ]
    return compare(plan(seeds=len(overloads)), boots, NOTES).disturbed


def test_a_comparison_says_on_which_other_hosts_its_boots_were_made() -> None:
    boots = [
        replace(boot(series, seed, results()), worker=worker)
        for seed, worker in ((1, ""), (2, "beta"))
        for series in ("none", "v0")
    ]
    (line,) = compare(plan(), boots, NOTES).disturbed
    assert "exact: its boots were made on beta, the run's own host" in line


def test_blocks_that_were_done_again_are_counted() -> None:
    assert disturbed("", "", "busy") == (
        "exact: 3 times a block of boots was disturbed and done again; there are 3",
    )


def test_a_host_that_was_busy_most_of_the_time_takes_all_meaning_from_the_numbers() -> None:
    (line,) = disturbed("", "busy", "busy")
    assert "exact: 2 of 3 blocks" in line
    assert "too busy for these numbers to mean anything" in line


def test_machines_are_compared_each_by_itself() -> None:
    two = (machine("exact"), machine("parallel", accel="tcg", icount_shift=None))
    boots = [
        boot(series, 1, results(value), on=name)
        for name, value in (("exact", 10), ("parallel", 20))
        for series in ("none", "v0")
    ]
    comparison = compare(plan(*two, seeds=1), boots)
    assert [(delta.machine, delta.base) for delta in comparison.deltas if delta.base < 100] == [
        ("exact", 10),
        ("parallel", 20),
    ]
