# SPDX-License-Identifier: GPL-2.0-only
"""git, through GitPython: snapshots in, series applied, work trees out."""

import os
import re
import shutil
import subprocess
import tarfile
import tempfile
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import git
from git.exc import GitCommandNotFound

from patchbench.errors import BadInput, ToolFailed

#: Who commits; fixed, so that the same tree and patches give the same commits everywhere.
_WHO = "patchbench <patchbench@localhost>"
_ENVIRONMENT = {
    "GIT_AUTHOR_NAME": "patchbench",
    "GIT_AUTHOR_EMAIL": "patchbench@localhost",
    "GIT_COMMITTER_NAME": "patchbench",
    "GIT_COMMITTER_EMAIL": "patchbench@localhost",
    "GIT_TERMINAL_PROMPT": "0",
}
#: No setting of the user's may decide a tree. Fetching needs the user's proxy and trust.
_HERMETIC: Mapping[str, str] = {
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_CONFIG_SYSTEM": os.devnull,
    "GIT_CONFIG_COUNT": "1",
    "GIT_CONFIG_KEY_0": "core.attributesFile",  # has a default, ~/.config/git/attributes
    "GIT_CONFIG_VALUE_0": os.devnull,
    "GIT_ATTR_NOSYSTEM": "1",
    "GIT_TEMPLATE_DIR": "",
}
#: How git reaches others is the user's to say; everything else it must not hear of a caller: a hook
#: that started us names its own repository, object folder and configuration.
_USERS = ("GIT_SSH", "GIT_SSL", "GIT_PROXY", "GIT_HTTP", "GIT_ASKPASS", "GIT_TRACE")


def forget_callers_repository() -> None:
    """Let no git that we start obey the GIT_ variables of whoever started us."""
    for name in [one for one in os.environ if one.startswith("GIT_")]:
        if not name.startswith(_USERS):
            os.environ.pop(name)


@dataclass(frozen=True, slots=True)
class FileEntry:
    """One file of a snapshot; `mode` is git's: 100644, 100755 or 120000 (a link)."""

    path: str
    mode: str
    data: bytes


#: The old name of a file that a patch renames or copies, where git did not have to quote it.
_MOVED = re.compile(r"^(?:rename|copy) from ([^\n\"]+)$", re.MULTILINE)
#: What git says of a mail without a diff, or of no mail at all.
_NOTHING = re.compile(r"No valid patches in input|empty patch: ")
#: What stops `git am` and is no conflict: the mail's own fault, in git's words.
_MAIL_IS_WRONG = re.compile(
    r"corrupt patch|Patch is empty|only garbage at line|invalid date format|cannot convert from"
    r"|empty ident name|invalid path|beyond a symbolic link|without full index line"
    r"|unrecognized binary patch|Patch format detection failed|lacks filename information"
)


@dataclass(frozen=True, slots=True)
class Stopped:
    """Where `git am` stopped: what it said, and where each file's first bad hunk starts."""

    said: str
    hunks: tuple[tuple[str, int], ...]


@dataclass(frozen=True, slots=True)
class MailParts:
    """A mail as git reads it: who wrote the patch, its subject, and the files that it touches."""

    author: str
    email: str
    subject: str
    files: tuple[str, ...]


def read_mail(path: Path) -> MailParts:
    """Return what `git mailinfo` and `git apply --numstat` make of a mail.

    A renamed or copied file counts with both names; a mail without a diff has no files. Raises
    BadInput, in git's words, for a mail or a diff that git cannot read.
    """
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        with path.open("rb") as mail:
            headers = _read(path, folder, "mailinfo", "message", "patch", stdin=mail)
        listed = _read(path, folder, "apply", "--numstat", "-z", "patch")
        before = _MOVED.findall((folder / "patch").read_text(errors="surrogateescape"))
    found = dict(line.partition(": ")[::2] for line in headers.splitlines())
    rows = [row.split("\t", 2)[-1] for row in listed.split("\0") if row.count("\t") == 2]
    files = tuple(dict.fromkeys(name for name in (*rows, *before) if name))
    return MailParts(
        found.get("Author", ""), found.get("Email", ""), found.get("Subject", ""), files
    )


