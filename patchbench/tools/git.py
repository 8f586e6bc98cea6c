# SPDX-License-Identifier: GPL-2.0-only
"""Repositories of our own: snapshots in, series applied, work trees out."""

import hashlib
import re
import tarfile
import tempfile
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from patchbench.errors import BadInput, ToolFailed
from patchbench.tools import files, gitrun

_MOST_PRINTED_BYTES = 1 << 20
#: For every work tree: what is compiled is the tree's bytes, whatever its .gitattributes ask for.
_ATTRIBUTES = "* -text -ident -filter !eol !working-tree-encoding -export-subst -export-ignore\n"
_AM = ("--quiet", "--3way", "--committer-date-is-author-date", "--keep-cr")
_CODE = (".c", ".h", ".S")
#: What git says when a patch's hunks do not fit, and when there is no room.
_CONFLICT = "Patch failed at"
_FULL = "No space left on device"
#: What stops `git am` and is no conflict: the mail's own fault, in git's words.
_MAIL_IS_WRONG = re.compile(
    r"corrupt patch|Patch is empty|only garbage at line|invalid date format|cannot convert from"
    r"|empty ident name|invalid path|beyond a symbolic link|without full index line"
    r"|unrecognized binary patch|Patch format detection failed|lacks filename information"
)


@dataclass(frozen=True, slots=True)
class FileEntry:
    """One file of a snapshot; `mode` is git's: 100644, 100755 or 120000 (a link)."""

    path: str
    mode: str
    data: bytes


