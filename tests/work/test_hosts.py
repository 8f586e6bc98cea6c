# SPDX-License-Identifier: GPL-2.0-only
"""Which host boots what, and what becomes of a host that dies, lies or refuses; no host is real."""

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from patchbench.errors import BadInput, HostLost, NotReached, ToolFailed
from patchbench.model import Arm, Machine
from patchbench.stages import boot
from patchbench.tools.qemu import CONSOLE, RESULTS, Ran
from patchbench.work import hosts as others
from patchbench.work import jobs, worker
from patchbench.work.hosts import Hosts, HostsPool
from patchbench.work.jobs import Delivery, HostJob, Labels
from tests.fakes import CLEAN_CONSOLE, Listener, arm, machine, results

HERE = Labels("here", "x86_64", False, 2, 4096, "tools", "code", {"dask": "1"})
NOISY = machine("parallel", accel="tcg", icount_shift=None, vcpus=2)


def deliver(job: HostJob, name: str) -> Delivery:
    """Return what a sound host delivers."""
    logs = tuple(
        {CONSOLE: CLEAN_CONSOLE.encode(), RESULTS: results(one.seed).encode()} for one in job.boots
    )
    ran = tuple(Ran(1.0, timed_out=False, orderly=True) for _ in job.boots)
    return Delivery(job.key, name, logs, ran, 10.0, 11.0, jobs.checksum(logs))


@dataclass
class FakeCluster:
    """Workers that answer at once, each in its own way."""

    labels: dict[str, Labels]
    answers: dict[str, Callable[[HostJob, str], Any]] = field(default_factory=dict)
    done: list[tuple[str, HostJob]] = field(default_factory=list)
    sent: list[str] = field(default_factory=list)

    def workers(self) -> Mapping[str, str]:
        return {name: name for name in self.labels}

    def call(self, name: str, function: Callable[..., Any], *arguments: Any, **_: Any) -> Any:
        if function is worker.greet:
            return self.labels[name], set()
        job = jobs.loads(arguments[0], "a job")
        self.done.append((name, job))
        return self.answers.get(name, deliver)(job, name)

    def send(self, name: str, function: Callable[..., Any], *arguments: Any) -> None:
        self.sent += [name for _ in arguments[0]]

    def close(self) -> None:
        """Have nothing to close."""


@pytest.fixture
def two() -> FakeCluster:
    return FakeCluster({name: replace(HERE, name=name) for name in ("alpha", "beta")})


@pytest.fixture
def story() -> Listener:
    return Listener()


@pytest.fixture
def pool(two: FakeCluster, story: Listener) -> HostsPool:
    return Hosts(two, HERE, story).pool()


@pytest.fixture
def storm(tmp_path: Path) -> Arm:
    """Return an arm whose files are there."""
    made = arm("v0")
    for name in ("Image", "initrd"):
        (tmp_path / name).write_text(name)
    image = replace(made.image, path=tmp_path / "Image")
    return replace(made, image=image, guest=replace(made.guest, path=tmp_path / "initrd"))


def on(storm: Arm, machine: Machine) -> Arm:
    return replace(storm, machine=machine)


def test_a_boot_elsewhere_leaves_the_same_files_as_one_here_and_says_where_it_was(
    pool: HostsPool, storm: Arm, tmp_path: Path
) -> None:
    pool.boot([(storm, 1, tmp_path / "boot")])
    assert (tmp_path / "boot" / RESULTS).read_text() == results(1)
    assert boot.where(tmp_path / "boot") in ("alpha", "beta")


def test_there_are_as_many_slots_as_the_hosts_have_cores(pool: HostsPool) -> None:
    assert (pool.slots, pool.hosts) == (4, 2)


def test_artefacts_are_sent_to_a_host_once(
    pool: HostsPool, two: FakeCluster, storm: Arm, tmp_path: Path
) -> None:
    for seed in range(4):
        pool.boot([(storm, seed, tmp_path / str(seed))], avoid="beta")
    assert two.sent == ["alpha", "alpha"]


def test_all_arms_of_a_block_are_one_job_in_the_drawn_order(
    pool: HostsPool, two: FakeCluster, storm: Arm, tmp_path: Path
) -> None:
    noisy = on(storm, NOISY)
    pool.boot([(noisy, seed, tmp_path / str(seed)) for seed in (3, 1, 2)])
    assert [[one.seed for one in job.boots] for _, job in two.done] == [[3, 1, 2]]


def test_the_same_exact_boot_is_the_same_job_unless_it_is_to_be_done_afresh(storm: Arm) -> None:
    block = [(storm, 1, Path("out"))]
    made = [others.as_job(block, HERE, fresh=fresh)[0].key for fresh in (False, False, True)]
    assert made[0] == made[1] != made[2]


