# SPDX-License-Identifier: GPL-2.0-only
"""A calibration: its boots, what they say about the gate, and how both are stored and shown."""

import io
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import fmean

from pydantic import ValidationError

from patchbench import noise, texts
from patchbench.catalog import adapter
from patchbench.errors import BadInput
from patchbench.gate import alarms
from patchbench.gate import policy as policies
from patchbench.gate.alarms import Rate
from patchbench.gate.limits import Policy
from patchbench.model import Metric
from patchbench.noise import DATA, Drawn, Floor, Values
from patchbench.store import write_whole

TEXT = Path("docs/calibration.md")
GATE = "this gate"
#: What shows best how much slower a kernel was made: all work, whoever does it.
COST = "cpu_ns"
HEADINGS = ("machine", "rule", "false alarms", "95% interval", "finds at 80 %")
_ORDER = 1  # of the draws; fixed, so the same boots always say the same
_POWER = 0.8


@dataclass(frozen=True, slots=True)
class MachineBoots:
    """What kernels measured on one machine, with one workload.

    same: kernels of equal work, by name. slower: by their extra instructions per freed entry.
    again: the first of `same`, booted a second time (exact machines).
    """

    machine: str
    exact: bool
    workload: str
    metrics: tuple[Metric, ...]
    same: Mapping[str, Values]
    slower: Mapping[int, Values]
    again: Values


@dataclass(frozen=True, slots=True)
class Calibration:
    """All that a calibration measured, and on what."""

    kernel: str
    version: str
    commands: Mapping[str, str]  # that repeat it, by machine
    trials: int
    toolchain: str
    qemu: str
    host: Mapping[str, str]
    policies: Mapping[str, Policy]  # by machine
    boots: Mapping[str, MachineBoots]
    floors: tuple[Floor, ...] = ()  # worked out from the boots by `save`
    schema: int = 2


@dataclass(frozen=True, slots=True)
class Findings:
    """What the boots of one machine say.

    differing: of the `twice` boots that were repeated, those in which any metric differs.
    floors: per cent that 95 % of comparisons of equal kernels stay within, by metric.
    false_alarms: by rule. power: share of comparisons that find a slow-down, by rule and size.
    slower_pct: what a slow-down of a size costs, by metric, compared with the unpatched kernel.
    """

    error_rate: float  # as the policy states it
    boots: int
    twice: int
    differing: int
    floors: Mapping[str, float]
    false_alarms: Mapping[str, Rate]
    power: Mapping[str, Mapping[int, float]]
    slower_pct: Mapping[int, Mapping[str, float]]

    def detectable(self, rule: str) -> int | None:
        """Return the smallest size from which a rule has 80 % power, or None."""
        found = None
        for size in sorted(self.power[rule], reverse=True):
            if self.power[rule][size] < _POWER:
                break
            found = size
        return found

    def finds(self, rule: str) -> str:
        """Return the smallest slow-down that a rule finds with 80 % power, as text."""
        size = self.detectable(rule)
        return "none of these" if size is None else f"{self.slower_pct[size][COST]:.2g} %"


def judge(calibrated: Calibration) -> dict[str, Findings]:
    """Return what a calibration says, by machine."""
    return {
        name: _judge(boots, calibrated.policies[name], calibrated.trials)
        for name, boots in calibrated.boots.items()
    }


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


def save(root: Path, new: Calibration) -> dict[str, Findings]:
    """Write docs/calibration.json, its page and its plots, and return what it says.

    Other machines that were calibrated with the same kernel, toolchain and host stay in it.
    """
    with suppress(BadInput):  # of another version: replaced, as its boots cannot be read here
        new = _with_others(load(root), new)
    (root / DATA.parent).mkdir(parents=True, exist_ok=True)
    findings = judge(new)
    floors = [
        Floor(new.boots[name].workload, name, metric, floor)
        for name, found in findings.items()
        for metric, floor in found.floors.items()
    ]
    text = adapter(Calibration).dump_json(replace(new, floors=tuple(floors))).decode()
    write_whole(root / DATA, text + "\n")
    for name, found in findings.items():
        write_whole(root / DATA.parent / _plot_name(name), power_plot(found))
    write_whole(root / TEXT, markdown(new, findings))
    return findings


def _with_others(old: Calibration | None, new: Calibration) -> Calibration:
    same = ("kernel", "version", "toolchain", "qemu", "trials", "schema")
    if old is None or any(getattr(old, name) != getattr(new, name) for name in same):
        return new
    # What the host's own kernel is called decides nothing; which CPUs it has, a noisy machine's
    # times.
    hosts = [{**one.host, "kernel": ""} for one in (old, new)]
    if hosts[0] != hosts[1]:
        return new
    return replace(
        new,
        commands={**old.commands, **new.commands},
        policies={**old.policies, **new.policies},
        boots={**old.boots, **new.boots},
    )


