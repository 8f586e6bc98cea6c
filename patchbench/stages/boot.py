# SPDX-License-Identifier: GPL-2.0-only
"""Stage 5: an Arm and a seed in, a Boot out.

A boot leaves two logs and a note on how it went on the host; `read` judges these three files
and nothing else, so a later report from a run's folder says what the bench said.
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import NoReturn, Protocol

from patchbench import records
from patchbench.catalog import adapter
from patchbench.errors import (
    BadRecord,
    BootFailed,
    HostOverloaded,
    KernelSplat,
    LostGuest,
    Unfit,
    Untested,
    WrongKernel,
)
from patchbench.model import Arm, Boot, Json, Machine, Platform, Record, Workload
from patchbench.stages.splats import Splat, SplatPolicy
from patchbench.store import write_whole
from patchbench.tools import files
from patchbench.tools.qemu import CONSOLE, RESULTS, Ran, command, kernel_arguments

HOST_NOTE = "host.json"
_AGAIN = "again"
NOT_BOOTED = "it was not booted"
#: More of a log is not read. A long storm's results are 20 KB, a debug kernel's console 200 KB.
MOST_LOG_BYTES = 2 << 20
#: The kernel's longest line, printk's LOG_LINE_MAX and its prefix. A pattern with `.*` can take the
#: square of a line's length.
_LINE_CHARS = 1100
_COMMAND_LINE = re.compile(r"\] Kernel command line: (.*?)(?: \\)?$", re.MULTILINE)
_TAIL_LINES = 12
_SHOWN_CHARS = 200
#: Above these, something else was using the host. A boot with as many vCPUs as the host has
#: cores, alone on it, keeps its own helper threads waiting for a quarter of the time.
_MAX_STEAL_PCT = 5.0
_MAX_WAITED_PCT = 40.0
#: Between the workload's marks. Less than this is less than equal kernels differ on a quiet host.
_MAX_DELAYED_PCT = 10.0
#: The same of a kernel that was configured without pressure stall information.
_MAX_LOAD_PER_CORE = 2.0
_MAX_STOPPED_S = 5.0


class CanBoot(Protocol):
    """What runs a guest: tools.qemu.Hypervisor, or a fake in a test."""

    def run(
        self,
        machine: Machine,
        workload: Workload,
        *,
        image: Path,
        initrd: Path,
        seed: int,
        out: Path,
        platform: Platform | None = None,
    ) -> Ran:
        """Boot once and leave the logs in `out`."""

    def stop(self) -> None:
        """Kill every running boot, and start no more."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """The boot that a folder's logs must be of; an exact one does not depend on the host.

    command_line: of its kernel, which has all that the workload is told; empty if it is not known.
    provokes: as the workload's.
    """

    machine: str
    series: str
    release: str
    seed: int
    exact: bool
    command_line: str = ""
    provokes: tuple[str, ...] = ()


def wanted(arm: Arm, seed: int) -> Wanted:
    """Return which boot the logs of an arm and seed must be of."""
    return Wanted(
        arm.machine.name,
        arm.image.series,
        arm.image.release,
        seed,
        arm.machine.exact,
        kernel_arguments(arm.machine, arm.workload, seed),
        arm.workload.provokes,
    )


def run(hypervisor: CanBoot, arm: Arm, seed: int, out: Path) -> Ran:
    """Boot an arm once; `read` then says how it went."""
    ran = hypervisor.run(
        arm.machine,
        arm.workload,
        image=arm.image.path,
        initrd=arm.guest.path,
        seed=seed,
        out=out,
        platform=arm.platform,
    )
    note(out, ran)
    return ran


def note(folder: Path, ran: Ran, worker: str = "") -> None:
    """Note beside a boot's logs how it went, and on which of several hosts; then it has ended."""
    write_whole(folder / HOST_NOTE, json.dumps(asdict(replace(ran, worker=worker))) + "\n")


def has_ended(folder: Path) -> bool:
    """Return whether a boot in this folder ran to its end, good or lost."""
    return (folder / HOST_NOTE).is_file()


def ingredients(arm: Arm, seed: int) -> dict[str, Json]:
    """Return everything that determines what an exact boot prints, command line included."""
    line: list[Json] = [*command(arm.machine, arm.workload, seed)]
    return {**arm.conditions(), "command": line, "seed": seed}


def read(folder: Path, wanted: Wanted, policy: SplatPolicy) -> Boot:
    """Return the boot whose logs are in `folder`.

    Raises LostGuest, HostOverloaded, WrongKernel, BadRecord, KernelSplat or Untested if it has no
    usable samples.
    """
    logs = _load(folder)
    return _judge(logs, wanted, [*_splats(logs, wanted, policy)])


