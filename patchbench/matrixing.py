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
from patchbench.pipeline import Pipeline
from patchbench.rows import Built
from patchbench.store import key
from patchbench.tools.container import Bind, Limits

_CHECKPATCH = ("--strict", "--terse", "--show-types", "--showfile", "--root=/src")


@dataclass(frozen=True, slots=True)
class Told:
    """What the matrix found, and what kept rows from being built at all."""

    findings: tuple[Finding, ...]
    errors: tuple[PipelineError, ...] = ()


@dataclass(slots=True)
class _Arms:
    """One kernel's matrix on its way: what became of each row, by arm and row."""

    source: Source
    names: tuple[str, ...]
    files: tuple[str, ...]  # that the whole series touches
    built: dict[tuple[str, str], Built] = field(default_factory=dict)
    errors: dict[tuple[str, str], PipelineError] = field(default_factory=dict)
    configs: dict[str, Config] = field(default_factory=dict)


def check(
    pipeline: Pipeline, source: Source, name: str, asked: Sequence[str], *, quick: bool
) -> Told:
    """Build the rows with the first patch, with two, ... and judge them beside the kernel's own.

    asked: names of rows; empty for all, or the quick ones. A row that cannot be configured is
    untested, and its error told; the others still run. Raises UnknownName for a row.
    """
    told = matrix.load(pipeline.root)
    chosen = matrix.choose(told, asked, quick=quick)
    patches = series.load(pipeline.root, name, source.line).patches
    files = tuple(dict.fromkeys(file for patch in patches for file in patch.files))
    arms = _Arms(source, parts(pipeline, name, source), files)

    style = [*_style(pipeline, arms, name)]
    for arm in arms.names:
        _build(pipeline, arms, arm, chosen, told)
    built = [(row, one) for (_, row), one in arms.built.items()]
    wanting = [
        row
        for row in chosen
        if any(rows.wants_base(one, files) for whose, one in built if whose == row)
    ]
    if name != series.NONE and wanting:
        _build(pipeline, arms, series.NONE, wanting, told)
    return Told((*style, *_judge(pipeline, arms, chosen)), tuple(arms.errors.values()))


def parts(pipeline: Pipeline, name: str, source: Source) -> tuple[str, ...]:
    """Return the arms that a series is built as: its first patch, its first two, ..., the whole."""
    count = len(series.load(pipeline.root, name, source.line).patches)
    firsts = () if "@" in name else tuple(f"{name}@{first}" for first in range(1, count))
    return (*firsts, name)


def _build(
    pipeline: Pipeline, arms: _Arms, arm: str, chosen: Sequence[str], told: matrix.Matrix
) -> None:
    """Build rows at one arm; without the series only what the arms with it need beside them."""
    applied = pipeline.apply(arms.source, arm)
    base = arm == series.NONE and arms.names != (arm,)
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
    """Return what of a row without the series is needed to judge it with the series."""
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
        base = arms.built.get((series.NONE, row))
        for arm in dict.fromkeys((series.NONE, *arms.names)):
            place = _place(arms.source, arm, f"--rows {row}", arms.names[-1])
            if (arm, row) in arms.errors:
                yield rows.judge_error(place, row, arms.errors[arm, row])
            elif built := arms.built.get((arm, row)):
                config = arms.configs[row]
                if arm == series.NONE:
                    yield from rows.judge_build(place, config, tools, built, None)
                else:
                    yield from rows.judge_build(place, config, tools, built, base)
                    yield from rows.judge_messages(place, config, tools, built, base, arms.files)


def _place(source: Source, arm: str, flags: str, name: str) -> Place:
    command = f"./bootstrap check --series {name} --kernel {source.kernel} {flags}"
    return Place(source.kernel, source.version, arm, command)


def _style(pipeline: Pipeline, arms: _Arms, name: str) -> Iterator[Finding]:
    """Let the kernel's own checkpatch judge each patch; no series has a say in that script."""
    told = series.load(pipeline.root, name, arms.source.line)
    if not told.patches:
        return
    applied = pipeline.apply(arms.source, series.NONE)
    place = pipeline.place(applied, "")
    pipeline.check_out(applied, place)
    for patch in told.patches:
        part = arms.names[min(patch.number, len(arms.names)) - 1]
        inside = f"/patches/{patch.path.name}"
        done = pipeline.engine.run(
            pipeline.cross_toolchain.image_id,
            ["perl", "/src/scripts/checkpatch.pl", *_CHECKPATCH, inside],
            Limits(timeout_s=300),
            binds=[Bind(place.source, "/src"), Bind(patch.path, inside)],
        )
        yield rows.judge_style(
            _place(arms.source, part, "--matrix", name), patch, done.said, done.status
        )
