# SPDX-License-Identifier: GPL-2.0-only
"""What `check --matrix` does with the pipeline: every row, patch by patch, and checkpatch."""

import re
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from patchbench.check import matrix, rows
from patchbench.check.matrix import Config
from patchbench.check.partial import Counts, folders
from patchbench.check.request import CheckRequest
from patchbench.check.rowbuild import Site
from patchbench.check.rows import Built
from patchbench.errors import BadInput, BuildFailed, KconfigDropped, PipelineError
from patchbench.findings import Finding, Target
from patchbench.model import NONE, Source, Tree
from patchbench.pipeline import Pipeline
from patchbench.store import key
from patchbench.tools.container import Bind, Limits
from patchbench.tools.git import Repository

#: Where a kernel's build finds names.
_SOURCES = ("*.[chS]", "*.rs")
_DEFINING = ("*.[cS]", "*.rs", "*.lds.h")
_WORD = re.compile(r"[A-Za-z_]\w*")
_CHECKPATCH = ("--strict", "--terse", "--show-types", "--showfile", "--root=/src")


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
    files: tuple[str, ...]  # that any of them touches
    trees: Mapping[str, Tree]
    built: dict[tuple[str, str], Built] = field(default_factory=dict)
    errors: dict[tuple[str, str], PipelineError] = field(default_factory=dict)
    configs: dict[str, Config] = field(default_factory=dict)
    #: By commit, paths and name: whether the name is in those files.
    sought: dict[tuple[str, tuple[str, ...], str], bool] = field(default_factory=dict)


def check(pipeline: Pipeline, source: Source, request: CheckRequest) -> Told:
    """Build the rows with the first patch, with two, ... and judge them beside another series.

    A row that cannot be configured is untested, and its error told; the others still run. Raises
    UnknownName for a row.
    """
    told = matrix.load(pipeline.root)
    chosen = matrix.choose(told, request.rows, quick=request.quick)
    names = request.prefixes(pipeline, source)
    trees = {name: pipeline.apply(source, name) for name in (*names, request.against)}
    repository = Repository(source.repository)
    differing = [repository.differing(source.commit, tree.commit) for tree in trees.values()]
    files = tuple(dict.fromkeys(file for those in differing for file in those))
    arms = _Arms(request, source, names, files, trees)

    style = [*_style(pipeline, arms)] if request.style else []
    for arm in names:
        _build(pipeline, arms, arm, {row: _Needed(whole=True) for row in chosen}, told)
    if request.against not in names:
        brought = _brought(arms)
        needed = {row: _needed(arms, row, brought) for row in chosen}
        wanting = {row: one for row, one in needed.items() if one}
        if wanting:
            _build(pipeline, arms, request.against, wanting, told)
    return Told((*style, *_judge(pipeline, arms, chosen)), tuple(arms.errors.values()))


def _build(
    pipeline: Pipeline,
    arms: _Arms,
    arm: str,
    needed: Mapping[str, "_Needed"],
    told: matrix.Matrix,
) -> None:
    """Build what is needed of rows at one arm."""
    applied = arms.trees[arm]
    lane = pipeline.lane(applied, "")
    pipeline.check_out(applied, lane)
    for row, wanted in needed.items():
        try:
            config = matrix.config(told, row, applied, pipeline.catalog, lane.source)
            arms.configs[row] = config
            site = _site(pipeline, applied, config)
            counts = partial(_missing, arms, arm)
            arms.built[arm, row] = _one(site, config, arms.files, wanted, lane.source, counts)
        except (BadInput, BuildFailed, KconfigDropped) as err:
            pipeline.story.say(f"row {row}: {str(err).splitlines()[0]}")
            arms.errors[arm, row] = err


def _brought(arms: _Arms) -> Mapping[str, frozenset[str]]:
    """Return, by arm, what builds missed that no source has without it.

    A name that only the preprocessor puts together is in no source, and is not among them.
    """
    missed = {name for one in arms.built.values() for name in rows.undefined(one)}
    base = arms.trees[arms.request.against].commit
    return {arm: _new(arms, arm, base, missed) for arm in arms.names}


def _new(arms: _Arms, arm: str, base: str, names: Collection[str]) -> frozenset[str]:
    """Return which of the names an arm's files have, and no source of the commit `base`."""
    # The files first: to look through all sources for hundreds of names takes a minute.
    ours = {*_uses(arms, arms.trees[arm].commit)} - {*_uses(arms, base)}
    return _nowhere(arms, base, ours.intersection(names), _SOURCES)


