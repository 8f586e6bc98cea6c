# SPDX-License-Identifier: GPL-2.0-only
"""What is made of a boot's two logs."""

import json
import os
from dataclasses import replace
from pathlib import Path

import pytest

from patchbench.errors import (
    BadRecord,
    BootFailed,
    HostOverloaded,
    KernelSplat,
    LostGuest,
    Untested,
    WrongKernel,
)
from patchbench.model import Boot
from patchbench.stages import boot, splats
from tests.fakes import CLEAN_CONSOLE, RELEASE, results

ROOT = Path(__file__).resolve().parents[2]
POLICY = splats.load(ROOT)
WANTED = boot.Wanted("exact", "v0", RELEASE, 1, exact=True)
DATA = Path(__file__).parents[1] / "data/consoles"


def read(folder: Path) -> Boot:
    return boot.read(folder, WANTED, POLICY)


def leave(folder: Path, log: str, console: str = CLEAN_CONSOLE, *, timed_out: bool = False) -> Path:
    (folder / "results.log").write_text(log)
    (folder / "console.log").write_text(console)
    note = {"seconds": 1, "timed_out": timed_out, "orderly": not timed_out, "said": "qemu: hm"}
    (folder / "host.json").write_text(json.dumps(note))
    return folder


def note_host(folder: Path, **host: float) -> None:
    note = json.loads((folder / "host.json").read_text())
    (folder / "host.json").write_text(json.dumps({**note, "host": host}))


def test_a_whole_log_is_a_boot(tmp_path: Path) -> None:
    read_boot = read(leave(tmp_path, results()))
    assert read_boot.record.samples
    assert read_boot.failure == ""


@pytest.mark.parametrize(
    ("told", "good"),
    [
        ("quiet storm victims=10 kill=0", True),
        ("quiet storm victims=10 \\", True),  # goes on in another line
        ("quiet storm victims=10 kill=1", False),
        ("quiet storm victims=10 frame_us=4000 kill=0", False),
        ("quiet storm victims=10 kill=0 seed=7", False),
        ("", True),
    ],
)
def test_logs_whose_kernel_was_told_something_else_are_another_boot_s(
    tmp_path: Path, told: str, *, good: bool
) -> None:
    console = CLEAN_CONSOLE + (f"[    0.000000] Kernel command line: {told}\n" if told else "")
    leave(tmp_path, results(), console)
    wanted = replace(WANTED, command_line="quiet storm victims=10 kill=0")
    failure = boot.read_or_count(tmp_path, wanted, POLICY).failure
    assert ("another boot" in failure) is not good


def test_a_guest_that_stops_half_way_is_lost_not_short(tmp_path: Path) -> None:
    half = results().removesuffix("end ok\n")
    with pytest.raises(LostGuest, match="last record: sample drain_ns 200"):
        read(leave(tmp_path, half))


def test_a_hung_guest_shows_its_last_record_and_the_console_tail(tmp_path: Path) -> None:
    console = CLEAN_CONSOLE + "[    9.000000] the last words\n"
    with pytest.raises(LostGuest, match=r"before its deadline(.|\n)*none(.|\n)*the last words"):
        read(leave(tmp_path, "", console, timed_out=True))


@pytest.mark.parametrize(
    ("waited_pct", "exact", "error"),
    [(12.0, True, LostGuest), (91.0, True, HostOverloaded), (91.0, False, HostOverloaded)],
)
def test_a_guest_whose_time_was_up_hung_only_if_the_host_was_its_own(
    tmp_path: Path, waited_pct: float, error: type[BootFailed], *, exact: bool
) -> None:
    leave(tmp_path, "patchbench 1\n", timed_out=True)
    note_host(tmp_path, waited_pct=waited_pct)
    with pytest.raises(error) as caught:
        boot.read(tmp_path, replace(WANTED, exact=exact), POLICY)
    assert caught.type is error


def test_a_guest_that_the_host_ended_is_not_to_blame(tmp_path: Path) -> None:
    leave(tmp_path, "patchbench 1\n")
    ran = {"seconds": 1, "timed_out": False, "orderly": False, "ended_by_host": "its disk was full"}
    (tmp_path / "host.json").write_text(json.dumps(ran))
    with pytest.raises(HostOverloaded, match="through no fault of its own: its disk was full"):
        read(tmp_path)


def test_a_panic_on_an_overloaded_host_is_a_panic(tmp_path: Path) -> None:
    leave(tmp_path, "patchbench 1\n", (DATA / "panic.log").read_text(), timed_out=True)
    note_host(tmp_path, waited_pct=91.0)
    with pytest.raises(LostGuest, match="panicked"):
        read(tmp_path)


