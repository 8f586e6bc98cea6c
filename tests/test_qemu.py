# SPDX-License-Identifier: GPL-2.0-only
"""QEMU's command line, and the failures that are the host's and not the guest's."""

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from patchbench.errors import DiskFull, Overrun, ToolFailed
from patchbench.model import Machine, Platform, Timelines, Toolchain
from patchbench.tools import qemu
from patchbench.tools.container import Engine, Finished
from patchbench.tools.qemu import Hypervisor, Ran
from tests.fakes import machine, results, workload

TOOLCHAIN = Toolchain("sha256:1", "digest", "registry", "14.2.0", "2.44", "10.0.13")


def boot(
    out: Path,
    status: int | None,
    log: str | None,
    *,
    said: str = "what qemu said",
    on: Machine | None = None,
) -> Ran:
    def run(*_: Any, **__: Any) -> Finished:
        if log is not None:
            (out / "results.log").write_text(log)
        return Finished(status, said, 10.0, 12.5)

    engine = cast(Engine, SimpleNamespace(run=run))
    return Hypervisor(engine, TOOLCHAIN).run(
        on or machine(), workload(), image=out, initrd=out, seed=1, out=out
    )


CLOCKS = machine(
    "exact2", icount_shift=None, vcpus=2, timelines=Timelines(1000, 200, (2000, 3500), (1024, 585))
)


def after(flag: str, line: list[str]) -> str:
    return line[line.index(flag) + 1]


def test_an_exact_machine_counts_instructions_on_a_clock_of_its_own() -> None:
    line = qemu.command(machine(), workload(), seed=7)
    assert after("-icount", line) == "shift=1,sleep=off"
    assert after("-accel", line) == "tcg,thread=single"
    assert after("-rtc", line).endswith("clock=vm")
    assert after("-seed", line) == "7"


def test_a_parallel_machine_has_threads_and_no_counted_clock() -> None:
    line = qemu.command(machine(accel="tcg", icount_shift=None), workload(), seed=7)
    assert after("-accel", line) == "tcg,thread=multi"
    assert "-icount" not in line
    assert "-rtc" not in line


def test_a_machine_with_timelines_counts_in_a_plugin_on_a_device_tree_of_its_own() -> None:
    line = qemu.command(CLOCKS, workload(), seed=7)
    assert after("-icount", line) == "shift=0,sleep=off"
    assert after("-accel", line) == "tcg,thread=single"
    assert after("-plugin", line) == "/timelines.so,quantum=1000,spin=200,ps=2000:3500,jitter=7"
    assert after("-dtb", line) == "/machine.dtb"


def test_cpus_that_are_all_alike_need_no_device_tree() -> None:
    alike = replace(CLOCKS, timelines=Timelines(1000, 200, (2000, 2000)))
    assert "-dtb" not in qemu.command(alike, workload(), seed=7)


def test_the_interleaving_may_be_drawn_apart_from_the_seed() -> None:
    line = qemu.command(CLOCKS, workload(), seed=7, jitter=3)
    assert after("-plugin", line).endswith(",jitter=3")
    assert after("-seed", line) == "7"


def test_the_plugin_and_the_device_tree_are_put_where_the_line_looks(tmp_path: Path) -> None:
    binds: list[str] = []

    def run(*_: object, **limits: Any) -> Finished:
        binds.extend(bind.inside for bind in limits["binds"])
        return Finished(0, "timelines: 2 clocks", 0.0, 1.0)

    Hypervisor(cast(Engine, SimpleNamespace(run=run)), TOOLCHAIN).run(
        CLOCKS, workload(), image=tmp_path, initrd=tmp_path, seed=1, out=tmp_path,
        platform=Platform("key", tmp_path / "timelines.so", tmp_path / "machine.dtb"),
    )  # fmt: skip
    assert {"/timelines.so", "/machine.dtb"} < set(binds)


@pytest.mark.parametrize("said", ["", "what qemu said", "timelines: 4 clocks", "timelines: 2 cl"])
def test_a_boot_without_the_clocks_of_its_machine_is_no_result(tmp_path: Path, said: str) -> None:
    with pytest.raises(ToolFailed, match="exact2 without a clock for each vCPU") as caught:
        boot(tmp_path, 0, results(), said=said, on=CLOCKS)
    assert caught.value.exit_code == 30


def test_a_boot_whose_plugin_says_that_it_took_over_is_one(tmp_path: Path) -> None:
    assert boot(tmp_path, 0, results(), said="timelines: 2 clocks", on=CLOCKS).orderly


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ("", {}),
        ("marks: wall 0 steal 0 delay 0\n", {}),
        ("marks: wall 1000 steal 0 delay -1 -1\n", {"stolen_pct": 0.0}),
        ("x\nmarks: wall 1000 steal 0 delay 10 250\n", {"stolen_pct": 0.0, "delayed_pct": 25.0}),
    ],
)
def test_what_disturbed_a_boot_between_its_marks_is_told(said: str, told: dict[str, float]) -> None:
    assert qemu.disturbance(said) == told


