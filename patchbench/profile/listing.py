# SPDX-License-Identifier: GPL-2.0-only
"""The functions of profiles, a row each: sorted for the screen, and all of them as CSV. Pure."""

import csv
import io
from dataclasses import dataclass
from typing import Literal, TypeAlias, get_args

from patchbench.errors import BadInput
from patchbench.profile import waiting
from patchbench.profile.sorting import FREED_PAGE, Profiles

By: TypeAlias = Literal["own", "change", "calls"]
#: Smaller functions are not listed, unless a number of rows is asked for.
_LEAST_SHARE = 0.01


@dataclass(frozen=True, slots=True)
class Listing:
    """Which functions are listed: how many, or all of one per cent and more; in which order."""

    top: int | None = None
    by: By = "own"

    @classmethod
    def parse(cls, top: int, by: str) -> "Listing":
        """Return what --top and --by mean; 0 is the default. Raises BadInput."""
        if top < 0:
            raise BadInput(f"--top {top}: a number of functions")
        for known in get_args(By):
            if by == known:
                return cls(top or None, known)
        raise BadInput(f"--by {by}: one of {', '.join(get_args(By))}")

    @property
    def title(self) -> str:
        """Return what is listed, as a table's title."""
        which = f"The first {self.top} functions" if self.top else "Functions of 1 % and more"
        return f"{which} by {self.by}"


def names(profiles: Profiles, listing: Listing) -> list[str]:
    """Return the functions to list, the largest first."""
    size = {"own": _own, "change": _change, "calls": _calls}[listing.by]
    everything = {name for arm in profiles.arms for name in arm.instructions}
    ordered = sorted(everything, key=lambda name: (-size(profiles, name), name))
    if listing.top:
        return ordered[: listing.top]
    totals = [sum(arm.instructions.values()) for arm in profiles.arms]
    return [
        name
        for name in ordered
        if any(
            arm.instructions.get(name, 0) >= _LEAST_SHARE * total
            for arm, total in zip(profiles.arms, totals, strict=True)
        )
    ]


def as_csv(profiles: Profiles) -> str:
    """Return every function of every arm, a line each; a cell without a number is empty."""
    units = [FREED_PAGE, *(unit.name for unit in profiles.map.unit)]
    text = io.StringIO()
    rows = csv.writer(text, lineterminator="\n")
    columns = ["series", "function", "file", "group", "instructions", "calls"]
    cpus = range(len(profiles.ns_per_instruction))
    rows.writerow(
        [
            *columns,
            *(f"instructions_a_{one.replace(' ', '_')}" for one in ("call", *units)),
            *(f"instructions_cpu{cpu}" for cpu in cpus),
        ]
    )
    for arm in profiles.arms:
        done = profiles.units(arm)
        for name, own in sorted(arm.instructions.items(), key=lambda one: (-one[1], one[0])):
            called = arm.calls.get(name)
            a_unit = [_ratio(own, done.get(unit)) for unit in units]
            words = (arm.series, name, arm.files.get(name, ""), profiles.group(name))
            by_cpu = [on.instructions.get(name, 0) for on in arm.cpus]
            numbers = [own, called or "", _ratio(own, called), *a_unit, *by_cpu]
            rows.writerow([*map(_inert, words), *numbers])
    return text.getvalue()


def waits_as_csv(profiles: Profiles) -> str:
    """Return how long each CPU waited in each function, a line each."""
    text = io.StringIO()
    rows = csv.writer(text, lineterminator="\n")
    rows.writerow(["series", "cpu", "waits_in", "ns"])
    for series, cpu, waiter, ns in waiting.rows(profiles):
        rows.writerow([_inert(series), cpu, _inert(waiter), ns])
    return text.getvalue()


def _inert(word: str) -> str:
    """Return a word that no spreadsheet takes for a formula: a symbol may have any name."""
    return f"'{word}" if word.startswith(("=", "+", "-", "@")) else word


def _own(profiles: Profiles, name: str) -> int:
    return max(arm.instructions.get(name, 0) for arm in profiles.arms)


def _calls(profiles: Profiles, name: str) -> int:
    return max(arm.calls.get(name, 0) for arm in profiles.arms)


def _change(profiles: Profiles, name: str) -> int:
    base, *others = (arm.instructions.get(name, 0) for arm in profiles.arms)
    return max((abs(other - base) for other in others), default=base)


def _ratio(instructions: int, count: int | None) -> str:
    return f"{instructions / count:.2f}" if count else ""
