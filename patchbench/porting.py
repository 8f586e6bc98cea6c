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

HEADINGS = ("series", "port", "kernel", "version", "state", "tree, or what stops it")


@dataclass(frozen=True, slots=True)
class Fit:
    """Whether a port applies to a kernel: the tree's id, or the patch and hunks that do not apply.

    A port whose mails cannot be read is refused, whatever the kernel.
    own: the kernel is of the line that the port was made for, so that it has to apply.
    """

    series: str
    port: str
    kernel: str
    version: str
    own: bool
    tree_id: str = ""
    stopped_by: str = ""  # a patch's file name
    hunks: str = ""
    refused: str = ""  # why its mails cannot be read

    @property
    def state(self) -> Literal["applies", "stopped", "refused"]:
        """Return how it went, in one word."""
        if self.refused:
            return "refused"
        return "applies" if self.tree_id else "stopped"

    def row(self) -> tuple[str, ...]:
        """Return it as text, under HEADINGS."""
        stopped = self.refused or f"{self.stopped_by}\n{self.hunks}"
        found = self.tree_id[:12] if self.tree_id else stopped
        return (self.series, self.port, self.kernel, self.version, self.state, found)


def fits(pipeline: Pipeline) -> list[Fit]:
    """Try every port on every kernel, its own or not."""
    sources = [pipeline.source(name) for name in pipeline.catalog.kernels_of_ports()]
    return [
        _fit(pipeline, source, name, line)
        for name, line in series.ports(pipeline.root)
        for source in sources
    ]


def verdict_error(fits: Sequence[Fit]) -> BadInput | DoesNotApply | None:
    """Return that a port is refused or does not apply to its own kernel; to others it need not."""
    for fit in fits:
        if fit.own and fit.refused:
            return BadInput(f"{fit.series}'s port to {fit.port} cannot be read: {fit.refused}")
        if fit.own and fit.state == "stopped":
            kernel = f"{fit.kernel} {fit.version}"
            says = f"{fit.series}'s port to {fit.port} does not apply to {kernel}: {fit.stopped_by}"
            return DoesNotApply(f"{says}\n{fit.hunks}", fit.stopped_by, fit.hunks)
    return None


def as_json(fits: Sequence[Fit]) -> list[Json]:
    """Return the fits as JSON."""
    return [{**asdict(fit), "state": fit.state} for fit in fits]


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
    fit = Fit(name, line, source.kernel, source.version, own=source.line == line)
    try:
        port = series.load(pipeline.root, name, line)
        applied = pipeline.apply_series(source, replace(port, name=f"{name}-{line}"))
    except DoesNotApply as err:
        return replace(fit, stopped_by=err.patch, hunks=err.where)
    except BadInput as err:  # one stranger's mail says nothing about the others' series
        return replace(fit, refused=str(err))
    return replace(fit, tree_id=applied.id)


def _tree(pipeline: Pipeline, name: str, line: str) -> Tree:
    for kernel in pipeline.catalog.kernels_of_ports():
        source = pipeline.source(kernel)
        if source.line == line:
            applied = pipeline.apply(source, name)
            if applied.commit == source.commit:
                raise BadInput(f"series {name} has no patches to compare")
            return applied
    raise BadInput(f"no kernel in configs/kernels is of line {line}")


def _range(tree: Tree) -> str:
    return f"{tree.source.commit}..{tree.commit}"
