# SPDX-License-Identifier: GPL-2.0-only
"""What the run of a leg says, as its rules use it. Pure."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

from patchbench.findings import CheckResult
from patchbench.model import Comparison, Machine
from patchbench.stages import compare
from patchbench.stats import CONFIDENCE


@dataclass(frozen=True, slots=True)
class ArmShares:
    """Functions' shares of do_exit in one arm, with what they call, and the number of samples."""

    samples: int
    share_pct: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Shares:
    """What a profile says of both arms, base and test."""

    arms: tuple[ArmShares, ArmShares]


@dataclass(frozen=True, slots=True)
class Counter:
    """The counter that shows a series at work: in how many boots of its arm it moved."""

    name: str
    moved: int
    boots: int


@dataclass(frozen=True, slots=True)
class Reading:
    """What one leg's run says, and the command that repeats it.

    machine: as it was when the leg was run. program, parameters: of its workload. at_work:
    whether the plan expects the series to be at work. counter: None where the series has none,
    and for what is no bench. confidence: of the intervals that decide rules on it.
    """

    run: str
    command: str
    machine: Machine
    at_work: bool
    result: Comparison | Shares | CheckResult
    counter: Counter | None = None
    program: str = ""
    parameters: Mapping[str, int] = field(default_factory=dict)
    confidence: float = CONFIDENCE


#: Gives a leg's reading by its key, or the reason why there is none.
Look: TypeAlias = Callable[[str], Reading | str]


def share_pct(arm: ArmShares, functions: Iterable[str]) -> float | None:
    """Return what share of do_exit some functions have together; None if no sample has any."""
    have = [name for name in functions if name in arm.share_pct]
    return sum(arm.share_pct[name] for name in have) if have else None


def describe(machine: Machine) -> str:
    """Return a machine's name and how it emulates, as it stands beside each of its numbers."""
    if machine.timelines:
        return f"{machine.name} (TCG, {machine.vcpus} counted clocks)"
    return f"{machine.name} (TCG, {'icount' if machine.exact else 'side by side'})"


def reasons_against(reading: Reading) -> str:
    """Return why a bench must not be relied on, or an empty text.

    A series that the plan does not expect at work may rest; if it moves its counter all the
    same, the plan is wrong about the leg.
    """
    result, counter = reading.result, reading.counter
    if not isinstance(result, Comparison):
        return ""
    if result.nothing_to_measure:
        return result.nothing_to_measure
    if reading.at_work:
        return "; ".join(result.invalid)
    resting = {compare.not_at_work(result.plan, machine) for machine in result.engaged}
    reasons = [reason for reason in result.invalid if reason not in resting]
    if counter and counter.moved:
        reasons.append(
            f"the plan says at_work = false, but {counter.name} moved in {counter.moved} of "
            f"{counter.boots} boots"
        )
    return "; ".join(reasons)
