# SPDX-License-Identifier: GPL-2.0-only
"""What a hazard's boot says about a series."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from patchbench.catalog import Catalog
from patchbench.check import hazards
from patchbench.findings import Finding, Target
from patchbench.model import NEVER, Boot, Condition, Metric, Record, Sample, Workload
from patchbench.stages import splats
from tests.fakes import CLEAN_CONSOLE, check_result

ROOT = Path(__file__).resolve().parents[2]
CONSOLES = Path(__file__).parents[1] / "data/consoles"
POLICY = splats.load(ROOT)
TARGET = Target("mainline", "7.3.4", "v0", "./bootstrap boot --workload residue")
LEFT = Condition("left_pages", ("C8",), "swap stays in use", at_most=128)


def workload(*conditions: Condition, provokes: tuple[str, ...] = ()) -> Workload:
    return Workload("residue", "a test's", "leftovers", {}, conditions, provokes=provokes)


def reported(values: Mapping[str, Sequence[float]], **meta: str) -> Boot:
    metrics = tuple(Metric(name, "pages", "lower") for name in values)
    samples = tuple(Sample(name, value) for name, those in values.items() for value in those)
    return Boot("exact", "v0", 1, Record(True, metrics, samples, meta, "end ok"))


def judge(
    condition: Condition, boot: Boot, *, base: Boot | None = None, console: str = CLEAN_CONSOLE
) -> list[Finding]:
    return [*hazards.judge(workload(condition), TARGET, boot, console, POLICY, base=base)][1:]


def hear(console: str, *provokes: str) -> Finding:
    boot = reported({"left_pages": [0]})
    return hazards.judge(workload(LEFT, provokes=provokes), TARGET, boot, console, POLICY)[0]


def test_a_condition_that_is_met_passes_with_its_figure() -> None:
    (finding,) = judge(LEFT, reported({"left_pages": [128]}))
    assert (finding.state, finding.questions) == ("pass", ("C8",))
    assert finding.says == "left_pages is 128, must be at most 128"


def test_a_condition_that_is_not_met_says_why_and_how_to_repeat_it() -> None:
    (finding,) = judge(LEFT, reported({"left_pages": [5120]}))
    assert finding.state == "fail"
    assert finding.says == "left_pages is 5120, must be at most 128: swap stays in use"
    assert finding.commands == (TARGET.command,)


def test_the_worst_sample_decides() -> None:
    assert judge(LEFT, reported({"left_pages": [0, 129, 0]}))[0].state == "fail"
    enough = replace(LEFT, at_most=None, at_least=1)
    assert judge(enough, reported({"left_pages": [5, 0]}))[0].state == "fail"


def test_never_is_beyond_every_bound() -> None:
    (finding,) = judge(LEFT, reported({"left_pages": [NEVER]}))
    assert finding.state == "fail"
    assert "left_pages is never" in finding.says


@pytest.mark.parametrize(("slots", "state"), [(0, "fail"), (9, "fail"), (10, "pass")])
def test_what_is_left_may_grow_with_something_else_that_is_left(slots: int, state: str) -> None:
    pool = Condition("left", ("C8",), "lost", at_most=1000, more_for_each={"slots": 100})
    (finding,) = judge(pool, reported({"left": [2000], "slots": [slots]}))
    assert (finding.state, finding.bound) == (state, "at most 1000 + 100 * slots")
    assert f"must be at most {1000 + 100 * slots}" in finding.says


def test_a_guest_that_does_not_report_the_something_else_has_none() -> None:
    pool = Condition("left", ("C8",), "lost", at_most=1000, more_for_each={"slots": 100})
    assert judge(pool, reported({"left": [1001]}))[0].state == "fail"


def test_a_meta_value_must_be_the_required_one() -> None:
    swapoff = Condition("swapoff", ("C8",), "it did not end", equals="done")
    assert judge(swapoff, reported({}, swapoff="done"))[0].state == "pass"
    assert judge(swapoff, reported({}, swapoff="killed"))[0].state == "fail"


def test_what_the_guest_does_not_report_is_untested_not_a_pass() -> None:
    assert judge(LEFT, reported({}))[0].state == "untested"


def test_an_optional_condition_is_skipped_where_the_guest_does_not_report_it() -> None:
    assert judge(replace(LEFT, optional=True), reported({})) == []
    assert judge(replace(LEFT, optional=True), reported({"left_pages": [999]}))[0].state == "fail"


@pytest.mark.parametrize(("ours", "state"), [(101.0, "pass"), (102.0, "fail"), (NEVER, "fail")])
def test_a_bound_on_the_base_compares_means(ours: float, state: str) -> None:
    slower = Condition("fork_ns", ("C13",), "it costs more", at_most_base_pct=101)
    base = reported({"fork_ns": [90, 110]})
    assert judge(slower, reported({"fork_ns": [ours]}), base=base)[0].state == state


@pytest.mark.parametrize(
    ("ours", "state", "says"),
    [
        ([120, 90, 120], "fail", "fails in 2 of 3 boots; the first that fails: fork_ns is 120"),
        ([120, 90, 90], "pass", "fails in 1 of 3 boots; the first that does not: fork_ns is 90"),
        ([120], "fail", "fork_ns is 120"),
    ],
)
def test_of_boots_that_are_compared_with_the_base_s_the_more_decide(
    ours: list[float], state: str, says: str
) -> None:
    """One boot against one may be longer by luck, and each one alone failed the check."""
    slower = Condition("fork_ns", ("C13",), "it costs more", at_most_base_pct=101)
    base = reported({"fork_ns": [100]})
    each = [judge(slower, reported({"fork_ns": [one]}), base=base)[0] for one in ours]
    absolute = judge(LEFT, reported({"left_pages": [999]}))
    (left, compared) = hazards.together([*each, *absolute])
    assert (left, compared.state) == (absolute[0], state)
    assert compared.says.startswith(says)
    failed = sum(one > 101 for one in ours)
    assert compared.boots == len(ours)
    assert compared.failed_boots == (failed if len(ours) > 1 else 0)


@pytest.mark.parametrize(("ours", "state"), [("99", "pass"), ("98", "fail")])
def test_a_bound_on_the_base_may_be_a_lower_one_and_on_meta(ours: str, state: str) -> None:
    less = Condition("hog_mib", ("C11",), "killed too early", at_least_base_pct=99)
    finding = judge(less, reported({}, hog_mib=ours), base=reported({}, hog_mib="100"))[0]
    assert finding.state == state


def test_a_comparison_without_a_value_from_the_base_is_untested() -> None:
    slower = Condition("fork_ns", ("C13",), "it costs more", at_most_base_pct=101)
    assert judge(slower, reported({"fork_ns": [1]}), base=reported({}))[0].state == "untested"
    assert judge(slower, reported({"fork_ns": [1]})) == []  # the base itself


def test_a_kernel_whose_times_mean_nothing_is_judged_by_all_conditions_but_times() -> None:
    # Before 82ea8a0b83e1: times of debug kernels were judged.
    late = Condition("fork_ns", ("C3",), "an exit costs more", at_most_base_pct=101)
    slow = Condition("recover_ns", ("C11",), "it takes too long", at_most=5e9)
    asked = hazards.without_timings(workload(late, LEFT, slow)).conditions
    assert asked == (LEFT,)


def test_every_condition_on_a_time_is_known_as_one_by_its_name() -> None:
    catalog = Catalog(ROOT)
    known = [catalog.workload(name) for name in catalog.listing()["workload"]]
    for workload in known:
        times = {one.name for one in catalog.metrics(workload.program).values() if one.unit == "ns"}
        assert not [one.on for one in workload.conditions if one.on in times and not one.timed]


def test_a_lost_guest_fails_and_its_console_does_not_pass() -> None:
    lost = replace(
        reported({}), failure="the guest did not finish before its deadline\n  last record"
    )
    heard, finding = hazards.judge(workload(LEFT), TARGET, lost, CLEAN_CONSOLE, POLICY)
    assert (heard.state, finding.state) == ("untested", "fail")
    assert "deadline" in finding.says
    assert "last record" in finding.evidence


def test_a_guest_that_an_overloaded_host_timed_out_says_nothing_about_the_series() -> None:
    why = "the guest did not finish in 120 s, while tasks waited for a CPU during 91 % of it"
    slow = replace(reported({}), failure=f"{why}\n  boot it again", failure_status=30)
    heard, finding = hazards.judge(workload(LEFT), TARGET, slow, CLEAN_CONSOLE, POLICY)
    assert (heard.state, finding.state, finding.says) == ("untested", "untested", why)


def test_a_kernel_that_lacks_what_is_needed_is_untested_with_the_reason() -> None:
    lacking = replace(
        reported({}), failure="no failslab", untested="the kernel has no failslab\n  log"
    )
    _, finding = hazards.judge(workload(LEFT), TARGET, lacking, CLEAN_CONSOLE, POLICY)
    assert (finding.state, finding.says) == ("untested", "the kernel has no failslab")


@pytest.mark.parametrize(
    ("console", "kind", "first"),
    [
        ("warn", "warning", "WARNING: mm/page_counter.c:60"),
        ("kasan", "KASAN", "BUG: KASAN: slab-use-after-free"),
        ("lockdep", "lockdep", "WARNING: possible circular locking dependency"),
        ("rcu-stall", "stall", "rcu: INFO: rcu_preempt self-detected stall"),
        ("hung-task", "stall", "INFO: task swapoff-race:88 blocked"),
        ("leak", "leak", "kmemleak: 1 new suspected memory leaks"),
        ("panic", "oops", "Kernel panic - not syncing"),
    ],
)
def test_a_splat_fails_with_the_lines_that_follow_it(console: str, kind: str, first: str) -> None:
    finding = hear((CONSOLES / f"{console}.log").read_text())
    assert (finding.state, finding.title) == ("fail", f"residue: console, {kind}")
    assert first in finding.says
    assert first in finding.evidence.splitlines()[0]
    assert len(finding.evidence.splitlines()) <= 30


def test_a_splat_says_what_such_a_splat_means() -> None:
    """The rule's sentence stood in configs/splats.toml and was shown to nobody."""
    says = hear((CONSOLES / "kasan.log").read_text()).says
    assert says.startswith("memory used after it was freed, or out of bounds; ")


