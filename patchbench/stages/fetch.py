# SPDX-License-Identifier: GPL-2.0-only
"""A kernel's file in, a Source out: one commit in the kernel's repository.

Every kernel has one repository of its own in the cache, and a stamp that says what was fetched.
"""

import json
import lzma
import os
import re
import stat
import tarfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import asdict
from datetime import UTC, datetime
from io import BufferedReader
from pathlib import Path

from patchbench.catalog import TREE, load_json
from patchbench.errors import BadInput, ToolFailed, Unfit
from patchbench.model import (
    DebianOrigin,
    DirectoryOrigin,
    GitOrigin,
    Json,
    KernelSpec,
    Origin,
    Source,
    TarballOrigin,
)
from patchbench.store import file_sha256, key, write_whole
from patchbench.story import Meter, Story
from patchbench.tools import download, files, foreign
from patchbench.tools.git import FileEntry, Repository

_STAMP = "source.json"
_KEY_LETTERS = 12
#: A version names folders, and is printed: it is numbers, and a word at most.
_NUMBER = re.compile(r"^(VERSION|PATCHLEVEL|SUBLEVEL) *= *(\d{1,6}) *$", re.MULTILINE | re.ASCII)
_EXTRA = re.compile(r"^EXTRAVERSION *+= *+([\w.+~-]{0,40}) *$", re.MULTILINE | re.ASCII)
#: What a kernel file may have fetched. Anything else could be an option, a refspec that writes
#: elsewhere, or a transport that is a program, such as ext::.
_REF = re.compile(r"(?!.*(\.\.|@\{))[A-Za-z0-9_][A-Za-z0-9_./@+-]*")
_REMOTE = re.compile(
    r"(https?|ssh|git)://[A-Za-z0-9_\[][^\s\x00-\x1f]*|[A-Za-z0-9_][\w.-]*@[A-Za-z0-9_][\w.-]*:(?!:)\S+"
)
#: The largest file of a kernel has some 20 MiB.
_MOST_FILE_BYTES = 256 << 20


def known_source(spec: KernelSpec, cache: Path) -> Source | None:
    """Return the source as it was fetched before, if the kernel file still asks for it."""
    folder = cache / "kernels" / spec.name
    try:
        stamp = load_json(folder / _STAMP)
        if stamp["origin"] != _described(spec.origin) or not _is_ours(folder / "repo.git"):
            return None
        makefile = Repository(folder / "repo.git").show(f"{stamp['commit']}:Makefile")
        if kernel_version(makefile) != stamp["version"]:
            return None
        return Source(
            spec.name,
            stamp["version"],
            stamp["provenance"],
            folder / "repo.git",
            stamp["commit"],
            origin_key(spec.origin),
            stamp.get("tarball_sha256", ""),
            stamp.get("fetched", ""),
        )
    except (OSError, ValueError, KeyError, TypeError, ToolFailed, BadInput):
        return None


def fetch(
    spec: KernelSpec,
    cache: Path,
    story: Story,
    *,
    debian: Callable[[DebianOrigin, Path], tuple[Path, str]],
) -> Source:
    """Bring a kernel from its origin into its repository and return it.

    `debian` brings a package's tarball into a folder and says its version. The stamp that
    makes it all a source is written last: whatever breaks off before leaves none.
    """
    folder = cache / "kernels" / spec.name
    downloads = cache / "downloads"
    repository = _repository(folder)
    tarball_sha256 = ""
    match spec.origin:
        case DebianOrigin(package=package):
            tarball, package_version = debian(spec.origin, downloads)
            commit = _import_tarball(tarball, package, repository, story)
            provenance, tarball_sha256 = f"{package} {package_version}", file_sha256(tarball)
        case GitOrigin(url=url, ref=ref):
            commit, provenance = _from_git(url, ref, repository, story)
        case TarballOrigin(url=url, sha256=sha256):
            tarball = download.fetch(url, sha256, downloads, story)
            commit = _import_tarball(tarball, spec.name, repository, story)
            provenance, tarball_sha256 = f"{Path(url).name} sha256 {sha256}", sha256
        case DirectoryOrigin(path=path):
            commit, provenance = _from_directory(Path(path).expanduser(), repository, story)
    version = kernel_version(repository.show(f"{commit}:Makefile"))
    repository.keep(commit)
    fetched = datetime.now(UTC).isoformat(timespec="seconds") if tarball_sha256 else ""
    stamp = {
        "origin": _described(spec.origin),
        "version": version,
        "provenance": provenance,
        "commit": commit,
        "tarball_sha256": tarball_sha256,
        "fetched": fetched,
    }
    write_whole(folder / _STAMP, json.dumps(stamp, indent=1) + "\n")
    origin = origin_key(spec.origin)
    return Source(
        spec.name, version, provenance, repository.path, commit, origin, tarball_sha256, fetched
    )


def spec_for_path(path: Path, commit: str = "", *, changes: bool = False) -> KernelSpec:
    """Return the kernel that `--tree PATH` means: HEAD of a git tree, else the files.

    commit: instead of HEAD. changes: with what no commit holds, instead of HEAD alone.
    """
    resolved = path.expanduser().resolve()
    if not commit and not files.exists(resolved, "Makefile"):
        raise BadInput(f"--tree {path} is not a kernel tree: it has no Makefile")
    # Two trees may have the same last component, and it may be any text.
    shown = re.sub(r"[^A-Za-z0-9._-]", "_", resolved.name)[:40]
    name = f"{TREE}{shown}-{key({'path': str(resolved)})[:_KEY_LETTERS]}"
    if commit:
        return KernelSpec(name, f"{commit} of {resolved}", GitOrigin("git", str(resolved), commit))
    if (resolved / ".git").exists():
        ref = foreign.WITH_CHANGES if changes else "HEAD"
        return KernelSpec(name, f"{ref} of {resolved}", GitOrigin("git", str(resolved), ref))
    return KernelSpec(name, f"files of {resolved}", DirectoryOrigin("directory", str(resolved)))


