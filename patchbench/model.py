# SPDX-License-Identifier: GPL-2.0-only
"""The glossary: the nouns that several rooms share, as frozen dataclasses; no I/O.

In the order in which they come about: series and kernels, what is built, what a boot is made of,
what one boot says, what a run plans, what it says. What a gate goes by is in gate/limits.py.
A number carries its unit as the last word of its name. Nouns that users drop in as TOML
(KernelSpec, Machine, Workload) are validated by catalog.py against the very same fields.
"""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from pathlib import Path
from statistics import median
from typing import Annotated, ClassVar, Literal, TypeAlias

from pydantic import ConfigDict, Field, with_config

Json: TypeAlias = bool | int | float | str | list["Json"] | dict[str, "Json"] | None

#: For a workload or a hazard: whichever runs what the series changes.
AUTO = "auto"

#: For nouns that are read from TOML: a key that is not a field is an error, not ignored.
STRICT = ConfigDict(extra="forbid")

#: A clock that did not stop. It is worse than every finite time, and not a missing sample.
NEVER = math.inf


#: A text with exactly one place for a size.
_ONE_SIZE = r"^[^{}]*\{\}[^{}]*$"

#: What follows a metric's name where it is taken over the pages that each boot freed.
PER_PAGE = " per freed page"

#: The series without patches: the unpatched kernel.
NONE = "none"

_SERIES_NAME = re.compile(
    r"(?P<stem>[^@~+]*)(?:@(?P<first>[^~+]*))?(?:~(?P<commit>[^+]*))?(?:\+(?P<variant>.*))?",
    re.DOTALL,
)


@dataclass(frozen=True, slots=True)
class SeriesName:
    """STEM[@N][~COMMIT][+VARIANT], taken apart.

    `v0@1` is the first patch of v0 alone, `v0~COMMIT` is v0 as the project's history has it
    there (`v0~` at HEAD), and `v0+NAME` a variant of patches/v0/variants.toml. A part that is
    not in the name is None.
    """

    stem: str
    first: str | None = None
    commit: str | None = None
    variant: str | None = None

    @classmethod
    def parse(cls, name: str) -> "SeriesName":
        """Return a name's parts; any text has some, and a look-up may refuse them."""
        found = _SERIES_NAME.fullmatch(name)
        assert found  # each part of the pattern may be empty
        return cls(**found.groupdict())

    @property
    def is_none(self) -> bool:
        """Return whether it means the unpatched kernel."""
        return self == SeriesName(NONE)

    def today(self) -> str:
        """Return the name without commit and variant: STEM[@N]."""
        return self.stem if self.first is None else f"{self.stem}@{self.first}"

    def unvaried(self) -> str:
        """Return the name without the variant: STEM[@N][~COMMIT]."""
        return self.today() if self.commit is None else f"{self.today()}~{self.commit}"

    def __str__(self) -> str:
        """Return the whole name: STEM[@N][~COMMIT][+VARIANT]."""
        return self.unvaried() if self.variant is None else f"{self.unvaried()}+{self.variant}"


# --- series and kernels ---


@dataclass(frozen=True, slots=True)
class Patch:
    """One mail of a series: its number, its file, its subject and the files it touches."""

    number: int
    path: Path
    subject: str
    sha256: str
    files: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Series:
    """Patches for one kernel line, in order; the series `none` has no patches.

    base: how much of what its author saw the kernel has, for one that came as mails.
    """

    name: str
    line: str
    patches: tuple[Patch, ...] = ()
    engaged_vmstat: str | None = None
    base: str = ""
    message_ids: tuple[str, ...] = ()  # of its cover letter and its patches, as posted


@with_config(STRICT)
@dataclass(frozen=True, slots=True)
class DebianOrigin:
    """A linux-source package of a Debian suite.

    snapshot: take what the archive held then, in UTC, as 20261126T171041Z; empty is now.
    """

    kind: Literal["debian"]
    package: str
    suite: str
    snapshot: str = ""


@with_config(STRICT)
@dataclass(frozen=True, slots=True)
class GitOrigin:
    """A ref of a git repository, by URL or local path."""

    kind: Literal["git"]
    url: str
    ref: str