def test_each_kind_of_splat_is_a_finding_of_its_own() -> None:
    both = "".join((CONSOLES / f"{name}.log").read_text() for name in ("kasan", "lockdep", "kasan"))
    quiet = reported({"left_pages": [0]})
    heard = [*hazards.judge(workload(LEFT), TARGET, quiet, both, POLICY)][:-1]
    assert [(one.kind, one.on) for one in heard] == [("console", "KASAN"), ("console", "lockdep")]
    unpatched_has_one = check_result(replace(heard[1], series="none"), *heard)
    assert unpatched_has_one.regressions() == (heard[0],)


def test_a_race_in_the_unpatched_kernel_does_not_hide_another_in_the_series() -> None:
    known = "[ 9.1] BUG: KCSAN: data-race in folio_lock / folio_unlock\n"
    own = "[ 9.2] BUG: KCSAN: data-race in do_exit / gather\n"
    quiet = reported({"left_pages": [0]})
    kernel, series = (
        [*hazards.judge(workload(LEFT), replace(TARGET, series=name), quiet, console, POLICY)][:-1]
        for name, console in (("none", known), ("v0", known + own))
    )
    (finding,) = check_result(*kernel, *series).regressions()
    assert finding.title == "residue: console, KCSAN: data-race in do_exit / gather"


