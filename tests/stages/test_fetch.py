# SPDX-License-Identifier: GPL-2.0-only
"""Kernels from every origin, in repositories of three files."""

import hashlib
import shutil
import tarfile
import time
from dataclasses import replace
from pathlib import Path

import pytest

from patchbench.errors import BadInput, ToolFailed
from patchbench.model import DebianOrigin, DirectoryOrigin, GitOrigin, Origin, TarballOrigin
from patchbench.stages import fetch
from patchbench.tools.git import Repository
from tests.fakes import (
    KERNEL_FILES,
    Listener,
    fetched_from,
    git,
    kernel_spec,
    small_kernel,
    small_repository,
)

pytestmark = pytest.mark.slow


def tree_id(repository: Path, commit: str = "HEAD") -> str:
    return git(repository, "rev-parse", f"{commit}^{{tree}}")


def tarball(tmp_path: Path) -> Path:
    path = tmp_path / "linux-7.3.4.tar.xz"
    with tarfile.open(path, "w:xz") as tar:
        tar.add(small_kernel(tmp_path / "unpacked"), arcname="linux-7.3.4")
    return path


def tarball_origin(path: Path) -> TarballOrigin:
    return TarballOrigin("tarball", str(path), hashlib.sha256(path.read_bytes()).hexdigest())


def test_every_origin_gives_the_tree_that_git_itself_would(tmp_path: Path) -> None:
    repository = small_repository(tmp_path / "upstream")
    packed = tarball(tmp_path)
    origins: list[Origin] = [
        GitOrigin("git", str(repository), "HEAD"),
        DirectoryOrigin("directory", str(repository)),
        tarball_origin(packed),
    ]
    for number, origin in enumerate(origins):
        fetched = fetched_from(origin, tmp_path / f"cache-{number}")
        assert tree_id(fetched.repository, fetched.commit) == tree_id(repository)
        assert (fetched.version, fetched.line) == ("7.3.4", "7.3")


def test_a_package_without_a_snapshot_is_known_as_it_was_before_there_were_any() -> None:
    """Else every kernel would be fetched again, and every lane built again."""
    package = DebianOrigin("debian", "linux-source-7.3", "trixie-backports")
    assert fetch.origin_key(package) == "c6c9ab398ca6"
    assert fetch.origin_key(replace(package, snapshot="20260101T000000Z")) != "c6c9ab398ca6"


def test_a_debian_package_is_its_tarball_and_says_its_version(tmp_path: Path) -> None:
    fetched = fetch.fetch(
        kernel_spec(DebianOrigin("debian", "linux-source-7.3", "trixie-backports")),
        tmp_path / "cache",
        Listener(),
        debian=lambda _, __: (tarball(tmp_path), "7.3.4-1"),
    )
    assert fetched.provenance == "linux-source-7.3 7.3.4-1"


def test_links_modes_and_odd_names_survive_the_import(tmp_path: Path) -> None:
    repository = small_kernel(tmp_path / "odd")
    (repository / "run me").write_text("#!/bin/sh\n")
    (repository / "run me").chmod(0o755)
    (repository / 'say "hi"').write_text("x")
    (repository / "link").symlink_to("run me")
    (repository / "mm/folder").symlink_to("../mm")
    git(repository, "init", "--quiet")
    git(repository, "add", "--all", "--force")
    git(repository, "commit", "--quiet", "--message", "base")
    fetched = fetched_from(DirectoryOrigin("directory", str(repository)), tmp_path / "cache")
    assert tree_id(fetched.repository, fetched.commit) == tree_id(repository)


def test_a_known_source_is_used_without_fetching(tmp_path: Path) -> None:
    origin = tarball_origin(tarball(tmp_path))
    fetched = fetched_from(origin, tmp_path / "cache")
    assert fetch.known_source(kernel_spec(origin), tmp_path / "cache") == fetched


def test_a_source_says_which_tarball_it_was_and_when_it_came(tmp_path: Path) -> None:
    packed = tarball(tmp_path)
    fetched = fetched_from(tarball_origin(packed), tmp_path / "cache")
    assert fetched.tarball_sha256 == hashlib.sha256(packed.read_bytes()).hexdigest()
    assert fetched.fetched.endswith("+00:00")


def test_another_origin_under_the_same_name_is_not_known(tmp_path: Path) -> None:
    origin = tarball_origin(tarball(tmp_path))
    fetched_from(origin, tmp_path / "cache")
    assert (
        fetch.known_source(kernel_spec(replace(origin, sha256="0" * 64)), tmp_path / "cache")
        is None
    )


