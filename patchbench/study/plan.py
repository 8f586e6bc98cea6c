# SPDX-License-Identifier: GPL-2.0-only
"""A study's plan: what to measure, and which statements the measurements decide. Pure.

A plan is data, configs/studies/NAME.toml. Its cells are what is run; its statements are what
somebody claimed or asked, with rules that refer to cells. What a rule makes of what was measured
is in study_rules.py.
"""

import difflib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, TypeAlias

from pydantic import with_config

from patchbench import parameters
from patchbench.catalog import Catalog, load_toml
from patchbench.errors import BadInput, UnknownName
from patchbench.model import STRICT
from patchbench.stages import series, variants

FOLDER = Path("configs/studies")
Scale: TypeAlias = Literal["small", "full"]
SCALES: tuple[Scale, ...] = ("small", "full")


@with_config(STRICT)
@dataclass(frozen=True, slots=True)
class Seeds:
    """How many boots an arm a cell gets; 0 leaves it out at this scale."""

    small: int
    full: int


@with_config(STRICT)
@dataclass(frozen=True, slots=True)
class Cell:
    """Something to run: one workload under conditions that its rules refer to by its name.

    value: what is worth more is run first, and under a budget alone. sweep: one parameter and
    its values; the cell becomes one of each, named NAME-VALUE. patches: the first so many of
    the series alone. variant: the series with the change of that name, see patches/SERIES.
    at_work: whether the series has anything to do here, so that its counter has to move.
    A bench is of a pair of arms; a profile likewise, of seed 1; a hazard is what `check` boots.
    """

    name: str
    value: int
    seeds: Seeds
    kind: Literal["bench", "profile", "hazard"] = "bench"
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
class Rule:
    """What one cell on one kernel and machine has to show; what kind it is, its keys say.

    - `metric` with `at_most_pct`, `at_least_pct`: the change from the kernel without the series;
    - and `since`, another kernel: the change of the kernel without the series since that one;
    - and `than`, another cell: the change of the series from what it is there;
    - and `arm` with `at_most`, `at_least`: what this arm measures itself, in the metric's unit;
      for arm `both` by how much test is above base, where a base of 0 leaves no ratio;
    - `functions` with `arm`, `at_most_pct`, `at_least_pct`: their share of do_exit in a profile;
    - `finding` with `says`: a condition of a hazard, and whether it passes or fails; with
      `patches` for the first so many patches alone.
    """

    cell: str
    kernel: str = "mainline"
    machine: str = "exact"
    metric: str = ""
    arm: Literal["", "base", "test", "both"] = ""
    since: str = ""
    than: str = ""
    functions: tuple[str, ...] = ()
    finding: str = ""
    says: Literal["pass", "fail"] = "pass"
    patches: int = 0
    at_most: float | None = None
    at_least: float | None = None
    at_most_pct: float | None = None
    at_least_pct: float | None = None

    @property
    def bounds(self) -> tuple[float | None, float | None]:
        """Return the least and the most that is allowed."""
        if self.at_least is None and self.at_most is None:
            return self.at_least_pct, self.at_most_pct
        return self.at_least, self.at_most

    @property
    def reference(self) -> str:
        """Return the key of the leg that it compares its own with, which may be the same."""
        return key(self.than or self.cell, self.since or self.kernel, self.machine)

    @property
    def kind(self) -> Literal["bench", "profile", "hazard"]:
        """Return which kind of cell it needs."""
        return "hazard" if self.finding else "profile" if self.functions else "bench"


@with_config(STRICT)
@dataclass(frozen=True, slots=True)
class Statement:
    """What somebody claimed or asked, as a sentence that is true or false.

    by: who; claimed: the figure, where there is one. Without rules it has to be `unanswerable`;
    with rules as well, that part of it which nothing here can tell.
    """

    id: str
    by: str
    says: str
    claimed: str = ""
    rules: tuple[Rule, ...] = ()
    unanswerable: str = ""


@with_config(STRICT)
@dataclass(frozen=True, slots=True)
class StudyPlan:
    """configs/studies/NAME.toml: cells, statements, and the controls that must not move."""

    name: str
    title: str
    series: str
    cells: tuple[Cell, ...]
    statements: tuple[Statement, ...] = ()
    controls: tuple[Rule, ...] = ()


@dataclass(frozen=True, slots=True)
class Leg:
    """One cell on one kernel and machine: what becomes one run."""

    cell: str
    kernel: str
    machine: str
    kind: Literal["bench", "profile", "hazard"]
    series: str
    workload: str
    parameters: Mapping[str, int]
    seeds: int
    value: int
    at_work: bool

    @property
    def key(self) -> str:
        """Return what a rule finds it by."""
        return key(self.cell, self.kernel, self.machine)

    @property
    def boots(self) -> int:
        """Return how many boots it takes: two arms; a profile is two boots an arm."""
        return {"bench": 2 * self.seeds, "profile": 4, "hazard": 3}[self.kind]


def key(cell: str, kernel: str, machine: str) -> str:
    """Return how a leg is called."""
    return f"{cell}/{kernel}/{machine}"


