# SPDX-License-Identifier: GPL-2.0-only
"""One row of the matrix with one series: what of it is needed, and how it is made on this host."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from patchbench.check import rows
from patchbench.check.matrix import Config
from patchbench.check.names import Names
from patchbench.check.rowbuild import RowBuilder
from patchbench.check.rows import Built
from patchbench.model import Tree
from patchbench.pipeline import Pipeline
from patchbench.store import Store, key


@dataclass(frozen=True, slots=True)
class Needed:
    """What to do of a row: build it whole or not, look at these sources; None: all it compiled.

    headers: to look at as well. style: of the sources, W=1 and sparse alone.
    """

    whole: bool
    sources: tuple[str, ...] | None = None
    headers: tuple[str, ...] = ()
    style: bool = False

    def __bool__(self) -> bool:
        return self.whole or bool(self.sources) or bool(self.headers)


def builder(pipeline: Pipeline, applied: Tree, config: Config, shelf: Store) -> RowBuilder:
    """Return what builds a row at a tree, which is checked out in the lane."""
    tools = pipeline.cross_toolchain
    # Objects outlive a tree, and never a configuration or a compiler.
    made_of = key({"fragment": config.fragment, "toolchain": tools.digest})
    return RowBuilder(
        pipeline.engine,
        shelf,
        applied,
        config,
        tools,
        lane=pipeline.lane(applied, f"matrix-{config.name}-{made_of[:12]}"),
        story=pipeline.story,
    )


def make(
    build: RowBuilder,
    config: Config,
    needed: Needed,
    applied: Tree,
    *,
    files: Sequence[str],
    names: Names,
    source: Path,
) -> Built:
    """Make what is needed of a row, or take it from the shelf.

    files: those that any of the series touches. source: where the tree is checked out. Raises
    BuildFailed and KconfigDropped.
    """
    compiled = None
    if needed.whole:
        compiled = build.compile(files)
        undefined = rows.undefined_in_part(compiled)
        compiled = rows.with_missing(compiled, names.missing(applied.commit, undefined))
    if needed.sources is None:
        sources = compiled.sources if compiled else ()
        return Built(compiled, build.inspect(sources) if config.strict and sources else None)
    if not needed.sources and not needed.headers:
        return Built(compiled)
    sources, headers = (
        tuple(name for name in several if (source / name).is_file())
        for several in (needed.sources, needed.headers)
    )
    looked = None if compiled or needed.style else build.look(sources)
    return Built(compiled, build.inspect(sources, headers) if config.strict else None, looked)
