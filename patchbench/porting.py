# SPDX-License-Identifier: GPL-2.0-only
"""Which port of which series applies to which kernel, and how two ports differ."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Literal

from patchbench.errors import BadInput, DoesNotApply
from patchbench.model import Json, Source, Tree
from patchbench.pipeline import Pipeline
from patchbench.stages import series
from patchbench.tools.git import Repository

HEADINGS = ("series", "port", "kernel", "version", "state", "says")


@dataclass(frozen=True, slots=True)
class Fit:
    """Whether a port applies to a kernel; `says` has the tree's id, or the hunks that stop it.

    own: the kernel is of the line that the port was made for, so that it has to apply.
    """

    series: str
    port: str
    kernel: str
    version: str
    state: Literal["applies", "stopped"]
    says: str
    own: bool

    def row(self) -> tuple[str, ...]:
        """Return it as text, under HEADINGS."""
        return (self.series, self.port, self.kernel, self.version, self.state, self.says)


def fits(pipeline: Pipeline) -> list[Fit]:
    """Try every port on every kernel, its own or not."""
    sources = [pipeline.source(name) for name in pipeline.catalog.kernels()]
    return [
        _fit(pipeline, source, name, line)
        for name, line in series.ports(pipeline.root)
        for source in sources
    ]


def verdict_error(fits: Sequence[Fit]) -> DoesNotApply | None:
    """Return that a port does not apply where it has to; elsewhere it need not."""
    for fit in fits:
        if fit.own and fit.state == "stopped":
            patch, _, where = fit.says.partition("\n")
            kernel = f"{fit.kernel} {fit.version}"
            says = f"{fit.series}'s port to {fit.port} does not apply to {kernel}: {patch}"
            return DoesNotApply(f"{says}\n{where}", patch, where)
    return None


def as_json(fits: Sequence[Fit]) -> list[Json]:
    """Return the fits as JSON."""
    return [asdict(fit) for fit in fits]


def markdown(fits: Sequence[Fit]) -> str:
    """Return the fits as a Markdown table."""
    rows = [[text.replace("\n", "<br>") for text in fit.row()] for fit in fits]
    lines = [HEADINGS, ["---"] * len(HEADINGS), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def range_diff(pipeline: Pipeline, ours: tuple[str, str], theirs: tuple[str, str]) -> str:
    """Return git's range-diff of two ports or revisions, each a series and a kernel line.

    Raises UnknownName for a port that does not exist, BadInput for a line without a kernel.
    """
    one, other = (_tree(pipeline, *which) for which in (ours, theirs))
    mine, yours = (Repository(tree.source.repository) for tree in (one, other))
    return mine.range_diff(_range(one), yours, _range(other))


def _fit(pipeline: Pipeline, source: Source, name: str, line: str) -> Fit:
    port, own = series.load(pipeline.root, name, line), source.line == line
    where = (name, line, source.kernel, source.version)
    try:
        applied = pipeline.apply_series(source, replace(port, name=f"{name}-{line}"))
    except DoesNotApply as err:
        return Fit(*where, "stopped", f"{err.patch}\n{err.where}", own)
    return Fit(*where, "applies", f"tree {applied.id[:12]}", own)


def _tree(pipeline: Pipeline, name: str, line: str) -> Tree:
    for kernel in pipeline.catalog.kernels():
        source = pipeline.source(kernel)
        if source.line == line:
            applied = pipeline.apply(source, name)
            if applied.commit == source.commit:
                raise BadInput(f"series {name} has no patches to compare")
            return applied
    raise BadInput(f"no kernel in configs/kernels is of line {line}")


def _range(tree: Tree) -> str:
    return f"{tree.source.commit}..{tree.commit}"
