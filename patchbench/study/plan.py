# SPDX-License-Identifier: GPL-2.0-only
"""A study's plan: what to measure, and which statements the measurements decide.

A plan is data, configs/studies/NAME.toml. Its cells are what is run; its statements are what
somebody claimed or asked, with rules that refer to cells. rules.py has the rules, weigh.py what
they make of the measurements.
"""

import difflib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from functools import cache
from pathlib import Path
from typing import Literal, TypeAlias

from pydantic import with_config

from patchbench import parameters
from patchbench.catalog import Catalog, load_toml
from patchbench.errors import BadInput, UnknownName
from patchbench.model import STRICT, Parameter
from patchbench.stages import series, variants
from patchbench.study.instrument import Reach
from patchbench.study.rules import (
    HazardRule,
    Kind,
    Rule,
    ShareRule,
    WordRule,
    key,
)

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
    must move if so, and must not if not.
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

    reach: the most that the series can gain, for the check of what a leg can show. floor_pct: what
    stands for a metric's noise floor in conditions in which none was measured.
    """

    name: str
    title: str
    series: str
    cells: tuple[Cell, ...]
    statements: tuple[Statement, ...] = ()
    controls: tuple[Rule, ...] = ()
    reach: Reach | None = None
    floor_pct: float = FLOOR_PCT


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
        return {"bench": 2 * self.seeds, "profile": 4, "hazard": 3}[self.kind]


def load(root: Path, name: str) -> StudyPlan:
    """Return configs/studies/NAME.toml; UnknownName lists the known ones, BadInput what is wrong.

    Everything that the plan names is looked up, so that a typo is found before the first boot.
    """
    path = root / FOLDER / f"{name}.toml"
    if Path(name).name != name or not path.is_file():
        known = sorted(one.stem for one in (root / FOLDER).glob("*.toml"))
        raise UnknownName("study", name, known, root / FOLDER)
    plan = load_toml(path, StudyPlan, name=name)
    _check_names(plan, path)
    catalog = Catalog(root)
    parameters_of = cache(catalog.parameters)  # hundreds of legs have a few programs
    for leg in legs(plan, "full"):
        _check_leg(leg, catalog, parameters_of)
    by_key = {leg.key: leg for leg in every_leg(plan, "full")}
    if plan.reach and not any(leg.cell == plan.reach.cell for leg in by_key.values()):
        raise BadInput(f"{path}: reach: no cell is called {plan.reach.cell}")
    for where, rule in _rules(plan):
        _check_rule(by_key, rule, catalog, f"{path}: {where}")
    return plan


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
    series_name = plan.series + (f"@{cell.patches}" if cell.patches else "")
    series_name += f"+{cell.variant}" if cell.variant else ""
    for name, parameters_here in zip(names, values, strict=True):
        for kernel in cell.kernels:
            for machine in cell.machines:
                yield Leg(
                    cell=name,
                    kernel=kernel,
                    machine=machine,
                    kind=cell.kind,
                    series=series_name,
                    workload=cell.workload,
                    parameters=parameters_here,
                    seeds=getattr(cell.seeds, scale),
                    value=cell.value,
                    at_work=cell.at_work,
                )


def _rules(plan: StudyPlan) -> Iterator[tuple[str, Rule]]:
    for statement in plan.statements:
        for rule in statement.rules:
            yield f"statement {statement.id}", rule
    for rule in plan.controls:
        yield "controls", rule


def _check_names(plan: StudyPlan, path: Path) -> None:
    for cell in plan.cells:
        if len(cell.sweep) > 1:
            raise BadInput(f"{path}: cell {cell.name} sweeps {', '.join(cell.sweep)}: one at most")
        if min(cell.seeds.small, cell.seeds.full) < 0:
            raise BadInput(f"{path}: cell {cell.name}: seeds are 0 or more")
    keys = [leg.key for leg in every_leg(plan, "full")]
    for what, names in (("cell", keys), ("statement", [one.id for one in plan.statements])):
        if twice := [name for name in names if names.count(name) > 1]:
            raise BadInput(f"{path}: two {what}s are called {twice[0]}")
    for one in plan.statements:
        if not one.rules and not one.unanswerable:
            raise BadInput(
                f"{path}: statement {one.id} needs `rules`, or `unanswerable` with the reason"
            )


def _check_leg(
    leg: Leg, catalog: Catalog, parameters_of: Callable[[str], Mapping[str, Parameter]]
) -> None:
    """Look up what a leg names; BadInput also if its machine cannot hold the workload."""
    catalog.kernel(leg.kernel)
    series.check_known(catalog.root, leg.series)
    if "+" in leg.series:
        variants.find(catalog.root, leg.series)
    machine, workload = catalog.machine(leg.machine), catalog.workload(leg.workload)
    known = parameters_of(workload.program)
    changed = parameters.changed(workload, leg.parameters)
    parameters.check(changed, known)
    parameters.check_fits(changed, machine, known)
    if leg.kind == "hazard" and not workload.conditions:
        raise BadInput(
            f"cell {leg.cell}: workload {workload.name} has no conditions, so it is no hazard"
        )
    if leg.kind == "hazard" and leg.parameters:
        raise BadInput(f"cell {leg.cell}: a hazard takes no `set`: its file has its parameters")
    if leg.kind != "bench" and not machine.exact:
        raise BadInput(f"cell {leg.cell}: a {leg.kind} needs an exact machine")


def _check_rule(by_key: Mapping[str, Leg], rule: Rule, catalog: Catalog, where: str) -> None:
    for name in (rule.leg, rule.reference):
        if name not in by_key:
            near = difflib.get_close_matches(name, by_key, n=8, cutoff=0)
            raise BadInput(f"{where}: no cell is {name}\n  nearest: {', '.join(near)}")
    leg = by_key[rule.leg]
    if rule.kind != leg.kind:
        raise BadInput(f"{where}: a rule on a {rule.kind} refers to {leg.key}, a {leg.kind}")
    workload = catalog.workload(leg.workload)
    if isinstance(rule, HazardRule):
        _check_known("condition", rule.finding, [one.on for one in workload.conditions], where)
        return
    if not isinstance(rule, ShareRule):
        _check_known("metric", rule.metric, [*catalog.metrics(workload.program)], where)
    if unknown := rule.about.keys() - workload.parameters.keys():
        raise BadInput(f"{where}: workload {leg.workload} has no parameter {', '.join(unknown)}")
    if isinstance(rule, WordRule) and rule.change:
        if rule.bounds != (None, None):
            raise BadInput(f"{where}: the rule on {leg.key} has `change` and a bound: one of them")
    elif rule.bounds == (None, None):
        raise BadInput(f"{where}: the rule on {leg.key} needs a bound: {_bounds_of(rule)}")


def _bounds_of(rule: Rule) -> str:
    words = ("at_least", "at_most", "change")
    return " or ".join(
        one.name for one in fields(rule) if any(one.name.startswith(w) for w in words)
    )


def _check_known(noun: str, name: str, known: Sequence[str], where: str) -> None:
    if name not in known:
        raise BadInput(f"{where}: no {noun} is called {name!r}\n  known: {', '.join(known)}")