def _read(mail: Path, folder: Path, *arguments: str, stdin: BinaryIO | None = None) -> str:
    """Return what git reads in a mail: nothing if there is none, BadInput if it is damaged."""
    try:
        return _run(folder, *arguments, stdin=stdin)
    except ToolFailed as err:
        said = str(err).partition("\n")[2]
        if _NOTHING.search(said):
            return ""
        raise BadInput(f"{mail} is damaged\n  {said}") from err


class Repository:
    """A repository or one of its work trees."""

    def __init__(self, path: Path, apart: Mapping[str, str] | None = None) -> None:
        self.path = path
        self._apart = apart or {}

    @classmethod
    def create(cls, path: Path) -> "Repository":
        """Return a new bare repository."""
        repository = cls(path)
        path.mkdir(parents=True)
        repository._git("init", "--quiet", "--bare", "--initial-branch=unused", ".")
        # Work trees may have been removed by hand, and `gc` would be paid for mid-run.
        repository._git("config", "gc.auto", "0")
        return repository

    def import_snapshot(self, entries: Iterable[FileEntry], message: str) -> str:
        """Commit files as one parentless commit and return its id.

        Goes through fast-import, which neither unpacks to disk nor obeys the snapshot's own
        .gitignore: a packaged kernel's ends in `/*`, and `git add` would add nothing.
        """
        handle = self._stream(
            "-c",
            "core.compression=1",
            "-c",
            "fastimport.unpackLimit=1",
            "fast-import",
            "--quiet",
            "--depth=0",
        )
        process = handle.proc
        feed = process.stdin
        try:
            header = f"commit refs/patchbench/import\ncommitter {_WHO} 0 +0000\n"
            feed.write(header.encode() + _data(message.encode()) + b"deleteall\n")
            for entry in entries:
                feed.write(f"M {entry.mode} inline {_quoted(entry.path)}\n".encode())
                feed.write(_data(entry.data))
            feed.close()
        except BrokenPipeError:
            pass  # fast-import died; its status and words follow
        except BaseException:
            process.kill()
            process.wait()
            raise
        said = process.stderr.read().decode(errors="replace")
        if process.wait():
            raise ToolFailed(f"git fast-import failed in {self.path}:\n  {said.strip()}")
        return self.resolve("refs/patchbench/import")

    def fetch(self, url: str, ref: str, on_percent: Callable[[int], None]) -> str:
        """Fetch one ref without its history and return the commit; tell how far it has come."""
        fetch = ("fetch", "--progress", "--no-tags", "--depth=1", url, ref)
        # always a pack, as `scratch` wants it
        handle = self._stream("-c", "fetch.unpackLimit=1", *fetch, environment={})
        said = b""
        while chunk := handle.proc.stderr.read1(4096):
            said += chunk
            for percent in re.findall(rb"Receiving objects: +(\d+)%", chunk):
                on_percent(int(percent))
        if handle.proc.wait():
            words = said.decode(errors="replace").strip()
            raise ToolFailed(f"{ref} cannot be fetched from {url}:\n{words}")
        commit = self.resolve("FETCH_HEAD^{commit}")
        self.keep(commit)
        return commit

    def keep(self, commit: str) -> None:
        """Name a commit, so that no garbage collection takes it."""
        self._git("update-ref", f"refs/patchbench/{commit}", commit)

    def recover(self) -> None:
        """Remove the locks of a git that was killed; call only when nothing else runs."""
        for stale in [*self.path.rglob("*.lock"), *self.path.glob("worktrees/*/locked")]:
            stale.unlink(missing_ok=True)

    def resolve(self, name: str) -> str:
        """Return the full id of a revision; ToolFailed if there is none."""
        return self._git("rev-parse", "--verify", "--quiet", "--end-of-options", name)

    def commit(self, name: str) -> str:
        """Return the full id of a commit that a user named; BadInput if there is none."""
        try:
            return self.resolve(f"{name}^{{commit}}")
        except ToolFailed as err:
            raise BadInput(f"{self.path} has no commit {name!r}") from err

    def show(self, name: str) -> str:
        """Return a blob's text, by revision:path."""
        return self._git("show", name)

    def range_diff(self, ours: str, other: "Repository", theirs: str) -> str:
        """Return git's range-diff of two ranges A..B; `theirs` is one of another repository."""
        lent = {"GIT_ALTERNATE_OBJECT_DIRECTORIES": str(other.path / "objects")}
        return self._git(
            "range-diff", "--no-color", ours, theirs, environment={**_HERMETIC, **lent}
        )

    def mails(self, base: str, tip: str, into: Path) -> None:
        """Write the commits of base..tip into a folder, as numbered patches with their base.

        Raises BadInput for a name that is no commit, a range without commits, and a merge, which
        no mail can hold.
        """
        ends = [self.commit(base), self.commit(tip)]
        commits = f"{ends[0]}..{ends[1]}"
        if merges := self._git("rev-list", "--merges", "--max-count=1", commits):
            raise BadInput(f"{self.path}: {base}..{tip} holds the merge {merges[:12]}; rebase it")
        if not self._git("rev-list", "--max-count=1", commits):
            raise BadInput(f"{self.path}: {base}..{tip} holds no commit")
        options = ("--numbered", "--no-signature", "--full-index", "--no-renames", "--quiet")
        self._git("format-patch", *options, f"--base={ends[0]}", "-o", str(into), commits)

    def blobs(self, commit: str, paths: Sequence[str]) -> dict[str, str]:
        """Return the blob ids of those of the paths that a commit has, by path."""
        if not paths:
            return {}
        listed = self._git("ls-tree", "-z", "--full-tree", commit, "--", *paths)
        rows = (row.partition("\t") for row in listed.split("\0") if row)
        return {path: about.split()[2] for about, _, path in rows}

    def knows(self, commit: str) -> bool:
        """Return whether a commit is here, by its full id."""
        try:
            return bool(self.resolve(f"{commit}^{{commit}}"))
        except ToolFailed:
            return False

    def fork_point(self, name: str) -> str:
        """Return the last commit that HEAD and `name` share; BadInput if there is none."""
        commit = self.commit(name)
        try:
            return self._git("merge-base", commit, "HEAD")
        except ToolFailed as err:
            raise BadInput(f"{self.path}: HEAD and {name} have no commit in common") from err

    def changed(self, commit: str, folder: str) -> list[str]:
        """Return the files below a folder that differ from a commit, new ones included."""
        known = self._git("diff", "--name-only", "--no-renames", commit, "--", folder)
        new = self._git("ls-files", "--others", "--exclude-standard", "--", folder)
        return sorted({*known.splitlines(), *new.splitlines()})

    def differing(self, commit: str, other: str) -> list[str]:
        """Return the files that two commits have otherwise, or only one of them has."""
        return self._git("diff", "--name-only", "--no-renames", commit, other).splitlines()

    def has(self, commit: str, path: str) -> bool:
        """Return whether a commit holds a file or folder."""
        return bool(self._git("ls-tree", commit, "--", path))

    def words(self, commit: str, asked: Collection[str], paths: Sequence[str]) -> set[str]:
        """Return which of the words occur, as whole words, in a commit's files of these paths."""
        if not asked:
            return set()
        wanted = (part for word in asked for part in ("-e", word))
        options = ("-h", "--only-matching", "--word-regexp", "--fixed-strings", "-I")
        found = self._git("grep", *options, *wanted, commit, "--", *paths, good=(0, 1))
        return set(found.split())

    def extract(self, commit: str, path: str, into: Path) -> None:
        """Write a folder as a commit has it below `into`; BadInput if it has none."""
        if not self.has(commit, path):
            raise BadInput(f"{self.path} has no {path} at {commit}")
        into.mkdir(parents=True, exist_ok=True)
        archive = into / ".extracting.tar"
        self._git("archive", "--format=tar", f"--output={archive}", commit, "--", path)
        with tarfile.open(archive) as tar:
            tar.extractall(into, filter="data")
        archive.unlink()

    def dirty(self) -> str:
        """Return the changed files of a work tree, one a line; empty when it is clean."""
        return self._git("status", "--porcelain", "--untracked-files=no", environment={})

    def checkout(self, commit: str, folder: Path) -> "Repository":
        """Bring a whole work tree to a commit, touching only files that change."""
        tree = Repository(folder)
        if (folder / ".git").exists() and tree._is_work_tree():
            tree._git("reset", "--quiet", "--hard", commit)
            tree._git("clean", "--quiet", "-d", "-f", "-x")
        else:
            self.discard(folder)
            folder.parent.mkdir(parents=True, exist_ok=True)
            checkout = (
                "-c",
                "checkout.workers=0",
                "worktree",
                "add",
                "--quiet",
                "--force",
                "--force",
            )
            self._git(*checkout, "--detach", str(folder), commit)
        return tree

    def scratch(
        self, commit: str, folder: Path, files: Sequence[str], *, apart: bool = False
    ) -> "Repository":
        """Return a work tree that holds only the named files: enough for `git am`.

        apart: what is committed there stays apart until `absorb`, and so does what other series
        have left here. A three-way merge takes whatever blobs it finds, and the same patches must
        give the same answer whatever was applied before. Packs are the kernel's own; series leave
        loose objects.
        """
        self.discard(folder)
        folder.parent.mkdir(parents=True, exist_ok=True)
        self._git("worktree", "add", "--quiet", "--no-checkout", "--detach", str(folder), commit)
        tree = Repository(folder, self._objects_apart(folder) if apart else None)
        anchored = [f"/{_unglobbed(name)}" for name in files]
        tree._git("sparse-checkout", "set", "--no-cone", *anchored)
        tree._git("checkout", "--quiet", "--detach", commit)
        return tree

    def _objects_apart(self, folder: Path) -> dict[str, str]:
        """Return what makes a git see this repository's packs alone, and write elsewhere."""
        aside = _objects_aside(folder)
        new, packs = aside / "new", aside / "packs"
        for part in (new, packs):
            part.mkdir(parents=True)
        (packs / "pack").symlink_to((self.path / "objects/pack").resolve())
        return {"GIT_OBJECT_DIRECTORY": str(new), "GIT_ALTERNATE_OBJECT_DIRECTORIES": str(packs)}

    def absorb(self, folder: Path) -> None:
        """Keep what was committed in a scratch work tree; afterwards it is here as well."""
        new = _objects_aside(folder) / "new"
        for path in sorted(new.rglob("*")):
            here = self.path / "objects" / path.relative_to(new)
            if path.is_file() and not here.exists():
                here.parent.mkdir(parents=True, exist_ok=True)
                path.rename(here)

    def mail(self, message: str) -> str:
        """Commit what was changed in a work tree, and return the commit as a mail."""
        self._git("commit", "--quiet", "--all", "--message", message)
        return self._git("format-patch", "-1", "--stdout", "--no-signature", "--zero-commit")

    def discard(self, folder: Path) -> None:
        """Remove a work tree, registered or not."""
        shutil.rmtree(folder, ignore_errors=True)
        shutil.rmtree(_objects_aside(folder), ignore_errors=True)
        self._git("worktree", "prune")

    def am(self, patch: Path) -> Stopped | None:
        """Apply one mail with a three-way merge; where it stops, leave it stopped and say so."""
        before = self.resolve("HEAD")
        try:
            self._git(
                "am",
                "--quiet",
                "--3way",
                "--committer-date-is-author-date",
                "--keep-cr",
                str(patch),
            )
        except ToolFailed as err:
            if _MAIL_IS_WRONG.search(str(err)):
                raise BadInput(f"{patch} is damaged\n  {err}") from err
            # Anything but a conflict, a full disk for one, is not the patch's fault.
            if not Path(self._git("rev-parse", "--git-path", "rebase-apply")).is_dir():
                raise
            return Stopped(str(err), self._bad_hunks(before, patch))
        return None

    def _bad_hunks(self, commit: str, patch: Path) -> tuple[tuple[str, int], ...]:
        """Return file and first old line of the first hunk that fails, file by file."""
        index = self.path / ".git-check-index"
        environment = {**_HERMETIC, "GIT_INDEX_FILE": str(index)}
        self._git("read-tree", commit, environment=environment)
        try:
            self._git("apply", "--check", "--cached", str(patch), environment=environment)
        except ToolFailed as err:
            if "beyond a symbolic link" in str(err):
                raise BadInput(f"{patch} writes through a link\n  {err}") from err
            found = re.findall(r"patch failed: (.+):(\d+)$", str(err), re.MULTILINE)
            absent = re.findall(r"error: (.+): does not exist in index$", str(err), re.MULTILINE)
            return (*((name, int(line)) for name, line in found), *((name, 0) for name in absent))
        finally:
            index.unlink(missing_ok=True)
        return ()

    def _is_work_tree(self) -> bool:
        try:
            self._git("rev-parse", "--verify", "--quiet", "HEAD")
        except ToolFailed:
            return False
        return True

    def _git(
        self,
        *arguments: str,
        environment: Mapping[str, str] = _HERMETIC,
        good: tuple[int, ...] = (0,),
    ) -> str:
        return _run(self.path, *arguments, environment={**environment, **self._apart}, good=good)

    def _stream(self, *arguments: str, environment: Mapping[str, str] = _HERMETIC) -> Any:
        """Return GitPython's handle on a running git, which ends git when it is collected."""
        command = git.cmd.Git(str(self.path))
        command.update_environment(**_ENVIRONMENT, **environment)
        return command.execute(["git", *arguments], as_process=True, istream=subprocess.PIPE)


