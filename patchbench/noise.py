# SPDX-License-Identifier: GPL-2.0-only
"""The noise floor: how far apart comparisons of equal kernels come out.

`calibrate` boots kernels that do the same work. Their boots are drawn into comparisons here;
what 95 % of those stay within is a metric's floor. It is worked out once, kept in
docs/calibration.json, and read from there by every report.
"""

import functools
import itertools
import json
import random
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
from pydantic import JsonValue, ValidationError

from patchbench import stats
from patchbench.catalog import adapter
from patchbench.errors import BadInput
from patchbench.model import Machine, Plan, Workload

DATA = Path("docs/calibration.json")

#: What one arm measured: by metric, by seed.
Values = Mapping[str, Mapping[int, float]]


@dataclass(frozen=True, slots=True)
class Conditions:
    """What floors were measured on, and so hold for; a later release of the kernel is the same.

    parameters: of the workload's program. fields: of the machine, those that decide what a boot
    prints. guest: the key of the initrd.
    """

    kernel: str
    flavour: str
    workload: str
    parameters: Mapping[str, int]
    machine: str
    fields: JsonValue
    guest: str

    @classmethod
    def of(
        cls, kernel: str, flavour: str, workload: Workload, machine: Machine, guest: str
    ) -> Self:
        """Return the conditions of boots of this workload on this machine."""
        fields = json.loads(json.dumps(machine.conditions()))  # as they are read back
        parameters = dict(workload.parameters)
        return cls(kernel, flavour, workload.name, parameters, machine.name, fields, guest)


@dataclass(frozen=True, slots=True)
class Floors:
    """The changes in per cent that 95 % of comparisons of equal kernels stay within.

    pct: by metric, by how many pairs of boots a comparison has.
    """

    conditions: Conditions
    pct: Mapping[str, Mapping[int, float]]

    def floor_pct(self, metric: str, pairs: int) -> float | None:
        """Return a metric's floor for the most calibrated pairs that are no more than these.

        None if it was not calibrated, or with more pairs only: fewer leave more noise.
        """
        by_pairs = self.pct.get(metric, {})
        fewer = [some for some in by_pairs if some <= pairs]
        return by_pairs[max(fewer)] if fewer else None


@dataclass(frozen=True, slots=True)
class _Cell:
    floors: Floors


@dataclass(frozen=True, slots=True)
class _Stored:
    """What is read here of docs/calibration.json."""

    cells: tuple[_Cell, ...]


def stored(root: Path) -> tuple[Floors, ...]:
    """Return all floors of docs/calibration.json; none if nothing was calibrated.

    Raises BadInput for a file that this version cannot read.
    """
    path = root / DATA
    if not path.is_file():
        return ()
    try:
        read = adapter(_Stored).validate_json(path.read_bytes())
    except ValidationError as err:
        raise BadInput(
            f"{path} is not a calibration that this version reads; `invoke calibrate`"
        ) from err
    return tuple(cell.floors for cell in read.cells)


def floors(root: Path, plan: Plan) -> dict[str, Floors]:
    """Return what was calibrated under the conditions of a run, by machine.

    Raises BadInput as `stored` does.
    """
    wanted = [
        Conditions.of(plan.kernel, plan.flavour, plan.workload, machine, plan.guest)
        for machine in plan.machines
    ]
    return {one.conditions.machine: one for one in stored(root) if one.conditions in wanted}


@dataclass(frozen=True, slots=True, eq=False)
class Arms:
    """Two arms to compare. Drawn again, they are the same object: work on them can be cached."""

    base: Values
    test: Values


@dataclass(frozen=True, slots=True)
class Drawn:
    """One comparison to judge: two arms, and their seeds in the order in which they are booted."""

    arms: Arms
    seeds: tuple[int, ...]


def draw_kernels(
    bases: Sequence[Values], tests: Sequence[Values], trials: int, order: int
) -> list[Drawn]:
    """Return comparisons of one kernel with another, each of all their boots.

    For exact machines: what differs between two equal kernels is where their code lies, and
    that stays the same in all boots of a comparison, as between a revision and its base.
    """
    draw = random.Random(order)
    pairs = [Arms(base, test) for base in bases for test in tests if base is not test]
    each = itertools.islice(itertools.cycle(pairs), trials)
    return [Drawn(arms, _shuffled(bases[0], draw)) for arms in each]


def draw_blocks(one: Values, other: Values, trials: int, order: int) -> list[Drawn]:
    """Return comparisons in which each block's two boots of one kernel swap arms at random.

    For noisy machines, and for two arms of the same kernel only: boots of different kernels
    cannot be swapped.
    """
    draw = random.Random(order)
    drawn = []
    for _ in range(trials):
        swapped = {seed for seed in _seeds(one) if draw.random() < 0.5}
        arms = Arms(_swap(one, other, swapped), _swap(other, one, swapped))
        drawn.append(Drawn(arms, _shuffled(one, draw)))
    return drawn


def floor_pct(drawn: Sequence[Drawn], metric: str, pairs: int) -> float:
    """Return the change in per cent that 95 % of these comparisons stay within.

    pairs: how many pairs of boots each comparison takes, the first of its seeds.
    """
    cached = functools.cache(lambda arms, seeds: _change_pct(arms, metric, seeds))
    firsts = [(one.arms, frozenset(one.seeds[:pairs])) for one in drawn]
    return float(np.quantile([abs(cached(*one)) for one in firsts], 0.95))


def _change_pct(arms: Arms, metric: str, seeds: AbstractSet[int]) -> float:
    base, test = arms.base[metric], arms.test[metric]
    return change_pct({seed: base[seed] for seed in seeds}, {seed: test[seed] for seed in seeds})


def change_pct(base: Mapping[int, float], test: Mapping[int, float]) -> float:
    """Return the change in per cent of one metric, by seed; 0 where a base of 0 has no ratio."""
    seeds = sorted(base)
    logs = stats.log_ratios([base[seed] for seed in seeds], [test[seed] for seed in seeds])
    return stats.per_cent(stats.Shift(logs).estimate) if logs else 0.0


def _seeds(values: Values) -> list[int]:
    return sorted(next(iter(values.values())))


def _shuffled(values: Values, draw: random.Random) -> tuple[int, ...]:
    seeds = _seeds(values)
    draw.shuffle(seeds)
    return tuple(seeds)


def _swap(ours: Values, theirs: Values, swapped: set[int]) -> Values:
    return {
        metric: {seed: (theirs if seed in swapped else ours)[metric][seed] for seed in by_seed}
        for metric, by_seed in ours.items()
    }
