# SPDX-License-Identifier: GPL-2.0-only
"""Seeds that nobody chose, and that everybody finds again."""

from patchbench.gate.seeds import draw


def test_the_same_tree_has_the_same_seeds_for_ever() -> None:
    assert draw("5b1b93321fb4", 4) == (71271, 57586, 13365, 76797)


def test_more_seeds_are_added_to_those_that_were_there() -> None:
    assert draw("5b1b93321fb4", 16)[:8] == draw("5b1b93321fb4", 8)


def test_another_tree_has_other_seeds() -> None:
    assert not set(draw("5b1b93321fb4", 16)) & set(draw("4729a2be9e2b", 16))


def test_no_seed_comes_twice() -> None:
    assert len(set(draw("5b1b93321fb4", 2000))) == 2000
