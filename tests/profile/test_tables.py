# SPDX-License-Identifier: GPL-2.0-only
"""Tables of made-up profiles: what is exact, what is sampled, what is missing."""

import json
from dataclasses import replace

import pytest

from patchbench.catalog import Context, FunctionGroup, ProfileMap
from patchbench.model import Profile
from patchbench.profile import tables as reports
from patchbench.profile.sorting import NO_GROUP, OTHER, Profiles
from patchbench.profile.tables import Table

MAP = ProfileMap(
    table=("do_exit", "zap_pte_range"),
    context=(Context("exits", ("do_exit",)), Context("work queues", ("worker",))),
    group=(
        FunctionGroup("user space", ("[user space]",)),
        FunctionGroup("zsmalloc", ("zs_*",), {"6.12": ("reset_page",)}),
        FunctionGroup("swap core", ("free_*", "zs_free"), {"7.3": ("slot_*",)}),
    ),
)
FUNCTIONS = frozenset({"do_exit", "free_swap", "zs_free", "worker", "reset_page", "helper"})
BASE = Profile(
    series="none",
    pages=100,
    unfreed_pages=0,
    moved_bytes=0x200000,
    instructions={"do_exit": 100, "free_swap": 300, "zs_free": 500, "[user space]": 100},
    stacks={("do_exit", "free_swap"): 4, ("do_exit", "free_swap", "zs_free"): 5, ("init",): 1},
    functions=FUNCTIONS,
)
TEST = replace(
    BASE,
    series="v0",
    unfreed_pages=6,
    instructions={"do_exit": 100, "zs_free": 500, "helper": 400},
    stacks={("do_exit",): 1, ("worker", "zs_free"): 9},
)


def profiled(*arms: Profile, line: str = "7.3") -> Profiles:
    return Profiles(
        title="a storm",
        command="./bootstrap profile",
        line=line,
        arms=arms,
        map=MAP,
        ns_per_instruction=2,
        every_instructions=100,
        overheads={arm.series: (12.0, 10.0) for arm in arms},
    )


def row(table: Table, name: str) -> dict[str, str]:
    cells = next(one for one in table.rows if one[0] == name)
    return dict(zip(table.headings, cells, strict=True))


def test_do_exit_is_the_whole_and_what_it_calls_a_share_of_it() -> None:
    calls, *_ = reports.tables(profiled(BASE))
    assert row(calls, "do_exit")["none share"] == "100.0%"
    assert row(calls, "zs_free")["none share"] == "55.6%"
    assert row(calls, "do_exit")["none ms"] == "0.00"
    assert "init" not in [one[0] for one in calls.rows]


def test_a_function_that_the_kernel_lacks_is_missing_and_not_zero() -> None:
    calls, *_ = reports.tables(profiled(BASE, TEST))
    assert row(calls, "zap_pte_range")["none ms"] == "missing"
    assert row(calls, "zap_pte_range")["change"] == ""
    assert row(calls, "free_swap")["v0 ms"] == "0.00"
    assert any("none: not in this kernel, or inlined: zap_pte_range" in told
               for told in reports.notes(profiled(BASE)))  # fmt: skip


def test_a_function_belongs_to_the_first_group_that_names_it() -> None:
    assert profiled(BASE).group("zs_free") == "zsmalloc"
    assert profiled(BASE).group("[user space]") == "user space"


def test_a_group_may_differ_between_kernel_lines() -> None:
    assert profiled(BASE, line="6.12").group("reset_page") == "zsmalloc"
    assert profiled(BASE, line="7.3").group("reset_page") == NO_GROUP


def test_groups_add_up_to_all_and_own_instructions_are_exact() -> None:
    _, groups, *_ = reports.tables(profiled(BASE, TEST))
    assert row(groups, "zsmalloc")["none own"] == "500"
    assert row(groups, "zsmalloc")["v0 own"] == "500"
    owns = [int(one[1].replace(",", "")) for one in groups.rows]
    assert sum(owns[:-1]) == owns[-1] == sum(BASE.instructions.values())
    assert row(groups, "all")["none a page"] == "10.0"
    assert row(groups, NO_GROUP)["change"] == "+400"


def test_what_no_group_names_is_told_by_name() -> None:
    assert "v0: largest in no group: helper 400, do_exit 100" in reports.notes(profiled(BASE, TEST))


def test_work_that_moved_is_seen_on_whose_behalf_it_ran() -> None:
    contexts = reports.tables(profiled(BASE, TEST))[2]
    assert row(contexts, "exits")["none share"] == "90.0%"
    assert row(contexts, "exits")["v0 share"] == "10.0%"
    assert row(contexts, "work queues")["v0 share"] == "90.0%"
    assert row(contexts, OTHER)["none share"] == "10.0%"


def test_one_arm_has_no_change() -> None:
    assert all("change" not in table.headings for table in reports.tables(profiled(BASE)))
    assert all(len(one) == len(table.headings) for table in reports.tables(profiled(BASE))
               for one in table.rows)  # fmt: skip


def test_pages_that_were_never_freed_are_told() -> None:
    told = reports.notes(profiled(BASE, TEST))
    (line,) = [line for line in told if "never freed" in line]
    assert line.startswith("v0: 6 of 100 pages were never freed")


def test_what_the_plugin_costs_is_told() -> None:
    assert any("1.20 times as long" in line for line in reports.notes(profiled(BASE)))


@pytest.mark.parametrize(("arms", "graphs"), [((BASE,), 1), ((BASE, TEST), 3)])
def test_the_report_has_every_format(arms: tuple[Profile, ...], graphs: int) -> None:
    files = reports.files(profiled(*arms))
    assert len([name for name in files if name.endswith(".svg")]) == graphs
    assert len(json.loads(files["profile.speedscope.json"])["profiles"]) == len(arms)
    assert files["none.folded"].splitlines()[0] == "do_exit;free_swap 4"
    assert "| zsmalloc | 500 |" in files["profile.md"]
