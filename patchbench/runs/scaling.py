# SPDX-License-Identifier: GPL-2.0-only
"""How a run's numbers go with one parameter of its workload, over the runs stored beside it.

Runs belong together where both images, guest, machine, tools and program are the same, and all
parameters but one. An image's key covers the kernel, the series and the flavour. On a noisy
machine the host has to be the same as well. Plans are read first, then only the logs of those
runs that make a point: a report has to come quickly, however much is stored.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from patchbench.errors import BadInput, PipelineError
from patchbench.model import Comparison, Json, Machine, Plan, Scale, ScalePoint, Scaling
from patchbench.runs import across, archive, reading
from patchbench.runs import folder as runs


def add(root: Path, compared: Comparison) -> Comparison:
    """Return what a run says with how that scales, over the other runs of results/."""
    if compared.nothing_to_measure:
        return compared
    folders = archive.benches(root / "results")
    plans, broken = [], []
    for name, place in folders.items():
        try:
            plans.append(runs.read_plan(place))
        except BadInput as err:
            if name != compared.plan.run:
                broken.append(_unreadable(name, err))
    found = find(compared, plans, lambda run: reading.comparison(root, folders[run]))
    # A report reads the same wherever the checkout is.
    invalid = tuple(line.replace(f"{root}/", "") for line in (*found.invalid, *broken))
    return replace(compared, scaling=replace(found, invalid=invalid))


def find(compared: Comparison, plans: Iterable[Plan], read: Callable[[str], Comparison]) -> Scaling:
    """Return how a run scales over others, given by their plans.

    read: returns what one of them says, by its name; what it raises makes that run unreadable.
    Where several runs have a point, it is that of the most boots, then of the newest. A run that
    cannot be relied on has no point, the reported one included.
    """
    others = {plan.run: plan for plan in plans} | {compared.plan.run: compared.plan}
    beside = {one: _beside(compared.plan, others.values(), one) for one in compared.plan.machines}
    own = compared.plan.workload.parameters
    names = [name for name in own if any(name in found for found in beside.values())]
    search = _Search(compared, read)
    scales = tuple(
        Scale(name, machine.name, search.points(values | {own[name]: [compared.plan]}, machine))
        for name in names
        for machine, found in beside.items()
        for values in [found.get(name, {})]
    )
    shown = sorted({point.run for scale in scales for point in scale.points})
    return Scaling(
        scales=scales,
        commands={run: others[run].command for run in shown},
        invalid=tuple(f"{run}: {why}" for run, why in sorted(search.unusable.items())),
        repeats=tuple(sorted(search.repeats)),
    )


def parameter(plan: Plan, other: Plan, machine: Machine) -> str:
    """Return the one parameter in which another run on this machine differs, and nothing else.

    Empty if that is not so: if it differs in more, or in none, or was not made on the machine.
    """
    theirs = next((one for one in other.machines if one.name == machine.name), None)
    if theirs is None or _conditions(plan, machine) != _conditions(other, theirs):
        return ""
    ours, others = plan.workload.parameters, other.workload.parameters
    different = [name for name in ours if ours[name] != others.get(name)]
    return different[0] if ours.keys() == others.keys() and len(different) == 1 else ""


_Values = dict[int, list[Plan]]


def _beside(plan: Plan, others: Iterable[Plan], machine: Machine) -> Mapping[str, _Values]:
    """Return the runs that differ from one on a machine, by the parameter and its value."""
    found: dict[str, _Values] = defaultdict(lambda: defaultdict(list))
    for other in others:
        if name := parameter(plan, other, machine):
            found[name][other.workload.parameters[name]].append(other)
    return found


def _conditions(plan: Plan, machine: Machine) -> dict[str, Json]:
    """Return what must be alike for two numbers to be points of one curve, but the parameters."""
    return {
        **across.conditions(plan, machine),
        # Two files with one program are the same workload, if their parameters are.
        "workload": plan.workload.program,
        "images": [plan.base.image, plan.test.image],
        "host": None if machine.exact else dict(plan.host),
    }


@dataclass
class _Search:
    """What was read so far, each run once, and what became of the runs without a point."""

    compared: Comparison
    read: Callable[[str], Comparison]
    good: dict[str, Comparison] = field(default_factory=dict)
    unusable: dict[str, str] = field(default_factory=dict)
    repeats: set[str] = field(default_factory=set)

    def points(self, values: _Values, machine: Machine) -> tuple[ScalePoint, ...]:
        """Return a point for each value that has a run to rely on."""
        points = (self._point(value, values[value], machine) for value in sorted(values))
        return tuple(point for point in points if point)

    def _point(self, value: int, plans: Sequence[Plan], machine: Machine) -> ScalePoint | None:
        best = sorted(plans, key=lambda one: (len(one.seeds[machine.name]), one.run))
        while best:
            run = best.pop().run
            if compared := self._usable(run):
                self.repeats |= {f"{other.run}: {machine.name}, as {run}" for other in best}
                deltas = tuple(one for one in compared.deltas if one.machine == machine.name)
                return ScalePoint(value, run, deltas)
        return None

    def _usable(self, run: str) -> Comparison | None:
        """Return what a run says, unless that must not be relied on."""
        if run not in self.good and run not in self.unusable:
            try:
                compared = self.compared if run == self.compared.plan.run else self.read(run)
            except PipelineError as err:
                self.unusable[run] = _unreadable("", err)
                return None
            if why := "; ".join(compared.invalid) or compared.nothing_to_measure:
                self.unusable[run] = why
            else:
                self.good[run] = compared
        return self.good.get(run)


def _unreadable(run: str, err: PipelineError) -> str:
    why = f"cannot be read: {str(err).splitlines()[0]}"
    return f"{run}: {why}" if run else why
