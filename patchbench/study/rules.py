# SPDX-License-Identifier: GPL-2.0-only
"""What a statement's rules ask of the study's legs: seven small questions, told apart by keys.

finding        HazardRule      a condition of a hazard, whether it passes
functions      ShareRule       functions' share of the samples of a profile
since          KernelRule      the unpatched kernel against an older one
than           VariantRule     the series against a variant of itself, or in another cell
arm            LevelRule       what one arm measures, in the metric's unit
difference_*   DifferenceRule  test minus base, where a base of 0 leaves no ratio
anything else  ChangeRule      the change from base to test
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields, is_dataclass
from typing import Annotated, ClassVar, Literal, TypeAlias

from pydantic import Discriminator, Tag, with_config

from patchbench.model import STRICT

Kind: TypeAlias = Literal["bench", "profile", "hazard"]
Bounds: TypeAlias = tuple[float | None, float | None]
#: A change in words. What it is measured by is the noise floor of its metric.
ChangeWord: TypeAlias = Literal["less", "no more", "none", "no less", "more"]
#: The least and the most that a word allows, in noise floors.
_IN_FLOORS: Mapping[ChangeWord, Bounds] = {
    "less": (None, -1),
    "no more": (None, 1),
    "none": (-1, 1),
    "no less": (-1, None),
    "more": (1, None),
}
_WORDS: Mapping[ChangeWord, str] = {
    "less": "less, by more than its noise floor",
    "no more": "no more, within its noise floor",
    "none": "unchanged, within its noise floor",
    "no less": "no less, within its noise floor",
    "more": "more, by more than its noise floor",
}


def key(cell: str, kernel: str, machine: str) -> str:
    """Return the name by which rules refer to a leg."""
    return f"{cell}/{kernel}/{machine}"


@dataclass(frozen=True, slots=True, kw_only=True)
class LegRule:
    """What every rule says: its leg, and the conditions that its statement is about.

    cpus: how many CPUs must work at the same time. about: the least and the most that parameters
    of the workload may be. scarce: a resource that somebody has to lack. A leg without these
    conditions cannot tell, see instrument.py.
    """

    kind: ClassVar[Kind] = "bench"

    cell: str
    kernel: str = "mainline"
    machine: str = "exact"
    cpus: int = 1
    about: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    scarce: Literal["", "memory"] = ""

    @property
    def leg(self) -> str:
        """Return the key of the leg that it is judged by."""
        return key(self.cell, self.kernel, self.machine)

    @property
    def reference(self) -> str:
        """Return the key of the leg that it compares with: its own, unless it names another."""
        return self.leg

    @property
    def bounds(self) -> Bounds:
        """Return the least and the most that is allowed; None where there is no such bound."""
        return None, None

    @property
    def subject(self) -> str:
        """Return what is measured, in words."""
        raise NotImplementedError

    @property
    def asked(self) -> str:
        """Return the rule in words."""
        return f"{self.cell}: {self.subject} {_between(self.bounds, '{:+g} %')}"


@dataclass(frozen=True, slots=True, kw_only=True)
class PercentRule(LegRule):
    """A rule with bounds in per cent, of which it needs one."""

    at_least_pct: float | None = None
    at_most_pct: float | None = None

    @property
    def bounds(self) -> Bounds:
        """Return the least and the most that is allowed, in per cent."""
        return self.at_least_pct, self.at_most_pct


@dataclass(frozen=True, slots=True, kw_only=True)
class WordRule(PercentRule):
    """A rule that says `change`, a word, instead of bounds: figures are for what has a figure."""

    change: ChangeWord | Literal[""] = ""

    @property
    def asked(self) -> str:
        """Return the rule in words."""
        bound = _WORDS[self.change] if self.change else _between(self.bounds, "{:+g} %")
        return f"{self.cell}: {self.subject} {bound}"


@with_config(STRICT)
@dataclass(frozen=True, slots=True, kw_only=True)
class ChangeRule(WordRule):
    """The change of a metric from the base arm to the test arm."""

    metric: str

    @property
    def subject(self) -> str:
        """Return the metric."""
        return self.metric


@with_config(STRICT)
@dataclass(frozen=True, slots=True, kw_only=True)
class KernelRule(PercentRule):
    """The change of a metric on the unpatched kernel, since another kernel."""

    metric: str
    since: str

    @property
    def reference(self) -> str:
        """Return the key of the same cell's leg on the older kernel."""
        return key(self.cell, self.since, self.machine)

    @property
    def subject(self) -> str:
        """Return the metric and both kernels."""
        return f"{self.metric}, unpatched, {self.since} to {self.kernel},"


@with_config(STRICT)
@dataclass(frozen=True, slots=True, kw_only=True)
class VariantRule(WordRule):
    """The change of a metric from the series in another cell to the series in this one."""

    metric: str
    than: str

    @property
    def reference(self) -> str:
        """Return the key of the other cell's leg."""
        return key(self.than, self.kernel, self.machine)

    @property
    def subject(self) -> str:
        """Return the metric and the other cell."""
        return f"{self.metric} against {self.than},"


