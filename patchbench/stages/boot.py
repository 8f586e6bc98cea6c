# SPDX-License-Identifier: GPL-2.0-only
"""Stage 5: an Arm and a seed in, a Boot out.

A boot leaves two logs and a note on how it went on the host; `read` judges those three files
and nothing else, so a report made later from a run's folder says what the bench said.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import NoReturn, Protocol

from patchbench import records
from patchbench.catalog import SplatPolicy
from patchbench.errors import (
    BadRecord,
    BootFailed,
    HostOverloaded,
    KernelSplat,
    LostGuest,
    Untested,
    WrongKernel,
)
from patchbench.model import Arm, Boot, Json, Machine, Platform, Record, Workload
from patchbench.store import write_whole
from patchbench.tools.qemu import CONSOLE, RESULTS, Ran, command

HOST_NOTE = "host.json"
NOT_BOOTED = "it was not booted"
_TAIL_LINES = 12
#: Beyond these another load had its share of the host. A boot with as many vCPUs as the host has
#: cores, alone on it, makes its own helper threads wait for a quarter of the time.
_MAX_STEAL_PCT = 5.0
_MAX_WAITED_PCT = 40.0


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
        """End every boot that is under way, and start no more."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which boot a folder's logs are meant to be of; nothing on the host can touch an exact one."""

    machine: str
    series: str
    release: str
    seed: int
    exact: bool


def wanted(arm: Arm, seed: int) -> Wanted:
    """Return what the logs of an arm's boot must be of."""
    return Wanted(arm.machine.name, arm.image.series, arm.image.release, seed, arm.machine.exact)


def run(hypervisor: CanBoot, arm: Arm, seed: int, out: Path) -> Ran:
    """Boot an arm once; `read` then says what came of it."""
    ran = hypervisor.run(
        arm.machine,
        arm.workload,
        image=arm.image.path,
        initrd=arm.guest.path,
        seed=seed,
        out=out,
        platform=arm.platform,
    )
    write_whole(out / HOST_NOTE, json.dumps(asdict(ran)) + "\n")
    return ran


def came_to_its_end(folder: Path) -> bool:
    """Return whether a boot in this folder was seen to end; what it is worth, `read` says."""
    return (folder / HOST_NOTE).is_file()


def ingredients(arm: Arm, seed: int) -> dict[str, Json]:
    """Return everything that decides what an exact boot prints, the command line included."""
    line: list[Json] = [*command(arm.machine, arm.workload, seed)]
    return {**arm.conditions(), "command": line, "seed": seed}


def read(folder: Path, wanted: Wanted, policy: SplatPolicy) -> Boot:
    """Return the boot whose logs are in `folder`.

    Raises LostGuest, HostOverloaded, WrongKernel, BadRecord, KernelSplat or Untested when it has
    no samples that can be used.
    """
    results, console = _text(folder / RESULTS), read_console(folder)
    if not (folder / RESULTS).exists():
        raise LostGuest(f"{NOT_BOOTED}: there is no {folder / RESULTS}")
    try:
        record = records.parse(results)
    except BadRecord as err:
        raise BadRecord(f"{err}\n  {folder / RESULTS}") from err

    found = record.meta.get("release")
    if found is not None and found != wanted.release:
        raise WrongKernel(f"the guest runs {found}, its image is {wanted.release}\n  {folder}")
    splats = find_splats(console, policy)
    if not record.complete:
        _lost(folder, record, console, exact=wanted.exact)
    if splats:
        raise KernelSplat(
            f"the kernel complained, {len(splats)} lines of it\n  {splats[0]}\n  {folder / CONSOLE}"
        )
    if reason := record.meta.get("untested"):
        raise Untested(f"{reason}: the workload tests nothing here\n  {folder / RESULTS}")
    if lack := _lack(record, found, console):
        raise BadRecord(f"{lack}\n  {folder}")
    ran = _ran(folder)
    overload = find_overload(ran.host) if ran and not wanted.exact else ""
    return Boot(wanted.machine, wanted.series, wanted.seed, record, overload=overload)