def read_or_count(folder: Path, wanted: Wanted, policy: SplatPolicy) -> Boot:
    """Return the boot as `read` does or, where `read` raises, a boot that carries the failure."""
    logs = _load(folder)
    splats = [*_splats(logs, wanted, policy)]
    try:
        return _judge(logs, wanted, splats)
    except BootFailed as err:
        return Boot(
            wanted.machine,
            wanted.series,
            wanted.seed,
            Record(complete=False, metrics=(), samples=(), meta={}, last_line=""),
            failure=str(err),
            failure_status=err.exit_code,
            splats=tuple(one.line for one in splats),
            untested=str(err) if isinstance(err, Untested) else "",
        )


def read_log(folder: Path, name: str) -> bytes | None:
    """Return a log of a boot's folder, at most one byte more than MOST_LOG_BYTES of it.

    None if there is no such file, or something that is not a regular file.
    """
    try:
        return files.take_head(folder, name, most_bytes=MOST_LOG_BYTES + 1)
    except Unfit:
        return None


def read_console(folder: Path) -> str:
    """Return a boot's console log without control characters, its longest lines cut.

    Empty if there is none.
    """
    return _console(read_log(folder, CONSOLE) or b"")


def is_orderly(folder: Path) -> bool:
    """Return whether QEMU ended a boot by itself, so that its logs are whole."""
    ran = _ran(folder)
    return ran is not None and ran.orderly


def where(folder: Path) -> str:
    """Return the host that a boot ran on; empty if it was this one, or nobody knows."""
    ran = _ran(folder)
    return ran.worker if ran else ""


def find_overload(host: Mapping[str, float]) -> str:
    """Return what else used the host during a boot; empty if nothing is known to have.

    Where it is known what disturbed the boot between the workload's marks, that alone counts.
    """
    if "delayed_pct" in host:
        return _find_disturbance(host["delayed_pct"], host.get("stolen_pct", 0.0))
    reasons = []
    if (stolen := host.get("steal_pct", 0.0)) > _MAX_STEAL_PCT:
        reasons.append(f"other guests of its host stole {stolen:.0f} % of the CPU time")
    if (waited := host.get("waited_pct", 0.0)) > _MAX_WAITED_PCT:
        reasons.append(f"tasks waited for a CPU {waited:.0f} % of the time")
    if "waited_pct" not in host and (load := host.get("load_per_core", 0.0)) > _MAX_LOAD_PER_CORE:
        reasons.append(f"{load:.0f} tasks wanted each of its CPUs")
    if (stopped := host.get("stopped_s", 0.0)) > _MAX_STOPPED_S:
        reasons.append(f"it or this run was stopped for {stopped:.0f} s")
    return " and ".join(reasons)


def _find_disturbance(delayed_pct: float, stolen_pct: float) -> str:
    reasons = []
    if delayed_pct > _MAX_DELAYED_PCT:
        reasons.append(f"a vCPU waited for a CPU {delayed_pct:.0f} % of the measured time")
    if stolen_pct > _MAX_STEAL_PCT:
        reasons.append(f"other guests of its host stole {stolen_pct:.0f} % of it")
    return " and ".join(reasons)


def note_again(folder: Path, times: int) -> None:
    """Note beside a boot how often its block was done again."""
    note = json.loads((folder / HOST_NOTE).read_text())
    note["host"][_AGAIN] = times
    write_whole(folder / HOST_NOTE, json.dumps(note) + "\n")


@dataclass(frozen=True, slots=True)
class _Logs:
    """What a boot left in its folder; an absent results log is None, an absent console empty."""

    folder: Path
    results: bytes | None
    console: str
    console_bytes: int
    ran: Ran | None


def _load(folder: Path) -> _Logs:
    console = read_log(folder, CONSOLE) or b""
    results = read_log(folder, RESULTS)
    return _Logs(folder, results, _console(console), len(console), _ran(folder))


def _splats(logs: _Logs, wanted: Wanted, policy: SplatPolicy) -> Iterator[Splat]:
    policy = policy.provoked(wanted.provokes)
    return (splat for _, splat in policy.find(logs.console))


def _console(log: bytes) -> str:
    lines = log.decode(errors="replace").replace("\r\n", "\n").split("\n")  # as a serial line ends
    return _shown("\n".join(line[:_LINE_CHARS] for line in lines))


