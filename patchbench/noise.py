# SPDX-License-Identifier: GPL-2.0-only
"""The noise floor: how far apart comparisons of equal kernels come out.

`calibrate` boots kernels that do the same work. Their boots are drawn into comparisons here;
what 95 % of those stay within is a metric's floor. It is worked out once, kept in
docs/calibration.json, and read from there by every report.
"""

import functools
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from pydantic import ValidationError

from patchbench import stats
from patchbench.catalog import adapter
from patchbench.errors import BadInput

DATA = Path("docs/calibration.json")

#: What one arm measured: by metric, by seed.
Values = Mapping[str, Mapping[int, float]]


@dataclass(frozen=True, slots=True)
class Floor:
    """The change in per cent that 95 % of comparisons of equal kernels stay within."""

    workload: str
    machine: str
    metric: str
    floor_pct: float


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


@dataclass(frozen=True, slots=True)
class _Stored:
    """What is read here of docs/calibration.json."""

    floors: tuple[Floor, ...]


def floors(root: Path, workload: str) -> dict[tuple[str, str], float]:
    """Return a workload's floors in per cent, by machine and metric; none if never calibrated.

    Raises BadInput for a docs/calibration.json that this version cannot read.
    """
    path = root / DATA
    if not path.is_file():
        return {}
    try:
        stored = adapter(_Stored).validate_json(path.read_bytes())
    except ValidationError as err:
        raise BadInput(
            f"{path} is not a calibration that this version reads; `invoke calibrate`"
        ) from err
    return {
        (one.machine, one.metric): one.floor_pct
        for one in stored.floors
        if one.workload == workload
    }


def draw_kernels(
    bases: Sequence[Values], tests: Sequence[Values], trials: int, order: int
) -> list[Drawn]:
    """Return comparisons of one kernel with another, each of all their boots.

    For exact machines: what differs between two equal kernels is where their code lies, and
    that stays the same in all boots of a comparison, as between a revision and its base.
    """
    draw = random.Random(order)
    pairs = [Arms(base, test) for base in bases for test in tests if base is not test]
    return [Drawn(draw.choice(pairs), _shuffled(bases[0], draw)) for _ in range(trials)]


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


def floor_pct(drawn: Sequence[Drawn], metric: str) -> float:
    """Return the change in per cent that 95 % of these comparisons stay within."""
    size = functools.cache(lambda arms: abs(change_pct(arms.base[metric], arms.test[metric])))
    return float(np.quantile([size(one.arms) for one in drawn], 0.95))


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
