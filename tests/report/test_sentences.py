# SPDX-License-Identifier: GPL-2.0-only
"""What a run says in words: no more than its numbers carry."""

from dataclasses import replace

import pytest

from patchbench.model import NEVER, Boot, Comparison, Delta, Metric
from patchbench.report import numbers, sentences
from patchbench.stages.compare import compare
from tests.fakes import boot, machine, plan, results
from tests.storms import NOTES, log, storms

EXIT = Metric("exit_ns", "ns", "lower")


def delta(low: float | None, high: float | None, change: float | None = 1, **more: object) -> Delta:
    fields = {"machine": "exact", "metric": EXIT, "base": 1.0, "test": 1.0, "values": (), **more}
    return Delta(change_pct=change, low_pct=low, high_pct=high, **fields)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("change", "reading"),
    [
        (delta(-9, -1), "better"),
        (delta(1, NEVER), "worse"),
        (delta(-1, 1), "cannot tell"),
        (delta(0, 3), "cannot tell"),
        (delta(0, 0), "the same"),
        (delta(None, None), "too few pairs"),
        (delta(None, None, None, values=((0.0, 1.0),)), "no ratio"),
        (delta(1, 9, metric=Metric("free_kib", "kib", "higher")), "better"),
    ],
)
def test_a_change_is_one_only_where_its_interval_leaves_no_doubt(
    change: Delta, reading: str
) -> None:
    assert sentences.reading(change) == reading


def test_what_did_not_finish_is_said_before_what_changed() -> None:
    exact, parallel = sentences.summaries(*storms())
    assert exact.sentence == (
        "Memory takes 36 % longer to come back, or never does (2 of 10 boots with v0); "
        "v0 leaves 1.2 % of the swap undone, and an exit takes 41 % less time"
    )
    assert exact.small_print == "Changed by less than 0.05 %: CPU time."
    assert parallel.sentence == (
        "An exit takes 41 % less time; memory takes 36 % longer to come back"
    )


def test_a_clock_that_is_slower_or_does_not_stop_is_one_sentence() -> None:
    base = [boot("none", seed, log(1, 1, 100_000)) for seed in range(1, 13)]
    test = [boot("v0", seed, log(1, 1, "never" if seed == 1 else 158_000)) for seed in range(1, 13)]
    (summary,) = sentences.summaries(compare(plan(seeds=12), base + test, NOTES), base + test)
    assert summary.sentence.startswith(
        "Memory takes 58 % longer to come back, or never does (1 of 12 boots with v0)"
    )


def test_a_clock_that_stops_on_neither_arm_is_reported_of_both() -> None:
    boots = [boot(arm, 1, results(100, "never")) for arm in ("none", "v0")]
    (summary,) = sentences.summaries(compare(plan(seeds=1), boots), boots)
    assert "in 1 of 1 boots with v0 and 1 of 1 boots with none" in summary.sentence


def seeds(base: list[int], test: list[int]) -> tuple[Comparison, list[Boot]]:
    boots = [boot("none", n, log(one, 5, 5)) for n, one in enumerate(base, start=1)]
    boots += [boot("v0", n, log(one, 5, 5)) for n, one in enumerate(test, start=1)]
    return compare(plan(seeds=len(base)), boots, NOTES), boots


def test_noise_is_neither_a_change_nor_proof_of_none() -> None:
    numbers = [100_000, 900_000, 200_000, 800_000, 300_000, 700_000, 400_000, 600_000]
    comparison, boots = seeds(numbers, numbers[::-1])
    (summary,) = sentences.summaries(comparison, boots)
    assert summary.sentence == "No change can be shown"


def test_boots_that_do_not_differ_at_all_changed_nothing() -> None:
    comparison, boots = seeds([100_000] * 8, [100_000] * 8)
    (summary,) = sentences.summaries(comparison, boots)
    assert summary.sentence == "Nothing changed"


def test_too_few_pairs_are_said_to_be_too_few() -> None:
    (summary,) = sentences.summaries(*seeds([100_000], [50_000]))
    assert summary.small_print.startswith("Too few pairs to tell: exit latency")
    assert "less time" not in summary.sentence


def test_a_machine_without_a_pair_says_so() -> None:
    comparison, boots = compare(plan(machine(), seeds=1), []), list[Boot]()
    (summary,) = sentences.summaries(comparison, boots)
    assert summary.sentence == "There is no pair of boots to compare"


def test_a_metric_without_a_note_keeps_its_name() -> None:
    comparison, boots = storms()
    other = Metric("stall_us", "us", "lower")
    deltas = (replace(comparison.deltas[0], metric=other), *comparison.deltas[1:])
    exact, _ = sentences.summaries(replace(comparison, deltas=deltas), boots)
    assert "stall_us 41 % less" in exact.sentence


def remarks(comparison: Comparison, boots: list[Boot]) -> dict[tuple[str, str], str]:
    return {
        (one.machine, one.metric.name): sentences.remark(comparison, one, boots)
        for one in comparison.deltas
    }


def test_a_remark_counts_what_did_not_finish() -> None:
    found = remarks(*storms())
    assert found["exact", "drain_ns"] == "never in 2 of 10"
    assert found["parallel", "drain_ns"] == "worse"
    assert found["parallel", "exit_ns"] == "better"


def left_undone(cpu_ns: int) -> tuple[Comparison, list[Boot]]:
    """Return a run in which v0 frees 960 of 1024 pages, in this CPU time."""
    boots = [boot("none", seed, log(1_000_000, 1_024_000, 5)) for seed in range(1, 9)]
    boots += [boot("v0", seed, log(900_000, cpu_ns, "never")) for seed in range(1, 9)]
    return compare(plan(seeds=8), boots, NOTES), boots


@pytest.mark.parametrize(
    ("cpu_ns", "remark"),
    [
        (960_000, "less, because 6.2 % was left undone (+0.0 % per freed page)"),
        (970_000, "less, because 6.2 % was left undone (+1.0 % per freed page)"),
        (480_000, "less, but 6.2 % was left undone (-50 % per freed page)"),
        (1_100_000, "worse"),
    ],
)
def test_what_work_left_undone_saved_is_never_better(cpu_ns: int, remark: str) -> None:
    found = remarks(*left_undone(cpu_ns))
    assert found["exact", "cpu_ns"] == remark
    assert found["exact", "exit_ns"] == "less, but 6.2 % was left undone"


def test_more_than_nothing_is_counted_as_there_is_no_ratio() -> None:
    assert remarks(*left_undone(1))["exact", "residue_pages"] == "worse in 8 of 8 pairs"


def test_a_metric_whose_note_has_no_sentence_is_small_print() -> None:
    comparison, boots = storms()
    plain = {"exit_ns": replace(NOTES["exit_ns"], less="", more="")}
    (exact, _) = sentences.summaries(replace(comparison, metric_notes={**NOTES, **plain}), boots)
    assert "an exit" not in exact.sentence
    assert exact.small_print.startswith("Also changed: exit latency -41 %.")


def test_the_summary_gives_the_number_per_freed_page() -> None:
    (summary,) = sentences.summaries(*left_undone(970_000))
    assert summary.sentence.endswith(
        "v0 leaves 6.2 % of the swap undone, and an exit takes 10.0 % less time "
        "and 5.3 % less CPU time is used (+1.0 % per freed page)"
    )


def test_a_share_has_the_digits_that_it_deserves() -> None:
    assert [numbers.share(one) for one in (-6.55, 41.4, 0)] == ["6.5 %", "41 %", "0.0 %"]