@with_config(STRICT)
@dataclass(frozen=True, slots=True, kw_only=True)
class LevelRule(LegRule):
    """What one arm measures, in the metric's unit."""

    metric: str
    arm: Literal["base", "test"]
    at_least: float | None = None
    at_most: float | None = None

    @property
    def bounds(self) -> Bounds:
        """Return the least and the most that is allowed, in the metric's unit."""
        return self.at_least, self.at_most

    @property
    def subject(self) -> str:
        """Return the metric and the arm."""
        return f"{self.metric} of {self.arm}"

    @property
    def asked(self) -> str:
        """Return the rule in words."""
        return f"{self.cell}: {self.subject} {_between(self.bounds, '{:g}')}"


@with_config(STRICT)
@dataclass(frozen=True, slots=True, kw_only=True)
class DifferenceRule(LegRule):
    """Test minus base in the metric's unit, where a base of 0 leaves no ratio."""

    metric: str
    difference_at_least: float | None = None
    difference_at_most: float | None = None

    @property
    def bounds(self) -> Bounds:
        """Return the least and the most that is allowed, in the metric's unit."""
        return self.difference_at_least, self.difference_at_most

    @property
    def subject(self) -> str:
        """Return the metric, as a difference."""
        return f"{self.metric}, test minus base,"

    @property
    def asked(self) -> str:
        """Return the rule in words."""
        return f"{self.cell}: {self.subject} {_between(self.bounds, '{:+g}')}"


@with_config(STRICT)
@dataclass(frozen=True, slots=True, kw_only=True)
class ShareRule(PercentRule):
    """Functions' share of the samples of a profile, with what they call.

    functions: where one has another name on another kernel both are listed, and what is there
    counts. of: what they are a share of; do_exit if empty.
    """

    kind: ClassVar[Kind] = "profile"

    functions: tuple[str, ...]
    arm: Literal["base", "test"]
    of: tuple[str, ...] = ()

    @property
    def subject(self) -> str:
        """Return the functions and what they are a share of."""
        whole = " or ".join(self.of) or "do_exit"
        return f"{' or '.join(self.functions)} in {whole}, {self.arm},"

    @property
    def asked(self) -> str:
        """Return the rule in words."""
        return f"{self.cell}: {self.subject} {_between(self.bounds, '{:g} %')}"


@with_config(STRICT)
@dataclass(frozen=True, slots=True, kw_only=True)
class HazardRule(LegRule):
    """A condition of a hazard, and whether it passes; `patches`: with the first so many alone."""

    kind: ClassVar[Kind] = "hazard"

    finding: str
    says: Literal["pass", "fail"] = "pass"
    patches: int = 0

    @property
    def subject(self) -> str:
        """Return the condition, and how much of the series is applied."""
        return self.finding + (f" with the first {self.patches} patches" if self.patches else "")

    @property
    def asked(self) -> str:
        """Return the rule in words."""
        return f"{self.cell}: {self.subject} {'passes' if self.says == 'pass' else 'fails'}"


def bounds(rule: LegRule, floor_pct: float | None) -> Bounds:
    """Return the least and the most that a rule allows; floor_pct: of its metric, for a word."""
    if not isinstance(rule, WordRule) or not rule.change:
        return rule.bounds
    least, most = _IN_FLOORS[rule.change]
    floor = floor_pct or 0.0
    return None if least is None else least * floor, None if most is None else most * floor


#: What only rules of one kind have, in the order in which it decides.
_BY_KEY: Mapping[str, str] = {
    "finding": "hazard",
    "functions": "share",
    "since": "kernel",
    "than": "variant",
    "difference_at_least": "difference",
    "difference_at_most": "difference",
    "arm": "level",
}


def _discriminate(rule: object) -> str:
    keys: Iterable[str] = ()  # of what is neither, pydantic says what is wrong
    if isinstance(rule, Mapping):
        keys = rule
    elif is_dataclass(rule):
        keys = [one.name for one in fields(rule)]
    return next((_BY_KEY[name] for name in _BY_KEY if name in {*keys}), "change")


#: Rules on a metric of a bench.
MetricRule: TypeAlias = ChangeRule | KernelRule | VariantRule | LevelRule | DifferenceRule

Rule: TypeAlias = Annotated[
    Annotated[HazardRule, Tag("hazard")]
    | Annotated[ShareRule, Tag("share")]
    | Annotated[KernelRule, Tag("kernel")]
    | Annotated[VariantRule, Tag("variant")]
    | Annotated[DifferenceRule, Tag("difference")]
    | Annotated[LevelRule, Tag("level")]
    | Annotated[ChangeRule, Tag("change")],
    Discriminator(_discriminate),
]


def _between(bounds: Bounds, form: str) -> str:
    words = zip(("at least", "at most"), bounds, strict=True)
    unsigned = form.replace("+", "")  # 0 has no sign
    return ", ".join(
        f"{word} {(form if bound else unsigned).format(bound)}"
        for word, bound in words
        if bound is not None
    )
