# SPDX-License-Identifier: GPL-2.0-only
"""The page of a study: nothing is lost on the way to it, and nothing looks better than it is."""

from dataclasses import replace

import pytest

from patchbench.model import Comparison, Machine
from patchbench.study import evidence, loading, page, readings, report, weigh
from patchbench.study import plan as plans
from patchbench.study.evidence import Study
from patchbench.study.folder import LegEntry, Logbook
from patchbench.study.plan import Statement, StudyPlan
from patchbench.study.readings import Reading
from patchbench.study.rules import ChangeRule
from tests.fakes import machine
from tests.recorded import PROJECT
from tests.storms import PARALLEL, beside, storms


def on_a_noisy_machine(plan: StudyPlan) -> StudyPlan:
    """Return a plan with parallel, which is not exact, in place of exact2."""

    def machine_for(name: str) -> str:
        return "parallel" if name == "exact2" else name

    return replace(
        plan,
        cells=tuple(
            replace(cell, machines=tuple(map(machine_for, cell.machines))) for cell in plan.cells
        ),
        statements=tuple(
            replace(
                one,
                rules=tuple(replace(rule, machine=machine_for(rule.machine)) for rule in one.rules),
            )
            for one in plan.statements
        ),
    )


def study_of(found: dict[str, Reading | str], *statements: Statement) -> Study:
    plan = on_a_noisy_machine(loading.load(PROJECT, "v0"))
    plan = replace(plan, statements=statements or plan.statements)
    legs = [LegEntry(leg) for leg in plans.legs(plan, "small")]
    for one in legs:
        one.state = "done" if isinstance(found.get(one.leg.key), Reading) else "skipped"
    name, versions = "20260101T000000-study-v0-small", {"mainline": "7.3.4"}
    logbook = Logbook(name, "./bootstrap study", "key", "small", plan, legs, versions)
    every = {one.leg.key: found.get(one.leg.key, "it was not run") for one in legs}

    def look(key: str) -> Reading | str:
        return every.get(key, "not part of scale small")

    return Study(
        logbook,
        every,
        weigh.conclude(plan, look),
        tuple(weigh.weigh(rule, look) for rule in plan.controls),
        (machine(), PARALLEL),
    )


def reading(comparison: Comparison, on: Machine | None = None) -> Reading:
    plan = comparison.plan
    return Reading(plan.run, plan.command, on or machine(), at_work=True, result=comparison)


@pytest.fixture(scope="module")
def study() -> Study:
    """Return a study of which the storm was run, on one kernel, and a sweep of victims."""
    storm = storms()[0]
    swept = {
        f"victims-{victims}/mainline/exact": reading(beside(storm, victims)) for victims in (1, 30)
    }
    return study_of(
        {
            "storm/mainline/exact": reading(storm),
            "storm/mainline/parallel": reading(storm, PARALLEL),
            "storm/lts/parallel": "failed: it hung",
            "algorithms/mainline/exact8-zstd": reading(storm),
            **swept,
        }
    )


@pytest.fixture(scope="module")
def markdown(study: Study) -> str:
    return page.markdown(study)


@pytest.fixture(scope="module")
def html(study: Study) -> str:
    return page.html(study)


def chapter(markdown: str, name: str) -> str:
    """Return the lines of one statement."""
    return markdown.partition(f"\n### {name} ")[2].partition("\n### ")[0]


def test_every_number_has_its_run_its_command_and_says_that_it_is_emulated(markdown: str) -> None:
    lines = markdown.partition("## Claims")[2].partition("## Controls")[0].splitlines()
    numbers = [at for at, line in enumerate(lines) if line.startswith("- **") and "[-" in line]
    assert numbers
    for at in numbers:
        assert "(TCG" in lines[at]
        assert "-v0-against-none-mainline" in lines[at + 1]
        assert "./bootstrap bench" in lines[at + 2]


def test_a_statement_with_a_leg_that_failed_is_not_answered_and_says_why(markdown: str) -> None:
    lines = chapter(markdown, "a")
    assert lines.startswith("not answered: Processes that are killed together")
    assert "storm/lts/parallel: failed: it hung" in lines


