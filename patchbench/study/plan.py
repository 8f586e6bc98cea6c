# SPDX-License-Identifier: GPL-2.0-only
"""A study's plan: what to measure, and which statements the measurements decide.

A plan is data, configs/studies/NAME.toml. Its cells are what is run; its statements are what
somebody claimed or asked, with rules that refer to cells. rules.py has the rules, weigh.py what
they make of the measurements. loading.py reads it.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal, TypeAlias

from pydantic import with_config

from patchbench.errors import UnknownName
from patchbench.model import STRICT
from patchbench.study.instrument import Reach
from patchbench.study.rules import Kind, Rule, key

FOLDER = Path("configs/studies")
Scale: TypeAlias = Literal["small", "full"]
SCALES: tuple[Scale, ...] = ("small", "full")
#: Stands for a noise floor, in per cent, in a plan that says nothing else.
FLOOR_PCT = 1.0


@with_config(STRICT)
@dataclass(frozen=True, slots=True)
class Seeds:
    """How many boots a cell gets per arm; at a scale with 0 it is skipped."""

    small: int
    full: int


@with_config(STRICT)
@dataclass(frozen=True, slots=True)
class Cell:
    """One measurement: a workload and its conditions, under the name that rules refer to.

    value: the most valuable cells are run first, and a budget is spent on them. sweep: one
    parameter and its values; the cell becomes one for each, named NAME-VALUE. patches: apply the
    first so many patches of the series alone. variant: apply the series with this change, see
    patches/SERIES/variants.toml. at_work: whether the series has anything to do here: its counter
    must move if so, and must not if not. rivals: those of the plan's that it measures as well, each
    in a cell of its own, named NAME-SERIES; all of them, if it does not say. at_rest: those of them
    that have nothing to do here. whole: of a hazard, the series alone, and not its first patches.
    A bench boots a pair of arms, a profile likewise with seed 1; a hazard is what `check` boots.
    """

    name: str
    value: int
    seeds: Seeds
    kind: Kind = "bench"
    workload: str = "exit-storm"
    set: Mapping[str, int] = field(default_factory=dict)
    sweep: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    kernels: tuple[str, ...] = ("mainline",)
    machines: tuple[str, ...] = ("exact",)
    patches: int = 0
    variant: str = ""
    at_work: bool = True
    rivals: tuple[str, ...] | None = None
    at_rest: tuple[str, ...] = ()
    whole: bool = False


@with_config(STRICT)
@dataclass(frozen=True, slots=True)
class Column:
    """A column of a table of designs: what a cell says of each series.

    table: which one, by its title. metric: of a bench. finding: of a hazard, the condition that
    passes or not.
    """

    table: str
    asks: str
    cell: str
    metric: str = ""
    finding: str = ""
    kernel: str = "mainline"
    machine: str = "exact"

    def leg(self, plan: "StudyPlan", series: str) -> str:
        """Return the key of the leg that answers it for a series."""
        return key(plan.cell_of(self.cell, series), self.kernel, self.machine)


@with_config(STRICT)
@dataclass(frozen=True, slots=True)
class Statement:
    """What somebody claimed or asked, as a sentence that is true or false.

    by: who; claimed: the figure, where there is one. unanswerable: why nothing here can answer
    it, or, beside rules, what they leave open. corrected: what an earlier version of this plan
    concluded, and what was wrong with it.
    """

    id: str
    by: str
    says: str
    claimed: str = ""
    rules: tuple[Rule, ...] = ()
    unanswerable: str = ""
    corrected: str = ""


@with_config(STRICT)
@dataclass(frozen=True, slots=True)
class StudyPlan:
    """configs/studies/NAME.toml: cells, statements, and the controls that must not move.

    rivals: other series, which every cell without `patches` or `variant` measures as well.
    designs: what is asked of each of them, in tables. reach: the most that the series can gain,
    for the check of what a leg can show. floor_pct: what stands for a metric's noise floor in
    conditions in which none was measured.
    """

    name: str
    title: str
    series: str
    cells: tuple[Cell, ...]
    statements: tuple[Statement, ...] = ()
    controls: tuple[Rule, ...] = ()
    reach: Reach | None = None
    floor_pct: float = FLOOR_PCT
    rivals: tuple[str, ...] = ()
    designs: tuple[Column, ...] = ()

    @property
    def rules(self) -> tuple[Rule, ...]:
        """Return all rules: the statements', then the controls."""
        return (*(rule for one in self.statements for rule in one.rules), *self.controls)

    def cell_of(self, cell: str, series: str) -> str:
        """Return the name of the cell that measures a series as this one does the plan's."""
        return cell if series == self.series else f"{cell}-{series}"


