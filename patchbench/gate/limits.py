# SPDX-License-Identifier: GPL-2.0-only
"""The nouns of a gate: Limits and their Policy, which it goes by; Rulings and a Verdict. Pure."""

from dataclasses import dataclass
from typing import Literal, TypeAlias

from pydantic import with_config

from patchbench.model import PER_PAGE, STRICT, Delta


@with_config(STRICT)
@dataclass(frozen=True, slots=True)
class Limit:
    """What one metric may do, as a table of configs/gate.toml; exactly one of the three bounds.

    max_regression_pct: how much worse, in the metric's own direction, is still accepted.
    min_improvement_pct: how much better the series has to be.
    must_finish: the clock has to stop wherever the base's did; how soon is not judged.
    per_page: the metric over the pages that each boot freed: work left undone saves nothing.
    why: the reason for the limit, which the verdict shows if it is not met.
    """

    workload: str
    machine: str
    metric: str
    better: Literal["lower", "higher"]
    max_regression_pct: float | None = None
    min_improvement_pct: float | None = None
    must_finish: bool = False
    per_page: bool = False
    why: str = ""

    @property
    def quantity(self) -> str:
        """Return what it limits: a metric, or that per freed page."""
        return f"{self.metric}{PER_PAGE}" if self.per_page else self.metric


@with_config(STRICT)
@dataclass(frozen=True, slots=True)
class Policy:
    """What a revision must keep to, and how often a good one may be stopped; configs/gate.toml.

    error_rate: the chance that a revision which keeps every limit is stopped, over all limits
    and looks; and that one which breaks a limit passes.
    looks: after how many seeds per arm the limits are judged; an undecided one gets more seeds.
    hazards: workloads whose conditions must hold where they hold with the base, for seed 1.
    matrix: which rows of configs/matrix.toml must build where they build with the base.
    """

    error_rate: float
    looks: tuple[int, ...]
    limits: tuple[Limit, ...]
    hazards: tuple[str, ...] = ()
    matrix: Literal["none", "quick", "all"] = "none"


Ruled: TypeAlias = Literal["PASS", "FAIL", "INCONCLUSIVE"]


@dataclass(frozen=True, slots=True)
class Ruling:
    """The decision on one limit: the change in the metric, and what decided it.

    low, high: the interval that decided, of confidence 1 - 2 * (error rate of this look).
    waived: why a broken limit stops nobody, and until when. command: what measures it again.
    """

    limit: Limit
    ruled: Ruled
    why: str
    delta: Delta | None = None
    low_pct: float | None = None
    high_pct: float | None = None
    waived: str = ""
    command: str = ""


@dataclass(frozen=True, slots=True)
class FunctionRise:
    """A function's own instructions in both arms, per freed page or per boot, as `per` says."""

    workload: str
    function: str
    base: float
    test: float
    per: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a gate decided about one series against another; `runs` hold its evidence."""

    gate: str
    series: str
    against: str
    kernel: str
    ruled: Ruled
    rulings: tuple[Ruling, ...]
    reasons: tuple[str, ...]  # besides the limits: lost boots, splats, a spent budget
    runs: tuple[str, ...]
    error_rate: float
    seeds: int  # per arm, of the workload that needed most
    cpu_seconds: float  # the cost: QEMU and make, all containers
    wall_seconds: float
    command: str
    not_looked_at: tuple[str, ...] = ()  # because the verdict was FAIL already
    rises: tuple[FunctionRise, ...] = ()  # of the workloads whose limits are broken
