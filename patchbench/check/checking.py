# SPDX-License-Identifier: GPL-2.0-only
"""What `check` does with the pipeline: the build matrix and the hazards, series by series."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from patchbench import findings
from patchbench.check import answers, hazards, matrix, matrixing, rowplacing, rows
from patchbench.check.request import HAZARDS, MATRIX, STYLE, CheckRequest
from patchbench.errors import (
    BadInput,
    GateFailed,
    KernelSplat,
    LostGuest,
    PipelineError,
    Undecided,
    UnknownName,
)
from patchbench.findings import CheckResult, Finding, Target
from patchbench.model import AUTO, Boot, Source, Workload
from patchbench.pipeline import Pipeline
from patchbench.profile import covering
from patchbench.runs import folder as runs
from patchbench.runs import published
from patchbench.stages import boot, splats
from patchbench.stages.boots import Job
from patchbench.stages.splats import SplatPolicy
from patchbench.tools import files

#: The folder of the jobs that --plan-only wrote, in that of a check.
JOBS = "jobs"
#: From good to bad.
_SHOWN = {"pass": "pass", "untested": "untested", "fail": "FAIL"}


@dataclass(frozen=True, slots=True)
class Checked:
    """What `check` found, the folder that holds it, and what kept parts from being looked at."""

    folder: Path
    result: CheckResult
    errors: tuple[PipelineError, ...] = ()


def check(pipeline: Pipeline, request: CheckRequest) -> Checked:
    """Build the rows and boot the hazards, on each kernel, with the first patches, with all.

    Where several kernels are asked for, one that the series has no port for is untested, and its
    error is kept. Raises BadInput, before anything is built, for a workload without conditions, a
    machine that is not exact, or no seed.
    """
    if request.seeds < 1:
        raise BadInput(f"--seeds {request.seeds}: at least 1")
    workloads = _workloads(pipeline, request) if HAZARDS in request.parts else []
    matrix.choose(matrix.load(pipeline.root), request.rows, quick=request.quick)
    name = request.run or pipeline.new_name(f"check-{request.series}")
    folder = pipeline.results / "runs" / name
    folder.mkdir(parents=True, exist_ok=bool(request.run))
    rowplacing.take_in(pipeline.store, folder / JOBS)
    result = CheckResult(request.series, request.against, request.command(), {}, ())
    errors: list[PipelineError] = []

    def keep(more: Iterable[Finding]) -> None:
        nonlocal result
        result = replace(result, findings=(*result.findings, *more))
        findings.write(folder, result)

    for kernel in request.kernels[:1] if request.tree else request.kernels:
        source = pipeline.source(kernel, request.tree)
        result = replace(result, kernels={**result.kernels, source.kernel: source.version})
        try:
            pipeline.series(request.series, source.line)
        except UnknownName as err:
            if len(request.kernels) == 1:
                raise
            target = _target(request, source)
            keep([rows.judge_error(target, "series", request.series, err)])
            errors.append(err)
            continue
        if MATRIX in request.parts or STYLE in request.parts:
            built = matrixing.check(pipeline, source, request)
            keep(built.findings)
            errors += built.errors
        for workload in workloads:
            keep(_check_one(pipeline, request, folder, source, workload))
    files.remove_whole(folder / JOBS)  # done by now
    return Checked(folder, result, tuple(errors))


def plan_only(pipeline: Pipeline, request: CheckRequest) -> list[Path]:
    """Return a file for each row with the series that is not shelved, a job for `work`.

    When `work` has done them, the same command with --run takes them in, builds what is left (the
    rows of the base that have to be compared with) and reports. Raises BadInput without a matrix.
    """
    if MATRIX not in request.parts:
        raise BadInput("--plan-only writes the rows of the matrix as jobs: ask for --matrix")
    name = request.run or pipeline.new_name(f"check-{request.series}")
    sources = [
        pipeline.source(kernel, request.tree)
        for kernel in (request.kernels[:1] if request.tree else request.kernels)
    ]
    jobs = [job for source in sources for job in matrixing.jobs(pipeline, source, request)]
    return rowplacing.write(jobs, pipeline.results / "runs" / name / JOBS)


def begun(pipeline: Pipeline, name: str) -> str:
    """Return the name of a check that --plan-only began; BadInput if nothing of it is there."""
    if (pipeline.results / "runs" / name / JOBS).is_dir() and Path(name).name == name:
        return name
    found = sorted(one.parent.name for one in pipeline.results.glob(f"runs/*-check-*/{JOBS}"))
    raise BadInput(
        f"--run {name}: no check of this name was begun by --plan-only\n"
        f"  begun: {', '.join(found) or 'none'}"
    )


def parts(*, matrix: bool, hazards: bool, style: bool = False) -> tuple[str, ...]:
    """Return the parts that were asked for; matrix and hazards where none was."""
    asked = {MATRIX: matrix, HAZARDS: hazards, STYLE: style}
    return tuple(name for name, wanted in asked.items() if wanted) or (MATRIX, HAZARDS)


def headings(result: CheckResult) -> list[str]:
    """Return the table's headings: a column for each series."""
    return ["kernel", "what", *result.series_names]


def answer(root: Path, folder: Path, result: CheckResult) -> Path | None:
    """Write the answer sheet into results/reports/, and return it; None if no hazard was booted."""
    return _answer(root, folder, result, root / "results/reports" / folder.name)


