# SPDX-License-Identifier: GPL-2.0-only
"""Exact machines of many CPUs: every boot repeats to the byte, whatever the host does."""

import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import docker
import pytest

from patchbench.catalog import Catalog
from patchbench.clocks import timekeeping
from patchbench.errors import BuildFailed, ToolFailed
from patchbench.model import NONE, Arm, Machine
from patchbench.pipeline import Pipeline
from patchbench.profile.profiling import profile
from patchbench.stages import boot
from patchbench.tools.qemu import CONSOLE, RESULTS, Hypervisor
from tests.e2e.conftest import KERNEL, ROOT
from tests.e2e.test_profile import REQUEST

#: What makes a boot of any program short; each takes those that it has.
TINY = {
    "victims": 2, "mib": 8, "idle_ms": 10, "settle_ms": 100, "swapoff_at_us": 1000,
    "forks": 200, "loops": 100000, "rounds": 20,
    "divisor": 64, "apps": 4, "kills": 2, "free_mib": 24576, "watch_ms": 500,
}  # fmt: skip
#: What some workloads need besides, or they measure nothing: so many pages, so little memory.
BESIDES = {
    "exit-storm-interleaved": {"mib": 32},
    "camera-pressed": {
        "divisor": 32, "apps": 12, "kills": 10, "free_mib": 1280, "preview_mib": 2560,
    },
}  # fmt: skip
SOURCE = Path("qemu/plugins/timelines")


def exact8(run: Pipeline) -> Machine:
    """Return exact8 with memory and swap that are soon full."""
    return small(run, "exact8")


def small(run: Pipeline, name: str) -> Machine:
    """Return a machine with memory and swap that are soon full."""
    return replace(run.catalog.machine(name), memory_mib=512, zram_mib=192)


def storm(run: Pipeline, machine: Machine | None = None) -> Arm:
    machine = machine or exact8(run)
    workload = run.workload("exit-storm", {"victims": 8, "mib": 4}, machine)
    (arm,) = run.arms(
        run.source(KERNEL), [NONE], flavour="bench", machine=machine, workload=workload
    )
    return arm


def logs(run: Pipeline, arm: Arm, out: Path) -> tuple[bytes, bytes]:
    boot.run(Hypervisor(run.engine, run.toolchain), arm, 1, out)
    return (out / RESULTS).read_bytes(), (out / CONSOLE).read_bytes()


@contextmanager
def busy_host() -> Iterator[None]:
    """Keep two of the host's cores busy."""
    loops = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(2)]
    try:
        yield
    finally:
        for loop in loops:
            loop.kill()
            loop.wait()


@contextmanager
def freezing(run: Pipeline) -> Iterator[list[str]]:
    """Freeze and thaw this cache's containers again and again; give who was frozen."""
    ended, frozen = threading.Event(), list[str]()
    client = docker.DockerClient(base_url=run.engine.url)

    def freeze() -> None:
        mine: dict[str, str | list[str] | bool] = {"label": f"patchbench.cache={run.cache}"}
        while not ended.wait(0.3):
            for container in client.containers.list(filters=mine):
                try:
                    container.pause()
                    frozen.append(str(container.id))
                    ended.wait(0.2)
                    container.unpause()
                except docker.errors.APIError:
                    pass  # it ended meanwhile

    thread = threading.Thread(target=freeze)
    thread.start()
    try:
        yield frozen
    finally:
        ended.set()
        thread.join()
        client.close()


def every_workload() -> Iterator[object]:
    """Give the workloads; the kernel of those with another flavour is of use to no other test."""
    catalog = Catalog(ROOT)
    for name in catalog.workloads():
        usual = catalog.workload(name).flavour == "bench"
        yield pytest.param(name, marks=[] if usual else [pytest.mark.nightly])


@pytest.mark.parametrize("name", [*every_workload()])
def test_two_boots_of_every_workload_are_the_same_to_the_byte(run: Pipeline, name: str) -> None:
    tiny = TINY | BESIDES.get(name, {})
    (row,) = timekeeping.repeat(run, exact8(run), KERNEL, [name], tiny)
    assert (row.difference, row.failure) == ("", "")