def uncommitted(path: Path) -> list[str]:
    """Return what a git tree has that no commit holds, a line a file; nothing of a plain folder."""
    resolved = path.expanduser().resolve()
    return foreign.dirty(resolved).splitlines() if (resolved / ".git").exists() else []


def origin_key(origin: Origin) -> str:
    """Return the beginning of an origin's key: a kernel's name may come to stand for another."""
    return key(_described(origin))[:_KEY_LETTERS]


def _described(origin: Origin) -> dict[str, Json]:
    """Return an origin's fields; what older ones lacked only where it says something."""
    return {name: value for name, value in asdict(origin).items() if value or name != "snapshot"}


def kernel_version(makefile: str) -> str:
    """Return VERSION.PATCHLEVEL.SUBLEVEL+EXTRAVERSION of a kernel's top Makefile."""
    found: dict[str, str] = dict(_NUMBER.findall(makefile))
    if not {"VERSION", "PATCHLEVEL", "SUBLEVEL"} <= found.keys():
        raise BadInput("this is not a kernel tree: its Makefile states no VERSION")
    extra = _EXTRA.findall(makefile)
    numbers = (found[name] for name in ("VERSION", "PATCHLEVEL", "SUBLEVEL"))
    return ".".join(numbers) + (extra[-1] if extra else "")


def _repository(folder: Path) -> Repository:
    path = folder / "repo.git"
    if _is_ours(path):
        return Repository(path)
    files.remove(folder)
    repository = Repository.create(path)
    (path / "patchbench").touch()
    return repository


def _is_ours(repository: Path) -> bool:
    """Return whether a repository was made to its end; the mark is its last file."""
    return (repository / "patchbench").is_file()


def _from_git(url: str, ref: str, repository: Repository, story: Story) -> tuple[str, str]:
    if not _REF.fullmatch(ref):
        raise BadInput(f"{ref!r} is not a git ref that can be fetched: a branch, a tag or a commit")
    with story.meter(f"fetching {ref} from {url}", 100, "per cent") as meter:
        local = Path(url.removeprefix("file://")).expanduser()
        if local.exists():
            with _lent(local.resolve(), ref) as lent:
                commit = repository.fetch(str(lent.path), foreign.LENT, meter.at)
        elif _REMOTE.fullmatch(url):
            commit = repository.fetch(url, ref, meter.at)
        else:
            raise BadInput(
                f"{url!r} is neither a folder of this host nor an address that git may fetch from\n"
                "  https://, http://, ssh://, git:// and user@host:path are"
            )
    return commit, f"{url} {ref} at {commit}"


def _lent(folder: Path, ref: str) -> AbstractContextManager[Repository]:
    if ref == foreign.WITH_CHANGES:
        return foreign.lent_with_changes(folder)
    return foreign.lent(folder, ref)


def _from_directory(path: Path, repository: Repository, story: Story) -> tuple[str, str]:
    if not path.is_dir():
        raise BadInput(f"kernel directory {path} does not exist")
    story.say(f"importing {path}")
    commit = repository.import_snapshot(_directory_entries(path), f"files of {path.name}")
    return commit, f"files of {path}"


def _import_tarball(tarball: Path, name: str, repository: Repository, story: Story) -> str:
    size = tarball.stat().st_size
    try:
        with (
            tarball.open("rb") as raw,
            story.meter(f"importing {name}", size, "bytes") as meter,
            tarfile.open(fileobj=raw, mode="r|*") as tar,
        ):
            return repository.import_snapshot(_tar_entries(tar, raw, meter), name)
    except (tarfile.TarError, EOFError, lzma.LZMAError, zlib.error) as err:
        raise BadInput(f"{tarball} is not a whole tarball: {err}") from err


def _tar_entries(tar: tarfile.TarFile, raw: BufferedReader, meter: Meter) -> Iterator[FileEntry]:
    for member in tar:
        meter.at(raw.tell())
        path = member.name.removeprefix("./").partition("/")[2]
        if not path or member.isdir():
            continue
        if member.issym():
            yield FileEntry(path, "120000", member.linkname.encode())
        elif member.isreg():
            if member.size > _MOST_FILE_BYTES:
                raise BadInput(f"the tarball's {member.name} has {member.size} bytes: too many")
            stream = tar.extractfile(member)
            assert stream is not None  # for mypy: a regular file has one
            mode = "100755" if member.mode & stat.S_IXUSR else "100644"
            yield FileEntry(path, mode, stream.read())
        else:
            raise BadInput(f"the tarball's {member.name} is neither a file nor a link")


def _directory_entries(root: Path) -> Iterator[FileEntry]:
    for folder, folders, others in os.walk(root):
        folders[:] = sorted(set(folders) - {".git"})
        links = [name for name in folders if (Path(folder) / name).is_symlink()]
        for name in sorted({*others, *links} - {".git"}):
            path = Path(folder) / name
            inside = str(path.relative_to(root))
            if path.is_symlink():
                yield FileEntry(inside, "120000", str(path.readlink()).encode())
            elif path.is_file():
                mode = "100755" if path.stat().st_mode & stat.S_IXUSR else "100644"
                yield FileEntry(inside, mode, _taken(root, inside))


def _taken(root: Path, name: str) -> bytes:
    try:
        return files.take(root, name, most_bytes=_MOST_FILE_BYTES)
    except Unfit as err:
        raise BadInput(f"{root} is not a kernel tree that can be used: {err}") from err