def _missing(arms: _Arms, arm: str, names: Collection[str]) -> frozenset[str]:
    """Return which names that an arm's part misses are missing.

    They are those whose use the arm changes, and that no file of the kernel could define which is
    not in the part. A name that only the preprocessor puts together is not seen.
    """
    base = arms.source.commit
    ours, theirs = _uses(arms, arms.trees[arm].commit), _uses(arms, base)
    changed = {name for name in names if ours.get(name) != theirs.get(name)}
    within = (f":(exclude,glob){folder}/*.c" for folder in folders(arms.files))
    return _nowhere(arms, base, changed, (*_DEFINING, *within))


def _nowhere(
    arms: _Arms, base: str, names: Collection[str], paths: tuple[str, ...]
) -> frozenset[str]:
    unsought = {name for name in names if (base, paths, name) not in arms.sought}
    found = Repository(arms.source.repository).words(base, unsought, paths)
    arms.sought.update({(base, paths, name): name in found for name in unsought})
    return frozenset(name for name in names if not arms.sought[base, paths, name])


def _uses(arms: _Arms, commit: str) -> Mapping[str, Counter[str]]:
    """Return how often each word is in each of the files that the arms touch, at a commit."""
    repository = Repository(arms.source.repository)
    uses: dict[str, Counter[str]] = {}
    for file in arms.files:
        if repository.has(commit, file):
            for word in _WORD.findall(repository.show(f"{commit}:{file}")):
                uses.setdefault(word, Counter())[file] += 1
    return uses


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
        lane=pipeline.lane(applied, f"matrix-{config.name}-{made_of[:12]}"),
        story=pipeline.story,
    )


@dataclass(frozen=True, slots=True)
class _Needed:
    """What is to be done of a row: a whole build, a look at these sources; None: all it has."""

    whole: bool
    sources: tuple[str, ...] | None = None

    def __bool__(self) -> bool:
        return self.whole or bool(self.sources)


def _needed(arms: _Arms, row: str, brought: Mapping[str, frozenset[str]]) -> _Needed:
    """Return what of a row with the other series is needed to judge it with this one."""
    built = {arm: arms.built[arm, row] for arm in arms.names if (arm, row) in arms.built}
    spoke = any(rows.wants_look(one, arms.files) for one in built.values())
    sources = [source for one in built.values() if one.compiled for source in one.compiled.sources]
    return _Needed(
        any(rows.wants_base(one, arms.files, brought[arm]) for arm, one in built.items()),
        tuple(dict.fromkeys(sources)) if spoke else (),
    )


def _one(
    site: Site,
    config: Config,
    files: Sequence[str],
    needed: _Needed,
    root: Path,
    counts: Counts,
) -> Built:
    compiled = site.compile(files, counts) if needed.whole else None
    if needed.sources is None:
        sources = compiled.sources if compiled else ()
        return Built(compiled, site.inspect(sources) if config.strict and sources else None)
    if not needed.sources:
        return Built(compiled)
    sources = tuple(name for name in needed.sources if (root / name).is_file())
    looked = None if compiled else site.look(sources)
    return Built(compiled, site.inspect(sources) if config.strict else None, looked)


def _judge(pipeline: Pipeline, arms: _Arms, chosen: Sequence[str]) -> Iterator[Finding]:
    tools = pipeline.cross_toolchain
    for row in chosen:
        against = arms.request.against
        base = arms.built.get((against, row))
        for arm in dict.fromkeys((against, *arms.names)):
            target = _target(arms, arm, f"--rows {row}")
            if (arm, row) in arms.errors:
                yield rows.judge_error(target, "build", row, arms.errors[arm, row])
            elif built := arms.built.get((arm, row)):
                config = arms.configs[row]
                if arm == against:
                    yield from rows.judge_build(target, config, tools, built, None)
                else:
                    yield from rows.judge_build(target, config, tools, built, base)
                    yield from rows.judge_messages(target, config, tools, built, base, arms.files)


def _target(arms: _Arms, arm: str, part: str) -> Target:
    command = arms.request.part_command(arms.source, part)
    return Target(arms.source.kernel, arms.source.version, arm, command)


def _style(pipeline: Pipeline, arms: _Arms) -> Iterator[Finding]:
    """Let the kernel's own checkpatch judge each patch; no series has a say in that script."""
    told = pipeline.series(arms.request.series, arms.source.line)
    if not told.patches:
        return
    applied = pipeline.apply(arms.source, NONE)
    lane = pipeline.lane(applied, "")
    pipeline.check_out(applied, lane)
    for patch in told.patches:
        part = arms.names[min(patch.number, len(arms.names)) - 1]
        inside = f"/patches/{patch.path.name}"
        done = pipeline.engine.run(
            pipeline.cross_toolchain.image_id,
            ["perl", "/src/scripts/checkpatch.pl", *_CHECKPATCH, inside],
            Limits(timeout_s=300),
            binds=[Bind(lane.source, "/src"), Bind(patch.path, inside)],
        )
        target = _target(arms, part, "--matrix")
        yield rows.judge_style(target, patch, done.said, done.status)
