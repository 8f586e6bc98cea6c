# SPDX-License-Identifier: GPL-2.0-only
"""Whether a series was at work, by the functions that it changed."""

from pathlib import Path

import pytest

from patchbench.errors import BadInput
from patchbench.model import CodeMap, FunctionChange, FunctionState
from patchbench.profile import proof
from patchbench.profile.counts import Profile


def change(name: str, state: FunctionState = "changed", file: str = "vmscan.c") -> FunctionChange:
    return FunctionChange(name, file, state, 8, 8)


def code(*changes: FunctionChange) -> CodeMap:
    return CodeMap(equal=False, functions=changes)


def ran(instructions: dict[str, int], **files: str) -> Profile:
    return Profile("v1", None, 0, 0, instructions, {}, frozenset(), files=files)


def test_a_changed_function_that_ran_shows_that_the_series_was_at_work() -> None:
    changed = code(change("shrink_folio_list"), change("kswapd"))
    made = proof.prove(changed, ran({"shrink_folio_list": 7}), "exact", 1)
    assert made.at_work
    assert (made.ran, made.idle) == ({"vmscan.c:shrink_folio_list": 7}, ("vmscan.c:kswapd",))


def test_what_the_compiler_split_off_is_its_function() -> None:
    changed = code(change("zs_free.part.0", "appeared"))
    assert proof.prove(changed, ran({"zs_free": 7}), "exact", 1).ran == {"vmscan.c:zs_free": 7}


def test_a_function_of_the_same_name_in_another_file_shows_nothing() -> None:
    changed = code(change("init", file="a.c"))
    assert proof.prove(changed, ran({"init": 7}, init="b.c"), "exact", 1).at_work is False


def test_a_function_that_is_gone_cannot_have_run() -> None:
    changed = code(change("old", "disappeared"), change("new"))
    assert proof.prove(changed, ran({"old": 7}), "exact", 1).at_work is False


def test_other_constants_count_only_where_nothing_else_differs() -> None:
    shifted, profile = change("vm_events", "constants"), ran({"vm_events": 7})
    assert proof.prove(code(shifted), profile, "exact", 1).at_work is True
    assert proof.prove(code(shifted, change("cold")), profile, "exact", 1).at_work is False


def test_the_most_costly_function_comes_first() -> None:
    made = proof.prove(code(change("a"), change("b")), ran({"a": 1, "b": 2}), "exact", 1)
    assert [*made.ran] == ["vmscan.c:b", "vmscan.c:a"]


def test_a_proof_is_read_back_as_it_was_kept(tmp_path: Path) -> None:
    made = proof.untold("exact", 1, "no marks")
    proof.write(tmp_path, made)
    assert proof.read(tmp_path) == made
    assert made.at_work is None


def test_a_broken_proof_is_bad_input_and_none_is_none(tmp_path: Path) -> None:
    assert proof.read(tmp_path) is None
    (tmp_path / proof.PROOF).write_text("{")
    with pytest.raises(BadInput, match=r"proof\.json"):
        proof.read(tmp_path)
