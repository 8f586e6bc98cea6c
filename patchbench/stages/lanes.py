# SPDX-License-Identifier: GPL-2.0-only
"""Which folders a build may write: no two authors ever write one.

A Makefile that a patch brings along can leave anything in its objects and in its compiler cache,
and the next build there takes it for its own work. Whoever wrote a tree is known by three things
only, and each is a level of folders that no name can climb out of or grow into:

- the kernel and its origin: another origin under the same name is another author;
- whether anything is applied: only the unpatched kernel writes the base compiler cache, which
  every series on that kernel reads;
- the series, by its name and the folder that its patches lie in: a checkout, a mailbox that was
  taken, or the project's history at one commit. Parts and variants of a series share its lane.
"""

from pathlib import Path

from patchbench.catalog import PLAIN_NAME
from patchbench.errors import BadInput
from patchbench.model import SeriesName, Tree
from patchbench.stages.make import Lane
from patchbench.store import key

_KEY_LETTERS = 12


def lane(cache: Path, tree: Tree, objects: str) -> Lane:
    """Return the folders in which a tree is built, its objects in one of that name.

    Raises BadInput for a kernel or a series whose name cannot name a folder.
    """
    kernel = Path(f"{_plain(tree.source.kernel)}-{tree.source.origin}")
    own = kernel / _author(tree)
    work = cache / "work" / "lanes" / own
    return Lane(
        name=f"{tree.source.kernel}-{SeriesName.parse(tree.series.name).stem}",
        source=work / "source",
        objects=work / "objects" / objects,
        compiler_cache=cache / "ccache" / own,
        base_cache=cache / "ccache" / kernel / "base",
        base=not tree.series.patches,
        logs=cache / "logs" / own,
    )


def _author(tree: Tree) -> Path:
    if not tree.series.patches:
        return Path("unpatched")
    # PLACE/patches/SERIES/LINE/0001-subject.patch
    place = tree.series.patches[0].path.resolve().parents[3:4]
    stem = _plain(SeriesName.parse(tree.series.name).stem)
    return Path("series", f"{stem}-{key({'place': [*map(str, place)]})[:_KEY_LETTERS]}")


def _plain(name: str) -> str:
    if not PLAIN_NAME.fullmatch(name):
        raise BadInput(
            f"{name!r} cannot name a folder: give it letters, digits and . _ + -, at most 100"
        )
    return name
