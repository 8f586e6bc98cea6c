# SPDX-License-Identifier: GPL-2.0-only
"""Tables of made-up profiles: what is exact, what is sampled, what is missing."""

import json
from dataclasses import replace

import pytest

from patchbench.catalog import Context, FunctionGroup, ProfileMap, WorkUnit
from patchbench.errors import BadInput
from patchbench.profile import tables as reports
from patchbench.profile.counts import OnCpu, Profile
from patchbench.profile.listing import Listing
from patchbench.profile.sorting import NO_FILE, OTHER, Profiles, ProfileTable

MAP = ProfileMap(
    top="do_exit",
    waiting=("slowpath",),
    locks="locks",
    context=(Context("exits", ("do_exit",)), Context("work queues", ("worker",))),
    group=(
        FunctionGroup("user space", functions=("[user space]",)),
        FunctionGroup("locks", functions=("spin_lock",)),
        FunctionGroup("zsmalloc", files=("zsmalloc.c",)),
        FunctionGroup("swap core", files=("swapfile.c",), functions=("zs_swap_*",)),
    ),
    unit=(WorkUnit("zspage", ("free_zspage", "zs_free")),),
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
    calls={"do_exit": 2, "free_swap": 100, "zs_free": 50},
    files={"do_exit": "exit.c", "free_swap": "swapfile.c", "zs_free": "zsmalloc.c"},
)
TEST = replace(
    BASE,
    series="v0",
    unfreed_pages=6,
    instructions={"do_exit": 100, "zs_free": 500, "helper": 400},
    stacks={("do_exit",): 1, ("worker", "zs_free"): 9},
    calls={"do_exit": 2, "zs_free": 25},
    files={"do_exit": "exit.c", "zs_free": "zsmalloc.c", "helper": "gather.c"},
)


def on_one_cpu(arm: Profile) -> Profile:
    return replace(arm, cpus=(OnCpu(arm.instructions, arm.stacks, {}),))


def profiled(*arms: Profile) -> Profiles:
    return Profiles(
        title="a storm",
        command="./bootstrap profile",
        arms=tuple(arm if arm.cpus else on_one_cpu(arm) for arm in arms),
        map=MAP,
        machine="exact",
        ns_per_instruction=(2.0,) * max(1, len(arms[0].cpus)),
        every_instructions=100,
        overheads={arm.series: (12.0, 10.0) for arm in arms},
    )


def row(table: ProfileTable, name: str) -> dict[str, str]:
    cells = next(one for one in table.rows if one[0] == name)
    return dict(zip(table.headings, cells, strict=True))


def test_do_exit_is_the_whole_and_what_it_calls_a_share_of_it() -> None:
    calls, *_ = reports.tables(profiled(BASE))
    assert row(calls, "do_exit")["none share"] == "100.0%"
    assert row(calls, "zs_free")["none share"] == "55.6%"
    assert row(calls, "do_exit")["none ms"] == "0.00"
    assert "init" not in [one[0] for one in calls.rows]


def test_a_function_that_the_kernel_lacks_is_missing_and_not_zero() -> None:
    lacking = replace(TEST, functions=FUNCTIONS - {"free_swap"})
    calls, *_ = reports.tables(profiled(BASE, lacking))
    assert row(calls, "free_swap")["v0 ms"] == "missing"


def test_a_name_of_the_map_that_a_kernel_lacks_is_listed() -> None:
    lines = reports.notes(profiled(BASE))
    assert any(
        "none: not in this kernel, or inlined: spin_lock, zs_swap_*" in line for line in lines
    )


@pytest.mark.parametrize(
    ("function", "group"),
    [
        ("zs_free", "zsmalloc"),
        ("zs_swap_in", "swap core"),
        ("[user space]", "user space"),
        ("helper", "gather.c"),
        ("worker", NO_FILE),
    ],
)
def test_a_function_is_grouped_by_name_then_by_file_then_as_its_file(
    function: str, group: str
) -> None:
    files = {**BASE.files, "zs_swap_in": "zsmalloc.c"}
    assert profiled(replace(BASE, files=files), TEST).group(function) == group


def test_groups_add_up_to_all_and_own_instructions_are_exact() -> None:
    _, groups, *_ = reports.tables(profiled(BASE, TEST))
    assert row(groups, "zsmalloc")["none own"] == "500"
    assert row(groups, "zsmalloc")["v0 own"] == "500"
    owns = [int(one[1].replace(",", "")) for one in groups.rows]
    assert sum(owns[:-1]) == owns[-1] == sum(BASE.instructions.values())
    assert row(groups, "all")["none a freed page"] == "10.0"
    assert row(groups, "all")["v0 a freed page"] == "10.6"


