# SPDX-License-Identifier: GPL-2.0-only
"""Checks of a workload's parameters, before anything is built or booted. Pure."""

import math
import re
from collections.abc import Mapping
from dataclasses import replace

from patchbench.errors import BadInput
from patchbench.model import Machine, Parameter, Workload

_FORMULA = re.compile(r"\w+(?: *[*/] *\w+)*", re.ASCII)


def changed(workload: Workload, changes: Mapping[str, int]) -> Workload:
    """Return a workload with some parameters changed."""
    return replace(workload, parameters={**workload.parameters, **changes})


def check(workload: Workload, known: Mapping[str, Parameter]) -> None:
    """Raise BadInput for a parameter that is unknown, out of its bounds, or against another."""
    given = workload.parameters
    if unknown := given.keys() - known.keys():
        raise BadInput(
            f"workload {workload.name} has no parameter {', '.join(sorted(unknown))}\n"
            f"  known: {', '.join(known)}"
        )
    for name, value in given.items():
        one = known[name]
        if not one.minimum <= value <= one.maximum:
            raise BadInput(
                f"workload {workload.name}: {name}={value} is out of range, it takes "
                f"{one.minimum} to {one.maximum}"
            )
    for names in workload.excludes:
        if len(both := [name for name in names if given.get(name, 0)]) > 1:
            raise BadInput(
                f"workload {workload.name}: {' and '.join(f'{n}={given[n]}' for n in both)} "
                "exclude one another; leave all but one at 0"
            )


def check_fits(workload: Workload, machine: Machine, known: Mapping[str, Parameter]) -> None:
    """Raise BadInput, telling what fits, if a machine's swap cannot hold what a workload pages out.

    known: the values of parameters that the workload's file leaves as they are in C.
    """
    if not workload.swap_mib:
        return
    values = {name: one.standard for name, one in known.items()} | dict(workload.parameters)
    needed = amount(workload.swap_mib, values)
    if needed <= machine.zram_mib:
        return
    fitting = [
        f"{name} {'at least' if divides else 'at most'} {number}"
        for name, divides in _names(workload.swap_mib)
        if name in workload.parameters
        and (number := _fitting(values[name], needed / machine.zram_mib, divides=divides))
        and known[name].minimum <= number <= known[name].maximum
    ]
    raise BadInput(
        f"workload {workload.name} pages out {needed:.0f} MiB ({workload.swap_mib}), and machine "
        f"{machine.name} has {machine.zram_mib} MiB of swap in {machine.memory_mib} MiB of memory\n"
        f"  fits: {', or '.join(fitting) or 'nothing'}; or another machine"
    )


def amount(formula: str, values: Mapping[str, int]) -> float:
    """Return what names and numbers with `*` and `/` between them come to, from left to right.

    Raises BadInput for a name that has no value, and for what is no number in the end.
    """
    if not _FORMULA.fullmatch(formula):
        raise BadInput(
            f"{formula[:80]!r} is not a formula: names and numbers, with * and / between"
        )
    product = 1.0
    try:
        for name, divides in _names(formula):
            value = values[name] if name in values else int(name)
            product = product / value if divides else product * value
    except (ValueError, ZeroDivisionError, OverflowError) as err:
        raise BadInput(f"{formula[:80]!r} is not a formula: {err}") from err
    if not math.isfinite(product):
        raise BadInput(f"{formula[:80]!r} is not a formula: its value is too large")
    return product


def _names(formula: str) -> list[tuple[str, bool]]:
    """Return the names and numbers of a formula, and whether it divides by them."""
    return [(name, sign == "/") for sign, name in re.findall(r"([*/]?)\s*(\w+)", formula, re.ASCII)]


def _fitting(value: int, times_too_much: float, *, divides: bool) -> int:
    if divides:
        return math.ceil(value * times_too_much)
    return math.floor(value / times_too_much)