@pytest.mark.parametrize("name", ["exact", "exact8"])
def test_neither_load_nor_a_host_that_stands_still_changes_a_byte(
    run: Pipeline, tmp_path: Path, name: str
) -> None:
    arm = storm(run, small(run, name))
    quiet = logs(run, arm, tmp_path / "quiet")
    assert quiet[0].endswith(b"end ok\n")
    with busy_host(), freezing(run) as frozen:
        disturbed = logs(run, arm, tmp_path / "disturbed")
    assert len(frozen) >= 3
    assert disturbed == quiet


@pytest.mark.nightly
@pytest.mark.parametrize("name", ["exact", "exact8"])
def test_of_many_boots_on_a_host_that_stands_still_none_differs(
    run: Pipeline, tmp_path: Path, name: str
) -> None:
    # QEMU's own counted clock gave another boot three times in 25.
    machine = run.catalog.machine(name)
    workload = run.workload("exit-storm", {}, machine)
    (arm,) = run.arms(
        run.source(KERNEL), ["v0"], flavour="bench", machine=machine, workload=workload
    )
    with freezing(run) as frozen:
        boots = {logs(run, arm, tmp_path / str(number)) for number in range(25)}
    assert len(frozen) >= 25
    assert len(boots) == 1


def test_another_seed_is_another_boot(run: Pipeline, tmp_path: Path) -> None:
    arm = storm(run)
    hypervisor = Hypervisor(run.engine, run.toolchain)
    for seed in (1, 2):
        boot.run(hypervisor, arm, seed, tmp_path / str(seed))
    one, two = ((tmp_path / str(seed) / RESULTS).read_bytes() for seed in (1, 2))
    assert one != two


def test_a_profile_on_eight_cpus_leaves_the_guest_as_it_was(copied: Pipeline) -> None:
    # That plain and profiled boots say the same, to the byte, is checked by every profile.
    _, profiled = profile(copied, replace(REQUEST, machine="phone"))
    (arm,) = profiled.arms
    by_cpu = [sum(on.instructions.values()) for on in arm.cpus]
    assert len(by_cpu) == 8
    assert sum(by_cpu) == sum(arm.instructions.values())
    assert sum(count > 0 for count in by_cpu) > 1


def test_the_phone_s_scheduler_knows_which_cpus_are_big(run: Pipeline) -> None:
    machine = run.catalog.machine("phone")
    workload = run.workload("clockwork", {"loops": 100000, "rounds": 20}, machine)
    (arm,) = run.arms(
        run.source(KERNEL), [NONE], flavour="bench", machine=machine, workload=workload
    )
    _, booted = run.boot_once(arm, 1)
    capacities = [int(booted.record.meta[f"cpu_capacity.{cpu}"]) for cpu in range(8)]
    assert machine.timelines is not None
    assert capacities == [*machine.timelines.capacities_dmips_mhz]


@pytest.mark.parametrize(
    ("old", "new", "complaint"),
    [
        ("icount_get_raw", "icount_get_rawer", "undefined symbol: .*rawer"),
        ('"tcg-accel-ops"', '"kvm-accel-ops"', "refused: .* accelerator operations"),
        ("%d clocks", "%d clocks or so", "without a clock for each vCPU"),
    ],
)
def test_a_plugin_that_does_not_fit_its_qemu_is_no_silent_loss(
    copied: Pipeline, tmp_path: Path, old: str, new: str, complaint: str
) -> None:
    for path in (copied.root / SOURCE).glob("*.[ch]"):
        path.write_text(path.read_text().replace(old, new))
    with pytest.raises(ToolFailed, match=complaint) as caught:
        logs(copied, storm(copied), tmp_path)
    assert caught.value.exit_code == 30


def test_a_plugin_that_does_not_compile_says_where(copied: Pipeline) -> None:
    source = copied.root / SOURCE / "slices.c"
    source.write_text(source.read_text() + "int unused(void) { return missing; }\n")
    with pytest.raises(BuildFailed, match=r"slices\.c:\d+"):
        storm(copied)
