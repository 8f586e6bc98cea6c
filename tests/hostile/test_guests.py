# SPDX-License-Identifier: GPL-2.0-only
"""What a hostile kernel can leave behind as a guest: all that it writes are two logs.

Each attack writes a boot's folder as the guest's disks would be. None may be taken for a boot, take
more than seconds, or more than bounded memory; what each is instead is said.
"""

import json
import os
import time
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import pytest

from patchbench.errors import BadRecord, HostOverloaded, LostGuest, WrongKernel
from patchbench.model import Boot
from patchbench.stages import boot, splats
from patchbench.stages.boot import Wanted
from patchbench.stages.compare import compare
from patchbench.tools.qemu import CONSOLE, RESULTS
from tests import fakes
from tests.fakes import CLEAN_CONSOLE, RELEASE, plan, results

ROOT = Path(__file__).resolve().parents[2]
WANTED = Wanted("exact", "v0", RELEASE, 1, exact=True)
MIB = 1 << 20
GOOD = results()
HEAD = f"patchbench 1\nmeta release {RELEASE}\nmetric exit_ns ns lower\n"


def leave(folder: Path, log: str = GOOD, console: str = CLEAN_CONSOLE, **ran: object) -> None:
    (folder / RESULTS).write_text(log)
    (folder / CONSOLE).write_text(console)
    note = {"seconds": 1, "timed_out": False, "orderly": True, **ran}
    (folder / "host.json").write_text(json.dumps(note))