@dataclass(frozen=True, slots=True)
class Leg:
    """A cell on one kernel and machine: what becomes one run."""

    cell: str
    kernel: str
    machine: str
    kind: Kind
    series: str
    workload: str
    parameters: Mapping[str, int]
    seeds: int
    value: int
    at_work: bool
    whole: bool = False

    @property
    def key(self) -> str:
        """Return the name by which rules refer to it."""
        return key(self.cell, self.kernel, self.machine)

    @property
    def measured(self) -> "Leg":
        """Return it without what changes no measurement: its value, and what the plan expects."""
        return replace(self, value=0, at_work=True)

    @property
    def boots(self) -> int:
        """Return how many boots it takes, of all arms; a profile takes two per arm."""
        hazard = 2 if self.whole else 3
        return {"bench": 2 * self.seeds, "profile": 4, "hazard": hazard * self.seeds}[self.kind]


def legs(plan: StudyPlan, scale: Scale) -> tuple[Leg, ...]:
    """Return what a scale runs, the most valuable first."""
    found = [leg for leg in every_leg(plan, scale) if leg.seeds]
    return tuple(sorted(found, key=lambda leg: -leg.value))


def every_leg(plan: StudyPlan, scale: Scale) -> tuple[Leg, ...]:
    """Return all legs in the plan's order, those without seeds at this scale as well."""
    return tuple(leg for cell in plan.cells for leg in _legs_of(plan, cell, scale))


def needed(plan: StudyPlan, all_legs: Sequence[Leg], only: Iterable[str]) -> tuple[Leg, ...]:
    """Return the legs that some statements need; UnknownName lists the statements."""
    known = {one.id: one for one in plan.statements}
    wanted: set[str] = set()
    for name in only:
        if name not in known:
            raise UnknownName("statement", name, [*known], FOLDER / f"{plan.name}.toml")
        for rule in known[name].rules:
            wanted |= {rule.leg, rule.reference}
    return tuple(leg for leg in all_legs if leg.key in wanted)


def _legs_of(plan: StudyPlan, cell: Cell, scale: Scale) -> Iterator[Leg]:
    names = [cell.name]
    values: list[Mapping[str, int]] = [cell.set]
    for parameter, swept in cell.sweep.items():
        names = [f"{cell.name}-{value}" for value in swept]
        values = [{**cell.set, parameter: value} for value in swept]
    for name, parameters_here in zip(names, values, strict=True):
        for kernel in cell.kernels:
            for machine in cell.machines:
                for series_name, name_here, at_work in _measured(plan, cell, name):
                    yield Leg(
                        cell=name_here,
                        kernel=kernel,
                        machine=machine,
                        kind=cell.kind,
                        series=series_name,
                        workload=cell.workload,
                        parameters=parameters_here,
                        seeds=getattr(cell.seeds, scale),
                        value=cell.value,
                        at_work=at_work,
                        whole=cell.whole,
                    )


def _measured(plan: StudyPlan, cell: Cell, name: str) -> Iterator[tuple[str, str, bool]]:
    """Give each series that a cell measures, the name of its cell, and whether it is at work."""
    series = plan.series + (f"@{cell.patches}" if cell.patches else "")
    yield series + (f"+{cell.variant}" if cell.variant else ""), name, cell.at_work
    rivals = plan.rivals if cell.rivals is None else cell.rivals
    for rival in () if cell.patches or cell.variant else rivals:
        yield rival, plan.cell_of(name, rival), rival not in cell.at_rest
