# SPDX-License-Identifier: GPL-2.0-only
"""A Comparison in; what it says in words, no more than its intervals allow. Pure."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from patchbench import records
from patchbench.model import NEVER, ArmNote, Boot, Comparison, Delta

Reading = Literal["better", "worse", "the same", "cannot tell", "too few pairs", "no ratio"]

#: What is less than this is real where the interval says so, but no news.
_TOLD_PCT = 0.05


@dataclass(frozen=True, slots=True)
class _Words:
    """How a metric is called, and how its change reads: the share goes in the braces."""

    label: str
    less: str
    more: str
    never: str


_WORDS = {
    "exit_ns": _Words(
        "one exit", "an exit is {} shorter", "an exit is {} longer", "an exit never ended"
    ),
    "makespan_ns": _Words(
        "all exits",
        "all exits together are {} shorter",
        "all exits together are {} longer",
        "the exits never ended",
    ),
    "drain_ns": _Words(
        "memory back",
        "memory comes back {} sooner",
        "memory comes back {} later",
        "memory never came back whole",
    ),
    "cpu_ns": _Words(
        "CPU of all tasks", "{} less CPU time is used", "{} more CPU time is used", ""
    ),
    "residue_pages": _Words(
        "pages left in swap", "{} fewer pages stay in swap", "{} more pages stay in swap", ""
    ),
    "swapoff_ns": _Words(
        "swapoff", "swapoff is {} shorter", "swapoff is {} longer", "swapoff never returned"
    ),
}


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a machine says: one sentence that its intervals carry, and what they leave open."""

    machine: str
    sentence: str
    open: str  # empty if nothing is


def label(metric: str) -> str:
    """Return what a metric is called in a sentence; its own name if it is none of ours."""
    words = _WORDS.get(metric)
    return words.label if words else metric


def reading(delta: Delta) -> Reading:
    """Return what a change means; an interval that holds zero means only that one cannot tell."""
    low, high = delta.low_pct, delta.high_pct
    if delta.change_pct is None:
        return "no ratio"
    if low is None or high is None:
        return "too few pairs"
    if low == high == 0:
        return "the same"
    if low <= 0 <= high:
        return "cannot tell"
    return "better" if (high < 0) == (delta.metric.better == "lower") else "worse"


def remark(told: Comparison, delta: Delta, boots: Sequence[Boot]) -> str:
    """Return a change's reading, or what says more than it: a clock that never stopped."""
    stuck, mine = _stuck(boots, delta, told.plan.test)
    if stuck:
        return f"never in {stuck} of {mine}"
    read = reading(delta)
    return delta.note if read == "no ratio" else read


def verdicts(told: Comparison, boots: Sequence[Boot]) -> list[Verdict]:
    """Return for each machine what never ended, then what changed, and what cannot be told."""
    return [
        _verdict(
            told,
            machine.name,
            [delta for delta in told.deltas if delta.machine == machine.name],
            boots,
        )
        for machine in told.plan.machines
    ]


def _verdict(
    told: Comparison, machine: str, deltas: Sequence[Delta], boots: Sequence[Boot]
) -> Verdict:
    counts = {delta.metric.name: _never(told, delta, boots) for delta in deltas}
    never = {name: both for name, both in counts.items() if any(stuck for stuck, _ in both)}
    finite = [delta for delta in deltas if delta.metric.name not in never]
    sure = [delta for delta in finite if reading(delta) in ("better", "worse")]
    changed = [delta for delta in sure if abs(delta.change_pct or 0) >= _TOLD_PCT]
    parts = [*_nevers(told, never), *(_change(delta) for delta in changed)]
    if never and any(reading(delta) == "better" for delta in changed):
        parts[-1] += ", counting the boots that left work undone"
    rest = {
        "Cannot be told from no change": [d for d in finite if reading(d) == "cannot tell"],
        "Too few pairs to tell": [d for d in finite if reading(d) == "too few pairs"],
        f"Changed by less than {_TOLD_PCT} %": [d for d in sure if d not in changed],
    }
    left_open = [f"{why}: {', '.join(map(_label, those))}." for why, those in rest.items() if those]
    return Verdict(machine, "; ".join(parts) or _nothing(deltas), " ".join(left_open))


def _nothing(deltas: Sequence[Delta]) -> str:
    """Return what there is to say where nothing changed for certain."""
    if not deltas:
        return "there is no pair of boots to compare"
    if all(reading(delta) in ("the same", "no ratio") for delta in deltas):
        return "nothing changed"
    return "no change can be told"


def share(per_cent: float) -> str:
    """Return a size in per cent, without its sign: 6.6 %, 41 %."""
    size = abs(per_cent)
    return f"{size:.1f} %" if size < 10 else f"{size:.0f} %"


_Counts = tuple[tuple[int, int], tuple[int, int]]  # (never ended, boots) of base and of test


def _never(told: Comparison, delta: Delta, boots: Sequence[Boot]) -> _Counts:
    return _stuck(boots, delta, told.plan.base), _stuck(boots, delta, told.plan.test)


def _stuck(boots: Sequence[Boot], delta: Delta, arm: ArmNote) -> tuple[int, int]:
    """Return in how many boots of an arm a clock never stopped, and how many boots there are."""
    mine = [
        records.values(boot.record, delta.metric.name)
        for boot in boots
        if (boot.machine, boot.series, boot.failure) == (delta.machine, arm.series, "")
    ]
    return sum(NEVER in values for values in mine), len(mine)


def _nevers(told: Comparison, never: Mapping[str, _Counts]) -> Iterator[str]:
    """Tell what never ended; clocks that failed to stop equally often share a sentence."""
    by_counts: dict[_Counts, list[str]] = defaultdict(list)
    for name, counts in never.items():
        words = _WORDS.get(name)
        by_counts[counts].append((words and words.never) or f"{name} never ended")
    for ((base_stuck, base), (stuck, boots)), what in by_counts.items():
        arms = [f"{stuck} of {boots} boots with {told.plan.test.series}"]
        if base_stuck:
            arms.append(f"{base_stuck} of {base} with {told.plan.base.series}")
        yield f"{_and(what)} in {_and(arms)}"


def _change(delta: Delta) -> str:
    assert delta.change_pct is not None  # for mypy: it was read as better or worse
    name = delta.metric.name
    words = _WORDS.get(name) or _Words(name, f"{name} is {{}} lower", f"{name} is {{}} higher", "")
    return (words.less if delta.change_pct < 0 else words.more).format(share(delta.change_pct))


def _label(delta: Delta) -> str:
    return label(delta.metric.name)


def _and(names: Sequence[str]) -> str:
    return " and ".join(filter(None, (", ".join(names[:-1]), names[-1])))
