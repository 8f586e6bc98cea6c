# SPDX-License-Identifier: GPL-2.0-only
"""Which functions a broken limit is put down to."""

from patchbench.gate import blame
from patchbench.profile.counts import Profile


def ran(pages: int | None, left: int = 0, **instructions: int) -> Profile:
    return Profile("v1", pages, left, 0, instructions, {}, frozenset(), files={"spin": "lock.c"})


def test_the_functions_that_rose_most_per_freed_page_come_first() -> None:
    base, test = ran(100, walk=1000, spin=100, idle=50), ran(100, walk=1100, spin=900, idle=50)
    risen = blame.rises("exit-storm", base, test)
    assert [(one.function, one.base, one.test) for one in risen] == [
        ("lock.c:spin", 1, 9),
        ("walk", 10, 11),
    ]


def test_a_storm_that_frees_half_is_compared_page_by_page() -> None:
    (one,) = blame.rises("exit-storm", ran(100, walk=1000), ran(100, left=50, walk=900))
    assert (one.base, one.test, one.per) == (10, 18, "freed page")


def test_without_pages_a_boot_is_compared_with_a_boot() -> None:
    (one,) = blame.rises("fork-rate", ran(None, walk=1), ran(None, walk=2))
    assert one.per == "boot"
