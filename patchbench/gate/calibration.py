# SPDX-License-Identifier: GPL-2.0-only
"""A calibration: what kernels of equal work and slower ones measured, and what that says."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean

from patchbench import noise
from patchbench.gate import alarms
from patchbench.gate import policy as policies
from patchbench.gate.alarms import Rate
from patchbench.gate.limits import Policy
from patchbench.model import Metric
from patchbench.noise import Arms, Drawn, Floors, Values

GATE = "this gate"
#: What shows best how much slower a kernel was made: all work, whoever does it.
COST = "cpu_ns"
_ORDER = 1  # of the draws; fixed, so the same boots always say the same
#: From which share of comparisons on a slow-down counts as found.
POWER = 0.8
#: For comparisons of how many pairs floors are worked out, besides the looks; fewer give none.
_PAIRS = (4, 6, 8, 12)


@dataclass(frozen=True, slots=True)
class Means:
    """By what a cell was measured."""

    version: str  # of the kernel
    toolchain: str
    qemu: str
    host: Mapping[str, str]
    trials: int
    command: str  # that repeats it


@dataclass(frozen=True, slots=True)
class CalibrationCell:
    """What kernels measured with one workload on one machine, and the limits that judge it.

    same: kernels of equal work, by name. slower: by their extra instructions per freed entry.
    again: the first of `same`, booted a second time (exact machines).
    floors: worked out from the boots by `save`.
    """

    means: Means
    policy: Policy
    exact: bool
    metrics: tuple[Metric, ...]
    same: Mapping[str, Values]
    slower: Mapping[int, Values]
    again: Values
    floors: Floors

    @property
    def place(self) -> str:
        """Return where it was measured, in words."""
        return f"{self.floors.conditions.workload} on {self.floors.conditions.machine}"

    @property
    def plot_name(self) -> str:
        """Return the name of the file with its power plot."""
        return f"calibration-{self.place.replace(' on ', '-')}.svg"


@dataclass(frozen=True, slots=True)
class Calibration:
    """All that calibrations measured, each cell when it was last asked for."""

    cells: tuple[CalibrationCell, ...]
    schema: int = 3


@dataclass(frozen=True, slots=True)
class Findings:
    """What the boots of one machine say.

    differing: of the `twice` boots that were repeated, those in which any metric differs.
    floors: per cent that 95 % of comparisons of equal kernels stay within, by metric and by how
    many pairs they have.
    false_alarms: by rule. power: share of comparisons that find a slow-down, by rule and size.
    slower_pct: what a slow-down of a size costs, by metric, compared with the unpatched kernel.
    """

    error_rate: float  # as the policy states it
    boots: int
    twice: int
    differing: int
    floors: Mapping[str, Mapping[int, float]]
    false_alarms: Mapping[str, Rate]
    power: Mapping[str, Mapping[int, float]]
    slower_pct: Mapping[int, Mapping[str, float]]

    def detectable(self, rule: str) -> int | None:
        """Return the smallest size from which a rule has 80 % power, or None."""
        found = None
        for size in sorted(self.power[rule], reverse=True):
            if self.power[rule][size] < POWER:
                break
            found = size
        return found

    def finds(self, rule: str) -> str:
        """Return the smallest slow-down that a rule finds with 80 % power, as text."""
        size = self.detectable(rule)
        return "none of these" if size is None else f"{self.slower_pct[size][COST]:.2g} %"


def judge(calibrated: Calibration) -> dict[str, Findings]:
    """Return what a calibration says, by where it was measured."""
    return {cell.place: _judge(cell) for cell in calibrated.cells}


def out_of_bounds(findings: Mapping[str, Findings]) -> list[str]:
    """Return where the gate is not what it claims to be: too many false alarms, or not exact."""
    wrong = []
    for name, found in findings.items():
        false, promised = found.false_alarms[GATE], found.error_rate
        if false.low > promised:
            wrong.append(
                f"{name}: {false.came} false alarms in {false.trials} comparisons, 95 % interval "
                f"from {false.low:.1%}; at most {promised:.1%} is promised"
            )
        if found.differing:
            wrong.append(f"{name}: {found.differing} of {found.twice} boots differed when repeated")
    return wrong


def _judge(cell: CalibrationCell) -> Findings:
    trials, policy, metrics = (
        cell.means.trials,
        cell.policy,
        {metric.name: metric for metric in cell.metrics},
    )
    limited = list(dict.fromkeys(limit.quantity for limit in policies.bounded(policy)))
    equal = _equal(cell)
    power: dict[str, dict[int, float]] = {rule: {} for rule in (GATE, *alarms.RULES)}
    for size, slow in cell.slower.items():
        drawn = noise.draw_kernels([*cell.same.values()], [slow], trials, _ORDER)
        fails = [alarms.gate_fails(policy, metrics, one) for one in drawn]
        power[GATE][size] = fmean(fails)
        for name, rule in alarms.RULES.items():
            power[name][size] = fmean(alarms.rule_fails(rule, limited, drawn))
    false = {GATE: [alarms.gate_fails(policy, metrics, one) for one in equal]}
    for name, rule in alarms.RULES.items():
        false[name] = alarms.rule_fails(rule, limited, equal)
    first = next(iter(cell.same.values()))
    twice = {seed for by_seed in cell.again.values() for seed in by_seed}
    return Findings(
        error_rate=policy.error_rate,
        boots=sum(len(next(iter(one.values()))) for one in _all(cell)),
        twice=len(twice),
        differing=sum(
            any(cell.again[name][seed] != first[name][seed] for name in cell.again)
            for seed in twice
        ),
        floors=_floors(cell, equal),
        false_alarms={
            name: _rate_of_pairs(equal, those) if cell.exact else alarms.rate(sum(those), trials)
            for name, those in false.items()
        },
        power=power,
        slower_pct={
            size: {name: noise.change_pct(first[name], slow[name]) for name in metrics}
            for size, slow in cell.slower.items()
        },
    )


def _rate_of_pairs(drawn: Sequence[Drawn], alarmed: Sequence[bool]) -> Rate:
    """Return in how many pairs of kernels a rule alarms: their boots are the same in all draws.

    A pair of which it stops a share, by the order of the seeds, counts by that share.
    """
    by_pair: dict[Arms, list[bool]] = {}
    for one, alarm in zip(drawn, alarmed, strict=True):
        by_pair.setdefault(one.arms, []).append(alarm)
    return alarms.rate(round(sum(map(fmean, by_pair.values()))), len(by_pair))


def _all(cell: CalibrationCell) -> list[Values]:
    return [*cell.same.values(), *cell.slower.values(), *([cell.again] if cell.again else [])]


def _floors(cell: CalibrationCell, equal: Sequence[Drawn]) -> dict[str, dict[int, float]]:
    most = len(next(iter(next(iter(cell.same.values())).values())))  # seeds
    counts = sorted({*(some for some in _PAIRS if some < most), *cell.policy.looks, most})
    return {
        metric.name: {pairs: noise.floor_pct(equal, metric.name, pairs) for pairs in counts}
        for metric in cell.metrics
    }


def _equal(cell: CalibrationCell) -> list[Drawn]:
    arms, trials = [*cell.same.values()], cell.means.trials
    if cell.exact:
        return noise.draw_kernels(arms, arms, trials, _ORDER)
    return noise.draw_blocks(arms[0], arms[1], trials, _ORDER)
