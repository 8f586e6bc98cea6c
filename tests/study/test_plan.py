# SPDX-License-Identifier: GPL-2.0-only
"""A study's plan: what is refused before any boot, which legs its cells become, in what order."""

from pathlib import Path

import pytest

from patchbench.errors import BadInput, UnknownName
from patchbench.study import loading
from patchbench.study import plan as study
from tests.recorded import PROJECT

CELL = """
[[cells]]
name = "storm"
value = 10
kernels = ["mainline", "lts"]
seeds = { small = 6, full = 16 }
"""
HEAD = 'title = "a test"\nseries = "v0"\n'
STATEMENT = """
[[statements]]
id = "a"
by = "cover letter"
says = "exits are shorter"
rules = [{ cell = "storm", metric = "exit_ns", at_most_pct = 0 }]
"""


def load(root: Path, *parts: str) -> study.StudyPlan:
    for name in ("patches", "workloads", "qemu", "configs/kernels"):
        (root / name).parent.mkdir(exist_ok=True)
        (root / name).symlink_to(PROJECT / name)
    (root / "configs/studies").mkdir()
    (root / "configs/studies/mine.toml").write_text("\n".join(parts))
    return loading.load(root, "mine")


def test_every_study_that_is_dropped_in_loads() -> None:
    for path in (PROJECT / study.FOLDER).glob("*.toml"):
        assert loading.load(PROJECT, path.stem).statements


def test_the_study_of_v0_has_an_answer_to_every_claim_and_question() -> None:
    answered = {one.id for one in loading.load(PROJECT, "v0").statements}
    assert {"a", "b", "c", "d", *(f"Q{number}" for number in range(1, 23))} <= answered


def test_no_statement_on_v0_is_without_a_leg_at_scale_small() -> None:
    plan = loading.load(PROJECT, "v0")
    small = {leg.key for leg in study.legs(plan, "small")}
    for one in plan.statements:
        needed = study.needed(plan, study.legs(plan, "full"), [one.id])
        assert {leg.key for leg in needed} <= small, one.id


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('name = "storm"', 'name = "storm"\nworkload = "storms"', "no workload is called 'storms'"),
        ('"lts"]', '"lst"]', "no kernel is called 'lst'\n  known in .*: lts, mainline"),
        ("seeds =", 'machines = ["exakt"]\nseeds =', "no machine is called 'exakt'"),
        ('series = "v0"', 'series = "v9"', "no series is called 'v9'"),
        ('"exit_ns"', '"exits_ns"', "no metric is called 'exits_ns'\n  known: exit_ns"),
        ('cell = "storm"', 'cell = "strom"', "no cell is strom/mainline/exact\n  nearest: storm/"),
        ("at_most_pct = 0", "arm = 'test'", "needs a bound: at_least or at_most"),
        (", at_most_pct = 0", "", "needs a bound: at_least_pct or at_most_pct"),
        ("at_most_pct = 0", "at_most = 0", "rules.0.change.at_most: Unexpected keyword"),
        ("at_most_pct", "since = 'lts', arm = 'test', at_most_pct", "kernel.arm: Unexpected"),
        ("seeds =", "set = { victims = 200 }\nseeds =", "victims=200 is out of range"),
        ("seeds =", "set = { victims = 64 }\nseeds =", "fits: victims at most 24"),
        ("seeds =", 'kind = "hazard"\nseeds =', "has no conditions, so it is no hazard"),
        ("seeds =", "sweep = { mib = [1], victims = [2] }\nseeds =", "one at most"),
        ("seeds =", "seed = 1\nseeds =", "Unexpected keyword"),
        ("at_most_pct = 0 }", "at_most_pct = 0 }, -1", "rules.1.change: Input should be"),
        ('says = "exits', 'rule = 1\nsays = "exits', "Unexpected keyword"),
    ],
)
def test_a_plan_that_cannot_run_is_refused_by_name(
    tmp_path: Path, old: str, new: str, message: str
) -> None:
    with pytest.raises(BadInput, match=message):
        load(tmp_path, *(part.replace(old, new) for part in (HEAD, CELL, STATEMENT)))


def test_two_cells_of_one_name_are_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="two cells are called storm/mainline/exact"):
        load(tmp_path, HEAD, CELL, CELL)


def test_a_statement_without_rules_says_why(tmp_path: Path) -> None:
    with pytest.raises(
        BadInput, match="statement b needs `rules`, or `unanswerable` with the reason"
    ):
        load(tmp_path, HEAD, CELL, '[[statements]]\nid = "b"\nby = "x"\nsays = "y"')


def test_an_unknown_study_lists_the_known_ones(tmp_path: Path) -> None:
    load(tmp_path, HEAD, CELL, STATEMENT)
    with pytest.raises(UnknownName, match=r"no study is called 'v7'\n  known in .*: mine"):
        loading.load(tmp_path, "v7")


