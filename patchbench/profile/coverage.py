# SPDX-License-Identifier: GPL-2.0-only
"""Which functions each workload runs, and so which workloads run what a series changes. Pure."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

from patchbench.binaries.addresses import base
from patchbench.model import CodeMap
from patchbench.profile import proof
from patchbench.profile.counts import Profile


@dataclass(frozen=True, slots=True)
class Coverage:
    """What the workloads run on one kernel and machine; `lost`: why some could not be counted."""

    headings: ClassVar = ("workload", "functions", "instructions", "counted")

    kernel: str
    machine: str
    runs: Mapping[str, Profile]  # by workload
    lost: Mapping[str, str]

    def rows(self) -> list[tuple[str, ...]]:
        """Return it as rows of text, under `headings`."""
        counted = [
            (
                name,
                f"{len(one.instructions):,}",
                f"{sum(one.instructions.values()):,}",
                "since user space began" if one.whole else "between the marks",
            )
            for name, one in self.runs.items()
        ]
        return [*counted, *((name, "-", "-", why) for name, why in self.lost.items())]

    def of(self, function: str) -> list[tuple[str, int]]:
        """Return the workloads that run a function, with its instructions, the most first."""
        counts = Counter(
            {name: one.instructions.get(function, 0) for name, one in self.runs.items()}
        )
        return [(name, count) for name, count in counts.most_common() if count]

    def csv(self) -> str:
        """Return the whole index: a row for each workload and function."""
        lines = [
            f"{workload},{one.files.get(function, '')},{function},{count}"
            for workload, one in self.runs.items()
            for function, count in sorted(one.instructions.items())
        ]
        return "\n".join(["workload,file,function,instructions", *lines]) + "\n"


@dataclass(frozen=True, slots=True)
class WorkloadReach:
    """What a workload runs of what a series changes: instructions, by `file:function`.

    share_pct: of all that it runs.
    """

    workload: str
    functions: Mapping[str, int]
    share_pct: float

    @property
    def instructions(self) -> int:
        """Return how many instructions that is."""
        return sum(self.functions.values())

    def why(self) -> str:
        """Return why a workload is chosen, in a sentence."""
        most = Counter(self.functions).most_common(1)[0][0]
        return (
            f"{self.workload} runs {len(self.functions)} of the functions that the series changes, "
            f"{self.share_pct:.2f} % of its instructions, most of them {most}"
        )


def changed(code: CodeMap) -> tuple[str, ...]:
    """Return the functions of the base kernel that the test arm has otherwise or not at all."""
    there = [one for one in code.functions if one.state != "appeared"]
    differing = [one for one in there if one.state != "constants"] or there
    return tuple(dict.fromkeys(f"{one.file}:{base(one.name)}" for one in differing))


def reaches(coverage: Coverage, code: CodeMap) -> list[WorkloadReach]:
    """Return the workloads that run some of what changes, by their share of it."""
    found = []
    for workload, one in coverage.runs.items():
        ran = {name: count for name in changed(code) if (count := _count(one, name))}
        if ran:
            total = sum(one.instructions.values())
            found.append(WorkloadReach(workload, ran, 100 * sum(ran.values()) / total))
    return sorted(found, key=lambda one: (-one.share_pct, one.workload))


def choose(ranked: Sequence[WorkloadReach], most: int) -> list[WorkloadReach]:
    """Return the first of the ranked, then whichever adds most functions, while any adds one."""
    chosen: list[WorkloadReach] = []
    seen: set[str] = set()
    left = [*ranked]
    while left and len(chosen) < most:
        best = max(left, key=lambda one: len(one.functions.keys() - seen)) if chosen else left[0]
        if chosen and not best.functions.keys() - seen:
            break
        chosen.append(best)
        seen |= best.functions.keys()
        left.remove(best)
    return chosen


def unreached(coverage: Coverage, names: Sequence[str]) -> tuple[str, ...]:
    """Return those of the functions, as `file:function`, that no workload runs."""
    return tuple(
        name for name in names if not any(_count(one, name) for one in coverage.runs.values())
    )


def _count(profile: Profile, name: str) -> int:
    file, _, function = name.partition(":")
    return proof.instructions(profile, file, function)
