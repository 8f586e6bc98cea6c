# SPDX-License-Identifier: GPL-2.0-only
"""What `calibrate` does: boots kernels of equal work, and kernels that do a known amount more.

All boots go into one run's folder; calibration.py works out what they say.
"""

import random
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from patchbench.errors import BadInput, HostOverloaded, LostGuest
from patchbench.gate import policy as policies
from patchbench.gate.calibration import Calibration, CalibrationCell, Means
from patchbench.gate.limits import Policy
from patchbench.model import NONE, PER_PAGE, Arm, Boot, Image, Machine, Metric, Source
from patchbench.noise import Conditions, Floors, Values
from patchbench.pipeline import Pipeline
from patchbench.runs import folder as runs
from patchbench.stages import boots, compare, planted, series
from patchbench.tools import host

AGAIN = f"{NONE}~again"
#: Bytes by which a relink shifts the code: less than a cache line, a page, many pages.
_SHIFTS = (16, 1040, 4112, 10_000, 33_040, 100_016, 260_000, 1_000_016)


@dataclass(frozen=True, slots=True)
class CalibrationRequest:
    """What `calibrate` was asked for."""

    kernel: str
    policies: tuple[Path, ...]
    machines: tuple[str, ...] = ()  # of the policies' machines, only these; all if empty
    relinks: int = 6
    sizes: tuple[int, ...] = (2, 4, 8, 12, 16, 32)  # extra instructions per freed entry
    noisy_sizes: tuple[int, ...] = (1600, 3200, 6400)
    # Where vCPUs overlap, a seed is an interleaving too: more noise, and boots that take longer.
    overlapping_relinks: int = 2
    overlapping_sizes: tuple[int, ...] = (64,)
    trials: int = 400
    flavour: str = "bench"

    def command(self) -> str:
        """Return the one command that repeats the calibration."""
        policies = ",".join(str(path) for path in self.policies)
        words = [f"./bootstrap calibrate --kernel {self.kernel} --policy {policies}"]
        words += [f"--machine {','.join(self.machines)}"] if self.machines else []
        return " ".join(words)


def calibrate(pipeline: Pipeline, request: CalibrationRequest) -> Calibration:
    """Boot what it takes to judge the policies, and return what was measured.

    Each workload of a policy is calibrated by itself on each of its machines. Raises BadInput
    where two policies have limits on the same, or none has, and LostGuest if a boot has no usable
    samples: a calibration must be complete.
    """
    parts = _parts(
        [policies.load(pipeline.catalog, pipeline.root / path) for path in request.policies],
        request.machines,
    )
    source = pipeline.source(request.kernel)
    folder = pipeline.results / "runs" / pipeline.new_name(f"calibrate-{source.kernel}")
    planter = _Planter(pipeline, source, request)
    means = Means(
        source.version,
        pipeline.toolchain.digest,
        pipeline.toolchain.qemu,
        host.describe(),
        request.trials,
        request.command(),
    )
    cells = []
    for (workload, machine), policy in parts.items():
        on = pipeline.catalog.machine(machine)
        booter = _Booter(pipeline, folder, source.kernel, workload, on)
        relinks, sizes = _plants(request, booter.machine)
        cells.append(
            booter.boot(
                means,
                calibrated_part(policy, on),
                same=[planter.none(), *map(planter.relink, range(relinks))],
                slower={size: planter.slower(size) for size in sizes},
            )
        )
    runs.seal(folder)
    return Calibration(tuple(cells))


def _with_per_page(pipeline: Pipeline, workload: str) -> dict[str, Metric]:
    """Return the metrics of a workload, and of some what they are per freed page."""
    metrics = pipeline.catalog.metrics(pipeline.catalog.workload(workload).program)
    names = [metric.name + PER_PAGE for metric in metrics.values()]
    per_page = zip(names, metrics.values(), strict=True)
    return {**metrics, **{name: replace(metric, name=name) for name, metric in per_page}}


def _plants(request: CalibrationRequest, machine: Machine) -> tuple[int, tuple[int, ...]]:
    """Return how many relinks and which slow-downs a machine is calibrated with."""
    if not machine.exact:
        return 0, request.noisy_sizes
    if machine.vcpus > 1:
        return request.overlapping_relinks, request.overlapping_sizes
    return request.relinks, request.sizes


def calibrated_part(policy: Policy, machine: Machine) -> Policy:
    """Return the part of a policy that is calibrated on a machine.

    An exact one is calibrated with the seeds of the first look: a kernel's boots are the same in
    all comparisons, so more of them say little more. Where the host makes the noise, all count.
    """
    return policies.first_look(policy) if machine.exact else policy


def _parts(read: Sequence[Policy], wanted: Sequence[str]) -> dict[tuple[str, str], Policy]:
    """Return the part of the policies that judges each workload on each of the wanted machines."""
    found: dict[tuple[str, str], Policy] = {}
    for policy in read:
        parts = policies.parts(policy)
        if twice := sorted(found.keys() & parts.keys()):
            raise BadInput(f"two policies have limits on {' on '.join(twice[0])}; calibrate one")
        found |= parts
    machines = dict.fromkeys(machine for _, machine in found)
    if unknown := [name for name in wanted if name not in machines]:
        raise BadInput(f"no policy has a limit on {unknown[0]}; there are {', '.join(machines)}")
    return {place: part for place, part in found.items() if not wanted or place[1] in wanted}