@with_config(STRICT)
@dataclass(frozen=True, slots=True)
class TarballOrigin:
    """A kernel tarball, by URL or local path, that must have this sha256."""

    kind: Literal["tarball"]
    url: str
    sha256: str


@with_config(STRICT)
@dataclass(frozen=True, slots=True)
class DirectoryOrigin:
    """An unpacked kernel tree, taken as it stands (`.git` left out)."""

    kind: Literal["directory"]
    path: str


Origin: TypeAlias = DebianOrigin | GitOrigin | TarballOrigin | DirectoryOrigin


@with_config(STRICT)
@dataclass(frozen=True, slots=True)
class KernelSpec:
    """Where a kernel comes from; a file in configs/kernels/.

    by_name: it is fetched and used only where it is named, not with all the others.
    """

    name: str
    summary: str
    origin: Origin
    by_name: bool = False


@dataclass(frozen=True, slots=True)
class Source:
    """A kernel as it was fetched: one commit in a repository of its own.

    tarball_sha256, fetched: of what came as a tarball, and when, in UTC: which snapshot of an
    archive has it. Empty where it is not known.
    """

    kernel: str
    version: str  # as its Makefile says, for example 7.3.4
    provenance: str  # for example linux-source-7.3 7.3.4-1~bpo13+1
    repository: Path
    commit: str
    origin: str  # the beginning of its origin's key: what else this kernel's name may stand for
    tarball_sha256: str = ""
    fetched: str = ""  # 2026-11-25T23:20:44+00:00

    @property
    def line(self) -> str:
        """Return the release line that patches/SERIES/LINE is named after: 7.3 for 7.3.4."""
        return ".".join(self.version.split("-")[0].split(".")[:2])


@dataclass(frozen=True, slots=True)
class Tree:
    """A kernel with a series applied; `id` is git's tree id, so equal trees are equal."""

    source: Source
    series: Series
    commit: str
    id: str


# --- what is built ---


@dataclass(frozen=True, slots=True)
class Toolchain:
    """The container image that compiles and boots everything.

    `digest` is over the recipe and the exact version of every package in the image, so it is
    the same on every host with the same compiler; `image_id` is the engine's own name for it.
    packages: all of them, as NAME:ARCHITECTURE=VERSION.
    """

    image_id: str
    digest: str
    base: str  # registry or debootstrap
    gcc: str
    binutils: str
    qemu: str
    packages: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Flavour:
    """A kernel configuration: a fragment on top of allnoconfig."""

    name: str
    fragment: str
    comparable: bool = True  # False for debug kernels: no timing of theirs means anything


@dataclass(frozen=True, slots=True)
class Image:
    """A bootable arm64 kernel; `release` carries the key, so a guest can prove which it is."""

    key: str
    path: Path
    release: str
    series: str
    tree_id: str
    flavour: str


@dataclass(frozen=True, slots=True)
class Guest:
    """An initrd: init, busybox and the workloads."""

    key: str
    path: Path


# --- what a boot is made of ---


@with_config(STRICT)
@dataclass(frozen=True, slots=True)
class Timelines:
    """A clock for each vCPU, by qemu/plugins/timelines: vCPUs in one thread whose times overlap.

    quantum_ns: how far a busy vCPU runs ahead of the others before it is their turn.
    spin_ns: how long a vCPU that executes WFE or YIELD waits before it looks again.
    picoseconds_per_instruction, capacities_dmips_mhz: one per vCPU. The capacities go into the
    device tree, from which the guest's scheduler learns which CPUs are the big ones.
    """

    quantum_ns: int
    spin_ns: int
    picoseconds_per_instruction: tuple[int, ...]
    capacities_dmips_mhz: tuple[int, ...] = ()

    most_vcpus: ClassVar[int] = 8  # that were tried, see docs/machines.md
    least_picoseconds: ClassVar[int] = 1000  # QEMU counts in nanoseconds


