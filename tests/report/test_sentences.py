# SPDX-License-Identifier: GPL-2.0-only
"""What a run says in words: no more than its numbers carry."""

from dataclasses import replace

import pytest

from patchbench.model import NEVER, Boot, Comparison, Delta, Metric
from patchbench.report import sentences
from patchbench.stages.compare import compare
from tests.fakes import boot, machine, plan, results
from tests.storms import log, storms

EXIT = Metric("exit_ns", "ns", "lower")


def delta(low: float | None, high: float | None, change: float | None = 1, **more: object) -> Delta:
    told = {"machine": "exact", "metric": EXIT, "base": 1.0, "test": 1.0, "values": (), **more}
    return Delta(change_pct=change, low_pct=low, high_pct=high, **told)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("told", "reading"),
    [
        (delta(-9, -1), "better"),
        (delta(1, NEVER), "worse"),
        (delta(-1, 1), "cannot tell"),
        (delta(0, 3), "cannot tell"),
        (delta(0, 0), "the same"),
        (delta(None, None), "too few pairs"),
        (delta(None, None, None), "no ratio"),
        (delta(1, 9, metric=Metric("free_kib", "kib", "higher")), "better"),
    ],
)
def test_a_change_is_told_only_where_its_interval_leaves_no_doubt(
    told: Delta, reading: str
) -> None:
    assert sentences.reading(told) == reading


def test_what_never_came_is_said_before_what_changed() -> None:
    told, boots = storms()
    exact, parallel = sentences.verdicts(told, boots)
    assert exact.sentence == (
        "memory never came back whole in 2 of 10 boots with v0; an exit is 41 % shorter, "
        "counting the boots that left work undone"
    )
    assert exact.open == "Changed by less than 0.05 %: CPU of all tasks."
    assert parallel.sentence.startswith("an exit is 41 % shorter; ")
    assert "memory comes back 36 % later" in parallel.sentence
    assert "never" not in parallel.sentence


def test_a_clock_that_stops_on_neither_arm_is_told_of_both() -> None:
    boots = [boot(arm, 1, results(100, "never")) for arm in ("none", "v0")]
    (verdict,) = sentences.verdicts(compare(plan(seeds=1), boots), boots)
    assert "in 1 of 1 boots with v0 and 1 of 1 with none" in verdict.sentence


def seeds(base: list[int], test: list[int]) -> tuple[Comparison, list[Boot]]:
    boots = [boot("none", n, log(one, 5, 5)) for n, one in enumerate(base, start=1)]
    boots += [boot("v0", n, log(one, 5, 5)) for n, one in enumerate(test, start=1)]
    return compare(plan(seeds=len(base)), boots), boots


def test_noise_is_not_told_as_a_change_nor_as_none() -> None:
    numbers = [100_000, 900_000, 200_000, 800_000, 300_000, 700_000, 400_000, 600_000]
    told, boots = seeds(numbers, numbers[::-1])
    (verdict,) = sentences.verdicts(told, boots)
    assert verdict.sentence == "no change can be told"


def test_boots_that_do_not_differ_at_all_are_told_as_that() -> None:
    told, boots = seeds([100_000] * 8, [100_000] * 8)
    (verdict,) = sentences.verdicts(told, boots)
    assert verdict.sentence == "nothing changed"


def test_too_few_pairs_are_said_to_be_too_few() -> None:
    (verdict,) = sentences.verdicts(*seeds([100_000], [50_000]))
    assert verdict.open.startswith("Too few pairs to tell: one exit")
    assert "shorter" not in verdict.sentence


def test_a_machine_without_a_pair_says_so() -> None:
    told, boots = compare(plan(machine(), seeds=1), []), list[Boot]()
    (verdict,) = sentences.verdicts(told, boots)
    assert verdict.sentence == "there is no pair of boots to compare"


def test_a_metric_that_nobody_knows_keeps_its_name() -> None:
    told, boots = storms()
    other = Metric("stall_us", "us", "lower")
    deltas = (replace(told.deltas[0], metric=other), *told.deltas[1:])
    exact, _ = sentences.verdicts(replace(told, deltas=deltas), boots)
    assert "stall_us is 41 % lower" in exact.sentence


def test_a_remark_counts_what_never_ended() -> None:
    told, boots = storms()
    remarks = {
        (one.machine, one.metric.name): sentences.remark(told, one, boots) for one in told.deltas
    }
    assert remarks["exact", "drain_ns"] == "never in 2 of 10"
    assert remarks["parallel", "drain_ns"] == "worse"
    assert remarks["exact", "exit_ns"] == "better"


def test_a_share_has_the_digits_that_it_deserves() -> None:
    assert [sentences.share(one) for one in (-6.55, 41.4, 0)] == ["6.5 %", "41 %", "0.0 %"]
