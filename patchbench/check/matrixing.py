# SPDX-License-Identifier: GPL-2.0-only
"""What `check --matrix` and `--style` do: every row, patch by patch, and checkpatch."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from patchbench.check import matrix, onerow, rowplacing, rows
from patchbench.check.matrix import Config, Matrix
from patchbench.check.names import Names
from patchbench.check.onerow import Needed
from patchbench.check.request import CheckRequest
from patchbench.check.rowjobs import RowJob
from patchbench.check.rows import Built
from patchbench.errors import BadInput, BuildFailed, KconfigDropped, PipelineError
from patchbench.findings import Finding, Target
from patchbench.model import NONE, Source, Tree
from patchbench.pipeline import Pipeline
from patchbench.tools.container import Bind, Limits
from patchbench.tools.git import Repository

_CHECKPATCH = ("--strict", "--terse", "--show-types", "--showfile", "--root=/src")


@dataclass(frozen=True, slots=True)
class MatrixResult:
    """What the matrix found, and what kept rows from being built at all."""

    findings: tuple[Finding, ...]
    errors: tuple[PipelineError, ...] = ()


@dataclass(slots=True)
class _MatrixRun:
    """One kernel's matrix under way: what became of each row, by series and row."""

    request: CheckRequest
    source: Source
    known: Matrix
    chosen: tuple[str, ...]  # rows
    judged: tuple[str, ...]  # series, all but the one that they are compared with
    files: tuple[str, ...]  # that any series touches
    trees: Mapping[str, Tree]  # by series
    names: Names
    built: dict[tuple[str, str], Built] = field(default_factory=dict)
    errors: dict[tuple[str, str], PipelineError] = field(default_factory=dict)
    configs: dict[str, Config] = field(default_factory=dict)


def check(pipeline: Pipeline, source: Source, request: CheckRequest) -> MatrixResult:
    """Build the rows with the first patch, with two, ... and judge them beside another series.

    Where style alone is asked for, only what the series touches is compiled.
    A row that cannot be configured is untested, and its error is returned; the others still run.
    Raises UnknownName for a row.
    """
    run = _opened(pipeline, source, request)
    style = [*_style(pipeline, run)] if request.style else []
    for name in run.judged:
        _build(pipeline, run, name, dict.fromkeys(run.chosen, _needed(run)))
    if request.against not in run.judged:
        added = _added_names(run)
        needed = {row: _needed_of_base(run, row, added) for row in run.chosen}
        if wanted := {row: one for row, one in needed.items() if one}:
            _build(pipeline, run, request.against, wanted)
    return MatrixResult((*style, *_judge(pipeline, run)), tuple(run.errors.values()))


def _needed(run: _MatrixRun) -> Needed:
    """Return what of a row is needed with the series."""
    if not run.request.only_style:
        return Needed(whole=True)
    sources, headers = (
        tuple(name for name in run.files if name.endswith(kind)) for kind in (".c", ".h")
    )
    return Needed(whole=False, sources=sources, headers=headers, style=True)


def jobs(
    pipeline: Pipeline, source: Source, request: CheckRequest
) -> Iterator[tuple[RowJob, Tree]]:
    """Give the rows with the series that are not shelved, as jobs; the base's may follow."""
    run = _opened(pipeline, source, request)
    for name in run.judged:
        applied = run.trees[name]
        pipeline.check_out(applied, pipeline.lane(applied, ""))
        needed = dict.fromkeys(run.chosen, _needed(run))
        for job in rowplacing.lacking(pipeline, applied, needed, run.files):
            yield job, applied


def _opened(pipeline: Pipeline, source: Source, request: CheckRequest) -> _MatrixRun:
    """Return one kernel's matrix, of which nothing is built yet; UnknownName for a row."""
    known = matrix.load(pipeline.root)
    chosen = matrix.choose(known, request.rows, quick=request.quick, style=request.only_style)
    judged = request.prefixes(pipeline, source)
    trees = {name: pipeline.apply(source, name) for name in (*judged, request.against)}
    repository = Repository(source.repository)
    differing = [repository.differing(source.commit, tree.commit) for tree in trees.values()]
    files = tuple(dict.fromkeys(file for those in differing for file in those))
    return _MatrixRun(request, source, known, chosen, judged, files, trees, Names(source, files))