def read_or_count(folder: Path, wanted: Wanted, policy: SplatPolicy) -> Boot:
    """Return the boot as `read` does, or, where that fails, one that carries the failure."""
    try:
        return read(folder, wanted, policy)
    except BootFailed as err:
        splats = find_splats(read_console(folder), policy)
        nothing = Record(complete=False, metrics=(), samples=(), meta={}, last_line="")
        told = Boot(
            wanted.machine, wanted.series, wanted.seed, nothing, str(err), err.exit_code, splats
        )
        return replace(told, untested=str(err)) if isinstance(err, Untested) else told


def read_console(folder: Path) -> str:
    """Return a boot's console without control characters; empty if there is none."""
    return _shown(_text(folder / CONSOLE).replace("\r\n", "\n"))  # as a serial line ends


def find_splats(console: str, policy: SplatPolicy) -> tuple[str, ...]:
    """Return the console lines that the policy calls splats."""
    return tuple(line for line in console.splitlines() if kind_of_splat(line, policy))


def kind_of_splat(line: str, policy: SplatPolicy) -> str:
    """Return the kind of complaint that a console line is; empty if it is none.

    A rule whose pattern has a group `what` tells complaints of its kind apart by it.
    """
    if any(re.search(rule.pattern, line) for rule in policy.allow):
        return ""
    for rule in policy.deny:
        if found := re.search(rule.pattern, line):
            what = found.groupdict().get("what")
            return f"{rule.kind}: {what}" if what else rule.kind
    return ""


def find_overload(host: Mapping[str, float]) -> str:
    """Return what kept a boot from having the host to itself; empty if nothing is known to."""
    told = []
    if (stolen := host.get("steal_pct", 0.0)) > _MAX_STEAL_PCT:
        told.append(f"{stolen:.0f} % of the CPU time was stolen by other guests of its host")
    if (waited := host.get("waited_pct", 0.0)) > _MAX_WAITED_PCT:
        told.append(f"tasks waited for a CPU during {waited:.0f} % of it")
    return " and ".join(told)


def _lack(record: Record, release: str | None, console: str) -> str:
    """Return what a complete log lacks to be believed; empty when it lacks nothing."""
    if release is None:
        return "the guest did not say which kernel it runs"
    if not console:
        return f"{CONSOLE} is missing or empty, so nobody knows what the kernel complained of"
    if not record.metrics:
        return "the guest measured nothing"
    if absent := records.missing(record):
        return f"no sample of {', '.join(absent)}"
    return ""


def _lost(folder: Path, record: Record, console: str, *, exact: bool) -> NoReturn:
    lines, ran = console.splitlines(), _ran(folder)
    panic = next((line for line in lines if "Kernel panic" in line), None)
    if panic:
        how = f"the guest panicked: {panic}"
    elif ran and ran.timed_out:
        # A virtual clock tells a slow host from a guest that hangs only on a host that is free.
        if exact and (overload := find_overload(ran.host)):
            raise HostOverloaded(
                f"the guest did not finish in {ran.seconds:.0f} s, while {overload}\n"
                f"  boot it again when the host has little else to do  {folder}"
            )
        how = "the guest did not finish before its deadline"
    else:
        how = "the guest ended without saying `end ok`"
        how += f"\n  QEMU: {_shown(ran.said)}" if ran and ran.said else ""
    tail = "\n".join(f"    {line}" for line in lines[-_TAIL_LINES:])
    raise LostGuest(
        f"{how}\n  last record: {_shown(record.last_line) or 'none'}\n"
        f"  console, last lines of {folder / CONSOLE}:\n{tail or '    (empty)'}"
    )


def _ran(folder: Path) -> Ran | None:
    try:
        return Ran(**json.loads((folder / HOST_NOTE).read_text()))
    except (OSError, ValueError, TypeError):
        return None


def _text(path: Path) -> str:
    return path.read_bytes().decode(errors="replace") if path.is_file() else ""


def _shown(text: str) -> str:
    """Return what a guest said without control characters: it ends up on a terminal."""
    return re.sub(r"[^\n\t\x20-\x7e\xa0-\uffff]", "?", text)
