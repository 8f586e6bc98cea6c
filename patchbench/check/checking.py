# SPDX-License-Identifier: GPL-2.0-only
"""What `check` does with the pipeline: the build matrix and the hazards, on every arm."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from pydantic import ValidationError

from patchbench.catalog import SplatPolicy, adapter
from patchbench.check import answers, hazards, matrix, matrixing, rows
from patchbench.check.matrixing import CheckRequest
from patchbench.errors import (
    BadInput,
    GateFailed,
    KernelSplat,
    LostGuest,
    PipelineError,
    Undecided,
    UnknownName,
)
from patchbench.model import NONE, Boot, Finding, Source, Workload
from patchbench.pipeline import Pipeline, kernel_flag
from patchbench.runs import folder as runs
from patchbench.runs import published
from patchbench.runs.archive import FINDINGS
from patchbench.stages import boot, series
from patchbench.stages import boots as bench
from patchbench.store import write_whole

#: From good to bad.
_SHOWN = {"pass": "pass", "untested": "untested", "fail": "FAIL"}


@dataclass(frozen=True, slots=True)
class Checked:
    """What `check` found, and the folder with the consoles that it was found in."""

    folder: Path
    findings: tuple[Finding, ...]
    errors: tuple[PipelineError, ...] = ()  # what kept rows and kernels from being looked at


def check(pipeline: Pipeline, request: CheckRequest) -> Checked:
    """Build the rows and boot the hazards, on each kernel, with the first patches, with all.

    Of several kernels one that the series has no port for is untested, and its error told.
    Raises BadInput, before anything is built, for a workload without conditions, a machine that
    is not exact, or no seed.
    """
    if request.seeds < 1:
        raise BadInput(f"--seeds {request.seeds}: at least 1")
    workloads = _workloads(pipeline, request) if "hazards" in request.parts else []
    matrix.choose(matrix.load(pipeline.root), request.rows, quick=request.quick)
    stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%S")
    folder = pipeline.results / "runs" / (request.run or f"{stamp}-check-{request.series}")
    folder.mkdir(parents=True, exist_ok=bool(request.run))
    found: list[Finding] = []
    errors: list[PipelineError] = []

    def keep(more: Iterable[Finding]) -> None:
        found.extend(more)
        write_whole(folder / FINDINGS, as_json(found))

    for kernel in request.kernels[:1] if request.tree else request.kernels:
        source = pipeline.source(kernel, request.tree)
        try:
            series.load(pipeline.root, request.series, source.line)
        except UnknownName as err:
            if len(request.kernels) == 1:
                raise
            keep([rows.judge_error(_whole(request, source), "series", err)])
            errors.append(err)
            continue
        if "matrix" in request.parts:
            told = matrixing.check(pipeline, source, request)
            keep(told.findings)
            errors += told.errors
        for workload in workloads:
            keep(_check_one(pipeline, request, folder, source, workload))
    return Checked(folder, tuple(found), tuple(errors))


def parts(*, matrix: bool, hazards: bool) -> tuple[str, ...]:
    """Return the halves that a user wants who asked for something of these, or for nothing."""
    told = {"matrix": matrix, "hazards": hazards}
    return tuple(name for name, wanted in told.items() if wanted) or tuple(told)


def as_json(findings: Sequence[Finding]) -> str:
    """Return findings as the text of findings.json."""
    return adapter(list[Finding]).dump_json([*findings], indent=1).decode() + "\n"


def headings(findings: Sequence[Finding]) -> list[str]:
    """Return the table's headings: a column for each arm."""
    return ["kernel", "what", *hazards.arms(findings)]


def read(folder: Path) -> tuple[Finding, ...]:
    """Return what a check found; BadInput if its file is damaged."""
    try:
        rows = json.loads((folder / FINDINGS).read_bytes())
        for row in rows:  # as written before questions had a name of their own
            if "hazards" in row:
                row["questions"] = row.pop("hazards")
        return tuple(adapter(list[Finding]).validate_python(rows))
    except (ValueError, ValidationError, TypeError, AttributeError) as err:
        raise BadInput(f"{folder / FINDINGS} is damaged: {err}") from err


