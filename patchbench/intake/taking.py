# SPDX-License-Identifier: GPL-2.0-only
"""What a `--series` means: the name of a series here, or a source of mails that is taken first."""

import hashlib
import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar, Protocol, TypeVar

from patchbench.errors import BadInput, DoesNotApply
from patchbench.intake import bases, keeping, reading
from patchbench.intake.bases import Score
from patchbench.intake.postings import Posting
from patchbench.intake.reading import Fetchers
from patchbench.model import Source
from patchbench.pipeline import Pipeline
from patchbench.stages.series import ANY_LINE
from patchbench.tools import b4, foreign
from patchbench.tools.git import Repository

DEFAULT_KERNEL = "mainline"
APPLIES = "applies"


@dataclass(frozen=True, slots=True)
class TriedKernel:
    """What came of trying a series on a kernel: APPLIES, or the patch that does not and where."""

    score: Score
    outcome: str

    def row(self) -> tuple[str, ...]:
        """Return it as a row of the table of kernels."""
        return (*self.score.row(), self.outcome)


@dataclass(frozen=True, slots=True)
class Taken:
    """A source as a series: `root` holds it as patches/NAME, as a checkout would."""

    name: str
    posting: Posting
    root: Path


R = TypeVar("R", bound="Request")


class Request(Protocol):
    """What a verb was asked for, about two series."""

    __dataclass_fields__: ClassVar[dict[str, Any]]

    @property
    def series(self) -> str:
        """Return the test arm's series."""

    @property
    def against(self) -> str:
        """Return the base arm's series."""

    @property
    def tree(self) -> str:
        """Return the user's own tree; empty for a kernel of configs/kernels/."""

    @property
    def kernel(self) -> str:
        """Return the kernel of configs/kernels/; empty if none was asked for."""

    def on(self: R, choose: Callable[[], str]) -> R:
        """Return it with the kernel that is chosen where none was asked for."""

    def command(self) -> str:
        """Return the one command that repeats it."""


def take(
    pipeline: Pipeline,
    text: str,
    *,
    kernel: str = "",
    tree: str = "",
    revision: int | None = None,
    stdin: Callable[[], bytes] = sys.stdin.buffer.read,
) -> tuple[str, str]:
    """Return what `--series TEXT` is called and which kernel it goes on; a source is taken first.

    Without a kernel that is DEFAULT_KERNEL, and for a source the one that `choose` says. Raises
    BadInput as reading.read does, ToolFailed where a thread cannot be fetched, DoesNotApply as
    `choose`.
    """
    if not reading.is_source(text):
        return text, kernel or ("" if tree else DEFAULT_KERNEL)
    taken = read(pipeline, text, tree=tree, revision=revision, stdin=stdin)
    pipeline.adopt(taken.name, taken.root)
    posting = taken.posting
    pipeline.story.say(f"series {taken.name}: {len(posting.patches)} patches, {posting.title!r}")
    for one in posting.aside:
        pipeline.story.say(f"put aside: {one.mail.subject.title!r}, {one.why}")
    kernel = kernel or ("" if tree else choose(pipeline, taken))
    base = bases.fit(posting.base_commit, score(posting, pipeline.source(kernel, tree)))
    pipeline.adopt(taken.name, taken.root, base)
    pipeline.story.say(f"base: {base}")
    return taken.name, kernel


def resolved(pipeline: Pipeline, request: R) -> R:
    """Return a request whose series are names and that has a kernel.

    Its command stays the one that was typed, but for the kernel that was chosen.
    """
    texts = [*_split(request.series), request.against]
    kernel, names = request.kernel, []
    for text in texts:
        name, chosen = take(pipeline, text, kernel=kernel, tree=request.tree)
        kernel = kernel or (chosen if reading.is_source(text) else "")
        names.append(name)
    request = request.on(lambda: kernel or DEFAULT_KERNEL) if not request.tree else request
    if names == texts:
        return request
    *series, against = names
    return replace(request, series=",".join(series), against=against, typed=request.command())


def _split(text: str) -> list[str]:
    """Return the parts of `--series TEXT,TEXT`; a file's name may hold a comma."""
    return [text] if Path(text).expanduser().exists() else text.split(",")