@dataclass(frozen=True, slots=True)
class Stopped:
    """Where `git am` stopped: what it said, and where each file's first bad hunk starts."""

    said: str
    hunks: tuple[tuple[str, int], ...]


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
        repository._git("init", "--quiet", "--bare", "--template=", "--initial-branch=unused", ".")
        # Work trees may have been removed by hand, and `gc` would be paid for mid-run.
        repository._git("config", "gc.auto", "0")
        repository._ignore_attributes()
        return repository

    def import_snapshot(self, entries: Iterable[FileEntry], message: str) -> str:
        """Commit files as one parentless commit and return its id.

        Goes through fast-import, which neither unpacks to disk nor obeys the snapshot's own
        .gitignore: a packaged kernel's ends in `/*`, and `git add` would add nothing.
        """
        settings = ("-c", "core.compression=1", "-c", "fastimport.unpackLimit=1")
        handle = gitrun.stream(self.path, *settings, "fast-import", "--quiet", "--depth=0")
        process = handle.proc
        feed = process.stdin
        try:
            header = f"commit refs/patchbench/import\ncommitter {gitrun.WHO} 0 +0000\n"
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
        """Fetch one ref without its history and return the commit; report how far it has come.

        url: of another host, or the path of a repository of ours.
        """
        fetch = ("fetch", "--progress", "--no-tags", "--depth=1", "--end-of-options", url, ref)
        # Always a pack, as `scratch` wants it.
        handle = gitrun.stream(
            self.path, "-c", "fetch.unpackLimit=1", *fetch, remote=not Path(url).is_absolute()
        )
        printed = b""
        while chunk := handle.proc.stderr.read1(4096):
            printed = (printed + chunk)[-_MOST_PRINTED_BYTES:]
            for percent in re.findall(rb"Receiving objects: +(\d{1,3})%", chunk):
                on_percent(int(percent))
        if handle.proc.wait():
            words = printed.decode(errors="replace").strip()
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
        self._ignore_attributes()

    def damage(self) -> str:
        """Return what git finds wrong with what it keeps here; empty if nothing.

        Reads every object: half a minute for a kernel.
        """
        try:
            self._git("fsck", "--full", "--no-dangling", "--no-progress")
        except ToolFailed as err:
            return str(err)
        return ""

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
        return self._git("cat-file", "blob", name)

    def range_diff(self, ours: str, other: "Repository", theirs: str) -> str:
        """Return git's range-diff of two ranges A..B; `theirs` is one of another repository."""
        lent = {"GIT_ALTERNATE_OBJECT_DIRECTORIES": str(other.path / "objects")}
        return self._git("range-diff", "--no-color", ours, theirs, environment=lent)

    def newest(self, tip: str, words: str) -> str:
        """Return the newest of a tip's last 1000 commits whose message has these words, or ""."""
        log = self._git("log", "--max-count=1000", "--format=%H%n%B%x00", tip).split("\0")
        return next((one.strip().partition("\n")[0] for one in log if words in one), "")

    def messages(self, base: str, tip: str) -> dict[str, str]:
        """Return the messages of the commits of base..tip by their ids, the oldest first."""
        commits = f"{self.commit(base)}..{self.commit(tip)}"
        listed = self._git("log", "--reverse", "--format=%H%n%B%x00", commits).split("\0")
        pairs = (one.strip().partition("\n") for one in listed if one.strip())
        return {commit: message for commit, _, message in pairs}

    def mails(self, base: str, tip: str, into: Path, *, revision: int = 1) -> None:
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
        options = ["--numbered", "--no-signature", "--full-index", "--no-renames", "--quiet"]
        options += [f"--reroll-count={revision}"] if revision > 1 else []
        self._git("format-patch", *options, f"--base={ends[0]}", "-o", str(into), commits)

    def blobs(self, commit: str, paths: Sequence[str]) -> dict[str, str]:
        """Return the blob ids of those of the paths that a commit has, by path."""
        if not paths:
            return {}
        listed = self._git("ls-tree", "-z", "--full-tree", commit, "--", *paths)
        rows = (row.partition("\t") for row in listed.split("\0") if row)
        return {path: about.split()[2] for about, _, path in rows}

    def without_code(self, commit: str) -> str:
        """Return a digest of a kernel but its C, assembly and headers; of scripts/, of these too.

        That is whatever can answer a question of its Kconfig files.
        """
        listed = self._git("ls-tree", "-r", "-z", "--full-tree", commit).split("\0")
        kept = (row for row in listed if "\tscripts/" in row or not row.endswith(_CODE))
        return hashlib.sha256("\0".join(kept).encode(errors="surrogateescape")).hexdigest()

    def knows(self, commit: str) -> bool:
        """Return whether a commit is here, by its full id."""
        try:
            return bool(self.resolve(f"{commit}^{{commit}}"))
        except ToolFailed:
            return False

    def is_ancestor(self, commit: str, of: str) -> bool:
        """Return whether a commit is in another's history."""
        try:
            self._git("merge-base", "--is-ancestor", commit, of)
        except ToolFailed:
            return False
        return True

    def patch_ids(self, *commits: str) -> set[str]:
        """Return the stable patch-ids of commits, as `git log` selects them."""
        with tempfile.TemporaryFile() as diffs:
            log = self._git("log", "--patch", "--no-merges", "--format=commit %H", *commits)
            diffs.write(log.encode(errors="surrogateescape"))
            diffs.seek(0)
            listed = gitrun.run(self.path, "patch-id", "--stable", stdin=diffs)
        return {line.split()[0] for line in listed.splitlines()}

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

    def lines(self, commit: str, other: str) -> tuple[int, int]:
        """Return how many lines the second of two commits adds and removes; binary files none."""
        listed = self._git("diff", "--numstat", "--no-renames", commit, other).splitlines()
        counts = [[int(count.replace("-", "0")) for count in row.split("\t")[:2]] for row in listed]
        return sum(added for added, _ in counts), sum(removed for _, removed in counts)

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
            # extractall() has no filter before Python 3.11.4. Links are left out.
            for member in filter(tarfile.TarInfo.isfile, tar):
                inside = Path(member.name)
                data = tar.extractfile(member)
                if inside.is_absolute() or ".." in inside.parts or data is None:
                    raise BadInput(f"{self.path} has {member.name} at {commit}, which leads out")
                (into / inside).parent.mkdir(parents=True, exist_ok=True)
                (into / inside).write_bytes(data.read())
        archive.unlink()

    def checkout(self, commit: str, folder: Path) -> "Repository":
        """Bring a whole work tree to a commit, touching only files that change.

        One that another repository made, or that git cannot mend, is made again.
        """
        tree = Repository(folder)
        if self.owns(folder):
            try:
                tree._git("reset", "--quiet", "--hard", commit)
                tree._git("clean", "--quiet", "-d", "-f", "-f", "-x")
            except ToolFailed:  # an index that a killed git left half written, for one
                self.discard(folder)
        if not self.owns(folder):
            self.discard(folder)
            folder.parent.mkdir(parents=True, exist_ok=True)
            add = ("worktree", "add", "--quiet", "--force", "--force", "--detach")
            self._git("-c", "checkout.workers=0", *add, str(folder), commit)
        return tree

    def owns(self, folder: Path) -> bool:
        """Return whether a folder is a work tree of this repository, and known to it.

        Both sides hold absolute paths: in a cache that was copied, they lead into the old one.
        """
        try:
            admin = Path((folder / ".git").read_text().removeprefix("gitdir: ").strip())
            back = Path((admin / "gitdir").read_text().strip())
        except (OSError, ValueError):
            return False
        return (
            admin.parent.resolve() == (self.path / "worktrees").resolve()
            and back.parent.resolve() == folder.resolve()
        )

    def scratch(
        self, commit: str, folder: Path, names: Sequence[str], *, apart: bool = False
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
        anchored = [f"/{_unglobbed(name)}" for name in names]
        tree._git("sparse-checkout", "set", "--no-cone", *anchored)
        tree._git("checkout", "--quiet", "--detach", commit)
        return tree

    def _objects_apart(self, folder: Path) -> dict[str, str]:
        """Return what makes a git see this repository's packs alone, and write elsewhere."""
        aside = objects_aside(folder)
        new, packs = aside / "new", aside / "packs"
        for part in (new, packs):
            part.mkdir(parents=True)
        (packs / "pack").symlink_to((self.path / "objects/pack").resolve())
        return {"GIT_OBJECT_DIRECTORY": str(new), "GIT_ALTERNATE_OBJECT_DIRECTORIES": str(packs)}

    def absorb(self, folder: Path) -> None:
        """Keep what was committed in a scratch work tree; afterwards it is here as well."""
        new = objects_aside(folder) / "new"
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
        files.remove(folder)
        files.remove(objects_aside(folder))
        self._git("worktree", "prune")

    def am(self, patch: Path) -> Stopped | None:
        """Apply one mail with a three-way merge; where it stops, leave it stopped and say so.

        Raises BadInput for a mail that git cannot apply, whatever the kernel.
        """
        before = self.resolve("HEAD")
        try:
            self._git("am", *_AM, "--end-of-options", str(patch))
        except ToolFailed as err:
            # A full disk is not the patch's fault.
            if _FULL in str(err) or not self._has_stopped():
                raise
            if _MAIL_IS_WRONG.search(str(err)) or _CONFLICT not in str(err):
                raise BadInput(f"{patch} is damaged\n  {err}") from err
            return Stopped(str(err), self._bad_hunks(before, patch))
        return None

    def am_all(self, patches: Sequence[Path]) -> bool:
        """Apply mails at once, and return whether each gave one commit, as `am` of each would.

        A git of its own for each takes twice as long. Where this returns False, the work tree is
        of no further use.
        """
        before = self.resolve("HEAD")
        try:
            self._git("am", *_AM, "--end-of-options", *map(str, patches))
        except ToolFailed:
            return False
        return self._git("rev-list", "--count", f"{before}..HEAD") == str(len(patches))

    def _has_stopped(self) -> bool:
        return Path(self._git("rev-parse", "--git-path", "rebase-apply")).is_dir()

    def _bad_hunks(self, commit: str, patch: Path) -> tuple[tuple[str, int], ...]:
        """Return file and first old line of the first hunk that fails, file by file."""
        index = self.path / ".git-check-index"
        environment = {"GIT_INDEX_FILE": str(index)}
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

    def _ignore_attributes(self) -> None:
        """Have git convert no file on its way into a work tree."""
        path = self.path / "info/attributes"
        path.parent.mkdir(exist_ok=True)
        path.write_text(_ATTRIBUTES)

    def _git(
        self,
        *arguments: str,
        environment: Mapping[str, str] | None = None,
        good: tuple[int, ...] = (0,),
    ) -> str:
        ours = {**(environment or {}), **self._apart}
        return gitrun.run(self.path, *arguments, environment=ours, good=good)


def objects_aside(folder: Path) -> Path:
    """Return where the objects of a scratch work tree lie that are kept apart."""
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
