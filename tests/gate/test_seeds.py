# SPDX-License-Identifier: GPL-2.0-only
"""Seeds that nobody chose, and that everybody finds again."""

from patchbench.gate.seeds import draw

BASE = "0f8c01b5d7aa"


def test_the_same_tree_has_the_same_seeds_for_ever() -> None:
    assert draw("5b1b93321fb4", BASE, 4) == (49030, 37243, 30924, 41517)


def test_more_seeds_are_added_to_those_that_were_there() -> None:
    most = draw("5b1b93321fb4", BASE, 60)
    assert all(most[:number] == draw("5b1b93321fb4", BASE, number) for number in range(60))


def test_another_tree_has_others_of_the_seeds_of_its_base() -> None:
    every = set(draw("5b1b93321fb4", BASE, 24))
    nines = {draw(f"tree {number}", BASE, 9) for number in range(100)}
    assert len(nines) == 100
    assert all(every > set(nine) for nine in nines)


def test_each_seed_of_a_base_is_drawn_as_often_as_another() -> None:
    firsts = [draw(f"tree {number}", BASE, 1)[0] for number in range(2400)]
    counts = [firsts.count(seed) for seed in set(firsts)]
    assert len(counts) == 24
    assert all(60 <= count <= 140 for count in counts)  # 100 expected, 10 the deviation


def test_another_base_has_other_seeds() -> None:
    assert not set(draw("5b1b93321fb4", BASE, 24)) & set(draw("5b1b93321fb4", "4729a2be9e2b", 24))


def test_no_seed_comes_twice() -> None:
    assert len(set(draw("5b1b93321fb4", BASE, 2000))) == 2000