def test_a_boot_of_a_noisy_machine_is_never_the_same_job(storm: Arm) -> None:
    block = [(on(storm, NOISY), 1, Path("out"))]
    assert len({others.as_job(block, HERE)[0].key for _ in range(2)}) == 2


def test_a_boot_that_is_to_prove_another_host_is_made_on_another(
    pool: HostsPool, two: FakeCluster, storm: Arm, tmp_path: Path
) -> None:
    pool.boot([(storm, 1, tmp_path / "boot")])
    first = boot.where(tmp_path / "boot")
    pool.boot([(storm, 1, tmp_path / "again")], fresh=True, avoid=first)
    assert {name for name, _ in two.done} == {"alpha", "beta"}


def test_a_host_with_another_version_is_named_and_not_used(
    pool: HostsPool, two: FakeCluster, story: Listener, storm: Arm, tmp_path: Path
) -> None:
    two.labels["alpha"] = replace(two.labels["alpha"], toolchain="older")
    pool.boot([(storm, 1, tmp_path / "boot")])
    assert [name for name, _ in two.done] == ["beta"]
    assert "alpha is not used, it has another toolchain older, here tools" in story.heard


def test_a_delivery_with_a_wrong_checksum_is_thrown_away_and_told(
    pool: HostsPool, two: FakeCluster, story: Listener, storm: Arm, tmp_path: Path
) -> None:
    two.answers["alpha"] = lambda job, name: replace(deliver(job, name), sha256="0")
    pool.boot([(storm, 1, tmp_path / "boot")], avoid="beta")
    assert boot.where(tmp_path / "boot") == "beta"
    assert "alpha: its delivery was thrown away" in "\n".join(story.heard)


def test_a_host_that_cannot_do_a_job_leaves_it_to_another(
    pool: HostsPool, two: FakeCluster, storm: Arm, tmp_path: Path
) -> None:
    def fail(_job: HostJob, _name: str) -> Delivery:
        raise ToolFailed("no container engine answers")

    two.answers["alpha"] = fail
    pool.boot([(storm, 1, tmp_path / "boot")], avoid="beta")
    assert boot.where(tmp_path / "boot") == "beta"
    two.answers["beta"] = fail
    with pytest.raises(ToolFailed, match="alpha: no container engine answers\n  beta: no cont"):
        pool.boot([(storm, 2, tmp_path / "other")])


def test_a_job_that_every_host_dies_of_is_given_up(
    pool: HostsPool, two: FakeCluster, storm: Arm, tmp_path: Path
) -> None:
    def die(_job: HostJob, _name: str) -> Delivery:
        raise HostLost("it died")

    two.answers = {"alpha": die, "beta": die}
    with pytest.raises(ToolFailed, match="exact: v0 seed 1 was lost with every host"):
        pool.boot([(storm, 1, tmp_path / "boot")])
    assert len(two.done) == 3
    assert not (tmp_path / "boot").exists()


def test_without_a_scheduler_nothing_is_asked_of_another_host(
    pool: HostsPool, two: FakeCluster, storm: Arm, tmp_path: Path
) -> None:
    def gone(_job: HostJob, _name: str) -> Delivery:
        raise NotReached("the scheduler is gone")

    two.answers = {"alpha": gone, "beta": gone}
    with pytest.raises(NotReached):
        pool.boot([(storm, 1, tmp_path / "boot")])
    assert len(two.done) == 1


def test_a_machine_that_no_host_can_boot_is_refused_with_the_list_of_hosts(
    two: FakeCluster, story: Listener
) -> None:
    hosts = Hosts(two, HERE, story)
    hosts.check(machine())
    with pytest.raises(BadInput) as caught:
        hosts.check(replace(NOISY, vcpus=64))
    lines = [f"  {name}: x86_64 without KVM, 2 cores, 4096 MiB; lacks 64 cores for as many vCPUs"
             for name in two.labels]  # fmt: skip
    assert str(caught.value).splitlines()[1:] == lines


def test_boots_go_to_the_host_with_the_most_free_slots(
    two: FakeCluster, story: Listener, storm: Arm, tmp_path: Path
) -> None:
    hosts = Hosts(two, HERE, story)
    job, _ = others.as_job([(storm, 1, tmp_path)], HERE)
    with hosts.place(job, {}, "") as one, hosts.place(job, {}, "") as two_:
        used = Counter([one.labels.name, two_.labels.name])
    assert used == {"alpha": 1, "beta": 1}
