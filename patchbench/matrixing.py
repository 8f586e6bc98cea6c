# SPDX-License-Identifier: GPL-2.0-only
"""What `check --matrix` does with the pipeline: every row, patch by patch, and checkpatch."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from patchbench import matrix, rows, series
from patchbench.errors import BadInput, BuildFailed, KconfigDropped, PipelineError
from patchbench.hazards import Place
from patchbench.make import Bench
from patchbench.matrix import Config, Site
from patchbench.model import Finding, Source, Tree
from patchbench.pipeline import Pipeline, kernel_flag
from patchbench.rows import Built
from patchbench.store import key
from patchbench.tools.container import Bind, Limits

_CHECKPATCH = ("--strict", "--terse", "--show-types", "--showfile", "--root=/src")


@dataclass(frozen=True, slots=True)
class CheckRequest:
    """What `check` was asked for; empty `hazards` and `rows` are all there are.

    tree: instead of the kernels. against: what to compare with. parts: which of the two halves,
    `matrix` and `hazards`. quick: of the rows, the quick ones. first_patches: the series without
    its last ones as well. style: let checkpatch judge each patch.
    """

    series: str
    kernels: tuple[str, ...]
    hazards: tuple[str, ...] = ()
    flavour: str = ""  # instead of each hazard's own
    machine: str = ""  # likewise
    seeds: int = 1
    fresh: bool = False
    rows: tuple[str, ...] = ()
    quick: bool = False
    parts: tuple[str, ...] = ("matrix", "hazards")
    tree: str = ""
    against: str = "none"
    first_patches: bool = True
    style: bool = True
    run: str = ""  # a name for the folder, which may be there

    def arms(self, pipeline: Pipeline, source: Source) -> tuple[str, ...]:
        """Return what the series is judged as: its first patch, its first two, ..., the whole."""
        if not self.first_patches or self.series == series.NONE or "@" in self.series:
            return (self.series,)
        count = len(series.load(pipeline.root, self.series, source.line).patches)
        return (*(f"{self.series}@{first}" for first in range(1, count)), self.series)

    def command(self, source: Source, part: str) -> str:
        """Return the command that does a part of it again."""
        kernel = kernel_flag(source.kernel, self.tree)
        return f"./bootstrap check --series {self.series} {kernel} {part}"


@dataclass(frozen=True, slots=True)
class Told:
    """What the matrix found, and what kept rows from being built at all."""

    findings: tuple[Finding, ...]
    errors: tuple[PipelineError, ...] = ()


@dataclass(slots=True)
class _Arms:
    """One kernel's matrix on its way: what became of each row, by arm and row."""

    request: CheckRequest
    source: Source
    names: tuple[str, ...]  # all but the one that they are compared with
    files: tuple[str, ...]  # that the whole series touches
    built: dict[tuple[str, str], Built] = field(default_factory=dict)
    errors: dict[tuple[str, str], PipelineError] = field(default_factory=dict)
    configs: dict[str, Config] = field(default_factory=dict)


def check(pipeline: Pipeline, source: Source, request: CheckRequest) -> Told:
    """Build the rows with the first patch, with two, ... and judge them beside another series.

    A row that cannot be configured is untested, and its error told; the others still run. Raises
    UnknownName for a row.
    """
    told = matrix.load(pipeline.root)
    chosen = matrix.choose(told, request.rows, quick=request.quick)
    patches = series.load(pipeline.root, request.series, source.line).patches
    files = tuple(dict.fromkeys(file for patch in patches for file in patch.files))
    arms = _Arms(request, source, request.arms(pipeline, source), files)

    style = [*_style(pipeline, arms)] if request.style else []
    for arm in arms.names:
        _build(pipeline, arms, arm, chosen, told)
    built = [(row, one) for (_, row), one in arms.built.items()]
    wanting = [
        row
        for row in chosen
        if any(rows.wants_base(one, files) for whose, one in built if whose == row)
    ]
    if request.series != request.against and wanting:
        _build(pipeline, arms, request.against, wanting, told)
    return Told((*style, *_judge(pipeline, arms, chosen)), tuple(arms.errors.values()))


