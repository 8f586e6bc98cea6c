# SPDX-License-Identifier: GPL-2.0-only
"""Profiles of arms, and how their functions are grouped and counted. Pure."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import cached_property

from patchbench.catalog import ProfileMap, WorkUnit
from patchbench.profile.counts import Profile
from patchbench.profile.flame import Sampled

NO_FILE = "(no file)"
OTHER = "(other)"
FREED_PAGE = "freed page"


@dataclass(frozen=True, slots=True)
class ProfileTable:
    """A table; the first `words` columns hold no numbers."""

    title: str
    headings: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    words: int = 1


@dataclass(frozen=True)
class Profiles:
    """The profiles of one arm or more, of which the first is what the others are compared with.

    ns_per_instruction is each CPU's virtual clock's, not a device's. overheads: by arm, how many
    seconds the profiled boot took, and the plain one beside it.
    """

    title: str
    command: str
    arms: tuple[Profile, ...]
    map: ProfileMap
    machine: str
    ns_per_instruction: tuple[float, ...]
    every_instructions: int
    overheads: Mapping[str, tuple[float, float]]

    @cached_property
    def sampled(self) -> tuple[Sampled, ...]:
        """Return the arms' stacks, and the instructions that a sample stands for."""
        return tuple(
            Sampled(arm.series, arm.stacks, sum(arm.instructions.values())) for arm in self.arms
        )

    @cached_property
    def groups(self) -> tuple[str, ...]:
        """Return the names of the map's groups, in its order."""
        return tuple(group.name for group in self.map.group)

    @cached_property
    def files(self) -> Mapping[str, str]:
        """Return the source file of every function that ran in some arm."""
        return {name: file for arm in reversed(self.arms) for name, file in arm.files.items()}

    @cached_property
    def _known_groups(self) -> dict[str, str]:
        return {}

    def group(self, function: str) -> str:
        """Return the group that names a function, else its file's, else the file itself."""
        if function not in self._known_groups:
            file = self.files.get(function, "")
            by_name = (one.name for one in self.map.group if _fits(function, one.functions))
            by_file = (one.name for one in self.map.group if file in one.files)
            found = next(by_name, None) or next(by_file, None) or file or NO_FILE
            self._known_groups[function] = found
        return self._known_groups[function]

    def is_lock(self, function: str) -> bool:
        """Return whether a function takes locks for others, or waits for one."""
        return function in self.map.waiting or self.group(function) == self.map.locks

    def ns_per_sample(self, arm: Profile, cpu: int) -> float:
        """Return how much time a sample on a CPU stands for."""
        per_sample = sum(arm.instructions.values()) / max(1, sum(arm.stacks.values()))
        return per_sample * self.ns_per_instruction[cpu]

    def headings(self, *columns: str) -> list[str]:
        """Return the columns of every arm, and one for the change of each but the first."""
        arms = [arm.series for arm in self.arms]
        others = ["change"] if len(arms) == 2 else [f"{series} change" for series in arms[1:]]
        return [f"{series} {one}".strip() for series in arms for one in columns] + others

    def context(self, stack: tuple[str, ...]) -> str:
        """Return on whose behalf a stack ran, or OTHER."""
        for context in self.map.context:
            if any(function in stack for function in context.below):
                return context.name
        return OTHER

    def units(self, arm: Profile) -> dict[str, int]:
        """Return how many units of each kind an arm's work was, where that is known."""
        counted = {one.name: _done(one, arm) for one in self.map.unit}
        found = {FREED_PAGE: arm.freed_pages, **counted}
        return {name: count for name, count in found.items() if count}

    def missing(self, arm: Profile) -> list[str]:
        """Return the names and patterns of the map that fit nothing in an arm's kernel."""
        wanted = [one for context in self.map.context for one in context.below]
        wanted += [one for group in self.map.group for one in group.functions]
        return [
            pattern
            for pattern in dict.fromkeys(wanted)
            if not pattern.startswith("[")  # not a function: user space, unnamed code
            and pattern not in arm.functions
            and not any(fnmatchcase(function, pattern) for function in arm.functions)
        ]


def nanoseconds(
    profiles: Profiles, arm: Profile, keys: Callable[[tuple[str, ...]], Iterable[str]]
) -> dict[str, float]:
    """Return the time that each key's instructions took, as `weigh` returns how many they are."""
    times: dict[str, float] = {}
    for cpu, on in enumerate(arm.cpus):
        each_ns = profiles.ns_per_sample(arm, cpu)
        for stack, count in on.stacks.items():
            for one in set(keys(stack)):
                times[one] = times.get(one, 0.0) + count * each_ns
    return times


def weigh(sampled: Sampled, keys: Callable[[tuple[str, ...]], Iterable[str]]) -> dict[str, float]:
    """Return the instructions that each key stands for; a stack counts once for each of its."""
    weights: Counter[str] = Counter()
    for stack, count in sampled.stacks.items():
        for one in set(keys(stack)):
            weights[one] += count
    return {name: count * sampled.per_sample for name, count in weights.items()}


def worst_error_points(arm: Profile) -> float:
    """Return the largest error of a function's sampled own share, in percentage points.

    The counts, which come from elsewhere, show what the samples are worth.
    """
    samples, total = sum(arm.stacks.values()), sum(arm.instructions.values())
    own: Counter[str] = Counter()
    for stack, count in arm.stacks.items():
        own[stack[-1]] += count
    return max(
        (
            abs(own[name] / max(1, samples) - count / max(1, total)) * 100
            for name, count in arm.instructions.items()
        ),
        default=0.0,
    )


def _fits(function: str, patterns: Iterable[str]) -> bool:
    return any(function == one or fnmatchcase(function, one) for one in patterns)


def _done(unit: WorkUnit, arm: Profile) -> int | None:
    return next((arm.calls[one] for one in unit.calls_of if one in arm.calls), None)