def answer(root: Path, folder: Path, findings: Sequence[Finding]) -> Path | None:
    """Write the answer sheet into results/reports/, and return it; None if no hazard was booted."""
    return _answer(root, folder, findings, root / "results/reports" / folder.name)


def publish(root: Path, folder: Path, name: str) -> Path:
    """Copy what a check found, and its answers, into results/published/NAME; return that folder.

    Raises BadInput if its findings are damaged, or as published.new_folder.
    """
    findings = read(folder)
    target = published.new_folder(root, name)
    write_whole(target / FINDINGS, as_json(findings))
    _answer(root, folder, findings, target)
    runs.seal(target)
    return target


def _answer(root: Path, folder: Path, findings: Sequence[Finding], out: Path) -> Path | None:
    if not any(one.questions for one in findings):
        return None
    told = answers.answer(
        answers.questions(root), findings, hazards.arms(findings)[-1], folder.name
    )
    return answers.write(out, told, folder.name)


def table(findings: Sequence[Finding]) -> list[list[str]]:
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


def complaints(findings: Sequence[Finding], against: str = NONE) -> list[str]:
    """Return a line for each condition that does not hold or is untested."""
    worse = hazards.regressions(findings, against)
    own = [one for one in findings if one.state == "fail" and one.series != against]
    beside = "without the series" if against == NONE else f"with {against}"
    return [
        f"{one.kernel} {one.series}, {one.subject}: {one.says}"
        + (f" (as {beside})" if one in own and one not in worse else "")
        for one in findings
        if one.state != "pass"
    ]


def verdict_error(
    findings: Sequence[Finding],
    errors: Sequence[PipelineError] = (),
    against: str = NONE,
) -> PipelineError | None:
    """Return what keeps a series from passing, as the error to end with.

    errors: what kept rows from being built; a series that fails elsewhere fails all the same.
    """
    if splats := hazards.splats_on_base(findings):
        return KernelSplat(f"{splats[0].subject}: the kernel without the series complained")
    if lost := hazards.lost_on_base(findings):
        return LostGuest(f"{lost[0].subject}: the kernel without the series did not get through it")
    if worse := hazards.regressions(findings, against):
        return GateFailed(f"{len(worse)} conditions hold with {against} and not with the series")
    if errors:
        return errors[0]
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


def _whole(request: CheckRequest, source: Source) -> hazards.Place:
    """Return the place of what is not of one row or hazard."""
    command = request.command(source, "").rstrip()
    return hazards.Place(source.kernel, source.version, request.series, command)


def _check_one(
    pipeline: Pipeline,
    request: CheckRequest,
    folder: Path,
    source: Source,
    workload: Workload,
) -> list[Finding]:
    names = dict.fromkeys((request.against, *request.arms(pipeline, source)))
    if not pipeline.catalog.flavour(workload.flavour, source.line).comparable:
        workload = hazards.without_timings(workload)
    machine = pipeline.catalog.machine(workload.machine)
    arms = pipeline.arms(
        source, names, flavour=workload.flavour, machine=machine, workload=workload
    )
    jobs = [bench.Job(arm, seed) for seed in range(1, request.seeds + 1) for arm in arms]
    place = folder / source.kernel / workload.name
    pipeline.story.say(f"{workload.name} on {source.kernel}")
    # Splats are judged apart, so that the record still counts.
    boots = pipeline.booter(place, SplatPolicy(deny=())).exact(jobs, fresh=request.fresh, pick=None)
    bases = {told.seed: told for told in boots if told.series == request.against}
    policy = pipeline.catalog.splat_policy()
    found: list[Finding] = []
    for job, told in zip(jobs, boots, strict=True):
        command = _command(told, kernel_flag(source.kernel, request.tree), workload)
        found += hazards.judge(
            workload,
            hazards.Place(source.kernel, source.version, told.series, command),
            told,
            boot.read_console(job.folder(place)),
            policy,
            base=bases[told.seed] if told.series != request.against else None,
        )
    return found


def _command(told: Boot, kernel: str, workload: Workload) -> str:
    return (
        f"./bootstrap boot --series {told.series} {kernel} "
        f"--flavour {workload.flavour} --machine {workload.machine} --workload {workload.name} "
        f"--seed {told.seed}"
    )