def test_a_wrong_sum_is_refused_and_leaves_no_tree(tmp_path: Path) -> None:
    origin = replace(tarball_origin(tarball(tmp_path)), sha256="0" * 64)
    with pytest.raises(BadInput, match="the kernel file asks for 0000"):
        fetched_from(origin, tmp_path / "cache")
    assert fetch.known_source(kernel_spec(origin), tmp_path / "cache") is None
    assert not list((tmp_path / "cache/downloads").iterdir())


def test_a_cut_off_tarball_never_becomes_a_tree(tmp_path: Path) -> None:
    path = tarball(tmp_path)
    path.write_bytes(path.read_bytes()[:-100])
    origin = tarball_origin(path)
    with pytest.raises(BadInput, match="not a whole tarball"):
        fetched_from(origin, tmp_path / "cache")
    assert fetch.known_source(kernel_spec(origin), tmp_path / "cache") is None


def test_an_import_that_is_interrupted_leaves_no_tree_and_the_next_one_works(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    origin = tarball_origin(tarball(tmp_path))

    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(tarfile.TarFile, "extractfile", interrupted)
        with pytest.raises(KeyboardInterrupt):
            fetched_from(origin, tmp_path / "cache")
    assert fetch.known_source(kernel_spec(origin), tmp_path / "cache") is None
    assert fetched_from(origin, tmp_path / "cache").version == "7.3.4"


def test_a_download_that_is_not_there_says_so(tmp_path: Path) -> None:
    with pytest.raises(ToolFailed, match="cannot be downloaded"):
        fetched_from(
            TarballOrigin("tarball", str(tmp_path / "no.tar"), "0" * 64), tmp_path / "cache"
        )


def test_a_repository_that_is_not_there_says_so(tmp_path: Path) -> None:
    origin = GitOrigin("git", str(tmp_path / "nowhere"), "HEAD")
    with pytest.raises(BadInput, match="neither a folder of this host"):
        fetched_from(origin, tmp_path / "cache")


def test_a_fetch_shows_its_progress(tmp_path: Path) -> None:
    story = Listener()
    repository = small_repository(tmp_path / "upstream")
    fetched_from(GitOrigin("git", str(repository), "HEAD"), tmp_path / "cache", story)
    assert any("fetching HEAD" in title for title in story.meters)


def test_the_import_shows_its_progress(tmp_path: Path) -> None:
    story = Listener()
    fetched_from(tarball_origin(tarball(tmp_path)), tmp_path / "cache", story)
    assert any("importing" in title for title in story.meters)


def test_a_folder_that_is_no_kernel_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="no Makefile"):
        fetch.spec_for_path(tmp_path)


def test_a_git_tree_is_taken_at_its_head(tmp_path: Path) -> None:
    repository = small_repository(tmp_path / "linux")
    assert fetch.spec_for_path(repository).origin == GitOrigin("git", str(repository), "HEAD")


@pytest.mark.parametrize("changes", [False, True])
def test_what_no_commit_holds_is_taken_only_where_it_is_asked_for(
    tmp_path: Path, *, changes: bool
) -> None:
    repository = small_repository(tmp_path / "linux")
    (repository / "mm/swapfile.c").write_text("changed\n")
    assert [line.split() for line in fetch.uncommitted(repository)] == [["M", "mm/swapfile.c"]]
    spec = fetch.spec_for_path(repository, changes=changes)
    source = fetched_from(spec.origin, tmp_path / "cache")
    text = Repository(source.repository).show(f"{source.commit}:mm/swapfile.c")
    assert (text == "changed") is changes


def test_a_half_deleted_repository_is_fetched_again(tmp_path: Path) -> None:
    origin = tarball_origin(tarball(tmp_path))
    fetched = fetched_from(origin, tmp_path / "cache")
    shutil.rmtree(fetched.repository / "objects")
    assert fetch.known_source(kernel_spec(origin), tmp_path / "cache") is None


def test_a_version_needs_its_three_numbers() -> None:
    assert fetch.kernel_version(KERNEL_FILES["Makefile"] + "EXTRAVERSION = -rc1\n") == "7.3.4-rc1"
    with pytest.raises(BadInput, match="no VERSION"):
        fetch.kernel_version("all:\n\ttrue\n")
    with pytest.raises(BadInput, match="no VERSION"):
        fetch.kernel_version(KERNEL_FILES["Makefile"].replace("7", "../../7"))


def test_a_makefile_of_spaces_is_read_in_a_time_that_grows_with_it() -> None:
    began_s = time.process_time()
    fetch.kernel_version(f"{KERNEL_FILES['Makefile']}EXTRAVERSION = {' ' * 131072}\tx\n")
    assert time.process_time() - began_s < 1
