# SPDX-License-Identifier: GPL-2.0-only
"""Work and waiting of a made-up profile of two CPUs, the second of half the speed."""

from dataclasses import replace

import pytest

from patchbench.profile import tables, waiting
from patchbench.profile.counts import OnCpu
from patchbench.profile.sorting import OTHER, Profiles
from tests.profile.test_tables import BASE, profiled

EXIT = ("do_exit", "zs_free")
SLOW_PATH = (*EXIT, "spin_lock", "slowpath")


def two_cpus(*cpus: OnCpu) -> Profiles:
    """Return the profile of one arm: 10 samples of 10 instructions, of 2 and of 4 ns."""
    arm = replace(BASE, stacks={EXIT: 10}, instructions={"zs_free": 100}, cpus=cpus)
    return replace(profiled(arm), machine="exact2", ns_per_instruction=(2.0, 4.0))


WORKING = OnCpu({"zs_free": 60}, {EXIT: 6}, {})
WAITING = OnCpu({"zs_free": 40}, {SLOW_PATH: 3, ("init",): 1}, {SLOW_PATH: 120.0})


def test_time_is_told_by_the_speed_of_the_cpu_on_which_it_was_spent() -> None:
    profiles = two_cpus(WORKING, WAITING)
    spent = waiting.spent(profiles, profiles.arms[0], "do_exit")
    assert spent.total_ns == 6 * 10 * 2 + 3 * 10 * 4 + 120


def test_who_waits_is_the_function_that_wanted_the_lock() -> None:
    profiles = two_cpus(WORKING, WAITING)
    assert waiting.spent(profiles, profiles.arms[0]).waited_ns == {"zs_free": 3 * 10 * 4 + 120}


@pytest.mark.parametrize(
    ("stack", "waiter"),
    [
        (("do_exit", "call_others"), "call_others"),
        (("spin_lock", "slowpath"), OTHER),
        (("do_exit", "spin_lock", "slowpath", "interrupt", "wake"), "wake"),
    ],
)
def test_every_wait_has_somebody_who_waits(stack: tuple[str, ...], waiter: str) -> None:
    profiles = two_cpus(WORKING, OnCpu({}, {}, {stack: 5.0}))
    assert waiting.spent(profiles, profiles.arms[0]).waited_ns == {waiter: 5.0}


def test_an_interrupt_in_a_slow_path_is_work() -> None:
    profiles = two_cpus(WORKING, OnCpu({}, {(*SLOW_PATH, "interrupt"): 4}, {}))
    assert waiting.spent(profiles, profiles.arms[0]).waiting_ns == 0


def test_work_and_waiting_add_up_to_the_time_below_do_exit() -> None:
    table = waiting.by_waiter(two_cpus(WORKING, WAITING))
    rows = [(name.strip(), share) for name, _, share in table.rows[:4]]
    assert rows == [
        ("do_exit and below", "100.0%"),
        ("work", "33.3%"),
        ("waiting", "66.7%"),
        ("in zs_free", "66.7%"),
    ]


def test_each_cpu_has_a_row_with_its_speed() -> None:
    table = waiting.by_cpu(two_cpus(WORKING, WAITING))
    assert [row[:2] for row in table.rows] == [("CPU 0, 2 ns", "60"), ("CPU 1, 4 ns", "40")]


def test_machines_are_compared_in_one_table() -> None:
    one, two = profiled(BASE), two_cpus(WORKING, WAITING)
    table, text = tables.across([one, two], "./bootstrap profile")
    assert [row[:2] + row[3:] for row in table.rows] == [
        ("exact", "1", "100.0%", "0.0%", "-"),
        ("exact2", "2", "33.3%", "66.7%", "zs_free"),
    ]
    assert "| exact2 | 2 |" in text


def test_waits_are_listed_by_cpu_as_csv() -> None:
    files = tables.files(two_cpus(WORKING, WAITING))
    assert files["waits.csv"].splitlines() == ["series,cpu,waits_in,ns", "none,1,zs_free,240"]


def test_the_page_has_every_table_and_loads_nothing() -> None:
    files = tables.files(two_cpus(WORKING, WAITING))
    assert files["profile.html"].count("<table") == len(tables.tables(two_cpus(WORKING, WAITING)))
    assert "default-src 'none'" in files["profile.html"]
