# SPDX-License-Identifier: GPL-2.0-only
"""The page of a study: nothing is lost on the way to it, and nothing looks better than it is."""

from dataclasses import replace

import pytest

from patchbench.model import Comparison
from patchbench.study import evidence, report, rules
from patchbench.study import page as study_page
from patchbench.study import plan as study
from patchbench.study.evidence import Told
from patchbench.study.folder import LegNote, Note
from patchbench.study.plan import Rule, Statement
from patchbench.study.rules import Source
from tests.fakes import machine
from tests.recorded import PROJECT
from tests.storms import PARALLEL, beside, storms


def tell(sources: dict[str, Source | str], *statements: Statement) -> Told:
    plan = study.load(PROJECT, "v0")
    plan = replace(plan, statements=statements or plan.statements)
    legs = [LegNote(leg) for leg in study.legs(plan, "small")]
    for one in legs:
        found = sources.get(one.leg.key)
        one.state = "done" if isinstance(found, Source) else "left out"
    note = Note("20260101T000000-study-v0-small", "./bootstrap study", "key", "small", plan, legs,
                {"mainline": "7.3.4"})  # fmt: skip
    every = {one.leg.key: sources.get(one.leg.key, "it was not run") for one in legs}

    def look(key: str) -> Source | str:
        return every.get(key, "not part of scale small")

    return Told(
        note,
        every,
        rules.answer(plan, look),
        tuple(rules.weigh(rule, look) for rule in plan.controls),
        (machine(), PARALLEL),
    )


def source(told: Comparison, label: str = "exact (TCG)") -> Source:
    return Source(told.plan.run, told.plan.command, label, at_work=True, told=told)


@pytest.fixture(scope="module")
def told() -> Told:
    """Return a study of which the storm was run, on one kernel, and a sweep of victims."""
    storm = storms()[0]
    swept = {
        f"victims-{victims}/mainline/exact": source(beside(storm, victims))
        for victims in (1, 2, 4, 8)
    }
    return tell(
        {
            "storm/mainline/exact": source(storm),
            "storm/mainline/parallel": source(storm, "parallel (TCG)"),
            "storm/lts/parallel": "failed: it hung",
            **swept,
        }
    )


def test_every_number_has_its_run_its_command_and_says_that_it_is_emulated(told: Told) -> None:
    page = study_page.markdown(told)
    numbers = [line for line in page.splitlines() if line.startswith("|") and "[-" in line]
    assert numbers
    for line in numbers:
        assert "TCG" in line
    claims = page.partition("## Claims")[2].partition("## Controls")[0]
    for line in claims.splitlines():
        if "[-" in line:
            assert "./bootstrap bench" in line
            assert "-v0-against-none-mainline" in line


def test_a_statement_with_a_leg_that_failed_is_not_answered_and_says_why(told: Told) -> None:
    page = study_page.markdown(told)
    row, _ = [line for line in page.splitlines() if line.startswith("| a |")]
    assert "not answered" in row
    assert "storm/lts/parallel: failed: it hung" in page


def test_what_was_not_run_at_all_is_named_and_has_no_row(told: Told) -> None:
    lines = report.headline(told)
    assert any(line.startswith("Not run: ") and "Q14" in line for line in lines)
    assert not [row for row in report.rows(told) if row[0] == "Q14"]


def test_what_can_never_be_answered_here_says_why(told: Told) -> None:
    (row,) = [row for row in report.rows(told) if row[0] == "Q19"]
    assert row[1] == "not answerable"
    assert "check --series v0 --matrix" in study_page.markdown(told)


def test_the_two_clocks_and_the_boots_that_never_drained_stand_in_one_line(told: Told) -> None:
    page = study_page.markdown(told).partition("## Two clocks")[2]
    line = next(line for line in page.splitlines() if line.startswith("| storm |"))
    assert "0, 2 of 10" in line


def test_a_sweep_is_drawn_and_told(told: Told) -> None:
    assert "victims=4" in study_page.markdown(told)
    assert study_page.html(told).count("<svg") == 1


def test_the_page_loads_and_runs_nothing(told: Told) -> None:
    page = study_page.html(told)
    assert "default-src 'none'" in page
    assert "<script" not in page


def test_every_verdict_says_so_when_a_control_moved() -> None:
    moved = storms()[0]
    moved = replace(
        moved,
        deltas=tuple(
            replace(one, metric=replace(one.metric, name="free_ns")) for one in moved.deltas[:1]
        ),
    )
    rule = Rule("storm", metric="exit_ns", at_most_pct=0)
    told = tell(
        {"munmap/mainline/exact": source(moved), "storm/mainline/exact": source(storms()[0])},
        Statement("a", "cover letter", "exits are shorter", rules=(rule,)),
    )
    assert any(line.startswith("A CONTROL MOVED: munmap: free_ns") for line in
               report.headline(told))  # fmt: skip
    assert [row[1] for row in report.rows(told)] == ["confirmed (a control moved)"]


def test_boots_that_shared_the_host_are_told_before_any_number() -> None:
    shared = replace(storms()[0], overloads=("parallel none seed 1: it waited",))
    told = tell({"storm/mainline/parallel": source(shared)})
    assert "HOST OVERLOADED: storm/mainline/parallel: 1 of 12 boots" in report.headline(told)


def test_the_first_leg_that_failed_gives_its_status(told: Told) -> None:
    legs = told.note.legs
    failed = [
        replace(one, state="failed", why="it hung", status=23)
        if one.leg.key == "storm/lts/exact"
        else one
        for one in legs
    ]
    error = evidence.first_error(replace(told, note=replace(told.note, legs=failed)))
    assert error is not None
    assert (error.exit_code, str(error)) == (23, "storm/lts/exact: it hung")
    assert evidence.first_error(told) is None


def test_a_machine_is_never_told_without_how_it_emulates() -> None:
    assert evidence.describe(machine()) == "exact (TCG, icount)"
    assert evidence.describe(PARALLEL) == "parallel (TCG, side by side)"