def test_a_panic_is_named(tmp_path: Path) -> None:
    with pytest.raises(LostGuest, match=r"panicked: .*Attempted to kill init"):
        read(leave(tmp_path, "patchbench 1\n", (DATA / "panic.log").read_text()))


def test_a_boot_without_logs_was_not_booted(tmp_path: Path) -> None:
    with pytest.raises(LostGuest, match="not booted"):
        read(tmp_path)


def test_a_guest_that_said_nothing_is_lost_with_what_qemu_said(tmp_path: Path) -> None:
    with pytest.raises(LostGuest, match=r"QEMU: qemu: hm\n  last record: none"):
        read(leave(tmp_path, "", ""))


def test_a_guest_that_does_not_name_its_kernel_is_not_believed(tmp_path: Path) -> None:
    log = results().replace(f"meta release {RELEASE}\n", "")
    with pytest.raises(BadRecord, match="did not report which kernel"):
        read(leave(tmp_path, log))


def test_a_line_of_the_console_ends_where_its_text_does(tmp_path: Path) -> None:
    (tmp_path / "console.log").write_bytes(b"BUG: KCSAN: data-race in a / b\r\nby \x1b[2J task\r\n")
    assert boot.read_console(tmp_path) == "BUG: KCSAN: data-race in a / b\nby ?[2J task\n"


def test_a_boot_without_its_console_may_have_had_a_splat(tmp_path: Path) -> None:
    with pytest.raises(BadRecord, match=r"console\.log is missing or empty"):
        read(leave(tmp_path, results(), ""))


def test_what_a_guest_says_cannot_move_the_reader_s_cursor(tmp_path: Path) -> None:
    console = CLEAN_CONSOLE + "\x1b[2Jgone\n"
    with pytest.raises(LostGuest) as caught:
        read(leave(tmp_path, "patchbench 1\n", console))
    assert "\x1b" not in str(caught.value)


def test_another_kernel_is_refused_even_with_good_samples(tmp_path: Path) -> None:
    with pytest.raises(WrongKernel, match=r"runs 6\.12\.1, its image is 7\.3\.4"):
        read(leave(tmp_path, results(release="6.12.1")))


def test_a_garbled_log_is_a_bad_record(tmp_path: Path) -> None:
    with pytest.raises(BadRecord, match=r"line 2(.|\n)*results\.log"):
        read(leave(tmp_path, "patchbench 1\n\x00\x00garbage\nend ok\n"))


def test_a_log_that_measures_nothing_is_a_bad_record(tmp_path: Path) -> None:
    with pytest.raises(BadRecord, match="measured nothing"):
        read(leave(tmp_path, f"patchbench 1\nmeta release {RELEASE}\nend ok\n"))


def test_a_metric_without_a_sample_is_a_bad_record(tmp_path: Path) -> None:
    log = f"patchbench 1\nmeta release {RELEASE}\nmetric a ns lower\nend ok\n"
    with pytest.raises(BadRecord, match="no sample of a"):
        read(leave(tmp_path, log))


def test_a_kernel_that_lacks_what_a_workload_needs_is_untested(tmp_path: Path) -> None:
    log = (
        f"patchbench 1\nmeta release {RELEASE}\nmetric a ns lower\nmeta untested no tmpfs\nend ok\n"
    )
    with pytest.raises(Untested, match="no tmpfs"):
        read(leave(tmp_path, log))
    assert "no tmpfs" in boot.read_or_count(tmp_path, WANTED, POLICY).untested


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
        "BUG kmalloc-32 (Not tainted): Poison overwritten",
        "UBSAN: array-index-out-of-bounds in mm/swapfile.c:12:3",
        "INFO: trying to register non-static key.",
        "Write-error on swap-device (252:0:16)",
        "WARNING: exit storm/61 still has locks held!",
        "rcu: INFO: rcu_preempt self-detected stall on CPU",
        "rcu: INFO: rcu_preempt detected expedited stalls on CPUs/tasks: { 1-... }",
    ],
)
def test_a_complaint_of_the_kernel_spoils_good_samples(tmp_path: Path, line: str) -> None:
    with pytest.raises(KernelSplat) as caught:
        read(leave(tmp_path, results(), f"{CLEAN_CONSOLE}[    1.000000] {line}\n"))
    assert line in str(caught.value)
    assert caught.value.exit_code == 24


def test_a_splat_is_reported_with_its_kind_and_what_it_means(tmp_path: Path) -> None:
    """The rule's sentence stood in configs/splats.toml and was shown to nobody."""
    with pytest.raises(KernelSplat, match="kernel splat, leak: memory that nothing points to"):
        read(leave(tmp_path, results(), f"{CLEAN_CONSOLE}unreferenced object 0xffff\n"))


