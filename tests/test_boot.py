# SPDX-License-Identifier: GPL-2.0-only
"""What is made of a boot's two logs."""

import json
from pathlib import Path

import pytest

from patchbench import boot
from patchbench.catalog import Catalog
from patchbench.errors import BadRecord, BootFailed, KernelSplat, LostGuest, WrongKernel
from patchbench.model import Boot
from tests.fakes import CLEAN_CONSOLE, RELEASE, results

ROOT = Path(__file__).resolve().parents[1]
POLICY = Catalog(ROOT).splat_policy()
DATA = Path(__file__).parent / "data/consoles"


def read(folder: Path) -> Boot:
    return boot.read(folder, machine="exact", series="v0", release=RELEASE, seed=1, policy=POLICY)


def leave(folder: Path, log: str, console: str = CLEAN_CONSOLE, *, timed_out: bool = False) -> Path:
    (folder / "results.log").write_text(log)
    (folder / "console.log").write_text(console)
    (folder / "host.json").write_text(json.dumps({"seconds": 1, "timed_out": timed_out}))
    return folder


def test_a_whole_log_is_a_boot(tmp_path: Path) -> None:
    told = read(leave(tmp_path, results()))
    assert told.record.samples
    assert told.failure == ""


def test_a_guest_that_stops_half_way_is_lost_not_short(tmp_path: Path) -> None:
    half = results().removesuffix("end ok\n")
    with pytest.raises(LostGuest, match="last record: sample drain_ns 200"):
        read(leave(tmp_path, half))


def test_a_hung_guest_shows_its_last_record_and_the_console_tail(tmp_path: Path) -> None:
    console = CLEAN_CONSOLE + "[    9.000000] the last words\n"
    with pytest.raises(LostGuest, match=r"before its deadline(.|\n)*none(.|\n)*the last words"):
        read(leave(tmp_path, "", console, timed_out=True))


def test_a_panic_is_named(tmp_path: Path) -> None:
    with pytest.raises(LostGuest, match=r"panicked: .*Attempted to kill init"):
        read(leave(tmp_path, "patchbench 1\n", (DATA / "panic.log").read_text()))


def test_a_guest_without_logs_is_lost(tmp_path: Path) -> None:
    with pytest.raises(LostGuest, match="last record: none"):
        read(tmp_path)


def test_another_kernel_is_refused_even_with_good_samples(tmp_path: Path) -> None:
    with pytest.raises(WrongKernel, match=r"runs 6\.12\.1, its image is 7\.3\.4"):
        read(leave(tmp_path, results(release="6.12.1")))


def test_a_garbled_log_is_a_bad_record(tmp_path: Path) -> None:
    with pytest.raises(BadRecord, match=r"line 2(.|\n)*results\.log"):
        read(leave(tmp_path, "patchbench 1\n\x00\x00garbage\nend ok\n"))


def test_a_metric_without_a_sample_is_a_bad_record(tmp_path: Path) -> None:
    log = "patchbench 1\nmetric a ns lower\nend ok\n"
    with pytest.raises(BadRecord, match="no sample of a"):
        read(leave(tmp_path, log))


@pytest.mark.parametrize(
    "line",
    [
        "WARNING: CPU: 0 PID: 61 at mm/swapfile.c:1932 swap_put_entries_direct+0x1c/0x2f0",
        "WARNING: possible circular locking dependency detected",
        "WARNING: mm/page_counter.c:60 at page_counter_cancel+0x3c/0x48, CPU#0: kworker/u5:0/11",
        "BUG: KASAN: slab-use-after-free in async_free+0x90/0x1a0",
        "BUG: sleeping function called from invalid context at mm/slab.h:401",
        "kernel BUG at mm/swapfile.c:1203!",
        "rcu: INFO: rcu_preempt detected stalls on CPUs/tasks:",
        "INFO: task swapoff:88 blocked for more than 120 seconds.",
        "watchdog: BUG: soft lockup - CPU#1 stuck for 26s! [kworker/u5:0:11]",
        "Unable to handle kernel NULL pointer dereference at virtual address 0000000000000008",
        "Internal error: Oops: 0000000096000004 [#1]  SMP",
        "exit-storm invoked oom-killer: gfp_mask=0x140dca",
    ],
)
def test_a_complaint_of_the_kernel_spoils_good_samples(tmp_path: Path, line: str) -> None:
    with pytest.raises(KernelSplat) as caught:
        read(leave(tmp_path, results(), f"{CLEAN_CONSOLE}[    1.000000] {line}\n"))
    assert line in str(caught.value)
    assert caught.value.exit_code == 24


def test_a_clean_boot_of_the_real_kernel_has_no_splat() -> None:
    assert boot.find_splats((DATA / "clean.log").read_text(), POLICY) == ()


@pytest.mark.parametrize("log", ["", "patchbench 1\n", "hello\n", results(release="6.12.1")])
def test_a_failed_boot_is_counted_with_its_status_and_never_empty(tmp_path: Path, log: str) -> None:
    told = boot.read_or_count(
        leave(tmp_path, log), machine="exact", series="v0", release=RELEASE, seed=1, policy=POLICY
    )
    assert told.failure
    assert told.failure_status == BootFailed.exit_code
    assert told.record.samples == ()