def test_what_a_series_adds_is_in_its_file_s_group() -> None:
    _, groups, *_ = reports.tables(profiled(BASE, TEST))
    assert row(groups, "gather.c")["change"] == "+400"


def test_small_files_share_a_row_and_stay_in_the_sum() -> None:
    extra = {f"f{number}": 1 for number in range(3)}
    arm = replace(
        BASE,
        instructions={**BASE.instructions, **extra},
        files={**BASE.files, **{name: f"{name}.c" for name in extra}},
    )
    _, groups, *_ = reports.tables(profiled(arm))
    assert row(groups, "other files")["none own"] == "3"
    assert row(groups, "all")["none own"] == "1,003"


def test_instructions_are_counted_a_unit_of_work() -> None:
    units = reports.tables(profiled(BASE, TEST))[3]
    assert row(units, "freed page")["v0 done"] == "94"
    assert row(units, "zspage") == {
        "unit": "zspage", "none done": "50", "none instr. each": "20.0",
        "v0 done": "25", "v0 instr. each": "40.0", "change": "+20.0",
    }  # fmt: skip


def test_calls_of_a_function_are_counted_and_what_each_costs() -> None:
    functions = reports.tables(profiled(BASE, TEST))[-1]
    assert row(functions, "zs_free")["none calls"] == "50"
    assert row(functions, "zs_free")["v0 a call"] == "20.0"
    assert row(functions, "helper")["v0 calls"] == "-"


@pytest.mark.parametrize(
    ("shown", "first"),
    [
        (Listing(), ["zs_free", "helper", "free_swap", "[user space]", "do_exit"]),
        (Listing(2, "change"), ["helper", "free_swap"]),
        (Listing(2, "calls"), ["free_swap", "zs_free"]),
    ],
)
def test_functions_are_listed_by_what_is_asked_for(shown: Listing, first: list[str]) -> None:
    functions = reports.tables(profiled(BASE, TEST), shown)[-1]
    assert [one[0] for one in functions.rows] == first


@pytest.mark.parametrize(("top", "by", "words"), [(-1, "own", "--top -1"), (3, "size", "change")])
def test_a_listing_that_cannot_be_is_refused(top: int, by: str, words: str) -> None:
    with pytest.raises(BadInput, match=words):
        Listing.parse(top, by)


def test_each_arm_is_compared_with_the_first() -> None:
    third = replace(TEST, series="v1", instructions={"do_exit": 60, "zs_free": 500})
    for table in reports.tables(profiled(BASE, TEST, third)):
        assert table.headings[-2:] == ("v0 change", "v1 change")
        assert {len(one) for one in table.rows} == {len(table.headings)}
    files = reports.files(profiled(BASE, TEST, third))
    assert {"difference-v0.svg", "difference-v1.svg"} <= files.keys()


def test_the_csv_has_every_function_of_every_arm() -> None:
    lines = reports.files(profiled(BASE, TEST))["functions.csv"].splitlines()
    assert len(lines) == 1 + len(BASE.instructions) + len(TEST.instructions)
    assert lines[1] == "none,zs_free,zsmalloc.c,zsmalloc,500,50,10.00,5.00,10.00,500"
    assert "v0,helper,gather.c,gather.c,400,,,4.26,16.00,400" in lines


def test_a_symbol_s_name_is_no_formula() -> None:
    arm = replace(BASE, instructions={"=cmd()": 1})
    assert "none,'=cmd()," in reports.files(profiled(arm))["functions.csv"]


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


def test_pages_that_were_never_freed_are_noted() -> None:
    lines = reports.notes(profiled(BASE, TEST))
    (line,) = [line for line in lines if "never freed" in line]
    assert line.startswith("v0: 6 of 100 pages were never freed")


def test_what_the_plugin_costs_is_noted() -> None:
    assert any("1.20 times as long" in line for line in reports.notes(profiled(BASE)))


@pytest.mark.parametrize(("arms", "graphs"), [((BASE,), 1), ((BASE, TEST), 3)])
def test_the_report_has_every_format(arms: tuple[Profile, ...], graphs: int) -> None:
    files = reports.files(profiled(*arms))
    assert len([name for name in files if name.endswith(".svg")]) == graphs
    assert len(json.loads(files["profile.speedscope.json"])["profiles"]) == len(arms)
    assert files["none.folded"].splitlines()[0] == "do_exit;free_swap 4"
    assert "| zsmalloc | 500 |" in files["profile.md"]
