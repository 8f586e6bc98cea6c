# SPDX-License-Identifier: GPL-2.0-only
"""Which boots run, which come from the shelf, and what becomes of the bad ones."""

import random
from dataclasses import replace
from itertools import chain, repeat
from pathlib import Path
from types import SimpleNamespace

import pytest

from patchbench import records
from patchbench.errors import BadInput, NotComparable, NotRepeatable, ToolFailed
from patchbench.model import Boot, Record
from patchbench.stages import boots as bench
from patchbench.stages import splats
from patchbench.stages.boots import Booter, Job
from patchbench.store import Store
from patchbench.tools.qemu import RESULTS, Ran
from tests.fakes import CLEAN_CONSOLE, FakeHypervisor, Listener, arm, local, machine, results

ROOT = Path(__file__).resolve().parents[2]
JOBS = [Job(arm(series), seed) for seed in (1, 2) for series in ("none", "v0")]
NOISY = machine("parallel", accel="tcg", icount_shift=None)


@pytest.fixture
def hypervisor() -> FakeHypervisor:
    return FakeHypervisor()


def start(tmp_path: Path, hypervisor: FakeHypervisor, run: str = "run") -> Booter:
    shelf = Store(tmp_path / "shelf")
    return Booter(local(hypervisor), shelf, splats.load(ROOT), Listener(), tmp_path / run)


def exact(
    tmp_path: Path, hypervisor: FakeHypervisor, run: str = "run", *, fresh: bool = False
) -> list[Boot]:
    return start(tmp_path, hypervisor, run).exact(JOBS, fresh=fresh, pick=random.Random(1))


def test_a_first_bench_boots_everything_and_one_again(
    tmp_path: Path, hypervisor: FakeHypervisor
) -> None:
    boots = exact(tmp_path, hypervisor)
    assert [boot.failure for boot in boots] == [""] * 4
    assert len(hypervisor.booted) == 5


