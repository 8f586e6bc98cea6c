# SPDX-License-Identifier: GPL-2.0-only
"""CPU time of profiles, split into work and waiting, and by CPU. Pure.

Waiting is what a CPU does in a lock's slow path, and every WFE and YIELD, which spinning code
executes. It counts for the innermost function that is no lock's. Instructions of a slow path are
sampled like all others; how long a WFE or YIELD takes is exact. Who sleeps for a mutex or a folio's
lock uses no CPU, and is not here.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from patchbench.profile.counts import Profile
from patchbench.profile.sorting import OTHER, Profiles, ProfileTable

_LEAST_SHARE = 0.01


@dataclass(frozen=True, slots=True)
class Spent:
    """CPU time in ns: all of it, and the part that was waiting, by the function that waits."""

    total_ns: float
    waited_ns: Mapping[str, float]

    @property
    def waiting_ns(self) -> float:
        """Return how much of it was waiting."""
        return sum(self.waited_ns.values())

    @property
    def waiting_share(self) -> float:
        """Return which share of it was waiting; 0 of nothing."""
        return self.waiting_ns / self.total_ns if self.total_ns else 0.0


def spent(profiles: Profiles, arm: Profile, below: str = "", cpus: Sequence[int] = ()) -> Spent:
    """Return the CPU time below a function, or all of it; on some CPUs, or on all."""
    waited: defaultdict[str, float] = defaultdict(float)
    total = 0.0
    for cpu in cpus or range(len(arm.cpus)):
        on, per_sample_ns = arm.cpus[cpu], profiles.ns_per_sample(arm, cpu)
        for stack, samples in on.stacks.items():
            if below and below not in stack:
                continue
            total += samples * per_sample_ns
            if stack[-1] in profiles.map.waiting:
                waited[_waiter(profiles, stack)] += samples * per_sample_ns
        for stack, ns in on.waited_ns.items():
            if not below or below in stack:
                total += ns
                waited[_waiter(profiles, stack)] += ns
    return Spent(total, waited)


def _waiter(profiles: Profiles, stack: tuple[str, ...]) -> str:
    return next((one for one in reversed(stack) if not profiles.is_lock(one)), OTHER)


def by_waiter(profiles: Profiles) -> ProfileTable:
    """Return what the map's top function, and everything, spent on work and on each wait."""
    top, found = profiles.map.top, []
    for where, below in ((f"{top} and below", top), ("all that ran", "")):
        each = [spent(profiles, arm, below) for arm in profiles.arms]
        found.append(_row(where, [one.total_ns for one in each], each))
        found.append(_row("  work", [one.total_ns - one.waiting_ns for one in each], each))
        found.append(_row("  waiting", [one.waiting_ns for one in each], each))
        names = {name for one in each for name in one.waited_ns if _is_shown(one, name)}
        for name in sorted(names, key=lambda name: (-_most(each, name), name)):
            own = [one.waited_ns.get(name, 0.0) for one in each]
            found.append(_row(f"    in {name}", own, each))
    return ProfileTable(
        "Lock wait or work? CPU time by the function that waits (WFE, YIELD: exact; instructions: "
        "sampled)",
        ("CPU time", *profiles.headings("ms", "share")),
        tuple(found),
    )


def _is_shown(one: Spent, name: str) -> bool:
    return one.waited_ns[name] >= _LEAST_SHARE * one.total_ns


def _most(each: Sequence[Spent], name: str) -> float:
    return max(one.waited_ns.get(name, 0.0) for one in each)


def _row(name: str, own_ns: Sequence[float], each: Sequence[Spent]) -> tuple[str, ...]:
    cells: list[str] = []
    for ns, one in zip(own_ns, each, strict=True):
        cells += [f"{ns / 1e6:.2f}", f"{ns / one.total_ns:.1%}" if one.total_ns else "-"]
    changes = [f"{(ns - own_ns[0]) / 1e6:+.2f} ms" for ns in own_ns[1:]]
    return (name, *cells, *changes)


def by_cpu(profiles: Profiles) -> ProfileTable:
    """Return a row for each CPU: its instructions, their time, its waiting, what was the top's."""
    found = []
    for cpu, ns in enumerate(profiles.ns_per_instruction):
        row: list[str] = [f"CPU {cpu}, {ns:g} ns"]
        busy_ms: list[float] = []
        for arm in profiles.arms:
            own = sum(arm.cpus[cpu].instructions.values())
            waited_ms = sum(arm.cpus[cpu].waited_ns.values()) / 1e6
            top_ms = spent(profiles, arm, profiles.map.top, [cpu]).total_ns / 1e6
            busy_ms.append(own * ns / 1e6 + waited_ms)
            row += [f"{own:,}", f"{busy_ms[-1]:.2f}", f"{waited_ms:.2f}", f"{top_ms:.2f}"]
        found.append((*row, *(f"{one - busy_ms[0]:+.2f} ms" for one in busy_ms[1:])))
    top = profiles.map.top
    return ProfileTable(
        f"By CPU, and the time of an instruction there (exact; below {top}: sampled)",
        ("CPU", *profiles.headings("own", "busy ms", "waits in WFE ms", f"{top} ms")),
        tuple(found),
    )


def across(machines: Sequence[Profiles]) -> ProfileTable:
    """Return a row for each machine: what the top function's time is, and who waits most."""
    first = machines[0]
    found = []
    for profiles in machines:
        row = [profiles.machine, str(len(profiles.ns_per_instruction))]
        for arm in profiles.arms:
            one = spent(profiles, arm, first.map.top)
            waits = sorted(one.waited_ns, key=lambda name: (-one.waited_ns[name], name))
            row += [f"{one.total_ns / 1e6:.2f}", f"{1 - one.waiting_share:.1%}"]
            row += [f"{one.waiting_share:.1%}", ", ".join(waits[:2]) or "-"]
        found.append(tuple(row))
    columns = (f"{first.map.top} ms", "work", "waiting", "mostly in")
    headings = (f"{arm.series} {one}" for arm in first.arms for one in columns)
    title = f"Lock wait or work? Shares of {first.map.top} by machine"
    return ProfileTable(title, ("machine", "CPUs", *headings), tuple(found))


def rows(profiles: Profiles) -> list[tuple[str, int, str, int]]:
    """Return series, CPU, the function that waits, and its ns, for every one of them."""
    return [
        (arm.series, cpu, name, round(ns))
        for arm in profiles.arms
        for cpu in range(len(arm.cpus))
        for name, ns in sorted(spent(profiles, arm, "", [cpu]).waited_ns.items())
    ]