def publish(root: Path, folder: Path, name: str) -> Path:
    """Copy what a check found, and its answers, into results/published/NAME; return that folder.

    Raises BadInput if its findings are damaged, or as published.publishing.
    """
    result = findings.read(folder)
    with published.publishing(root, name) as new:
        findings.write(new, result)
        _answer(root, folder, result, new)
        runs.seal(new)
    return root / "results/published" / name


def _answer(root: Path, folder: Path, result: CheckResult, out: Path) -> Path | None:
    if not any(one.questions for one in result.findings):
        return None
    sheet = answers.answer(answers.questions(root), result, folder.name)
    return answers.write(out, sheet)


def table(result: CheckResult) -> list[list[str]]:
    """Return the table's rows: the worst answer to each question, by series."""
    from_good_to_bad = sorted(result.findings, key=lambda one: [*_SHOWN].index(one.state))
    states = {(*one.question, one.series): _SHOWN[one.state] for one in from_good_to_bad}
    lines = {one.question: (one.kernel, _what(one)) for one in result.findings}
    return [
        [*shown, *(states.get((*question, name), "-") for name in result.series_names)]
        for question, shown in lines.items()
    ]


def _what(finding: Finding) -> str:
    """Return what was asked, with the bound that a pass keeps to."""
    return f"{finding.title}, {finding.bound}" if finding.bound else finding.title


def problems(result: CheckResult) -> list[str]:
    """Return a line for each finding that fails or is untested."""
    worse = result.regressions()
    known = [
        one
        for one in result.findings
        if one.state == "fail" and one.series != result.against and one not in worse
    ]
    return [
        f"{one.kernel} {one.series}, {one.title}: {one.says}"
        + (f" ({result.baseline} as well)" if one in known else "")
        for one in result.findings
        if one.state != "pass"
    ]


def verdict_error(
    result: CheckResult, errors: tuple[PipelineError, ...] = ()
) -> PipelineError | None:
    """Return what keeps a series from passing, as the error to end with.

    errors: what kept rows from being built; a series that fails elsewhere fails all the same.
    """
    if splats := result.failed_unpatched("console"):
        return KernelSplat(f"{splats[0].subject}: the unpatched kernel splats, {splats[0].on}")
    if lost := result.failed_unpatched("boot"):
        return LostGuest(f"{lost[0].subject}: the boot of the unpatched kernel did not finish")
    if worse := result.regressions():
        return GateFailed(
            f"{len(worse)} checks fail with {result.series} and do not {result.baseline}; "
            "the lines above say which"
        )
    if errors:
        return errors[0]
    if untested := [one for one in result.findings if one.state == "untested"]:
        return Undecided(f"{len(untested)} checks are untested; the lines above say why")
    return None


def _workloads(pipeline: Pipeline, request: CheckRequest) -> list[Workload]:
    catalog = pipeline.catalog
    if AUTO in request.hazards:
        request = replace(request, hazards=_reaching(pipeline, request))
    known = [catalog.workload(name) for name in catalog.listing()["workload"]]
    asked = [catalog.workload(name) for name in request.hazards] or [
        one for one in known if one.conditions
    ]
    for workload in asked:
        if not workload.conditions:
            raise BadInput(f"workload {workload.name} has no conditions to check; use `bench`")
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
            raise BadInput(f"--machine {name}: hazards are booted on exact machines only")
    return asked


def _reaching(pipeline: Pipeline, request: CheckRequest) -> tuple[str, ...]:
    """Return the hazards that run what the series changes, on the first of the kernels."""
    source = pipeline.source(request.kernel, request.tree)
    names = (request.against, request.series)
    reached = covering.chosen(pipeline, source, names, machine="exact", hazards=True)
    return tuple(one.workload for one in reached)


def _target(request: CheckRequest, source: Source) -> Target:
    """Return the target of what concerns no single row or hazard."""
    command = request.part_command(source, "")
    return Target(source.kernel, source.version, request.series, command)


def _check_one(
    pipeline: Pipeline,
    request: CheckRequest,
    folder: Path,
    source: Source,
    workload: Workload,
) -> list[Finding]:
    """Boot one hazard, every series with every seed, and return what that says of each."""
    names = dict.fromkeys((request.against, *request.prefixes(pipeline, source)))
    if not pipeline.catalog.flavour(workload.flavour, source.line).comparable:
        workload = hazards.without_timings(workload)
    machine = pipeline.catalog.machine(workload.machine)
    arms = pipeline.arms(
        source, names, flavour=workload.flavour, machine=machine, workload=workload
    )
    jobs = [Job(arm, seed) for seed in range(1, request.seeds + 1) for arm in arms]
    run = folder / source.kernel / workload.name
    pipeline.story.say(f"{workload.name} on {source.kernel}")
    # hazards.judge looks for splats itself: a boot with one still has its record.
    boots = pipeline.booter(run, SplatPolicy(deny=())).exact(jobs, fresh=request.fresh, pick=None)
    bases = {one.seed: one for one in boots if one.series == request.against}
    policy = splats.load(pipeline.root)
    found: list[Finding] = []
    for job, booted in zip(jobs, boots, strict=True):
        command = _command(booted, request.kernel_flag(source), workload)
        found += hazards.judge(
            workload,
            Target(source.kernel, source.version, booted.series, command),
            booted,
            boot.read_console(job.folder(run)),
            policy,
            base=bases[booted.seed] if booted.series != request.against else None,
        )
    return hazards.together(found)


def _command(booted: Boot, kernel: str, workload: Workload) -> str:
    return (
        f"./bootstrap boot --series {booted.series} {kernel} "
        f"--flavour {workload.flavour} --machine {workload.machine} --workload {workload.name} "
        f"--seed {booted.seed}"
    )