def test_a_cell_becomes_a_leg_for_each_value_kernel_and_machine(tmp_path: Path) -> None:
    swept = CELL.replace("seeds =", "sweep = { victims = [1, 4] }\nseeds =")
    plan = load(tmp_path, HEAD, swept)
    legs = study.legs(plan, "small")
    assert [leg.key for leg in legs] == [
        "storm-1/mainline/exact",
        "storm-1/lts/exact",
        "storm-4/mainline/exact",
        "storm-4/lts/exact",
    ]
    assert legs[2].parameters == {"victims": 4}
    assert legs[2].boots == 12


def test_the_most_valuable_is_first_and_what_has_no_seeds_is_skipped(tmp_path: Path) -> None:
    best = CELL.replace("storm", "best").replace("10", "20")
    unasked = CELL.replace("storm", "large").replace("small = 6", "small = 0")
    plan = load(tmp_path, HEAD, CELL, best, unasked)
    cells = [leg.cell for leg in study.legs(plan, "small")]
    assert cells == ["best", "best", "storm", "storm"]
    assert {leg.cell for leg in study.legs(plan, "full")} == {"best", "storm", "large"}


def test_statements_need_the_legs_of_their_rules_alone(tmp_path: Path) -> None:
    other = CELL.replace("storm", "other")
    ladder = STATEMENT.replace("at_most_pct", 'since = "lts", at_most_pct')
    plan = load(tmp_path, HEAD, CELL, other, ladder)
    legs = study.needed(plan, study.legs(plan, "small"), ["a"])
    assert [leg.key for leg in legs] == ["storm/mainline/exact", "storm/lts/exact"]
    with pytest.raises(UnknownName, match="no statement is called 'Q99'"):
        study.needed(plan, legs, ["Q99"])


def test_parts_and_patches_of_the_series_are_arms_of_their_own(tmp_path: Path) -> None:
    plan = load(tmp_path, HEAD, CELL.replace("seeds =", "patches = 1\nseeds ="))
    assert {leg.series for leg in study.legs(plan, "small")} == {"v0@1"}


RIVALS = HEAD + 'rivals = ["v1", "v0@1"]\n'
DESIGN = '[[designs]]\ntable = "storms"\nasks = "exits"\ncell = "storm"\nmetric = "exit_ns"\n'


def test_a_cell_becomes_a_leg_for_each_rival_and_says_which_of_them_rest(tmp_path: Path) -> None:
    plan = load(tmp_path, RIVALS, CELL.replace("seeds =", 'at_rest = ["v0@1"]\nseeds ='))
    legs = [one for one in study.legs(plan, "small") if one.kernel == "mainline"]
    assert [(one.cell, one.series, one.at_work) for one in legs] == [
        ("storm", "v0", True),
        ("storm-v1", "v1", True),
        ("storm-v0@1", "v0@1", False),
    ]


@pytest.mark.parametrize("part", ["patches = 1", 'variant = "one-worker"', 'rivals = ["v1"]'])
def test_a_cell_of_a_part_or_a_variant_is_of_the_plans_own_series(
    tmp_path: Path, part: str
) -> None:
    plan = load(tmp_path, RIVALS, CELL.replace("seeds =", f"{part}\nseeds ="))
    rivals = {one.series for one in study.every_leg(plan, "full")} - {"v0", "v0@1", "v0+one-worker"}
    assert rivals == ({"v1"} if "rivals" in part else set())


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('"exit_ns"', '"exits_ns"', "designs: no metric is called 'exits_ns'"),
        ('cell = "storm"', 'cell = "strom"', "designs: no cell is strom/mainline/exact"),
        ('metric = "exit_ns"', "", "exits: it needs `metric` or `finding`"),
        ('metric = "exit_ns"', 'finding = "left_bytes"', "no condition is called 'left_bytes'"),
        ('rivals = ["v1", "v0@1"]', 'rivals = ["v9"]', "no series is called 'v9'"),
        ("seeds =", 'rivals = ["v9"]\nseeds =', "rivals: v9 is no rival of this plan"),
        ("seeds =", 'at_rest = ["v9"]\nseeds =', "at_rest: v9 is no rival .*\n.*: v1, v0@1"),
    ],
)
def test_a_table_of_designs_that_cannot_be_filled_is_refused_by_name(
    tmp_path: Path, old: str, new: str, message: str
) -> None:
    with pytest.raises((BadInput, UnknownName), match=message):
        load(tmp_path, *(part.replace(old, new) for part in (RIVALS, CELL, DESIGN)))


@pytest.mark.parametrize(("whole", "boots"), [("", 18), ("whole = true\n", 12)])
def test_a_hazard_boots_the_base_the_series_and_unless_whole_its_first_patch(
    tmp_path: Path, whole: str, boots: int
) -> None:
    hazard = CELL.replace("seeds =", f'kind = "hazard"\nworkload = "residue"\n{whole}seeds =')
    leg = study.legs(load(tmp_path, HEAD, hazard), "small")[0]
    assert (leg.boots, leg.whole) == (boots, bool(whole))