@with_config(STRICT)
@dataclass(frozen=True, slots=True)
class Machine:
    """How QEMU boots a guest; a file in qemu/machines/.

    An exact one has one clock for all its vCPUs, of 2^icount_shift ns an instruction, or
    timelines: a clock for each. kernel_parameters are added to the kernel's command line.
    """

    name: str
    summary: str
    cannot_show: str
    accel: Literal["icount", "tcg"]
    cpu: str
    vcpus: int
    memory_mib: int
    zram_mib: int
    zram_algorithm: str
    seeds: int  # per arm, unless --seeds says otherwise
    boot_timeout_s: int
    icount_shift: int | None = None
    timelines: Timelines | None = None
    kernel_parameters: str = ""

    @property
    def exact(self) -> bool:
        """Return whether a boot is a pure function of its arm and seed."""
        return self.accel == "icount"

    def conditions(self) -> dict[str, Json]:
        """Return the fields that decide what a boot prints; the others are for readers."""
        without = ["summary", "cannot_show", "seeds", "boot_timeout_s"]
        # What older machines lack, so that their keys stay as they were.
        without += [name for name in ("timelines", "kernel_parameters") if not getattr(self, name)]
        return {key: value for key, value in asdict(self).items() if key not in without}

    @property
    def nanoseconds_per_instruction(self) -> tuple[float, ...]:
        """Return how long each vCPU takes for an instruction; empty unless it is exact."""
        if self.timelines:
            return tuple(ps / 1000 for ps in self.timelines.picoseconds_per_instruction)
        return (2.0**self.icount_shift,) * self.vcpus if self.icount_shift is not None else ()


@with_config(STRICT)
@dataclass(frozen=True, slots=True)
class Condition:
    """A bound on a metric or a line of meta of a hazard's boot: exactly one bound each.

    All samples of the metric must keep to it. The bounds with `base_pct` are per cent of the
    baseline's value, mean against mean. Where the guest does not report the metric, the condition
    is untested, or with `optional` not asked at all. `more_for_each` raises at_most by so much
    for each unit of other metrics, as the same boot reports them.
    """

    on: str
    questions: tuple[Annotated[str, Field(pattern=r"^C\d+$")], ...]
    why: str  # one sentence: what is wrong when it does not hold
    at_most: float | None = None
    at_least: float | None = None
    equals: str | None = None
    at_most_base_pct: float | None = None
    at_least_base_pct: float | None = None
    more_for_each: Mapping[str, float] = field(default_factory=dict)
    optional: bool = False

    @property
    def compares(self) -> bool:
        """Return whether it takes a boot of the unpatched kernel to judge it."""
        return self.at_most_base_pct is not None or self.at_least_base_pct is not None

    @property
    def timed(self) -> bool:
        """Return whether it bounds a time, which a debug kernel stretches."""
        return self.on.endswith("_ns")

    @property
    def bound(self) -> str:
        """Return what every sample must keep to, or their mean where it is compared, in words."""
        if self.equals is not None:
            return f"must be {self.equals}"
        if self.compares:
            least, most = self.at_least_base_pct, self.at_most_base_pct
            share, word = (least, "at least") if least is not None else (most, "at most")
            return f"on average {word} {share:g} % of that"
        if self.at_least is not None:
            return f"at least {self.at_least:.0f}"
        more = "".join(f" + {each:.0f} * {name}" for name, each in self.more_for_each.items())
        return f"at most {self.at_most:.0f}{more}"

    @property
    def bounds(self) -> int:
        """Return how many bounds there are."""
        numbers = (self.at_most, self.at_least, self.at_most_base_pct, self.at_least_base_pct)
        return sum(bound is not None for bound in (*numbers, self.equals))