def flood_results(folder: Path) -> None:
    leave(folder, HEAD + "sample exit_ns 1\n" * (3 * MIB // 17) + "end ok\n")


def flood_results_in_one_line(folder: Path) -> None:
    leave(folder, HEAD + "x" * (48 * MIB))


def flood_metrics(folder: Path) -> None:
    many = "".join(f"metric m{n} ns lower\nsample m{n} 1\n" for n in range(40_000))
    leave(folder, f"patchbench 1\nmeta release {RELEASE}\n{many}end ok\n")


def flood_samples(folder: Path) -> None:
    leave(folder, HEAD + "sample exit_ns 1\n" * 100_000 + "end ok\n")


def flood_console(folder: Path) -> None:
    leave(folder, console=CLEAN_CONSOLE + "[    1.000000] all is well\n" * (48 * MIB // 27))


def flood_console_with_lines(folder: Path) -> None:
    leave(folder, console=CLEAN_CONSOLE + "\n" * (3 * MIB))


def flood_console_in_one_line(folder: Path) -> None:
    leave(folder, console="WARNING: bad " * (2 * MIB // 13))


def make_results_sparse(folder: Path) -> None:
    leave(folder)
    os.truncate(folder / RESULTS, 1 << 40)


def make_results_a_link(folder: Path) -> None:
    leave(folder)
    (folder / "elsewhere").write_text(GOOD)
    (folder / RESULTS).unlink()
    (folder / RESULTS).symlink_to(folder / "elsewhere")


def make_results_a_fifo(folder: Path) -> None:
    leave(folder)
    (folder / RESULTS).unlink()
    os.mkfifo(folder / RESULTS)


def make_console_a_link(folder: Path) -> None:
    leave(folder)
    (folder / CONSOLE).unlink()
    (folder / CONSOLE).symlink_to("/etc/passwd")


def make_console_a_folder(folder: Path) -> None:
    leave(folder)
    (folder / CONSOLE).unlink()
    (folder / CONSOLE).mkdir()


def never_end(folder: Path) -> None:
    leave(folder, HEAD + "sample exit_ns 1\n", timed_out=True, orderly=False)


def write_on_after_the_end(folder: Path) -> None:
    leave(folder, GOOD + "sample exit_ns 1\nend ok\n")


def be_another_kernel(folder: Path) -> None:
    leave(folder, results(release="7.3.4-pb-ffffffffffff"))


def hide_the_console(folder: Path) -> None:
    leave(folder, console="")


def write_markup(folder: Path) -> None:
    leave(folder, GOOD.replace("exit_ns", "<script>"))


def write_an_escape(folder: Path) -> None:
    leave(folder, GOOD.replace("end ok", "meta key \x1b]0;owned\x07\nend ok"))


def write_a_formula(folder: Path) -> None:
    leave(folder, GOOD.replace("victim-0", "=HYPERLINK(1)"))


def write_a_mail_header(folder: Path) -> None:
    leave(folder, GOOD.replace("end ok", "meta key x\rSubject: forged\nend ok"))


def write_half_a_character(folder: Path) -> None:
    leave(folder)
    (folder / RESULTS).write_bytes(
        GOOD.replace("end ok", "meta key @\nend ok").encode()[:-9] + b"\xff"
    )


def write_a_number_of_5000_digits(folder: Path) -> None:
    leave(folder, results("9" * 5000))


def write_a_number_that_only_looks_like_one(folder: Path) -> None:
    leave(folder, results("\N{SUPERSCRIPT TWO}"))


def measure_nothing(folder: Path) -> None:
    leave(folder, f"patchbench 1\nmeta release {RELEASE}\nend ok\n")


def leave_a_clock_out(folder: Path) -> None:
    leave(folder, GOOD.replace("sample drain_ns 200\n", ""))


Attack = Callable[[Path], None]
#: What each is taken for.
ATTACKS: dict[Attack, type[Exception]] = {
    flood_results: LostGuest,
    flood_results_in_one_line: LostGuest,
    flood_metrics: BadRecord,
    flood_samples: BadRecord,
    flood_console: LostGuest,
    flood_console_with_lines: LostGuest,
    flood_console_in_one_line: Exception,  # a splat: it is what it says
    make_results_sparse: LostGuest,
    make_results_a_link: LostGuest,
    make_results_a_fifo: LostGuest,
    make_console_a_link: BadRecord,
    make_console_a_folder: BadRecord,
    never_end: LostGuest,
    write_on_after_the_end: BadRecord,
    be_another_kernel: WrongKernel,
    hide_the_console: BadRecord,
    write_markup: BadRecord,
    write_an_escape: BadRecord,
    write_a_formula: BadRecord,
    write_a_mail_header: BadRecord,
    write_half_a_character: LostGuest,
    write_a_number_of_5000_digits: BadRecord,
    write_a_number_that_only_looks_like_one: BadRecord,
    measure_nothing: BadRecord,
    leave_a_clock_out: BadRecord,
}


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: attack.__name__)
def test_no_hostile_guest_is_taken_for_a_boot(tmp_path: Path, attack: Attack) -> None:
    attack(tmp_path)
    with pytest.raises(ATTACKS[attack]):
        boot.read(tmp_path, WANTED, splats.load(ROOT))


@pytest.mark.slow
@pytest.mark.parametrize(
    "attack", [flood_results_in_one_line, flood_console], ids=lambda attack: attack.__name__
)
def test_a_flood_takes_bounded_memory(tmp_path: Path, attack: Attack) -> None:
    attack(tmp_path)
    policy = splats.load(ROOT)
    tracemalloc.start()
    boot.read_or_count(tmp_path, WANTED, policy)
    _, peak_bytes = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak_bytes < 32 * MIB


@pytest.mark.slow
@pytest.mark.parametrize(
    "attack",
    [flood_metrics, flood_samples, flood_console_with_lines, flood_console_in_one_line],
    ids=lambda attack: attack.__name__,
)
def test_a_flood_takes_bounded_time(tmp_path: Path, attack: Attack) -> None:
    attack(tmp_path)
    policy = splats.load(ROOT)
    began_s = time.process_time()
    boot.read_or_count(tmp_path, WANTED, policy)
    assert time.process_time() - began_s < 5


def test_the_same_folder_without_an_attack_is_a_boot(tmp_path: Path) -> None:
    leave(tmp_path)
    assert boot.read(tmp_path, WANTED, splats.load(ROOT)).record.complete


def test_a_forged_record_is_believed_and_only_its_own_arm_s(tmp_path: Path) -> None:
    """Numbers are the kernel's own word, as SECURITY.md says; a record buys nothing else."""
    leave(tmp_path, results(1, 1))
    forged = boot.read(tmp_path, WANTED, splats.load(ROOT))
    assert forged.record.samples[0].value == 1


@pytest.mark.parametrize("better", ["higher", "lower"])
def test_a_guest_that_turns_a_metric_around_is_not_compared_by_it(better: str) -> None:
    def booted(series: str, seed: int, better: str, exit_ns: int) -> Boot:
        log = results(exit_ns).replace("exit_ns ns lower", f"exit_ns ns {better}")
        return fakes.boot(series, seed, log)

    boots = [booted("none", seed, "lower", 100) for seed in (1, 2)]
    boots += [booted("v0", seed, better, 500) for seed in (1, 2)]
    compared = compare(plan(seeds=2), boots)
    named = [delta.metric.name for delta in compared.deltas]
    assert ("exit_ns" in named) == (better == "lower")
    assert bool(compared.invalid) == (better == "higher")


def test_a_host_without_room_blames_no_guest(tmp_path: Path) -> None:
    leave(tmp_path, HEAD, orderly=False, ended_by_host="its disk was full")
    with pytest.raises(HostOverloaded):
        boot.read(tmp_path, WANTED, splats.load(ROOT))