def read(
    pipeline: Pipeline,
    text: str,
    *,
    tree: str = "",
    revision: int | None = None,
    stdin: Callable[[], bytes] = sys.stdin.buffer.read,
) -> Taken:
    """Return a source as a series below the cache; equal mails have one folder there."""
    fetched = pipeline.cache / "work/fetched"
    shutil.rmtree(fetched, ignore_errors=True)
    fetched.mkdir(parents=True)

    def of_range(base: str, tip: str) -> Path:
        if not tree:
            raise BadInput(f"--series {text} is of a repository: --tree names it")
        folder = Path(tree).expanduser().resolve()
        pipeline.pin(tree, foreign.mails(folder, base, tip, fetched))
        return fetched

    def of_thread(message_id: str) -> Path:
        return b4.fetch(message_id, fetched)

    posting = reading.read(text, Fetchers(stdin, of_range, of_thread), revision=revision)
    _refuse_unmet(pipeline, posting, tree)
    name = reading.name_of(text, posting)
    if (pipeline.root / "patches" / name).exists():
        name += "-taken"  # a series of this checkout has that name
    digest = hashlib.sha256(b"\0".join([name.encode(), *(one.raw for one in posting.patches)]))
    root = pipeline.cache / "taken" / digest.hexdigest()
    if not (root / "patches" / name / ANY_LINE).is_dir():
        shutil.rmtree(root, ignore_errors=True)
        keeping.keep(posting, root, name, ANY_LINE, source=text)
    return Taken(name, posting, root)


def choose(pipeline: Pipeline, taken: Taken) -> str:
    """Return the kernel that a taken series goes on: the first of `trials` on which it applies.

    Raises DoesNotApply, with the table, if there is none.
    """
    tried = trials(pipeline, taken)
    if (last := tried[-1]).outcome == APPLIES:
        return last.score.kernel
    listed = "\n  ".join(": ".join(one.row()) for one in tried)
    raise DoesNotApply(
        f"{taken.posting.title!r} applies to none of the kernels here\n  {listed}\n"
        "  `invoke fetch --kernel NAME` fetches another; --tree takes a tree of yours",
        taken.name,
        tried[0].outcome,
    )


def trials(pipeline: Pipeline, taken: Taken) -> list[TriedKernel]:
    """Try the kernels whose sources are here, the author's first, up to one that works."""
    names = pipeline.catalog.kernels()
    here = [source for source in map(pipeline.known, names) if source]
    here = here or [pipeline.source(DEFAULT_KERNEL)]
    here.sort(key=lambda source: source.kernel != DEFAULT_KERNEL)  # of equals the first is tried
    pipeline.adopt(taken.name, taken.root)
    by_name = {source.kernel: source for source in here}
    tried = []
    for one in bases.in_order([score(taken.posting, source) for source in here]):
        tried.append(TriedKernel(one, _outcome(pipeline, by_name[one.kernel], taken.name)))
        if tried[-1].outcome == APPLIES:
            break
    return tried


def score(posting: Posting, source: Source) -> Score:
    """Return how much of what the author of a series saw a kernel has."""
    wanted = bases.blobs(posting.patches)
    repository = Repository(source.repository)
    return bases.score(
        wanted,
        repository.blobs(source.commit, [*wanted]),
        kernel=source.kernel,
        version=source.version,
        has_base=bool(posting.base_commit) and repository.knows(posting.base_commit),
    )


def keep(pipeline: Pipeline, taken: Taken, name: str, kernel: str, *, source: str) -> Path:
    """Keep a taken series as patches/NAME/LINE, if it applies to the kernel; return that folder.

    Raises DoesNotApply, and then nothing is kept; BadInput for a port that is there already.
    """
    pipeline.adopt(taken.name, taken.root)
    tree = pipeline.source(kernel)
    pipeline.apply(tree, taken.name)
    return keeping.keep(taken.posting, pipeline.root, name, tree.line, source=source)


def _outcome(pipeline: Pipeline, source: Source, name: str) -> str:
    try:
        pipeline.apply(source, name)
    except DoesNotApply as err:
        return f"{err.patch}: {err.where.partition(chr(10))[0]}"
    return APPLIES


def _refuse_unmet(pipeline: Pipeline, posting: Posting, tree: str) -> None:
    """Refuse a series that needs others first, unless the user's own tree has them."""
    wanted = posting.prerequisites
    if wanted and tree:
        folder = Path(tree).expanduser().resolve()
        wanted = foreign.unmet(folder, pipeline.pinned(tree) or "HEAD", wanted)
    if wanted:
        listed = "\n  ".join(f"{kind}: {value}" for kind, value in wanted)
        raise BadInput(
            f"{posting.title!r} needs first:\n  {listed}\n"
            "  apply these to a tree of yours and give it with --tree"
        )
