# SPDX-License-Identifier: GPL-2.0-only
"""What a `--series` means: the name of a series here, or a source of mails that is taken first."""

import hashlib
import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar, Protocol, TypeVar

from patchbench.errors import BadInput
from patchbench.intake import bases, keeping, reading
from patchbench.intake.bases import Score
from patchbench.intake.postings import Posting
from patchbench.intake.reading import Fetchers
from patchbench.pipeline import Pipeline
from patchbench.stages.series import ANY_LINE
from patchbench.tools import b4, foreign
from patchbench.tools.git import Repository


@dataclass(frozen=True, slots=True)
class Taken:
    """A source as a series: `root` holds it as patches/NAME, as a checkout would."""

    name: str
    posting: Posting
    root: Path


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

    def command(self) -> str:
        """Return the one command that repeats it."""


R = TypeVar("R", bound=Request)


def take(
    pipeline: Pipeline,
    text: str,
    *,
    tree: str = "",
    revision: int | None = None,
    stdin: Callable[[], bytes] = sys.stdin.buffer.read,
) -> str:
    """Return the name that `--series TEXT` has for the pipeline; a source is taken first.

    Raises BadInput as reading.read does, ToolFailed where a thread cannot be fetched.
    """
    if not reading.is_source(text):
        return text
    taken = read(pipeline, text, tree=tree, revision=revision, stdin=stdin)
    pipeline.adopt(taken.name, taken.root)
    posting = taken.posting
    pipeline.story.say(f"series {taken.name}: {len(posting.patches)} patches, {posting.title!r}")
    for one in posting.aside:
        pipeline.story.say(f"put aside: {one.mail.subject.title!r}, {one.why}")
    return taken.name


def take_all(pipeline: Pipeline, text: str, *, tree: str = "") -> str:
    """Return the names that `--series TEXT,TEXT` has, with commas; raises as `take`."""
    texts = [text] if Path(text).expanduser().exists() else text.split(",")
    return ",".join(take(pipeline, one, tree=tree) for one in texts)


def resolved(pipeline: Pipeline, request: R) -> R:
    """Return a request whose series are names; its command stays the one that was typed."""
    names = {
        "series": take_all(pipeline, request.series, tree=request.tree),
        "against": take(pipeline, request.against, tree=request.tree),
    }
    if names == {"series": request.series, "against": request.against}:
        return request
    return replace(request, **names, typed=request.command())


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
            raise BadInput(f"--series {text} is a range of commits: --tree names its repository")
        folder = Path(tree).expanduser().resolve()
        pipeline.pin(tree, foreign.mails(folder, base, tip, fetched))
        return fetched

    def of_thread(message_id: str) -> Path:
        return b4.fetch(message_id, fetched)

    posting = reading.read(text, Fetchers(stdin, of_range, of_thread), revision=revision)
    _refuse_unmet(posting, tree)
    name = reading.name_of(text, posting)
    if (pipeline.root / "patches" / name).exists():
        name += "-taken"  # a series of this checkout has that name
    digest = hashlib.sha256(b"\0".join([name.encode(), *(one.raw for one in posting.patches)]))
    root = pipeline.cache / "taken" / digest.hexdigest()
    if not (root / "patches" / name / ANY_LINE).is_dir():
        shutil.rmtree(root, ignore_errors=True)
        keeping.keep(posting, root, name, ANY_LINE, source=text)
    return Taken(name, posting, root)


def scores(pipeline: Pipeline, posting: Posting) -> list[Score]:
    """Return how much of what the author saw each kernel has whose source is here."""
    wanted, found = bases.blobs(posting.patches), []
    for name in pipeline.catalog.kernels():
        source = pipeline.source(name)
        repository = Repository(source.repository)
        found.append(
            bases.score(
                wanted,
                repository.blobs(source.commit, [*wanted]),
                kernel=name,
                version=source.version,
                has_base=bool(posting.base_commit) and repository.knows(posting.base_commit),
            )
        )
    return found


def keep(pipeline: Pipeline, taken: Taken, name: str, kernel: str, *, source: str) -> Path:
    """Keep a taken series as patches/NAME/LINE, if it applies to the kernel; return that folder.

    Raises DoesNotApply, and then nothing is kept; BadInput for a port that is there already.
    """
    pipeline.adopt(taken.name, taken.root)
    tree = pipeline.source(kernel)
    pipeline.apply(tree, taken.name)
    return keeping.keep(taken.posting, pipeline.root, name, tree.line, source=source)


def _refuse_unmet(posting: Posting, tree: str) -> None:
    """Refuse a series that needs others first, unless the user's own tree is to have them."""
    if posting.prerequisites and not tree:
        listed = "\n  ".join(f"{kind}: {value}" for kind, value in posting.prerequisites)
        raise BadInput(
            f"{posting.title!r} needs first:\n  {listed}\n"
            "  apply these to a tree of yours and give it with --tree"
        )