def rows(findings: Mapping[str, Findings]) -> list[tuple[str, ...]]:
    """Return how each rule does on each machine, as text under HEADINGS."""
    return [
        (
            machine,
            rule,
            f"{false.share:.1%}",
            f"[{false.low:.1%}, {false.high:.1%}]",
            found.finds(rule),
        )
        for machine, found in findings.items()
        for rule, false in found.false_alarms.items()
    ]


def load(root: Path) -> Calibration | None:
    """Return docs/calibration.json, or None if nothing was calibrated; BadInput if it is broken."""
    path = root / DATA
    if not path.is_file():
        return None
    try:
        return adapter(Calibration).validate_json(path.read_bytes())
    except ValidationError as err:
        raise BadInput(
            f"{path} is not a calibration of this version; `invoke calibrate` makes one\n  {err}"
        ) from err


def markdown(calibrated: Calibration, findings: Mapping[str, Findings]) -> str:
    """Return docs/calibration.md."""
    return texts.render(
        "calibration.md.j2",
        calibrated=calibrated,
        findings=findings,
        rules=[GATE, *alarms.RULES],
        gate=GATE,
        cost=COST,
        describe=policies.describe,
        plot_name=_plot_name,
        wrong=out_of_bounds(findings),
    )


def power_plot(found: Findings) -> str:
    """Return an SVG of the share of slow-downs that each rule finds, by their size."""
    import matplotlib as mpl
    from matplotlib.figure import Figure

    with mpl.rc_context({"svg.hashsalt": "patchbench", "svg.fonttype": "none", "font.size": 9}):
        figure = Figure(figsize=(7, 3.6), layout="constrained")
        axes = figure.add_subplot()
        for rule, by_size in found.power.items():
            sizes = sorted(by_size)
            style = {"linewidth": 2.5, "marker": "o"} if rule == GATE else {"marker": "."}
            axes.plot([100 * by_size[size] for size in sizes], label=rule, **style)
        axes.axhline(100 * _POWER, color="gray", linewidth=0.5)
        sizes = sorted(found.slower_pct)
        cost = [f"{size}\n{found.slower_pct[size][COST]:+.1f} %" for size in sizes]
        axes.set_xticks(range(len(sizes)), cost)
        axes.set_xlabel(f"extra instructions per freed entry, and their cost in {COST}")
        axes.set_ylabel("found, % of comparisons")
        axes.set_ylim(-3, 103)
        axes.grid(alpha=0.3)
        axes.legend(fontsize=8, frameon=False, loc="center left", bbox_to_anchor=(1, 0.5))
        buffer = io.StringIO()
        figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": "patchbench"})
    return buffer.getvalue()


def _plot_name(machine: str) -> str:
    return f"calibration-{machine}.svg"


def _judge(boots: MachineBoots, policy: Policy, trials: int) -> Findings:
    metrics = {metric.name: metric for metric in boots.metrics}
    limited = list(dict.fromkeys(limit.quantity for limit in policies.bounded(policy)))
    equal = _equal(boots, trials)
    power: dict[str, dict[int, float]] = {rule: {} for rule in (GATE, *alarms.RULES)}
    for size, slow in boots.slower.items():
        drawn = _slower(boots, slow, trials)
        fails = [alarms.gate_fails(policy, metrics, one) for one in drawn]
        power[GATE][size] = fmean(fails)
        for name, rule in alarms.RULES.items():
            power[name][size] = fmean(alarms.rule_fails(rule, limited, drawn))
    false = {GATE: [alarms.gate_fails(policy, metrics, one) for one in equal]}
    for name, rule in alarms.RULES.items():
        false[name] = alarms.rule_fails(rule, limited, equal)
    first = next(iter(boots.same.values()))
    twice = {seed for by_seed in boots.again.values() for seed in by_seed}
    return Findings(
        error_rate=policy.error_rate,
        boots=sum(len(next(iter(one.values()))) for one in _all(boots)),
        twice=len(twice),
        differing=sum(
            any(boots.again[name][seed] != first[name][seed] for name in boots.again)
            for seed in twice
        ),
        floors=_floors(boots, trials),
        false_alarms={name: alarms.rate(sum(those), len(those)) for name, those in false.items()},
        power=power,
        slower_pct={
            size: {name: noise.change_pct(first[name], slow[name]) for name in metrics}
            for size, slow in boots.slower.items()
        },
    )


def _all(boots: MachineBoots) -> list[Values]:
    return [*boots.same.values(), *boots.slower.values(), *([boots.again] if boots.again else [])]


def _floors(boots: MachineBoots, trials: int) -> dict[str, float]:
    equal = _equal(boots, trials)
    return {metric.name: noise.floor_pct(equal, metric.name) for metric in boots.metrics}


def _equal(boots: MachineBoots, trials: int) -> list[Drawn]:
    arms = [*boots.same.values()]
    if boots.exact:
        return noise.draw_kernels(arms, arms, trials, _ORDER)
    return noise.draw_blocks(arms[0], arms[1], trials, _ORDER)


def _slower(boots: MachineBoots, slow: Values, trials: int) -> list[Drawn]:
    return noise.draw_kernels([*boots.same.values()], [slow], trials, _ORDER)
