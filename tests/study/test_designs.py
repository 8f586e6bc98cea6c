# SPDX-License-Identifier: GPL-2.0-only
"""The table of designs: one row a series, nobody is best or worst by chance or by doing less."""

from dataclasses import replace

from patchbench.model import Comparison
from patchbench.stages.compare import compare
from patchbench.study import designs, page
from patchbench.study.evidence import Study
from patchbench.study.folder import LegEntry, Logbook
from patchbench.study.plan import Cell, Column, Seeds, StudyPlan, legs
from patchbench.study.readings import Reading
from tests.fakes import boot, check_result, condition, machine, plan
from tests.storms import NOTES, log

SEEDS = 10
PLAN = StudyPlan(
    "arena",
    "designs",
    "v1",
    (Cell("storm", 1, Seeds(SEEDS, SEEDS)), Cell("swapoff", 1, Seeds(1, 1), "hazard")),
    rivals=("v0", "quick", "late"),
    designs=(
        Column("storms", "exits", "storm", "exit_ns"),
        Column("storms", "CPU", "storm", "cpu_ns"),
        Column("hazards", "swapoff ends", "swapoff", finding="left_pages"),
    ),
)


def storm(exit_ns: int, cpu_ns: int, drain_ns: object = 98_000_000) -> Comparison:
    """Return a bench of a series with these clocks; the unpatched kernel's are 100 ms and 200."""
    planned = plan(seeds=SEEDS)
    boots = [
        one
        for seed in range(1, SEEDS + 1)
        for one in (
            boot("none", seed, log(100_000_000 + seed, 200_000_000, 98_000_000)),
            boot("v0", seed, log(exit_ns + seed, cpu_ns, drain_ns)),
        )
    ]
    return compare(planned, boots, NOTES)


def study_of(**found: Comparison) -> Study:
    """Return a study in which these series were measured; none of the hazards was but v1's."""
    logbook = Logbook(
        "20260101T000000-study-arena-small", "./bootstrap study", "key", "small", PLAN,
        [LegEntry(leg, "done") for leg in legs(PLAN, "small")], {"mainline": "7.3.4"},
        lines={"v1": (700, 90), "v0": (300, 20)},
    )  # fmt: skip
    readings: dict[str, Reading | str] = {one.leg.key: "it was not run" for one in logbook.legs}
    for name, comparison in found.items():
        key = PLAN.designs[0].leg(PLAN, name)
        command = comparison.plan.command
        readings[key] = Reading("run", command, machine(), at_work=True, result=comparison)
    passed = check_result(condition("v1", "pass"), condition("none", "fail"), series="v1")
    readings["swapoff/mainline/exact"] = Reading("run", "", machine(), True, passed)
    return Study(logbook, readings, (), (), (machine(),))


def cells(study: Study) -> dict[str, dict[str, str]]:
    """Return the cells of all tables by series and heading."""
    found: dict[str, dict[str, str]] = {}
    for table in designs.tables(study):
        for row in table.rows:
            found.setdefault(row[0], {}).update(zip(table.headings, row, strict=True))
    return found


def test_a_scale_that_boots_nothing_of_a_table_has_no_such_table() -> None:
    study = study_of(v1=storm(50_000_000, 100_000_000))
    assert [table.title for table in designs.tables(study)] == ["storms", "hazards"]
    storms = [one for one in study.logbook.legs if one.leg.key.startswith("storm")]
    smaller = replace(study, logbook=replace(study.logbook, legs=storms))
    assert [table.title for table in designs.tables(smaller)] == ["storms"]


def test_the_best_and_the_worst_of_what_differs_are_marked() -> None:
    found = cells(
        study_of(
            v1=storm(50_000_000, 100_000_000),
            v0=storm(90_000_000, 250_000_000),
            quick=storm(99_990_000, 200_000_000),
        )
    )
    assert found["v1"]["exits"] == "-50.00 % * (best)"
    assert found["v1"]["CPU"] == "-50.00 % * (best)"
    assert found["v0"]["CPU"] == "+25.00 % * (worst)"
    assert "(worst)" not in found["v0"]["exits"], "it is better than the unpatched kernel"
    assert found["quick"]["CPU"] == "+0.00 %"


def test_what_leaves_more_in_swap_is_told_per_page_that_it_freed() -> None:
    found = cells(study_of(v0=storm(90_000_000, 190_000_000, "never")))
    assert found["v0"]["CPU"].endswith(" per page")
    assert not found["v0"]["CPU"].startswith("-5.0")


def test_a_series_that_was_not_measured_or_not_at_work_has_a_dash() -> None:
    idle = replace(storm(1, 1), invalid=("v0 was not at work",))
    found = cells(study_of(v1=storm(50_000_000, 100_000_000), quick=idle))
    assert [found["quick"][one] for one in ("exits", "CPU", "swapoff ends")] == ["-"] * 3
    assert found["late"]["exits"] == "-"
    assert found["v1"]["exits"] == "-50.00 % * (best)"


def test_a_hazard_is_that_of_the_series_and_not_of_the_base() -> None:
    assert cells(study_of())["v1"]["swapoff ends"] == "passes in 1 of 1"


def test_the_page_says_what_each_design_costs_in_lines() -> None:
    assert designs.about(study_of()).endswith("in lines: v1 +700 -90, v0 +300 -20.")


def test_the_tables_stand_before_the_statements_on_both_pages() -> None:
    study = study_of(v1=storm(50_000_000, 100_000_000))
    assert page.markdown(study).index("## Designs") < page.markdown(study).index("## Claims")
    assert page.html(study).index("<h2>Designs</h2>") < page.html(study).index("<h2>Claims</h2>")
    assert "Designs" not in page.markdown(replace_designs(study))


def replace_designs(study: Study) -> Study:
    """Return the study as if its plan asked nothing of several series."""
    logbook = replace(study.logbook, plan=replace(PLAN, designs=()))
    return replace(study, logbook=logbook)