@with_config(STRICT)
@dataclass(frozen=True, slots=True)
class Workload:
    """A program for the guest and its parameters; a file in workloads/.

    One with conditions is a hazard, which `check` boots and judges: on the flavour that has what
    it needs, on an exact machine. The conditions of the workload `also` apply as well. `provokes`
    are patterns of console lines that it is meant to cause, and that are no splats here.
    lz4_acceleration: how readily zram's lz4 gives up on what does not compress, where a workload
    measures nothing of how its pages got into swap; without it lz4's own, 1.
    """

    name: str
    summary: str
    program: str
    parameters: Mapping[str, int]
    conditions: tuple[Condition, ...] = ()
    also: str = ""
    flavour: str = "bench"
    machine: str = "exact"
    provokes: tuple[str, ...] = ()
    lz4_acceleration: Annotated[int, Field(ge=1, le=65537)] | None = None
    # Limits on the parameters; neither decides what a boot prints.
    swap_mib: str = field(default="", compare=False)  # what it pages out: "victims * mib"
    excludes: tuple[tuple[str, ...], ...] = field(default=(), compare=False)  # of each, one at most


@dataclass(frozen=True, slots=True)
class Parameter:
    """A parameter of a workload's program, as its C source declares it."""

    name: str
    standard: int
    minimum: int
    maximum: int


@dataclass(frozen=True, slots=True)
class Metric:
    """What a sample measures, as declared by the guest that emitted it."""

    name: str
    unit: str
    better: Literal["lower", "higher"]


@with_config(STRICT)
@dataclass(frozen=True, slots=True)
class MetricNote:
    """What a report says of a metric beyond the guest's declaration: workloads/metrics/NAME.toml.

    less, more: a change as a sentence, with {} for its size; never: what it means when the
    clock did not stop. starts: for a time whose end may not come and for a curve, what its zero is.
    plot: every sample's distribution, a dot a boot, or a line a boot of samples labelled with
    the nanoseconds since `starts`. per_page: it is also reported per page that was freed.
    undone_of: it counts pages left undone, of as many as the guest has under this meta key.
    shows_lack_of: it moves only if somebody lacks this resource. study_tables: which tables of a
    study's page have it. swept: a time of an exit storm that `doctor --sweep` has a column of.
    """

    name: str
    label: str
    about: str = ""
    less: Annotated[str, Field(pattern=_ONE_SIZE)] = ""
    more: Annotated[str, Field(pattern=_ONE_SIZE)] = ""
    never: str = ""
    starts: str = ""
    plot: Literal["", "distribution", "boots", "curve"] = ""
    per_page: bool = False
    undone_of: str = ""
    shows_lack_of: Literal["", "memory"] = ""
    study_tables: frozenset[Literal["clocks", "kernels"]] = frozenset()
    swept: bool = False


@dataclass(frozen=True, slots=True)
class Platform:
    """What QEMU needs besides its command line: for timelines, or to mark what disturbs a boot."""

    key: str  # of what both files were made from
    plugin: Path
    device_tree: Path | None = None


@dataclass(frozen=True, slots=True)
class Arm:
    """All the conditions of a boot except its seed."""

    image: Image
    guest: Guest
    machine: Machine
    workload: Workload
    qemu: str
    platform: Platform | None = None

    def conditions(self) -> dict[str, Json]:
        """Return everything that decides what a boot on an exact machine prints."""
        return {
            "guest": self.guest.key,
            "image": self.image.key,
            "machine": self.machine.conditions(),
            "qemu": self.qemu,
            "workload": {"program": self.workload.program, **self.workload.parameters},
            **_of_lz4(self.workload),
            **({"platform": self.platform.key} if self.platform else {}),
        }


def _of_lz4(workload: Workload) -> dict[str, Json]:
    """Return it only where it is set, so that the keys of older boots stay as they were."""
    set_to = workload.lz4_acceleration
    return {} if set_to is None else {"lz4_acceleration": set_to}


# --- what one boot says ---


@dataclass(frozen=True, slots=True)
class Sample:
    """One number from the guest; NEVER for a clock that did not stop."""

    metric: str
    value: float
    label: str = ""


@dataclass(frozen=True)
class Record:
    """What one results log says."""

    complete: bool
    metrics: tuple[Metric, ...]
    samples: tuple[Sample, ...]
    meta: Mapping[str, str]
    last_line: str

    @cached_property
    def values(self) -> Mapping[str, Sequence[float]]:
        """Return the samples by metric, each in the order in which the guest wrote them."""
        found: dict[str, list[float]] = {}
        for sample in self.samples:
            found.setdefault(sample.metric, []).append(sample.value)
        return found


