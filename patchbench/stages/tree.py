# SPDX-License-Identifier: GPL-2.0-only
"""Stage 2: a Source and a Series in, a Tree out.

A series is applied by `git am` in a scratch work tree that holds only the files it touches, which
takes a second where a whole kernel takes sixteen; the commit is what goes on. A work tree for
building follows later, and touches only the files that differ from what it held before.
"""

import re
from pathlib import Path

from patchbench.errors import DoesNotApply
from patchbench.model import Patch, Series, Source, Tree
from patchbench.story import Story
from patchbench.tools import files
from patchbench.tools.git import Repository, Stopped, objects_aside

#: Where work trees lie below work/: lanes' sources, stopped git-am's, and where plants are made.
_WORK_TREES = (
    "lanes/*/unpatched/source",
    "lanes/*/*/*/source",
    "apply/*/*",
    "planting",
    "variants/scratch",
)


def apply(source: Source, series: Series, work: Path) -> Tree:
    """Return the source with the series applied as a commit; nothing is checked out.

    Raises DoesNotApply, and then the stopped `git am` stays parked in `work`.
    """
    repository = Repository(source.repository)
    if not series.patches:
        return Tree(source, series, source.commit, repository.resolve(f"{source.commit}^{{tree}}"))
    scratch_folder = work / "apply" / source.kernel / series.name
    files = tuple(dict.fromkeys(name for patch in series.patches for name in patch.files))
    scratch = repository.scratch(source.commit, scratch_folder, files, apart=True)
    if not scratch.am_all([patch.path for patch in series.patches]):
        scratch = repository.scratch(source.commit, scratch_folder, files, apart=True)
        try:
            _apply_one_by_one(source, series, scratch)
        except DoesNotApply:
            repository.absorb(scratch_folder)  # or a plain git would not find its HEAD
            raise
    commit = scratch.resolve("HEAD")
    repository.absorb(scratch_folder)
    repository.keep(commit)
    repository.discard(scratch_folder)
    return Tree(source, series, commit, repository.resolve(f"{commit}^{{tree}}"))


def _apply_one_by_one(source: Source, series: Series, scratch: Repository) -> None:
    """Apply the patches, and say of the first that does not apply which it is, and where."""
    for patch in series.patches:
        before = scratch.resolve("HEAD")
        if stopped := scratch.am(patch.path):
            where = _where(patch, stopped)
            message = _conflict(patch, source, where, scratch.path)
            raise DoesNotApply(message, patch.path.name, where)
        if scratch.resolve("HEAD") == before:  # git calls that a success
            already = f"already in {source.kernel} {source.version}"
            raise DoesNotApply(
                f"{patch.path} changes nothing: it is {already}, or a patch before it did the same",
                patch.path.name,
                already,
            )


def check_out(tree: Tree, folder: Path, story: Story) -> None:
    """Bring a build's work tree to the tree, touching only what differs."""
    story.say(f"tree: {folder.name} at {tree.id[:12]}")
    Repository(tree.source.repository).checkout(tree.commit, folder)


def recover(cache: Path) -> int:
    """Clear what a killed git left in a cache, and remove the work trees of another cache.

    A cache that was copied or moved holds work trees that lead back into the old one, where a
    `git reset` in them would work. Return how many there were; call only under the cache's lock.
    """
    found = files.listed(cache, "kernels/*/repo.git")
    ours = [Repository(path) for path in found if not path.is_symlink()]
    for repository in ours:
        repository.recover()
    strangers = [
        folder
        for folder in work_trees(cache)
        if not any(repository.owns(folder) for repository in ours)
    ]
    for folder in strangers:
        files.remove(folder)
        files.remove(objects_aside(folder))
    return len(strangers)


def work_trees(cache: Path) -> list[Path]:
    """Return the work trees of a cache, whoever's they are."""
    patterns = (f"work/{pattern}/.git" for pattern in _WORK_TREES)
    return [link.parent for pattern in patterns for link in files.listed(cache, pattern)]


def _where(patch: Patch, stopped: Stopped) -> str:
    """Return the first bad hunk of each file, one a line, or what git said."""
    text = patch.path.read_text(errors="replace")
    hunks = [f"{name}, {_hunk(text, name, line)}" for name, line in stopped.hunks]
    return "\n".join(hunks) or stopped.said.strip()


def _conflict(patch: Patch, source: Source, where: str, parked: Path) -> str:
    indented = where.replace("\n", "\n  ")
    return (
        f"{patch.path} does not apply to {source.kernel} {source.version}\n  {indented}\n"
        f"  the stopped git-am is in {parked} (only the files the series touches; "
        "`git sparse-checkout disable` there brings the rest)\n"
        "  look, mend the patch, then `invoke clean --work`"
    )


def _hunk(patch: str, name: str, line: int) -> str:
    """Return the header of the hunk of file `name` that starts at old line `line`."""
    if line == 0:
        return "which this kernel does not have"
    part = patch.partition(f"--- a/{name}\n")[2]
    for header in re.finditer(r"^@@ -(\d+).*$", part, re.MULTILINE):
        if int(header[1]) == line:
            return f"hunk {header[0]}"
    return f"hunk at line {line}"
