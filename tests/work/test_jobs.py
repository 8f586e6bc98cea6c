# SPDX-License-Identifier: GPL-2.0-only
"""A job as data: what it names, what is no delivery of it, which host may not do it."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from patchbench.errors import BadInput
from patchbench.tools.qemu import RESULTS, Profiler, Ran
from patchbench.work import jobs
from patchbench.work.jobs import Delivery, HostJob, JobBoot, Labels, checksum
from tests.fakes import arm, machine

SHA256 = "ab" * 32
NOISY = machine("parallel", accel="tcg", icount_shift=None, vcpus=8)
HERE = Labels("here", "x86_64", True, 2, 4096, "tools", "code", {"dask": "1"})


def job(**changes: object) -> HostJob:
    made = HostJob((JobBoot(arm("v0"), 3),), "tools", "code")
    named = made.with_files(lambda path: Path(SHA256))
    return replace(named, **changes)  # type: ignore[arg-type]


def delivery(**changes: object) -> Delivery:
    logs = ({RESULTS: b"end ok\n"},)
    ran = (Ran(1.0, timed_out=False, orderly=True),)
    sound = Delivery(job().key, "alpha", logs, ran, 0.0, 1.0, checksum(logs))
    return replace(sound, **changes)  # type: ignore[arg-type]


def test_a_job_is_the_same_after_it_was_a_text() -> None:
    made = job(profiler=Profiler(Path(SHA256), 2000))
    assert jobs.loads(made.dumps(), "job.json") == made


def test_a_job_names_each_file_by_its_sha256_once() -> None:
    assert job(profiler=Profiler(Path(SHA256), 2000)).files() == (SHA256,)


def test_where_the_logs_go_has_no_part_in_what_a_job_delivers() -> None:
    assert job().leaving([Path("/run/boots/1")], Path("/run/jobs")).key == job().key


@pytest.mark.parametrize("changes", [{"turn": "2"}, {"toolchain": "other"}])
def test_a_job_has_another_key_for_what_may_deliver_something_else(
    changes: dict[str, object],
) -> None:
    assert job(**changes).key != job().key


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{", "is not a job"),
        (job(schema=2).dumps(), "has schema 2, this version has 1"),
        (job().dumps().replace(SHA256, "../secret"), "'secret' is not the sha256"),
        (json.dumps({**json.loads(job().dumps()), "boots": []}), "has no boots"),
    ],
)
def test_a_text_that_is_no_job_of_this_version_is_refused(text: str, words: str) -> None:
    with pytest.raises(BadInput, match=words):
        jobs.loads(text, "job.json")


def test_a_delivery_of_just_what_was_asked_for_has_no_fault() -> None:
    assert delivery().fault(job()) == ""


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"key": SHA256}, "it is of job ababababab"),
        ({"boots": ()}, "it has 0 boots, and the job has 1"),
        ({"boots": ({RESULTS: b"made up"},)}, "its files have another checksum"),
        ({"boots": ({"../x": b""},)}, "it has a file '../x'"),
    ],
)
def test_a_delivery_of_something_else_says_what_is_wrong(
    changes: dict[str, object], words: str
) -> None:
    assert words in delivery(**changes).fault(job())


@pytest.mark.parametrize(
    "changes", [{"code": "x"}, {"toolchain": "x"}, {"schema": 2}, {"versions": {"dask": "2"}}]
)
def test_hosts_that_may_not_work_together_differ_in_something_with_a_name(
    changes: dict[str, object],
) -> None:
    (name,) = changes
    assert HERE.difference(replace(HERE, **changes)).startswith(name)  # type: ignore[arg-type]


def test_hosts_of_other_sizes_and_architectures_work_together() -> None:
    other = replace(HERE, name="there", machine="aarch64", kvm=False, cores=64)
    assert HERE.difference(other) == ""


def test_a_host_says_what_it_lacks_for_a_machine() -> None:
    assert HERE.lack(NOISY) == "8 cores for as many vCPUs"
    assert HERE.lack(replace(machine(), memory_mib=8192)) == "8448 MiB of memory"
    assert HERE.lack(machine(vcpus=8)) == ""
