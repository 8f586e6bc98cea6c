# SPDX-License-Identifier: GPL-2.0-only
"""The profiles of one or two arms, and how configs/profile.toml sorts their functions. Pure."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import cached_property

from patchbench.catalog import ProfileMap
from patchbench.model import Profile
from patchbench.profile.flame import Sampled

NO_GROUP = "(in no group)"
OTHER = "(other)"


@dataclass(frozen=True)
class Profiles:
    """One arm, or two of which the second is the changed one, and how to sort them.

    `line` is the kernel's release line. ns_per_instruction is the virtual clock's, not a
    device's. overheads: by arm, how many seconds the profiled boot took, and the plain one
    beside it.
    """

    title: str
    command: str
    line: str
    arms: tuple[Profile, ...]
    map: ProfileMap
    ns_per_instruction: float
    every_instructions: int
    overheads: Mapping[str, tuple[float, float]]

    @cached_property
    def sampled(self) -> tuple[Sampled, ...]:
        """Return the arms' stacks, and the instructions that a sample stands for."""
        return tuple(
            Sampled(arm.series, arm.stacks, sum(arm.instructions.values())) for arm in self.arms
        )

    @cached_property
    def patterns(self) -> tuple[tuple[str, tuple[str, ...]], ...]:
        """Return every group's name and patterns for this kernel line."""
        return tuple((group.name, group.patterns(self.line)) for group in self.map.group)

    @cached_property
    def _known_groups(self) -> dict[str, str]:
        return {}

    def group(self, function: str) -> str:
        """Return the first group that names a function, or NO_GROUP."""
        if function not in self._known_groups:
            fitting = (
                name
                for name, patterns in self.patterns
                if any(function == one or fnmatchcase(function, one) for one in patterns)
            )
            self._known_groups[function] = next(fitting, NO_GROUP)
        return self._known_groups[function]

    def context(self, stack: tuple[str, ...]) -> str:
        """Return on whose behalf a stack ran, or OTHER."""
        for context in self.map.context:
            if any(function in stack for function in context.below):
                return context.name
        return OTHER

    def missing(self, arm: Profile) -> list[str]:
        """Return the names and patterns of the map that fit nothing in an arm's kernel."""
        wanted = [*self.map.table, *(one for context in self.map.context for one in context.below)]
        wanted += [one for _, patterns in self.patterns for one in patterns]
        return [
            pattern
            for pattern in dict.fromkeys(wanted)
            if not pattern.startswith("[")  # a place of ours, no function
            and pattern not in arm.functions
            and not any(fnmatchcase(function, pattern) for function in arm.functions)
        ]

    def ungrouped(self, arm: Profile) -> list[tuple[str, int]]:
        """Return the functions that no group names and their own instructions, largest first."""
        left = [one for one in arm.instructions.items() if self.group(one[0]) == NO_GROUP]
        return sorted(left, key=lambda one: (-one[1], one[0]))


def weigh(sampled: Sampled, keys: Callable[[tuple[str, ...]], Iterable[str]]) -> dict[str, float]:
    """Return the instructions that each key stands for; a stack counts once for each of its."""
    weights: Counter[str] = Counter()
    for stack, count in sampled.stacks.items():
        for one in set(keys(stack)):
            weights[one] += count
    return {name: count * sampled.per_sample for name, count in weights.items()}


def worst_error_points(arm: Profile) -> float:
    """Return the largest error of a function's sampled own share, in points of a per cent.

    The counts, which come by another way, tell what the samples are worth.
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
