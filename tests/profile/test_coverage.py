# SPDX-License-Identifier: GPL-2.0-only
"""Which workloads run what a series changes."""

from patchbench.model import CodeMap, FunctionChange, FunctionState
from patchbench.profile import coverage
from patchbench.profile.counts import Profile
from patchbench.profile.coverage import Coverage


def ran(files: dict[str, str] | None = None, **instructions: int) -> Profile:
    return Profile("none", None, 0, 0, instructions, {}, frozenset(), files=files or {})


def changes(*names: str, state: FunctionState = "changed") -> CodeMap:
    return CodeMap(False, tuple(FunctionChange(name, "vmscan.c", state, 8, 8) for name in names))


INDEX = Coverage(
    "mainline 7.3.4",
    "exact",
    {
        "exit-storm": ran(do_exit=90, shrink=10),
        "swap-io": ran(shrink=50, swap_out=50),
        "fork-rate": ran(copy_mm=100),
    },
    {},
)


def test_workloads_are_ranked_by_their_share_of_what_changes() -> None:
    ranked = coverage.reaches(INDEX, changes("shrink", "swap_out"))
    assert [(one.workload, one.share_pct) for one in ranked] == [
        ("swap-io", 100.0),
        ("exit-storm", 10.0),
    ]


def test_a_workload_is_chosen_after_the_first_only_for_what_it_adds() -> None:
    ranked = coverage.reaches(INDEX, changes("shrink", "do_exit"))
    assert [one.workload for one in coverage.choose(ranked, most=3)] == ["exit-storm"]
    ranked = coverage.reaches(INDEX, changes("shrink", "copy_mm"))
    assert [one.workload for one in coverage.choose(ranked, most=3)] == ["fork-rate", "swap-io"]


def test_the_reason_names_the_function_that_runs_most() -> None:
    (first, *_) = coverage.reaches(INDEX, changes("shrink", "swap_out"))
    assert first.why() == (
        "swap-io runs 2 of the functions that the series changes, 100.00 % of its instructions, "
        "most of them vmscan.c:shrink"
    )


def test_what_no_workload_runs_is_named() -> None:
    names = coverage.changed(changes("shrink", "kswapd"))
    assert coverage.unreached(INDEX, names) == ("vmscan.c:kswapd",)


def test_a_new_function_is_run_by_no_unpatched_kernel() -> None:
    assert coverage.changed(changes("fresh", state="appeared")) == ()


def test_a_function_of_another_file_is_another_function() -> None:
    elsewhere = Coverage("k", "exact", {"a": ran({"shrink": "other.c"}, shrink=1)}, {})
    assert coverage.reaches(elsewhere, changes("shrink")) == []


def test_a_workload_that_could_not_be_counted_has_its_row_with_the_reason() -> None:
    index = Coverage("k", "exact", {"a": ran(f=1)}, {"b": "it hung"})
    assert index.rows()[-1] == ("b", "-", "-", "it hung")
    assert index.csv().splitlines()[1] == "a,,f,1"
    assert index.of("f") == [("a", 1)]