def test_what_a_workload_provokes_spoils_no_boot_of_it_and_all_else_does(tmp_path: Path) -> None:
    starved = "[    1.000000] kswapd0: page allocation failure: order:0, mode:0xc0de0(GFP_KERNEL)\n"
    provoking = replace(WANTED, provokes=(r"page allocation failure: order:0, mode:0x\w+\(GFP_K",))
    leave(tmp_path, results(), CLEAN_CONSOLE + starved)
    assert boot.read(tmp_path, provoking, POLICY).failure == ""
    with pytest.raises(KernelSplat, match="page allocation failure"):
        boot.read(tmp_path, WANTED, POLICY)
    leave(tmp_path, results(), CLEAN_CONSOLE + starved.replace("order:0", "order:2"))
    with pytest.raises(KernelSplat, match="order:2"):
        boot.read(tmp_path, provoking, POLICY)


def test_a_clean_boot_of_the_real_kernel_has_no_splat() -> None:
    assert [*POLICY.find((DATA / "clean.log").read_text())] == []


@pytest.mark.parametrize("log", ["", "patchbench 1\n", "hello\n", results(release="6.12.1")])
def test_a_failed_boot_is_counted_with_its_status_and_never_empty(tmp_path: Path, log: str) -> None:
    read_boot = boot.read_or_count(leave(tmp_path, log), WANTED, POLICY)
    assert read_boot.failure
    assert read_boot.failure_status == BootFailed.exit_code
    assert read_boot.record.samples == ()


@pytest.mark.parametrize(
    ("host", "says"),
    [
        ({}, ""),
        ({"steal_pct": 1.0, "waited_pct": 12.0, "load": 9.0}, ""),
        ({"steal_pct": 31.0}, "other guests of its host stole 31 % of the CPU time"),
        ({"waited_pct": 77.7}, "tasks waited for a CPU 78 % of the time"),
        ({"waited_pct": 9.0, "load_per_core": 6.0}, ""),
        ({"load_per_core": 6.0}, "6 tasks wanted each of its CPUs"),
        ({"stopped_s": 45.0}, "it or this run was stopped for 45 s"),
        ({"delayed_pct": 3.0, "waited_pct": 77.7, "steal_pct": 31.0}, ""),
        ({"delayed_pct": 25.0}, "a vCPU waited for a CPU 25 % of the measured time"),
        ({"delayed_pct": 0.0, "stolen_pct": 8.0}, "other guests of its host stole 8 % of it"),
    ],
)
def test_a_host_that_had_other_things_to_do_is_described(host: dict[str, float], says: str) -> None:
    assert boot.find_overload(host) == says


@pytest.mark.parametrize("exact", [True, False])
def test_an_overloaded_host_marks_a_boot_unless_nothing_can_touch_it(
    tmp_path: Path, *, exact: bool
) -> None:
    leave(tmp_path, results())
    note_host(tmp_path, steal_pct=31.0)
    read_boot = boot.read(tmp_path, replace(WANTED, exact=exact), POLICY)
    assert bool(read_boot.overload) is not exact


@pytest.mark.parametrize("log", ["results.log", "console.log"])
def test_a_guest_that_writes_without_end_is_lost_and_the_log_is_named(
    tmp_path: Path, log: str
) -> None:
    leave(tmp_path, results())
    with (tmp_path / log).open("a") as stream:
        stream.write("x" * boot.MOST_LOG_BYTES)
    with pytest.raises(LostGuest, match=rf"{log} has more than 2 MiB"):
        read(tmp_path)


def test_a_flood_of_splats_is_a_splat(tmp_path: Path) -> None:
    leave(tmp_path, results(), "BUG: KASAN: use-after-free in f\n" + "x" * boot.MOST_LOG_BYTES)
    with pytest.raises(KernelSplat, match="use-after-free in f"):
        read(tmp_path)


def test_the_console_s_longest_line_is_cut_before_it_is_matched(tmp_path: Path) -> None:
    leave(tmp_path, results(), "WARNING: " * 200_000)
    ((_, splat),) = POLICY.find(boot.read_console(tmp_path))
    assert len(splat.line) == 1100


@pytest.mark.parametrize("log", ["results.log", "console.log"])
@pytest.mark.parametrize("kind", ["link", "fifo", "folder"])
def test_a_log_that_is_no_regular_file_is_not_opened(tmp_path: Path, log: str, kind: str) -> None:
    leave(tmp_path, results())
    elsewhere = (tmp_path / log).rename(tmp_path / "elsewhere")
    if kind == "link":
        (tmp_path / log).symlink_to(elsewhere)
    elif kind == "fifo":
        os.mkfifo(tmp_path / log)
    else:
        (tmp_path / log).mkdir()
    with pytest.raises((LostGuest, BadRecord), match=rf"there is no file .*{log}|{log} is missing"):
        read(tmp_path)
