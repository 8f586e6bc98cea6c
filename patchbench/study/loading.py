# SPDX-License-Identifier: GPL-2.0-only
"""Reads a study's plan from its file, and looks up all that it names before the first boot."""

import difflib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import fields
from functools import cache
from pathlib import Path

from patchbench import parameters
from patchbench.catalog import Catalog, load_toml
from patchbench.errors import BadInput, UnknownName
from patchbench.model import Parameter
from patchbench.stages import series, variants
from patchbench.study.plan import FOLDER, Cell, Column, Leg, StudyPlan, every_leg, legs
from patchbench.study.rules import HazardRule, Rule, ShareRule, WordRule


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
    for column in plan.designs:
        _check_column(by_key, column, plan, catalog, f"{path}: designs")
    return plan


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
        _check_rivals(plan, cell, f"{path}: cell {cell.name}")
    keys = [leg.key for leg in every_leg(plan, "full")]
    for what, names in (("cell", keys), ("statement", [one.id for one in plan.statements])):
        if twice := [name for name in names if names.count(name) > 1]:
            raise BadInput(f"{path}: two {what}s are called {twice[0]}")
    for one in plan.statements:
        if not one.rules and not one.unanswerable:
            raise BadInput(
                f"{path}: statement {one.id} needs `rules`, or `unanswerable` with the reason"
            )


def _check_rivals(plan: StudyPlan, cell: Cell, where: str) -> None:
    for what, names in (("rivals", cell.rivals or ()), ("at_rest", cell.at_rest)):
        if strangers := [name for name in names if name not in plan.rivals]:
            raise BadInput(
                f"{where}: {what}: {', '.join(strangers)} is no rival of this plan\n"
                f"  its rivals: {', '.join(plan.rivals) or 'none'}"
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
            raise BadInput(_no_cell(by_key, name, where))
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


def _check_column(
    by_key: Mapping[str, Leg], column: Column, plan: StudyPlan, catalog: Catalog, where: str
) -> None:
    """Look up what a column of the table of designs asks, of the plan's own series."""
    name = column.leg(plan, plan.series)
    if name not in by_key:
        raise BadInput(_no_cell(by_key, name, where))
    workload = catalog.workload(by_key[name].workload)
    if bool(column.metric) == bool(column.finding):
        raise BadInput(f"{where}: {column.asks}: it needs `metric` or `finding`")
    if column.finding:
        _check_known("condition", column.finding, [one.on for one in workload.conditions], where)
    else:
        _check_known("metric", column.metric, [*catalog.metrics(workload.program)], where)
    kind = "hazard" if column.finding else "bench"
    if by_key[name].kind != kind:
        raise BadInput(f"{where}: {column.asks}: {name} is no {kind}")


def _no_cell(by_key: Mapping[str, Leg], name: str, where: str) -> str:
    near = difflib.get_close_matches(name, by_key, n=8, cutoff=0)
    return f"{where}: no cell is {name}\n  nearest: {', '.join(near)}"


def _bounds_of(rule: Rule) -> str:
    words = ("at_least", "at_most", "change")
    return " or ".join(
        one.name for one in fields(rule) if any(one.name.startswith(w) for w in words)
    )


def _check_known(noun: str, name: str, known: Sequence[str], where: str) -> None:
    if name not in known:
        raise BadInput(f"{where}: no {noun} is called {name!r}\n  known: {', '.join(known)}")