def _run(
    folder: Path,
    *arguments: str,
    environment: Mapping[str, str] = _HERMETIC,
    good: tuple[int, ...] = (0,),
    stdin: BinaryIO | None = None,
) -> str:
    """Return what git prints; ToolFailed with its words for a status that is not good."""
    if not folder.is_dir():  # GitPython would run in the caller's folder instead
        raise ToolFailed(f"the git folder {folder} is gone")
    try:
        command = git.cmd.Git(str(folder))
        command.update_environment(**_ENVIRONMENT, **environment)
        status, out, err = command.execute(
            ["git", *arguments],
            with_extended_output=True,
            with_exceptions=False,
            stdout_as_string=True,
            istream=stdin,
        )
    except GitCommandNotFound as error:
        raise ToolFailed(f"git is not installed, or {folder} is gone") from error
    if status not in good:
        said = f"{out}\n{err}".strip()
        raise ToolFailed(f"`git {' '.join(arguments)}` in {folder}:\n{said}")
    return str(out)


def _objects_aside(folder: Path) -> Path:
    return folder.with_name(f"{folder.name}.objects")


def _data(data: bytes) -> bytes:
    return b"data %d\n%b\n" % (len(data), data)


def _quoted(path: str) -> str:
    if '"' in path or "\\" in path or "\n" in path or path.startswith(" "):
        escaped = path.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
        return f'"{escaped}"'
    return path


def _unglobbed(path: str) -> str:
    return re.sub(r"([*?\[\\])", r"\\\1", path)