def load(root: Path, name: str) -> StudyPlan:
    """Return configs/studies/NAME.toml; UnknownName lists the known ones, BadInput what is wrong.

    Everything that a plan names is looked up, so that nothing is booted for a plan with a typo.
    """
    path = root / FOLDER / f"{name}.toml"
    if Path(name).name != name or not path.is_file():
        known = sorted(one.stem for one in (root / FOLDER).glob("*.toml"))
        raise UnknownName("study", name, known, root / FOLDER)
    plan = load_toml(path, StudyPlan, name=name)
    _check_names(plan, path)
    catalog = Catalog(root)
    for leg in legs(plan, "full"):
        _check_leg(leg, root, catalog)
    for where, rule in _rules(plan):
        _check_rule(plan, rule, catalog, f"{path}: {where}")
    return plan


def legs(plan: StudyPlan, scale: Scale) -> tuple[Leg, ...]:
    """Return what is to be run at a scale, the most valuable first."""
    found = [leg for cell in plan.cells for leg in _legs_of(plan, cell, scale) if leg.seeds]
    return tuple(sorted(found, key=lambda leg: -leg.value))


def needed(plan: StudyPlan, all_legs: Sequence[Leg], only: Iterable[str]) -> tuple[Leg, ...]:
    """Return the legs that some statements need; UnknownName lists the statements."""
    known = {one.id: one for one in plan.statements}
    wanted: set[str] = set()
    for name in only:
        if name not in known:
            raise UnknownName("statement", name, [*known], FOLDER / f"{plan.name}.toml")
        for rule in known[name].rules:
            wanted |= {key(rule.cell, rule.kernel, rule.machine), rule.reference}
    return tuple(leg for leg in all_legs if leg.key in wanted)


def _legs_of(plan: StudyPlan, cell: Cell, scale: Scale) -> Iterator[Leg]:
    names = [cell.name]
    values: list[Mapping[str, int]] = [cell.set]
    for parameter, swept in cell.sweep.items():
        names = [f"{cell.name}-{value}" for value in swept]
        values = [{**cell.set, parameter: value} for value in swept]
    tested = plan.series + (f"@{cell.patches}" if cell.patches else "")
    tested += f"+{cell.variant}" if cell.variant else ""
    for name, told in zip(names, values, strict=True):
        for kernel in cell.kernels:
            for machine in cell.machines:
                yield Leg(
                    cell=name,
                    kernel=kernel,
                    machine=machine,
                    kind=cell.kind,
                    series=tested,
                    workload=cell.workload,
                    parameters=told,
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
    keys = [leg.key for cell in plan.cells for leg in _legs_of(plan, cell, "full")]
    for what, names in (("cell", keys), ("statement", [one.id for one in plan.statements])):
        if twice := [name for name in names if names.count(name) > 1]:
            raise BadInput(f"{path}: {what} {twice[0]} is there twice")
    for one in plan.statements:
        if not one.rules and not one.unanswerable:
            raise BadInput(f"{path}: statement {one.id} needs rules, or why it is `unanswerable`")


def _check_leg(leg: Leg, root: Path, catalog: Catalog) -> None:
    """Look up what a leg names; BadInput also for what its machine cannot hold."""
    catalog.kernel(leg.kernel)
    series.check_known(root, leg.series)
    if "+" in leg.series:
        variants.find(root, leg.series)
    machine, workload = catalog.machine(leg.machine), catalog.workload(leg.workload)
    known = catalog.parameters(workload.program)
    told = parameters.changed(workload, leg.parameters)
    parameters.check(told, known)
    parameters.check_fits(told, machine, known)
    if leg.kind == "hazard" and not workload.conditions:
        raise BadInput(f"cell {leg.cell}: workload {workload.name} has no conditions to judge")
    if leg.kind == "hazard" and leg.parameters:
        raise BadInput(f"cell {leg.cell}: a hazard is booted as its file says, without `set`")
    if leg.kind != "bench" and not machine.exact:
        raise BadInput(f"cell {leg.cell}: a {leg.kind} is booted on exact machines")


def _check_rule(plan: StudyPlan, rule: Rule, catalog: Catalog, where: str) -> None:
    found = {leg.key: leg for cell in plan.cells for leg in _legs_of(plan, cell, "full")}
    for name in (key(rule.cell, rule.kernel, rule.machine), rule.reference):
        if name not in found:
            near = difflib.get_close_matches(name, found, n=8, cutoff=0)
            raise BadInput(f"{where}: no cell is {name}\n  nearest: {', '.join(near)}")
    leg = found[key(rule.cell, rule.kernel, rule.machine)]
    if rule.kind != leg.kind:
        raise BadInput(f"{where}: a rule on a {rule.kind} refers to {leg.key}, a {leg.kind}")
    workload = catalog.workload(leg.workload)
    if rule.kind == "hazard":
        _check_known("condition", rule.finding, [one.on for one in workload.conditions], where)
        return
    if rule.kind == "bench":
        _check_known("metric", rule.metric, [*catalog.metrics(workload.program)], where)
    if sum(map(bool, (rule.since, rule.than, rule.arm and rule.kind == "bench"))) > 1:
        raise BadInput(f"{where}: the rule on {leg.key} has more than one of since, than and arm")
    level = rule.at_most is not None or rule.at_least is not None
    if rule.bounds == (None, None) or level != (bool(rule.arm) and rule.kind == "bench"):
        raise BadInput(
            f"{where}: the rule on {leg.key} needs a bound: at_most or at_least for what one `arm` "
            "measures, at_most_pct or at_least_pct for a change or a share"
        )


def _check_known(noun: str, name: str, known: Sequence[str], where: str) -> None:
    if name not in known:
        raise BadInput(f"{where}: no {noun} is called {name!r}\n  known: {', '.join(known)}")