def _build(pipeline: Pipeline, run: _MatrixRun, name: str, needed: Mapping[str, Needed]) -> None:
    """Build what is needed of rows with one series."""
    applied = run.trees[name]
    lane = pipeline.lane(applied, "")
    pipeline.check_out(applied, lane)
    if pipeline.elsewhere:
        rowplacing.ahead(pipeline, pipeline.elsewhere, applied, needed, run.files)
    for row, wanted in needed.items():
        try:
            config = matrix.config(run.known, row, applied, pipeline.catalog, lane.source)
            run.configs[row] = config
            run.built[name, row] = onerow.make(
                onerow.builder(pipeline, applied, config, pipeline.store),
                config,
                wanted,
                applied,
                files=run.files,
                names=run.names,
                source=lane.source,
            )
        except (BadInput, BuildFailed, KconfigDropped) as err:
            pipeline.story.say(f"row {row}: {str(err).splitlines()[0]}")
            run.errors[name, row] = err


def _added_names(run: _MatrixRun) -> Mapping[str, frozenset[str]]:
    """Return, by series, the undefined names that no source of the base has."""
    undefined = {name for built in run.built.values() for name in rows.undefined(built)}
    base = run.trees[run.request.against].commit
    return {name: run.names.new(run.trees[name].commit, base, undefined) for name in run.judged}


def _needed_of_base(run: _MatrixRun, row: str, added: Mapping[str, frozenset[str]]) -> Needed:
    """Return what of a row has to be built with the base to judge it with the series."""
    built = {name: run.built[name, row] for name in run.judged if (name, row) in run.built}
    warned = any(rows.wants_look(one, run.files) for one in built.values())
    if run.request.only_style:
        return _needed(run) if warned else Needed(whole=False)
    sources = [source for one in built.values() if one.compiled for source in one.compiled.sources]
    return Needed(
        any(rows.wants_base(one, run.files, added[name]) for name, one in built.items()),
        tuple(dict.fromkeys(sources)) if warned else (),
    )


def _judge(pipeline: Pipeline, run: _MatrixRun) -> Iterator[Finding]:
    tools, against = pipeline.cross_toolchain, run.request.against
    for row in run.chosen:
        base = run.built.get((against, row))
        for name in dict.fromkeys((against, *run.judged)):
            target = _target(run, name, "--style" if run.request.only_style else f"--rows {row}")
            if (name, row) in run.errors:
                yield rows.judge_error(target, "build", row, run.errors[name, row])
            elif built := run.built.get((name, row)):
                of = rows.RowTarget(target, run.configs[row], tools)
                if name == against:
                    yield from rows.judge_build(of, built, None)
                else:
                    yield from rows.judge_build(of, built, base)
                    yield from rows.judge_messages(of, built, base, run.files)


def _target(run: _MatrixRun, name: str, part: str) -> Target:
    command = run.request.part_command(run.source, part)
    return Target(run.source.kernel, run.source.version, name, command)


def _style(pipeline: Pipeline, run: _MatrixRun) -> Iterator[Finding]:
    """Judge each patch by the unpatched kernel's checkpatch: no series may change that script."""
    loaded = pipeline.series(run.request.series, run.source.line)
    if not loaded.patches:
        return
    applied = pipeline.apply(run.source, NONE)
    lane = pipeline.lane(applied, "")
    pipeline.check_out(applied, lane)
    for patch in loaded.patches:
        name = run.judged[min(patch.number, len(run.judged)) - 1]
        inside = f"/patches/{patch.path.name}"
        done = pipeline.engine.run(
            pipeline.cross_toolchain.image_id,
            ["perl", "/src/scripts/checkpatch.pl", *_CHECKPATCH, inside],
            Limits(timeout_s=300),
            binds=[Bind(lane.source, "/src"), Bind(patch.path, inside)],
        )
        yield rows.judge_style(_target(run, name, "--style"), patch, done.said, done.status)