def test_each_boot_is_read_once(
    tmp_path: Path, hypervisor: FakeHypervisor, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Before 7ad3f2541565: each boot was parsed three times.
    read: list[Record] = []

    def parse(text: str) -> Record:
        read.append(records.parse(text))
        return read[-1]

    monkeypatch.setattr(
        "patchbench.stages.boot.records", SimpleNamespace(**{**vars(records), "parse": parse})
    )
    exact(tmp_path, hypervisor)
    assert len(read) == len(JOBS)


def test_a_second_bench_takes_the_shelf_and_boots_one_to_prove_it(
    tmp_path: Path, hypervisor: FakeHypervisor
) -> None:
    first = exact(tmp_path, hypervisor)
    hypervisor.booted.clear()
    assert exact(tmp_path, hypervisor, "again") == first
    assert len(hypervisor.booted) == 1


def test_a_changed_arm_boots_while_the_other_comes_from_the_shelf(
    tmp_path: Path, hypervisor: FakeHypervisor
) -> None:
    exact(tmp_path, hypervisor)
    hypervisor.booted.clear()
    changed = arm("v0")
    changed = replace(changed, image=replace(changed.image, key="key-v0-edited"))
    jobs = [Job(one, seed) for seed in (1, 2) for one in (arm("none"), changed)]
    start(tmp_path, hypervisor, "again").exact(jobs, fresh=False, pick=random.Random(1))
    assert sorted(release for release, _ in hypervisor.booted)[-2:] == ["7.3.4-pb-v0"] * 2
    assert len(hypervisor.booted) == 3


def test_boots_that_were_made_are_counted_and_those_from_the_shelf_are_not(
    tmp_path: Path, hypervisor: FakeHypervisor
) -> None:
    for run in ("run", "again"):
        made: list[int] = []
        booter = Booter(
            local(hypervisor),
            Store(tmp_path / "shelf"),
            splats.load(ROOT),
            Listener(),
            tmp_path / run,
            tally=made.append,
        )
        booter.exact(JOBS, fresh=False, pick=random.Random(1))
        assert sum(made) == {"run": len(JOBS) + 1, "again": 1}[run]


def test_fresh_boots_everything_again(tmp_path: Path, hypervisor: FakeHypervisor) -> None:
    exact(tmp_path, hypervisor)
    hypervisor.booted.clear()
    exact(tmp_path, hypervisor, "again", fresh=True)
    assert len(hypervisor.booted) == 4


def test_fresh_on_an_empty_shelf_still_boots_one_again(
    tmp_path: Path, hypervisor: FakeHypervisor
) -> None:
    exact(tmp_path, hypervisor, fresh=True)
    assert len(hypervisor.booted) == 5


def test_a_boot_whose_qemu_was_killed_counts_but_is_not_shelved(
    tmp_path: Path, hypervisor: FakeHypervisor
) -> None:
    hypervisor.timed_out = True  # after `end ok`: its samples are whole, its console may not be
    boots = exact(tmp_path, hypervisor)
    assert [boot.failure for boot in boots] == [""] * 4
    assert not list((tmp_path / "shelf").glob("boots/*"))


def test_fresh_never_fills_a_lost_boot_from_the_shelf(
    tmp_path: Path, hypervisor: FakeHypervisor
) -> None:
    exact(tmp_path, hypervisor)
    hypervisor.logs["7.3.4-pb-v0", 2] = ("", CLEAN_CONSOLE)
    boots = exact(tmp_path, hypervisor, "again", fresh=True)
    assert [bool(boot.failure) for boot in boots] == [False, False, False, True]


@pytest.mark.parametrize("fresh", [True, False])
def test_a_single_other_byte_fails_loudly(
    tmp_path: Path, hypervisor: FakeHypervisor, fresh: bool
) -> None:
    exact(tmp_path, hypervisor)
    for release, seed in hypervisor.booted:
        console = CLEAN_CONSOLE.replace("0.300000", "0.300001")
        hypervisor.logs[release, seed] = (results(100 + seed, release=release), console)
    with pytest.raises(NotRepeatable, match=r"console\.log differs in line 2"):
        exact(tmp_path, hypervisor, "again", fresh=fresh)


def test_a_lost_boot_is_counted_and_not_shelved(tmp_path: Path, hypervisor: FakeHypervisor) -> None:
    hypervisor.logs["7.3.4-pb-v0", 1] = ("patchbench 1\n", CLEAN_CONSOLE)
    boots = exact(tmp_path, hypervisor)
    assert [bool(boot.failure) for boot in boots] == [False, True, False, False]
    hypervisor.booted.clear()
    exact(tmp_path, hypervisor, "again")
    assert ("7.3.4-pb-v0", 1) in hypervisor.booted


def test_after_two_lost_boots_an_arm_is_given_up_and_the_rest_count_as_lost(
    tmp_path: Path, hypervisor: FakeHypervisor
) -> None:
    for seed in range(1, 9):
        hypervisor.logs["7.3.4-pb-v0", seed] = ("", CLEAN_CONSOLE)
    jobs = [Job(arm("v0"), seed) for seed in range(1, 9)]
    booter = start(tmp_path, hypervisor)
    boots = booter.exact(jobs, fresh=False, pick=random.Random(1))
    assert all(boot.failure for boot in boots)
    assert len(hypervisor.booted) <= 4  # two lost, and as many as were under way


def test_an_error_stops_the_boots_that_are_under_way(
    tmp_path: Path, hypervisor: FakeHypervisor, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise ToolFailed("QEMU does not start")

    monkeypatch.setattr(hypervisor, "run", broken)
    with pytest.raises(ToolFailed):
        exact(tmp_path, hypervisor)
    assert hypervisor.stopped


def test_noisy_boots_come_in_blocks_of_both_arms(
    tmp_path: Path, hypervisor: FakeHypervisor
) -> None:
    booter = start(tmp_path, hypervisor)
    booter.blocks([arm("none", NOISY), arm("v0", NOISY)], (1, 2, 3, 4), random.Random(1))
    seeds = [seed for _, seed in hypervisor.booted]
    assert seeds == [1, 1, 2, 2, 3, 3, 4, 4]
    orders = {tuple(hypervisor.booted[place : place + 2]) for place in range(0, 8, 2)}
    assert len({pair[0][0] for pair in orders}) == 2  # neither arm is always first


def blocks(tmp_path: Path, *delays_pct: float) -> tuple[FakeHypervisor, list[Boot]]:
    """Boot two arms with two seeds; the host delays the first boots so much, and then none."""
    hypervisor = FakeHypervisor(delays_pct=chain(delays_pct, repeat(0.0)))
    arms = [arm("none", NOISY), arm("v0", NOISY)]
    return hypervisor, start(tmp_path, hypervisor).blocks(arms, (1, 2), random.Random(1))


def test_a_block_that_the_host_disturbed_is_done_again_for_all_arms(tmp_path: Path) -> None:
    hypervisor, boots = blocks(tmp_path, 0.0, 40.0)
    assert [seed for _, seed in hypervisor.booted] == [1, 1, 1, 1, 2, 2]
    assert [(boot.again, boot.overload) for boot in boots] == [(1, "")] * 2 + [(0, "")] * 2


def test_a_host_that_is_never_quiet_is_not_waited_for_without_end(tmp_path: Path) -> None:
    hypervisor, boots = blocks(tmp_path, *[40.0] * 100)
    assert len(hypervisor.booted) == 2 * (2 + 2)  # both blocks, and as many again
    assert all("waited for a CPU 40 %" in boot.overload for boot in boots)


def test_noisy_boots_are_never_shelved(tmp_path: Path, hypervisor: FakeHypervisor) -> None:
    for run in ("run", "again"):
        booter = start(tmp_path, hypervisor, run)
        booter.blocks([arm("none", NOISY), arm("v0", NOISY)], (1,), random.Random(1))
    assert len(hypervisor.booted) == 4


def test_no_boot_starts_once_the_time_is_up_and_what_was_skipped_is_known(
    tmp_path: Path, hypervisor: FakeHypervisor
) -> None:
    exact(tmp_path, hypervisor)
    hypervisor.booted.clear()
    booter = start(tmp_path, hypervisor, "late")
    booter.until = 0.0
    more = [*JOBS, Job(arm("none"), 3), Job(arm("v0"), 3)]
    boots = booter.exact(more, fresh=False, pick=random.Random(1))
    assert [job.seed for job in booter.skipped] == [3, 3]
    assert [bool(boot.failure) for boot in boots] == [False] * 4 + [True] * 2
    assert len(hypervisor.booted) == 1  # the one that is booted again, to see it repeat


def test_each_machine_is_proved_once_however_often_more_seeds_are_added(
    tmp_path: Path, hypervisor: FakeHypervisor
) -> None:
    booter = start(tmp_path, hypervisor)
    for seed in (1, 2, 3):
        booter.exact([Job(arm("none"), seed)], fresh=False, pick=random.Random(1))
    assert len(hypervisor.booted) == 4


def test_boots_of_several_runs_wait_in_one_queue_and_each_run_then_has_its_own(
    tmp_path: Path, hypervisor: FakeHypervisor
) -> None:
    first, second = (start(tmp_path, hypervisor, name) for name in ("first", "second"))
    one, two = JOBS[:2], JOBS[2:]
    first.queue([*first.lacking(one), *second.lacking(two)], "two runs")
    assert len(hypervisor.booted) == 4
    for booter, jobs in ((first, one), (second, two)):
        boots = booter.exact([*jobs], fresh=False, pick=None)
        assert [boot.failure for boot in boots] == ["", ""]
    assert len(hypervisor.booted) == 4
    assert first.lacking(JOBS) == []


def test_more_parallel_vcpus_than_host_cores_are_refused() -> None:
    with pytest.raises(BadInput, match="1000 vCPUs"):
        bench.check_machine(replace(NOISY, vcpus=1000))
    bench.check_machine(machine(vcpus=1000))  # an exact machine runs them on one thread


def test_arms_that_differ_in_the_image_alone_are_comparable() -> None:
    bench.check_comparable(arm("none"), arm("v0"))


def test_what_else_differs_is_named() -> None:
    other = replace(arm("v0"), qemu="7.2.1", workload=replace(arm().workload, parameters={}))
    with pytest.raises(NotComparable, match="qemu, workload"):
        bench.check_comparable(arm("none"), other)


def test_a_noisy_run_that_is_carried_on_loses_no_boot_and_repeats_none(
    tmp_path: Path, hypervisor: FakeHypervisor
) -> None:
    arms = [arm(series, NOISY) for series in ("none", "v0")]

    class Killed(FakeHypervisor):
        """Ends this process, so to speak, amid the fourth boot."""

        def run(self, *args: object, **options: object) -> Ran:
            if len(self.booted) == 3:
                (options["out"] / RESULTS).parent.mkdir(parents=True)  # type: ignore[operator]
                raise KeyboardInterrupt
            return super().run(*args, **options)  # type: ignore[arg-type]

    killed = Killed()
    killed.logs["7.3.4-pb-v0", 1] = ("patchbench 1\n", CLEAN_CONSOLE)  # lost, and so it stays
    with pytest.raises(KeyboardInterrupt):
        start(tmp_path, killed).blocks(arms, [1, 2, 3], random.Random("run"))
    boots = start(tmp_path, hypervisor).blocks(arms, [1, 2, 3], random.Random("run"))
    assert sorted(killed.booted + hypervisor.booted) == sorted(
        (one.image.release, seed) for one in arms for seed in (1, 2, 3)
    )
    assert [bool(one.failure) for one in boots].count(True) == 1


def test_an_exact_run_that_was_killed_while_it_copied_is_whole_again(
    tmp_path: Path, hypervisor: FakeHypervisor
) -> None:
    first = exact(tmp_path, hypervisor)
    (JOBS[0].folder(tmp_path / "run") / RESULTS).unlink()
    assert exact(tmp_path, hypervisor) == first


def test_the_jobs_of_an_exact_machine_are_the_boots_that_are_not_shelved(
    tmp_path: Path, hypervisor: FakeHypervisor
) -> None:
    exact(tmp_path, hypervisor)
    arms = [arm("none"), arm("v0")]
    planned = start(tmp_path, hypervisor, "next").planned(arms, (2, 3), random.Random(1))
    assert [[(one.image.series, seed) for one, seed, _ in block] for block in planned] == [
        [("none", 3)],
        [("v0", 3)],
    ]


def test_the_jobs_of_a_noisy_machine_are_blocks_of_all_arms(
    tmp_path: Path, hypervisor: FakeHypervisor
) -> None:
    arms = [arm("none", NOISY), arm("v0", NOISY)]
    planned = start(tmp_path, hypervisor).planned(arms, (1, 2), random.Random(1))
    assert [{(one.image.series, seed) for one, seed, _ in block} for block in planned] == [
        {("none", 1), ("v0", 1)},
        {("none", 2), ("v0", 2)},
    ]


def test_what_a_job_left_in_a_run_is_shelved_and_not_booted_again(
    tmp_path: Path, hypervisor: FakeHypervisor
) -> None:
    for job in JOBS:
        local(hypervisor).boot([(job.arm, job.seed, job.folder(tmp_path / "run"))])
    hypervisor.booted.clear()
    assert [boot.failure for boot in exact(tmp_path, hypervisor)] == [""] * 4
    assert len(hypervisor.booted) == 1  # the one that is booted again, to see it repeat