def test_a_panic_ends_qemu_and_does_not_reboot_it() -> None:
    line = qemu.command(machine(), workload(), seed=7)
    assert "-no-reboot" in line
    assert "panic=-1" in after("-append", line)


def test_the_guest_gets_its_parameters_and_the_boot_s_own_seed() -> None:
    arguments = qemu.kernel_arguments(machine(), workload(), seed=7)
    assert 'pb_workload="storm victims=2 seed=7"' in arguments
    assert "pb_zram_mib=32 pb_zram_algorithm=lz4 pb_workload" in arguments


@pytest.mark.parametrize(("algorithm", "told"), [("lz4", True), ("zstd", False)])
def test_lz4_gives_up_sooner_where_a_workload_says_so_and_no_other_algorithm_does(
    algorithm: str, told: bool
) -> None:
    sooner = replace(workload(), lz4_acceleration=64)
    arguments = qemu.kernel_arguments(machine(zram_algorithm=algorithm), sooner, seed=7)
    assert ("pb_lz4_acceleration=64 " in arguments) is told


def test_a_profiler_is_added_to_a_line_that_is_otherwise_the_same(tmp_path: Path) -> None:
    lines: list[list[str]] = []

    def run(_: object, line: list[str], *__: object, **___: object) -> Finished:
        lines.append(line)
        (tmp_path / "results.log").write_text(results())
        return Finished(0, "", 0.0, 1.0)

    engine = cast(Engine, SimpleNamespace(run=run))
    for profiler in (None, qemu.Profiler(tmp_path / "profile.so", 2000)):
        Hypervisor(engine, TOOLCHAIN, profiler).run(
            machine(), workload(), image=tmp_path, initrd=tmp_path, seed=1, out=tmp_path
        )
    plain, profiled = lines
    assert profiled == [*plain, "-plugin", "/profile.so,out=/out/profile.raw,every=2000"]


@pytest.mark.parametrize("status", [0, 1, 139])
def test_qemu_s_status_says_nothing_once_there_is_a_log(tmp_path: Path, status: int) -> None:
    ran = boot(tmp_path, status, results())
    assert replace(ran, host={}) == Ran(
        2.5, timed_out=False, orderly=status == 0, said="what qemu said"
    )
    assert all(value >= 0 for value in ran.host.values())


def test_a_boot_past_its_deadline_says_so(tmp_path: Path) -> None:
    assert boot(tmp_path, None, "patchbench 1\n").timed_out


def test_a_qemu_that_does_not_start_is_told_with_what_it_said(tmp_path: Path) -> None:
    with pytest.raises(ToolFailed, match=r"does not start \(status 1\):\nwhat qemu said"):
        boot(tmp_path, 1, None)


def test_a_full_disk_is_not_called_a_lost_guest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    full: Callable[[object], SimpleNamespace] = lambda _: SimpleNamespace(f_bavail=3, f_frsize=4096)  # noqa: E731
    monkeypatch.setattr(os, "statvfs", full)
    assert "disk is full" in boot(tmp_path, 0, "patchbench 1\n").ended_by_host


@pytest.mark.parametrize("log", ["patchbench 1\n", None])
def test_a_qemu_that_somebody_killed_is_not_called_a_lost_guest(
    tmp_path: Path, log: str | None
) -> None:
    assert "QEMU was killed" in boot(tmp_path, 137, log).ended_by_host


@pytest.mark.parametrize("status", [124, 137])
def test_a_qemu_that_its_own_timeout_ended_is_past_its_deadline(
    tmp_path: Path, status: int
) -> None:
    ran = boot(tmp_path, status, "patchbench 1\n", on=machine(boot_timeout_s=2))
    assert (ran.timed_out, ran.ended_by_host) == (True, "")


@pytest.mark.parametrize(
    ("error", "blamed"),
    [(Overrun("it wrote 9 GiB"), "guest"), (DiskFull("2 GiB are left"), "host")],
)
def test_a_boot_that_fills_the_disk_ends_alone(
    tmp_path: Path, error: Exception, blamed: str
) -> None:
    def run(*_: object, **__: object) -> Finished:
        raise error

    hypervisor = Hypervisor(cast(Engine, SimpleNamespace(run=run)), TOOLCHAIN)
    ran = hypervisor.run(
        machine(), workload(), image=tmp_path, initrd=tmp_path, seed=1, out=tmp_path
    )
    assert (str(error) in ran.ended_by_host, str(error) in ran.said) == (
        blamed == "host",
        blamed == "guest",
    )
