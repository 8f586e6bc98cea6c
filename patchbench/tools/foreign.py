# SPDX-License-Identifier: GPL-2.0-only
"""A repository of somebody else's on this host: read, and nothing of what it configures obeyed.

Its configuration may name programs and its attributes filters that would run as us. So git is run
in it for one thing, to resolve a name. All else is done in a repository of our own for the moment,
which has none of that and borrows the other's objects.
"""

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from patchbench.errors import BadInput, ToolFailed, Unfit
from patchbench.tools import b4prep, files, gitrun
from patchbench.tools.git import Repository

#: The ref that a borrowed commit has in the repository of the moment.
LENT = "refs/heads/lent"
#: A ref of --tree that stands for HEAD and what no commit holds.
WITH_CHANGES = "HEAD+changes"
_TIMEOUT_S = 120
#: In how many commits a prerequisite is looked for; a release has fifteen thousand.
_SEARCHED = {
    "prerequisite-message-id": 20_000,
    "prerequisite-change-id": 20_000,
    "prerequisite-patch-id": 500,
    "prerequisite-base-commit": 1,
}
_MOST_INDEX_BYTES = 1 << 30


@contextmanager
def lent(folder: Path, ref: str) -> Iterator[Repository]:
    """Give a repository of our own whose LENT is another's ref; BadInput if it has none.

    Raises ToolFailed for a folder that is no repository.
    """
    commit = _commit(folder, ref)
    objects, shallow, _ = _paths(folder)
    if "\n" in str(objects):
        raise BadInput(f"git cannot borrow from a folder with a newline in its name: {objects}")
    with tempfile.TemporaryDirectory(prefix="patchbench-") as place:
        ours = Repository.create(Path(place) / "lent.git")
        (ours.path / "objects/info").mkdir(exist_ok=True)
        (ours.path / "objects/info/alternates").write_text(f"{objects}\n")
        if files.exists(shallow.parent, shallow.name):
            data = files.take(shallow.parent, shallow.name, most_bytes=_MOST_INDEX_BYTES)
            (ours.path / "shallow").write_bytes(data)
        gitrun.run(ours.path, "update-ref", LENT, commit)
        yield ours


def dirty(folder: Path) -> str:
    """Return the files that differ from HEAD, one a line as `git status` has it; empty if none.

    Files that git does not know, and what lies in submodules, do not count.
    """
    with lent(folder, "HEAD") as ours:
        gitrun.run(ours.path, "symbolic-ref", "HEAD", LENT)
        *_, index = _paths(folder)
        try:
            files.copy(index.parent, index.name, ours.path / "index", most_bytes=_MOST_INDEX_BYTES)
            return _status(ours, folder)
        except (Unfit, ToolFailed):  # none yet, or one in parts; then every file is read
            gitrun.run(ours.path, "read-tree", "HEAD")
            return _status(ours, folder)


@contextmanager
def lent_with_changes(folder: Path) -> Iterator[Repository]:
    """Give a repository whose LENT is another's HEAD with what its work tree changes beside.

    Files that git does not know are not among it. Raises as `lent`.
    """
    with lent(folder, "HEAD") as ours:
        where = {"GIT_DIR": str(ours.path), "GIT_WORK_TREE": str(folder)}
        gitrun.run(ours.path, "read-tree", LENT)
        gitrun.run(folder, "add", "--update", ".", environment=where)
        tree = gitrun.run(ours.path, "write-tree")
        words = ("-p", LENT, "-m", "what no commit holds")
        commit = gitrun.run(ours.path, "commit-tree", tree, *words)
        gitrun.run(ours.path, "update-ref", LENT, commit)
        yield ours


def mails(folder: Path, base: str, tip: str, into: Path) -> str:
    """Write another repository's commits base..tip as `Repository.mails` does; return the base.

    base: empty for a branch of `b4 prep`, which knows its own. Its cover letter, an empty commit,
    becomes the mail before the first. Raises BadInput for any other branch without a base.
    """
    with lent(folder, tip) as ours:
        commit = _commit(folder, base) if base else _prepared_on(ours, folder, tip)
        covers = [pair for pair in ours.messages(commit, LENT).items() if b4prep.is_cover(pair[1])]
        if not covers:
            ours.mails(commit, LENT, into)
        for made, cover in covers[:1]:
            # git numbers an empty commit and writes no mail of it; b4 has it first, or last.
            ends = (commit, f"{made}^") if made == ours.commit(LENT) else (made, LENT)
            ours.mails(*ends, into, revision=b4prep.revision(cover))
            total = len(list(into.glob("*.patch")))
            (into / "0000-cover-letter.patch").write_text(b4prep.mail(cover, total, commit))
    return commit


def _prepared_on(ours: Repository, folder: Path, tip: str) -> str:
    """Return the commit that a branch of `b4 prep` was begun on: its cover letter's parent."""
    found = ours.newest(LENT, b4prep.MARKER)
    if not found:
        raise BadInput(
            f"{folder}: {tip} is no branch of `b4 prep`, so nothing says where it begins\n"
            f"  give a range: --series BASE..{tip}"
        )
    return ours.commit(f"{found}^")


def unmet(folder: Path, ref: str, wanted: Sequence[tuple[str, str]]) -> tuple[tuple[str, str], ...]:
    """Return which prerequisites of a series, as (kind, value), a ref's newest commits lack.

    A message-id or change-id is looked for in their messages, a patch-id among their patches.
    """
    with lent(folder, ref) as ours:
        return tuple((kind, value) for kind, value in wanted if not _meets(ours, kind, value))


def _meets(ours: Repository, kind: str, value: str) -> bool:
    newest = f"--max-count={_SEARCHED[kind]}"
    if kind == "prerequisite-base-commit":
        return ours.knows(value) and ours.is_ancestor(value, LENT)
    if kind == "prerequisite-patch-id":
        return value.split()[0] in ours.patch_ids(newest, LENT)
    log = gitrun.run(ours.path, "log", newest, "--format=%B%x00", LENT)
    # A cover letter of `b4 prep` names what it needs, and is not that.
    return any(value.strip("<>") in one and not b4prep.is_cover(one) for one in log.split("\0"))


def _status(ours: Repository, folder: Path) -> str:
    status = ("status", "--porcelain", "--untracked-files=no", "--ignore-submodules=all")
    where = {"GIT_DIR": str(ours.path), "GIT_WORK_TREE": str(folder)}
    return gitrun.run(folder, *status, environment=where)


def _commit(folder: Path, ref: str) -> str:
    verify = ("rev-parse", "--verify", "--quiet", "--end-of-options", f"{ref}^{{commit}}")
    try:
        return gitrun.run(folder, *verify, timeout_s=_TIMEOUT_S)
    except ToolFailed as err:
        raise BadInput(f"{folder} has no commit {ref!r}, or is no git repository") from err


def _paths(folder: Path) -> tuple[Path, Path, Path]:
    """Return where another repository keeps its objects, its shallow commits and its index."""
    names = ("objects", "shallow", "index")
    ask = [word for name in names for word in ("--git-path", name)]
    lines = gitrun.run(folder, "rev-parse", "--path-format=absolute", *ask, timeout_s=_TIMEOUT_S)
    objects, shallow, index = (Path(line) for line in lines.splitlines())
    return objects, shallow, index