@dataclass(frozen=True, slots=True)
class Boot:
    """One boot of one arm. `failure` is empty when its samples can be used.

    overload: what else the host was doing, for a boot whose clock is the host's; again: how often
    it was done again for that, with all boots of its block.
    untested: what the workload needs and this kernel lacks; then it is a failure as well.
    worker: the host that it ran on, where its clock is the host's and that was not the run's own.
    """

    machine: str
    series: str
    seed: int
    record: Record
    failure: str = ""
    failure_status: int = 0
    splats: tuple[str, ...] = ()
    overload: str = ""
    untested: str = ""
    again: int = 0
    worker: str = ""

    def values(self, metric: str) -> Sequence[float]:
        """Return the samples of a metric, in the order in which the guest wrote them."""
        return self.record.values.get(metric, ())

    def value(self, metric: str) -> float:
        """Return what the boot counts as: the median, as its samples share its luck.

        Raises StatisticsError if it has no sample of the metric.
        """
        return median(self.values(metric))


# --- what a run plans ---


@dataclass(frozen=True, slots=True)
class Plan:
    """Everything about a run that is known before its first boot.

    tarball_sha256, fetched: as the Source has them; packages: as the Toolchain. With these a
    stranger finds the same files in an archive's snapshots. Older plans lack them.
    """

    run: str
    command: str
    kernel: str
    version: str
    provenance: str
    flavour: str
    base: "ArmNote"
    test: "ArmNote"
    workload: Workload
    machines: tuple[Machine, ...]
    seeds: Mapping[str, tuple[int, ...]]  # by machine
    toolchain: Mapping[str, str]
    guest: str
    host: Mapping[str, str]
    schema: int = 2
    others: tuple["ArmNote", ...] = ()  # more test arms, interleaved with these two
    tarball_sha256: str = ""
    fetched: str = ""
    packages: tuple[str, ...] = ()

    @property
    def arms(self) -> tuple["ArmNote", ...]:
        """Return the notes of all arms, base first."""
        return (self.base, self.test, *self.others)

    def pair(self, base: "ArmNote", test: "ArmNote") -> "Plan":
        """Return the plan as if it had been of two of its arms alone."""
        return replace(self, base=base, test=test, others=())


@dataclass(frozen=True, slots=True)
class ArmNote:
    """Which image an arm boots, and the counter that proves its series was at work.

    base: how much of what the series' author saw the kernel has, where it came as mails.
    """

    series: str
    tree_id: str
    image: str
    release: str
    engaged_vmstat: str | None = None
    base: str = ""
    message_ids: tuple[str, ...] = ()  # of the series' mails


# --- what a run says ---


@dataclass(frozen=True, slots=True)
class Delta:
    """One metric on one machine: both arms, and the paired change with its 95 % interval.

    base, test: medians over boots (a boot counts as the median of its samples).
    change, low, high: ratio test / base, minus one, in per cent; None where it cannot be said,
    and then `note` says why. NEVER stands for a change from finite to never.
    values: what each pair of boots counts as, (base, test), in the order of their seeds.
    floor_pct: what 95 % of comparisons of equal kernels stay within; None if not calibrated.
    per_page: the same over the pages that each boot freed, where the metric's note asks for it.
    """

    machine: str
    metric: Metric
    base: float
    test: float
    change_pct: float | None
    low_pct: float | None
    high_pct: float | None
    values: tuple[tuple[float, float], ...]
    note: str = ""
    floor_pct: float | None = None
    per_page: "Delta | None" = None

    @property
    def equal(self) -> bool:
        """Return whether both boots of every pair have the same value."""
        return all(base == test for base, test in self.values)

    @property
    def pairs(self) -> int:
        """Return how many pairs of boots it is from."""
        return len(self.values)


#: `constants`: the same instructions with other numbers in them, such as an array's new size.
FunctionState: TypeAlias = Literal["changed", "constants", "appeared", "disappeared"]