def _judge(logs: _Logs, wanted: Wanted, splats: Sequence[Splat]) -> Boot:
    if logs.results is None:
        raise LostGuest(f"{NOT_BOOTED}: there is no file {logs.folder / RESULTS}")
    _check_size(logs.folder / RESULTS, len(logs.results))
    try:
        record = records.parse(logs.results.decode(errors="replace"))
    except BadRecord as err:
        raise BadRecord(f"{err}\n  {logs.folder / RESULTS}") from err

    found = record.meta.get("release")
    if found is not None and found != wanted.release:
        raise WrongKernel(
            f"the guest runs {_shown(found[:_SHOWN_CHARS])}, its image is {wanted.release}\n"
            f"  {logs.folder}"
        )
    if other := _other_command_line(logs.console, wanted):
        raise BadRecord(f"the logs are of another boot, with {other}\n  {logs.folder}")
    if not record.complete:
        _lost(logs, record)
    if splats:
        raise KernelSplat(
            f"kernel splat, {splats[0].kind}: {splats[0].rule.why}\n"
            f"  {len(splats)} console lines, the first: {splats[0].line}\n  {logs.folder / CONSOLE}"
        )
    _check_size(logs.folder / CONSOLE, logs.console_bytes)
    if reason := record.meta.get("untested"):
        raise Untested(f"{reason}: the workload tests nothing here\n  {logs.folder / RESULTS}")
    if lack := _lack(record, found, logs.console):
        raise BadRecord(f"{lack}\n  {logs.folder}")
    ran = logs.ran if not wanted.exact else None
    host = ran.host if ran else {}
    return Boot(
        wanted.machine,
        wanted.series,
        wanted.seed,
        record,
        overload=find_overload(host),
        again=int(host.get(_AGAIN, 0)),
        worker=ran.worker if ran else "",
    )


def _other_command_line(console: str, wanted: Wanted) -> str:
    """Return the command line that a kernel told, if it is none of this boot; else empty."""
    told = _COMMAND_LINE.search(console)
    # A long one is cut, or goes on in a second line.
    if not told or not wanted.command_line or wanted.command_line.startswith(told[1]):
        return ""
    return _shown(told[1])


def _check_size(path: Path, read_bytes: int) -> None:
    if read_bytes > MOST_LOG_BYTES:
        raise LostGuest(
            f"{path} has more than {MOST_LOG_BYTES >> 20} MiB, and the rest is not read\n"
            "  writing that much is all that would be measured"
        )


def _lack(record: Record, release: str | None, console: str) -> str:
    """Return what a complete log is missing to be believed; empty if nothing."""
    if release is None:
        return "the guest did not report which kernel it runs"
    if not console:
        return f"{CONSOLE} is missing or empty, so what the kernel warned of is unknown"
    if not record.metrics:
        return "the guest measured nothing"
    if absent := records.missing(record):
        return f"no sample of {', '.join(absent)}"
    return ""


def _lost(logs: _Logs, record: Record) -> NoReturn:
    lines, ran = logs.console.splitlines(), logs.ran
    panic = next((line for line in lines if "Kernel panic" in line), None)
    if panic:
        how = f"the guest panicked: {panic}"
    elif ran and ran.ended_by_host:
        raise HostOverloaded(
            f"the guest did not finish, through no fault of its own: "
            f"{ran.ended_by_host}\n  {logs.folder}"
        )
    elif ran and ran.timed_out:
        # No clock can tell a slow host from a hung guest, unless the host was free.
        if overload := find_overload(ran.host):
            raise HostOverloaded(
                f"the guest did not finish in {ran.seconds:.0f} s, while {overload}\n"
                f"  boot it again on an idle host  {logs.folder}"
            )
        how = "the guest did not finish before its deadline"
    else:
        how = "the guest ended without `end ok`"
        how += f"\n  QEMU: {_shown(ran.said)}" if ran and ran.said else ""
    tail = "\n".join(f"    {line}" for line in lines[-_TAIL_LINES:])
    raise LostGuest(
        f"{how}\n  last record: {_shown(record.last_line[:_SHOWN_CHARS]) or 'none'}\n"
        f"  console, last lines of {logs.folder / CONSOLE}:\n{tail or '    (empty)'}"
    )


def _ran(folder: Path) -> Ran | None:
    try:
        return adapter(Ran).validate_json((folder / HOST_NOTE).read_bytes())
    except (OSError, ValueError):
        return None


def _shown(text: str) -> str:
    """Return a guest's text without control characters: it ends up on a terminal."""
    return re.sub(r"[^\n\t\x20-\x7e\xa0-\uffff]", "?", text)
