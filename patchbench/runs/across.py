# SPDX-License-Identifier: GPL-2.0-only
"""Arms of two stored runs as one comparison, if they differ in the image alone. Pure.

An exact boot depends on its arm and seed only, so it does not matter in which run it was made. A
boot on a noisy machine belongs to the hour of its run: only arms that alternated can be compared.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace

from patchbench.errors import BadInput, NotComparable
from patchbench.model import ArmNote, Boot, Json, Machine, Plan

_TOOLS = ("toolchain", "gcc", "binutils", "qemu")


def arm(plan: Plan, series: str) -> ArmNote:
    """Return the arm of a series, or the test arm for an empty name; BadInput if there is none."""
    arms = {one.series: one for one in plan.arms}
    if series and series not in arms:
        raise BadInput(f"run {plan.run} has no arm {series!r}\n  its arms: {', '.join(arms)}")
    return arms[series or plan.test.series]


def conditions(plan: Plan, machine: Machine) -> dict[str, Json]:
    """Return what must be alike, besides the kernel, for two numbers to be of one history."""
    return {
        f"machine {machine.name}": machine.conditions(),
        "workload": {
            "name": plan.workload.name,
            "program": plan.workload.program,
            **plan.workload.parameters,
        },
        "guest": plan.guest,
        "flavour": plan.flavour,
        **{name: plan.toolchain.get(name, "unknown") for name in _TOOLS},
    }


def join(base: tuple[Plan, ArmNote], test: tuple[Plan, ArmNote], machines: Sequence[str]) -> Plan:
    """Return the plan that a bench of these arms would have had.

    Raises NotComparable, which names every difference, unless only the image differs;
    BadInput if a run knows no such machine.
    """
    (plan, ours), (other, theirs) = base, test
    if (plan.run, ours.series) == (other.run, theirs.series):
        raise BadInput(f"{plan.run}:{ours.series} against itself compares nothing")
    shared = [_shared(plan, other, name) for name in machines]
    if ours.series == theirs.series:
        ours, theirs = (
            replace(one, series=label(one, where)) for one, where in ((ours, plan), (theirs, other))
        )
    return replace(
        other,
        run=f"{plan.run}..{other.run}",
        command=f"./bootstrap compare {plan.run}:{base[1].series} {other.run}:{test[1].series}"
        f" --machine {','.join(machines)}",
        base=ours,
        test=theirs,
        others=(),
        machines=tuple(shared),
        seeds={machine.name: plan.seeds[machine.name] for machine in shared},
    )


def label(one: ArmNote, plan: Plan) -> str:
    """Return an arm's name where another arm has the same series: v0@20261123T114500."""
    return f"{one.series}@{plan.run.partition('-')[0]}"


def boots(read: Sequence[Boot], series: str, name: str, plan: Plan) -> Iterator[Boot]:
    """Give one arm's boots on the joined plan's machines, under the name it has there."""
    machines = {machine.name for machine in plan.machines}
    return (
        replace(boot, series=name)
        for boot in read
        if boot.series == series and boot.machine in machines
    )


def _shared(plan: Plan, other: Plan, name: str) -> Machine:
    """Return a machine that both runs had, if their boots on it may be compared."""
    one, two = _machine(plan, name), _machine(other, name)
    if plan.run != other.run and not (one.exact and two.exact):
        raise NotComparable(
            f"machine {name} is noisy and the arms did not alternate: the host was in another "
            "state for each\n  bench both series in one run, or compare on an exact machine"
        )
    ours, theirs = _all_conditions(plan, one), _all_conditions(other, two)
    if different := [*_differences("", ours, theirs)]:
        listed = "\n  ".join(different)
        raise NotComparable(f"{plan.run} and {other.run} differ in\n  {listed}")
    return two


def _machine(plan: Plan, name: str) -> Machine:
    machines = {machine.name: machine for machine in plan.machines}
    if name not in machines:
        listed = ", ".join(machines)
        raise BadInput(f"run {plan.run} was not made on machine {name!r}\n  but on: {listed}")
    return machines[name]


def _all_conditions(plan: Plan, machine: Machine) -> dict[str, Json]:
    return {
        **conditions(plan, machine),
        "kernel": f"{plan.version} ({plan.provenance})",
        f"seeds on {machine.name}": [*plan.seeds[machine.name]],
    }


def _differences(of: str, ours: Json, theirs: Json) -> Iterator[str]:
    if isinstance(ours, dict) and isinstance(theirs, dict):
        for key in sorted(ours.keys() | theirs.keys()):
            yield from _differences(f"{of} {key}".strip(), ours.get(key), theirs.get(key))
    elif ours != theirs:
        yield f"{of}: {ours} against {theirs}"