@dataclass(frozen=True, slots=True)
class FunctionChange:
    """One function that differs between two kernels; it has 0 bytes where it is not."""

    name: str  # as in the symbol table, with the compiler's suffixes
    file: str  # without its folder, which the symbol table lacks
    state: FunctionState
    base_bytes: int
    test_bytes: int


@dataclass(frozen=True, slots=True)
class CodeMap:
    """How the test arm's kernel differs from the base arm's, as far as their binaries show.

    equal: the same but for its name, build id and line numbers, so there is nothing to measure.
    """

    equal: bool
    functions: tuple[FunctionChange, ...]
    schema: int = 1

    known_schema: ClassVar[int] = 1


@dataclass(frozen=True, slots=True)
class FunctionProof:
    """Which of the functions in which two kernels differ ran in the test arm, between the marks.

    From one boot that was profiled. ran: their instructions, exact, as `file:function`; a function
    has those of what the compiler inlined into it. idle: those that did not run. untold: why nobody
    can say. A function that differs in constants alone counts where no other differs: a new vmstat
    counter moves the numbers of all that follow it.
    """

    machine: str
    seed: int
    ran: Mapping[str, int]
    idle: tuple[str, ...]
    untold: str = ""
    whole: bool = False  # the workload has no marks: since user space began
    schema: int = 1

    known_schema: ClassVar[int] = 1

    @property
    def at_work(self) -> bool | None:
        """Return whether a function that differs ran; None if that is unknown."""
        return None if self.untold else bool(self.ran)


@dataclass(frozen=True, slots=True)
class ScalePoint:
    """What one run measured on one machine, where a workload's parameter had this value."""

    value: int
    run: str
    deltas: tuple[Delta, ...]


@dataclass(frozen=True, slots=True)
class Scale:
    """Runs that differ in one parameter alone, on one machine, in the order of its values.

    Where a parameter differs on one machine only, the others have the run's own point, or none.
    """

    parameter: str
    machine: str
    points: tuple[ScalePoint, ...]


@dataclass(frozen=True, slots=True)
class Scaling:
    """How a run's numbers change with each parameter in which a stored run differs from it.

    commands: what made each run that has a point, by the run's name.
    invalid: runs that must not be relied on or cannot be read, and why; repeats: runs whose point
    another run has; neither has a point.
    """

    scales: tuple[Scale, ...] = ()
    commands: Mapping[str, str] = field(default_factory=dict)
    invalid: tuple[str, ...] = ()
    repeats: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Comparison:
    """What a run says. `invalid` holds every reason why it must not be relied on."""

    plan: Plan
    deltas: tuple[Delta, ...]
    engaged: Mapping[str, bool | None]  # by machine; None when the series names no counter
    outcomes: tuple[str, ...]  # things that never came: drains, swapoffs
    failures: tuple[str, ...]  # boots without usable samples
    splats: tuple[str, ...]
    invalid: tuple[str, ...]
    failure_statuses: tuple[int, ...] = ()
    failed_arms: tuple[str, ...] = ()  # whose boot each of the failures was
    overloads: tuple[str, ...] = ()  # boots that had to share the host; kept and counted
    disturbed: tuple[str, ...] = ()  # by machine: blocks done again, and a host too busy for any
    facts: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    nothing_to_measure: str = ""  # why no boot was made, if both kernels are the same
    code: CodeMap | None = None  # None for a run that was made before it was kept
    proof: FunctionProof | None = None  # likewise
    profiles: Mapping[str, str] = field(default_factory=dict)  # SVG by name
    scaling: Scaling | None = None  # None where no other run was looked at
    metric_notes: Mapping[str, MetricNote] = field(default_factory=dict)
    #: Per cent of the pages in swap that base and test left there, a mean over boots; by machine.
    undone_pct: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    books: tuple[str, ...] = ()  # by machine: what share of the CPU time looking took

    known_schema: ClassVar[int] = 2

    def metric_note(self, metric: str) -> MetricNote:
        """Return what is noted of a metric; for one without a note, words made of its name."""
        return self.metric_notes.get(metric) or MetricNote(metric, label=metric)