def test_a_splat_answers_the_question_that_it_is_about_and_no_other() -> None:
    asked = workload(replace(LEFT, questions=("C8", "C10")))
    stall, race = (
        hazards.judge(asked, TARGET, reported({"left_pages": [0]}), console, POLICY)[0]
        for console in ("rcu: INFO: rcu_preempt self-detected stall\n", "BUG: KCSAN: a / b\n")
    )
    assert (stall.questions, race.questions) == (("C10",), ())


def test_a_quiet_console_without_its_detectors_is_no_pass() -> None:
    watched = replace(workload(LEFT), flavour="kcsan")
    quiet, on = (
        reported({"left_pages": [0]}),
        "kcsan: enabled early\nkcsan: selftest: 3/3 tests passed\n",
    )
    heard = [
        hazards.judge(watched, TARGET, quiet, console, POLICY)[0]
        for console in (on, on.replace("3/3", "2/3"), "kcsan: strict mode configured\n")
    ]
    assert [one.state for one in heard] == ["pass", "untested", "untested"]
    assert heard[-1].says.endswith("KCSAN is built in but off")


def test_a_clean_console_passes_and_a_missing_one_does_not() -> None:
    assert hear((CONSOLES / "clean.log").read_text()).state == "pass"
    assert hear("").state == "untested"


def test_a_console_that_is_cut_off_is_no_pass() -> None:
    lost = replace(reported({}), failure="the guest ended without saying `end ok`")
    console = (CONSOLES / "cut-off.log").read_text()
    states = {one.state for one in hazards.judge(workload(LEFT), TARGET, lost, console, POLICY)}
    assert states == {"untested", "fail"}


def test_a_hazard_may_provoke_the_splat_that_it_names_and_no_other() -> None:
    killed = CLEAN_CONSOLE + "[    2.0] oom invoked oom-killer: gfp_mask=0x140dca\n"
    assert hear(killed).state == "fail"
    assert hear(killed, "invoked oom-killer").state == "pass"
    assert hear(killed + "[    3.0] WARNING: x\n", "invoked oom-killer").state == "fail"


def test_every_hazard_ends_with_the_conditions_of_residue() -> None:
    catalog = Catalog(ROOT)
    wanted = {one.on for one in catalog.workload("residue").conditions}
    others_swap, at_once = {"left_pages", "left_bytes", "left_pool_bytes"}, wanted - {"swapoff"}
    excused = {"oom-global": others_swap, "swapoff-after": at_once}
    for name in catalog.workloads():
        asked = {one.on for one in catalog.workload(name).conditions}
        if asked:
            assert wanted - asked == excused.get(name, set()), name
