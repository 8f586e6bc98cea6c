# SPDX-License-Identifier: GPL-2.0-only
"""What `check` does with the pipeline: hazards are booted, on every arm, and judged."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from pydantic import TypeAdapter

from patchbench import bench, boot, hazards, series
from patchbench.catalog import SplatPolicy
from patchbench.errors import BadInput, GateFailed, KernelSplat, LostGuest, PipelineError, Undecided
from patchbench.model import Arm, Boot, Finding, Image, Source, Workload
from patchbench.pipeline import Pipeline
from patchbench.store import write_whole
from patchbench.tools.qemu import Hypervisor

FINDINGS = "findings.json"
#: From good to bad.
_SHOWN = {"pass": "pass", "untested": "untested", "fail": "FAIL"}


@dataclass(frozen=True, slots=True)
class CheckRequest:
    """What `check` was asked for; empty `hazards` are all there are."""

    series: str
    kernels: tuple[str, ...]
    hazards: tuple[str, ...] = ()
    flavour: str = ""  # instead of each hazard's own
    machine: str = ""  # likewise
    seeds: int = 1
    fresh: bool = False


@dataclass(frozen=True, slots=True)
class Checked:
    """What `check` found, and the folder with the consoles that it was found in."""

    folder: Path
    findings: tuple[Finding, ...]


def check(pipeline: Pipeline, request: CheckRequest) -> Checked:
    """Boot the hazards on each kernel without the series, with its first patches, with all.

    Raises BadInput, before anything is built, for a workload without conditions, a machine that
    is not exact, or no seed.
    """
    if request.seeds < 1:
        raise BadInput(f"--seeds {request.seeds}: at least 1")
    workloads = _workloads(pipeline, request)
    stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%S")
    folder = pipeline.results / "runs" / f"{stamp}-check-{request.series}"
    folder.mkdir(parents=True)
    found: list[Finding] = []
    for kernel in request.kernels:
        source = pipeline.source(kernel)
        arms = _arms(pipeline, request.series, source)
        for workload in workloads:
            found += _check_one(pipeline, request, folder, source, arms, workload)
            write_whole(folder / FINDINGS, as_json(found))
    return Checked(folder, tuple(found))


def as_json(findings: Sequence[Finding]) -> str:
    """Return findings as the text of findings.json."""
    return TypeAdapter(list[Finding]).dump_json([*findings], indent=1).decode() + "\n"


def headings(findings: Sequence[Finding]) -> list[str]:
    """Return the table's headings: a column for each arm, in the order of the findings."""
    return ["kernel", "hazard", *dict.fromkeys(one.series for one in findings)]


def rows(findings: Sequence[Finding]) -> list[list[str]]:
    """Return the table's rows: the worst that each condition came to on each arm."""
    arms = headings(findings)[2:]
    states = {
        (one.kernel, one.subject, one.series): one.state
        for one in sorted(findings, key=lambda one: [*_SHOWN].index(one.state))
    }
    lines = dict.fromkeys((one.kernel, one.subject) for one in findings)
    return [
        [*line, *(_SHOWN[states[(*line, arm)]] if (*line, arm) in states else "-" for arm in arms)]
        for line in lines
    ]


def complaints(findings: Sequence[Finding]) -> list[str]:
    """Return a line for each condition that does not hold or is untested."""
    return [
        f"{one.kernel} {one.series}, {one.subject}: {one.says}"
        for one in findings
        if one.state != "pass"
    ]


def verdict_error(findings: Sequence[Finding]) -> PipelineError | None:
    """Return what keeps a series from passing, as the error to end with."""
    if splats := hazards.splats_on_base(findings):
        return KernelSplat(f"{splats[0].subject}: the kernel without the series complained")
    if lost := hazards.lost_on_base(findings):
        return LostGuest(f"{lost[0].subject}: the kernel without the series did not get through it")
    if worse := hazards.regressions(findings):
        return GateFailed(f"{len(worse)} conditions hold without the series and not with it")
    open_ones = [one for one in findings if one.state == "untested"]
    if open_ones:
        return Undecided(f"{len(open_ones)} are untested; the table tells why")
    return None


def _workloads(pipeline: Pipeline, request: CheckRequest) -> list[Workload]:
    catalog = pipeline.catalog
    known = [catalog.workload(name) for name in catalog.listing()["workload"]]
    asked = [catalog.workload(name) for name in request.hazards] or [
        one for one in known if one.conditions
    ]
    for workload in asked:
        if not workload.conditions:
            raise BadInput(f"workload {workload.name} has no conditions: `bench` it instead")
    asked = [
        replace(
            one,
            machine=request.machine or one.machine,
            flavour=request.flavour or one.flavour,
        )
        for one in asked
    ]
    for name in {one.machine for one in asked}:
        if not catalog.machine(name).exact:
            raise BadInput(f"hazards are booted on exact machines, and {name} is none")
    return asked


def _arms(pipeline: Pipeline, name: str, source: Source) -> list[str]:
    """Return the series to boot: none, the first patches alone, and the whole."""
    if name == series.NONE:
        return [name]
    count = len(series.load(pipeline.root, name, source.line).patches)
    firsts = [] if "@" in name else [f"{name}@{first}" for first in range(1, count)]
    return [series.NONE, *firsts, name]


def _check_one(
    pipeline: Pipeline,
    request: CheckRequest,
    folder: Path,
    source: Source,
    arms: Sequence[str],
    workload: Workload,
) -> list[Finding]:
    machine = pipeline.catalog.machine(workload.machine)
    images = [_image(pipeline, source, name, workload.flavour) for name in arms]
    guest = pipeline.guest(workload.program)
    jobs = [
        bench.Job(Arm(image, guest, machine, workload, pipeline.toolchain.qemu), seed)
        for seed in range(1, request.seeds + 1)
        for image in images
    ]
    place = folder / source.kernel / workload.name
    pipeline.story.say(f"{workload.name} on {source.kernel}")
    boots = _boot(pipeline, jobs, place, fresh=request.fresh)
    bases = {told.seed: told for told in boots if told.arm == series.NONE}
    policy = pipeline.catalog.splat_policy()
    found: list[Finding] = []
    for job, told in zip(jobs, boots, strict=True):
        command = _command(told, source, workload)
        found += hazards.judge(
            workload,
            hazards.Place(source.kernel, source.version, told.arm, command),
            told,
            boot.read_console(job.folder(place)),
            policy,
            base=bases[told.seed] if told.arm != series.NONE else None,
        )
    return found


def _image(pipeline: Pipeline, source: Source, name: str, flavour: str) -> Image:
    return pipeline.image(pipeline.apply(source, name), flavour)


def _boot(pipeline: Pipeline, jobs: list[bench.Job], place: Path, *, fresh: bool) -> list[Boot]:
    """Boot what is not shelved. Splats are judged apart, so that the record still counts."""
    deaf = SplatPolicy(deny=())
    hypervisor = Hypervisor(pipeline.engine, pipeline.toolchain)
    bencher = bench.Bench(hypervisor, pipeline.store, deaf, pipeline.story, place)
    return bencher.exact(jobs, fresh=fresh, pick=None)


def _command(told: Boot, source: Source, workload: Workload) -> str:
    return (
        f"./bootstrap boot --series {told.arm} --kernel {source.kernel} "
        f"--flavour {workload.flavour} --machine {workload.machine} --workload {workload.name} "
        f"--seed {told.seed}"
    )