class _Planter:
    """Builds the kernels that a calibration compares; they differ little, so they build fast."""

    def __init__(self, pipeline: Pipeline, source: Source, request: CalibrationRequest) -> None:
        self._pipeline = pipeline
        self._source = source
        self._flavour = request.flavour
        self._plants = planted.load(pipeline.root)
        self._root = pipeline.cache / "work/planted"

    def none(self) -> Image:
        """Return the unpatched kernel."""
        applied = self._pipeline.apply(self._source, NONE)
        return self._pipeline.image(applied, self._flavour)

    def relink(self, number: int) -> Image:
        """Return the unpatched kernel with its code shifted."""
        return self._plant(f"relink-{number + 1}", self._plants.relink, _SHIFTS[number])

    def slower(self, size: int) -> Image:
        """Return the kernel with this many extra instructions per freed entry."""
        return self._plant(f"slower-{size}", self._plants.slower, size)

    def _plant(self, name: str, plant: planted.Plant, size: int) -> Image:
        scratch = self._pipeline.cache / "work/planting"
        planted.write(plant, self._source, self._root, name, scratch, size)
        plain = series.load(self._root, name, self._source.line)
        # Named as a commit of `none`, so that it builds in the unpatched kernel's lane.
        applied = self._pipeline.apply_series(self._source, replace(plain, name=f"{NONE}~{name}"))
        return self._pipeline.image(applied, self._flavour)


class _Booter:
    """Boots kernels on one machine with one workload, and reads what they measured."""

    def __init__(
        self,
        pipeline: Pipeline,
        folder: Path,
        kernel: str,
        workload: str,
        machine: Machine,
    ) -> None:
        self.machine = machine
        self._pipeline = pipeline
        # A folder of boots has those of one workload: their names do not tell it.
        self._folder = folder / workload
        self._kernel = kernel
        self._workload = workload
        self._metrics = _with_per_page(pipeline, workload)
        self._booter = pipeline.booter(self._folder)
        self._notes = pipeline.catalog.metric_notes()

    def boot(
        self,
        means: Means,
        policy: Policy,
        *,
        same: Sequence[Image],
        slower: Mapping[int, Image],
    ) -> CalibrationCell:
        """Return what all kernels measured with as many seeds as the policy's last look has.

        On an exact machine the first kernel is booted twice, and its boots must be the same to
        the byte; on a noisy one it is two arms, in the same blocks as the slower kernels.
        """
        everything = range(1, policy.looks[-1] + 1)
        images = [*same, *slower.values()]
        if not self.machine.exact:
            images.insert(1, replace(same[0], series=AGAIN))
        arms = [self._arm(image) for image in images]
        if self.machine.exact:
            order = random.Random(self._folder.name)
            jobs = [boots.Job(arm, seed) for arm in arms for seed in everything]
            booted = self._booter.exact(jobs, fresh=False, pick=order)
            again = self._pipeline.booter(self._folder / "again").exact(
                [boots.Job(arms[0], seed) for seed in everything], fresh=True, pick=order
            )
        else:
            order = random.Random(self._folder.name)
            booted, again = self._booter.blocks(arms, everything, order), []
        equal = [*same] if self.machine.exact else [images[0], images[1]]
        values = {image.series: self._values(booted, image.series) for image in equal}
        # Some metrics of a program are measured with other parameters only.
        measured = set.intersection(*(set(one) for one in values.values()))
        conditions = Conditions.of(
            self._kernel,
            images[0].flavour,
            arms[0].workload,
            self.machine,
            arms[0].guest.key,
        )
        return CalibrationCell(
            means=means,
            policy=policy,
            exact=self.machine.exact,
            metrics=tuple(one for one in self._metrics.values() if one.name in measured),
            same=values,
            slower={size: self._values(booted, image.series) for size, image in slower.items()},
            again=self._values(again, images[0].series),
            floors=Floors(conditions, {}),
        )

    def _arm(self, image: Image) -> Arm:
        workload = self._pipeline.workload(self._workload, {}, self.machine)
        return self._pipeline.arm(image, self.machine, workload)

    def _values(self, booted: Iterable[Boot], series: str) -> Values:
        """Return what one kernel's boots measured.

        Raises LostGuest if one of them has no samples, HostOverloaded if that is the host's fault.
        """
        values: dict[str, dict[int, float]] = {}
        for one in sorted(booted, key=lambda one: one.seed):
            if one.series != series:
                continue
            if one.failure:
                blameless = one.failure_status == HostOverloaded.exit_code
                kind = HostOverloaded if blameless else LostGuest
                raise kind(f"{series} seed {one.seed} has no usable samples: {one.failure}")
            pages = compare.freed_pages(one, self._notes)
            for metric in one.record.metrics:
                value = one.value(metric.name)
                values.setdefault(metric.name, {})[one.seed] = value
                note = self._notes.get(metric.name)
                if pages and note and note.per_page:
                    values.setdefault(metric.name + PER_PAGE, {})[one.seed] = value / pages
        return values