def test_what_was_not_run_at_all_is_named_and_has_no_row(study: Study) -> None:
    lines = report.headline(study)
    assert any(line.startswith("Not run: ") and "Q14" in line for line in lines)
    assert not [row for row in report.rows(study) if row[0] == "Q14"]


def test_what_can_never_be_answered_here_says_why(study: Study, markdown: str) -> None:
    (row,) = [row for row in report.rows(study) if row[0] == "Q19"]
    assert row[1] == "not answerable"
    assert "check --series v0 --matrix" in chapter(markdown, "Q19")


def test_what_was_concluded_wrongly_before_is_corrected_on_the_page(
    markdown: str, html: str
) -> None:
    for text in (chapter(markdown, "a74"), html):
        assert "was refuted: the bound was out of reach" in text


def test_a_rule_that_a_leg_cannot_tell_shows_its_number_and_the_reason(markdown: str) -> None:
    line = next(
        line
        for line in chapter(markdown, "Q20").splitlines()
        if "cannot tell, " in line or "cannot tell: " in line
    )
    assert "runs one CPU at a time" in line


def test_the_number_of_rules_that_chance_may_have_decided_is_stated(study: Study) -> None:
    assert "Intervals are of 95 %." in report.multiplicity(study)


def test_the_two_clocks_and_the_boots_that_never_drained_stand_in_one_line(markdown: str) -> None:
    table = markdown.partition("## Two clocks")[2]
    line = next(line for line in table.splitlines() if line.startswith("| storm: "))
    assert "0, 2 of 10" in line


def test_a_sweep_is_drawn_and_listed(markdown: str, html: str) -> None:
    assert "victims=30" in markdown
    assert html.count("<figure>") == 1


def test_every_interval_of_a_change_is_drawn(study: Study, html: str) -> None:
    changes = [
        weighed
        for one in report.asked(study)
        for weighed in (*one.weighed, *study.controls)
        if weighed.estimate and weighed.estimate.unit == "+%"
    ]
    assert changes
    assert html.count('class="interval ') == len(changes) + 1  # and the legend


def test_the_page_loads_and_runs_nothing(html: str) -> None:
    assert "default-src 'none'" in html
    assert "<script" not in html


def test_every_verdict_says_so_when_a_control_moved() -> None:
    moved = storms()[0]
    moved = replace(
        moved,
        deltas=tuple(
            replace(one, metric=replace(one.metric, name="free_ns")) for one in moved.deltas[:1]
        ),
    )
    rule = ChangeRule(cell="storm", metric="exit_ns", at_most_pct=0)
    study = study_of(
        {"munmap/mainline/exact": reading(moved), "storm/mainline/exact": reading(storms()[0])},
        Statement("a", "cover letter", "exits are shorter", rules=(rule,)),
    )
    assert any(line.startswith("A CONTROL MOVED: munmap: free_ns") for line in
               report.headline(study))  # fmt: skip
    assert [row[1] for row in report.rows(study)] == ["confirmed (a control moved)"]


def test_boots_that_shared_the_host_are_named_before_any_number() -> None:
    shared = replace(storms()[0], overloads=("parallel none seed 1: it waited",))
    study = study_of({"storm/mainline/parallel": reading(shared)})
    assert "HOST OVERLOADED: storm/mainline/parallel: 1 of 12 boots" in report.headline(study)


def test_the_first_leg_that_failed_gives_its_status(study: Study) -> None:
    legs = study.logbook.legs
    failed = [
        replace(one, state="failed", why="it hung", status=23)
        if one.leg.key == "storm/lts/exact"
        else one
        for one in legs
    ]
    error = evidence.first_error(replace(study, logbook=replace(study.logbook, legs=failed)))
    assert error is not None
    assert (error.exit_code, str(error)) == (23, "storm/lts/exact: it hung")
    assert evidence.first_error(study) is None


def test_a_machine_is_never_named_without_how_it_emulates() -> None:
    assert readings.describe(machine()) == "exact (TCG, icount)"
    assert readings.describe(PARALLEL) == "parallel (TCG, side by side)"
