# SPDX-License-Identifier: GPL-2.0-only
"""Real boots: good ones, and every way in which one can go wrong."""

import base64
import json
import stat
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from patchbench.catalog import Catalog
from patchbench.errors import HostOverloaded, KernelSplat, LostGuest, WrongKernel
from patchbench.model import Arm, Guest, Machine, Source
from patchbench.pipeline import Pipeline
from patchbench.stages.guest import CpioEntry, cpio
from patchbench.tools.container import Limits
from tests.e2e.conftest import KERNEL, ROOT

WriteSeries = Callable[[Source, str, str, str, str], None]
SMALL = {"victims": 3, "mib": 8}
#: What makes a boot of each program short.
TINY: dict[str, dict[str, int]] = {
    "exit-storm": {"victims": 2, "mib": 8},
    "pinned-exit": {"victims": 2, "mib": 8},
    "live-free": {"mib": 8, "idle_ms": 10},
    "swap-io": {"mib": 8},
    "camera-launch": {"divisor": 64, "apps": 4, "kills": 2, "free_mib": 24576, "watch_ms": 500},
    # With less nobody waits for memory, and nobody is killed.
    "camera-pressed": {"watch_ms": 500},
}
#: clockwork measures the machine, and puts nothing into swap.
MEASURED = [
    name
    for name in Catalog(ROOT).workloads()
    if not Catalog(ROOT).workload(name).conditions and name != "clockwork"
]


def arm(run: Pipeline, machine: str = "exact", series: str = "none") -> Arm:
    return _arm(run, run.catalog.machine(machine), "exit-storm", SMALL, series=series)


def _arm(
    run: Pipeline,
    machine: Machine,
    workload: str,
    parameters: Mapping[str, int],
    *,
    kernel: str = KERNEL,
    series: str = "none",
) -> Arm:
    asked = run.workload(workload, parameters, machine)
    (one,) = run.arms(
        run.source(kernel), [series], flavour="bench", machine=machine, workload=asked
    )
    return one


def with_init(run: Pipeline, tmp_path: Path, script: str) -> Arm:
    """Return an arm whose guest does nothing but a script of ours."""
    busybox = run.engine.run(
        run.toolchain.image_id, ["base64", "/opt/guest/usr/bin/busybox"], Limits(timeout_s=60)
    )
    initrd = tmp_path / "initrd"
    initrd.write_bytes(
        cpio(
            [
                *(CpioEntry(name, stat.S_IFDIR | 0o755) for name in ("bin", "dev", "proc")),
                CpioEntry("dev/console", stat.S_IFCHR | 0o600, device=(5, 1)),
                CpioEntry("bin/busybox", stat.S_IFREG | 0o755, base64.b64decode(busybox.said)),
                CpioEntry("init", stat.S_IFREG | 0o755, script.encode()),
            ]
        )
    )
    return replace(arm(run), guest=Guest("a-test's", initrd))


@pytest.mark.parametrize("machine", ["exact", "exact4", "parallel"])
def test_every_machine_boots_a_small_storm(run: Pipeline, machine: str) -> None:
    _, booted = run.boot_once(arm(run, machine), seed=1)
    meta = booted.record.meta
    assert int(meta["swapped_pages"]) >= 3 * 8 * 256 * 0.99
    assert float(meta["zram_ratio"]) > 1.5
    assert meta["drained"] == "yes"
    assert meta["swapoff"] == "done"
    assert len([one for one in booted.record.samples if one.metric == "exit_ns"]) == 3


@pytest.mark.parametrize("name", MEASURED)
def test_every_workload_without_conditions_boots_at_tiny_scale(run: Pipeline, name: str) -> None:
    tiny = TINY.get(name) or TINY[run.catalog.workload(name).program]
    one = _arm(run, run.catalog.machine("exact"), name, tiny)
    _, booted = run.boot_once(one, seed=1)
    assert int(booted.record.meta["swapped_pages"]) > 0
    assert {metric.name for metric in booted.record.metrics} <= set(
        run.catalog.metrics(one.workload.program)
    )


def test_a_camera_whose_killer_reaps_ends_though_apps_stay_alive(run: Pipeline) -> None:
    reaped = TINY["camera-launch"] | {"reapers": 1}
    one = _arm(run, run.catalog.machine("exact"), "camera-launch", reaped)
    _, booted = run.boot_once(one, seed=1)
    kills = TINY["camera-launch"]["kills"]
    told = [int(booted.record.meta[what]) for what in ("reaped", "reaping_gone")]
    assert sum(told) == kills


@pytest.mark.nightly
def test_the_long_term_kernel_boots_the_same_storm(run: Pipeline) -> None:
    lts = _arm(run, run.catalog.machine("exact"), "exit-storm", SMALL, kernel="lts")
    _, booted = run.boot_once(lts, seed=1)
    assert booted.record.meta["release"].startswith("6.12.")
    assert booted.record.meta["drained"] == "yes"


def test_a_seed_repeats_to_the_byte_and_another_differs(run: Pipeline) -> None:
    one, two, other = (run.boot_once(arm(run), seed)[0] for seed in (1, 1, 2))
    assert one == two
    assert one != other


def test_a_panic_ends_the_boot_before_its_deadline_does(run: Pipeline, tmp_path: Path) -> None:
    with pytest.raises(LostGuest, match=r"panicked: .*Attempted to kill init"):
        run.boot_once(with_init(run, tmp_path, "#!/bin/busybox sh\nexit 1\n"), seed=1)
    assert not json.loads((run.cache / "work/boot/host.json").read_text())["timed_out"]


def test_a_hung_guest_is_ended_at_its_deadline(run: Pipeline, tmp_path: Path) -> None:
    hung = with_init(run, tmp_path, "#!/bin/busybox sh\nwhile :; do :; done\n")
    hung = replace(hung, machine=replace(hung.machine, boot_timeout_s=8))
    # On a busy host nobody knows whether it hung; it is ended all the same.
    with pytest.raises((LostGuest, HostOverloaded), match="did not finish"):
        run.boot_once(hung, seed=1)


def test_another_kernel_than_the_image_s_is_refused(run: Pipeline) -> None:
    honest = arm(run)
    with pytest.raises(WrongKernel, match=r"its image is 7\.3\.4-forged"):
        run.boot_once(replace(honest, image=replace(honest.image, release="7.3.4-forged")), seed=1)


def test_a_workload_that_cannot_reach_its_share_of_swap_gives_no_result(run: Pipeline) -> None:
    honest = arm(run)
    cramped = replace(honest, machine=replace(honest.machine, zram_mib=8))
    with pytest.raises(LostGuest, match="ended without"):
        run.boot_once(cramped, seed=1)


def test_a_warning_of_the_kernel_spoils_the_boot(
    copied: Pipeline, write_series: WriteSeries
) -> None:
    function = "void swap_put_entries_direct(swp_entry_t entry, int nr)\n{\n"
    source = copied.source(KERNEL)
    write_series(source, "warns", "mm/swapfile.c", function, function + "\tWARN_ON_ONCE(nr);\n")
    with pytest.raises(KernelSplat, match=r"WARNING: .*mm/swapfile\.c") as caught:
        copied.boot_once(arm(copied, series="warns"), seed=1)
    assert caught.value.exit_code == 24