def _build(
    pipeline: Pipeline, arms: _Arms, arm: str, chosen: Sequence[str], told: matrix.Matrix
) -> None:
    """Build rows at one arm; of the other series only what the arms need beside them."""
    applied = pipeline.apply(arms.source, arm)
    base = arm not in arms.names
    place = pipeline.place(applied, "")
    pipeline.check_out(applied, place)
    for row in chosen:
        try:
            config = matrix.config(told, row, applied, pipeline.catalog, place.source)
            arms.configs[row] = config
            site = _site(pipeline, applied, config)
            needed = _needed(arms, row, place) if base else _Needed(whole=True)
            arms.built[arm, row] = _one(site, config, arms.files, needed)
        except (BadInput, BuildFailed, KconfigDropped) as err:
            pipeline.story.say(f"row {row}: {str(err).splitlines()[0]}")
            arms.errors[arm, row] = err


def _site(pipeline: Pipeline, applied: Tree, config: Config) -> Site:
    tools = pipeline.cross_toolchain
    # Objects outlive a tree, and never a configuration or a compiler.
    made_of = key({"fragment": config.fragment, "toolchain": tools.digest})
    return Site(
        pipeline.engine,
        pipeline.store,
        applied,
        config,
        tools,
        bench=pipeline.place(applied, f"matrix-{config.name}-{made_of[:12]}"),
        story=pipeline.story,
    )


@dataclass(frozen=True, slots=True)
class _Needed:
    """What is to be done of a row: a whole build, a look at these sources; None are all it has."""

    whole: bool
    sources: tuple[str, ...] | None = None


def _needed(arms: _Arms, row: str, place: Bench) -> _Needed:
    """Return what of a row with the other series is needed to judge it with this one."""
    built = [arms.built[arm, row] for arm in arms.names if (arm, row) in arms.built]
    compiled = [one.compiled for one in built if one.compiled]
    sources = {source: None for one in compiled for source in one.sources}
    return _Needed(
        any(rows.wants_base(Built(one), arms.files) for one in compiled),
        tuple(name for name in sources if (place.source / name).is_file()),
    )


def _one(site: Site, config: Config, files: Sequence[str], needed: _Needed) -> Built:
    compiled = site.compile(files) if needed.whole else None
    sources = needed.sources
    if sources is None:
        sources = compiled.sources if compiled else ()
    return Built(compiled, site.inspect(sources) if config.strict and sources else None)


def _judge(pipeline: Pipeline, arms: _Arms, chosen: Sequence[str]) -> Iterator[Finding]:
    tools = pipeline.cross_toolchain
    for row in chosen:
        against = arms.request.against
        base = arms.built.get((against, row))
        for arm in dict.fromkeys((against, *arms.names)):
            place = _place(arms, arm, f"--rows {row}")
            if (arm, row) in arms.errors:
                yield rows.judge_error(place, row, arms.errors[arm, row])
            elif built := arms.built.get((arm, row)):
                config = arms.configs[row]
                if arm == against:
                    yield from rows.judge_build(place, config, tools, built, None)
                else:
                    yield from rows.judge_build(place, config, tools, built, base)
                    yield from rows.judge_messages(place, config, tools, built, base, arms.files)


def _place(arms: _Arms, arm: str, part: str) -> Place:
    command = arms.request.command(arms.source, part)
    return Place(arms.source.kernel, arms.source.version, arm, command)


def _style(pipeline: Pipeline, arms: _Arms) -> Iterator[Finding]:
    """Let the kernel's own checkpatch judge each patch; no series has a say in that script."""
    told = series.load(pipeline.root, arms.request.series, arms.source.line)
    if not told.patches:
        return
    applied = pipeline.apply(arms.source, series.NONE)
    bench = pipeline.place(applied, "")
    pipeline.check_out(applied, bench)
    for patch in told.patches:
        part = arms.names[min(patch.number, len(arms.names)) - 1]
        inside = f"/patches/{patch.path.name}"
        done = pipeline.engine.run(
            pipeline.cross_toolchain.image_id,
            ["perl", "/src/scripts/checkpatch.pl", *_CHECKPATCH, inside],
            Limits(timeout_s=300),
            binds=[Bind(bench.source, "/src"), Bind(patch.path, inside)],
        )
        place = _place(arms, part, "--matrix")
        yield rows.judge_style(place, patch, done.said, done.status)
