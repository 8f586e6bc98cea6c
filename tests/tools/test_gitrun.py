# SPDX-License-Identifier: GPL-2.0-only
"""Whose settings git obeys, and how long it lives."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from patchbench.errors import BadInput, DoesNotApply, ToolFailed
from patchbench.model import GitOrigin, KernelSpec, Series, Source
from patchbench.stages import fetch, series, tree
from patchbench.tools import foreign, gitrun
from tests.fakes import Listener, git, no_debian, small_repository, write_patch

pytestmark = pytest.mark.slow


@pytest.fixture
def theirs(tmp_path: Path) -> Path:
    """Return a repository of somebody's, clean, with one commit."""
    return small_repository(tmp_path / "theirs")


@pytest.fixture
def trap(tmp_path: Path) -> Path:
    """Return a program that leaves a file beside it when it is run; it stands in for any."""
    program = tmp_path / "trap"
    program.write_text(f"#!/bin/sh\ntouch {tmp_path}/sprung\ncat\n")
    program.chmod(0o755)
    return program


def sprung(trap: Path) -> bool:
    return trap.with_name("sprung").exists()


def fsmonitor(theirs: Path, trap: Path) -> None:
    git(theirs, "config", "core.fsmonitor", str(trap))


def clean_filter(theirs: Path, trap: Path) -> None:
    (theirs / ".git/info/attributes").write_text("* filter=trap\n")
    git(theirs, "config", "filter.trap.clean", str(trap))
    git(theirs, "config", "filter.trap.process", str(trap))


def hooks(theirs: Path, trap: Path) -> None:
    for name in ("post-index-change", "reference-transaction", "post-checkout", "pre-auto-gc"):
        (theirs / ".git/hooks").mkdir(exist_ok=True)
        (theirs / ".git/hooks" / name).symlink_to(trap)


def hooks_elsewhere(theirs: Path, trap: Path) -> None:
    hooks(theirs, trap)
    git(theirs, "config", "core.hooksPath", str(theirs / ".git/hooks"))


def included(theirs: Path, trap: Path) -> None:
    more = theirs.parent / "more.config"
    more.write_text(f"[core]\n\tfsmonitor = {trap}\n")
    git(theirs, "config", f"includeIf.gitdir:{theirs}/.path", str(more))


def programs(theirs: Path, trap: Path) -> None:
    for name in (
        *("core.sshCommand", "core.gitProxy", "core.askPass", "core.editor", "core.pager"),
        *("core.alternateRefsCommand", "credential.helper", "diff.external", "gpg.program"),
        *("uploadpack.packObjectsHook", "remote.origin.uploadpack", "diff.trap.textconv"),
    ):
        git(theirs, "config", name, str(trap))
    git(theirs, "config", "alias.status", f"!{trap}")
    (theirs / ".git/info/attributes").write_text("* diff=trap\n")


def lazy_fetch(theirs: Path, trap: Path) -> None:
    git(theirs, "config", "core.repositoryFormatVersion", "1")
    git(theirs, "config", "extensions.partialClone", "origin")
    git(theirs, "config", "remote.origin.url", f"ext::{trap}")
    git(theirs, "config", "protocol.ext.allow", "always")
    blob = git(theirs, "rev-parse", "HEAD:mm/swapfile.c")
    (theirs / ".git/objects" / blob[:2] / blob[2:]).unlink()


def submodule(theirs: Path, trap: Path) -> None:
    inner = small_repository(theirs / "inner")
    fsmonitor(inner, trap)
    git(theirs, "add", "--force", "inner")
    git(theirs, "commit", "--quiet", "--message", "a link to another repository")


TRAPS = [
    fsmonitor, clean_filter, hooks, hooks_elsewhere, included, programs, lazy_fetch, submodule,
]  # fmt: skip


@pytest.mark.parametrize("lay", TRAPS)
def test_no_program_that_a_user_s_tree_configures_is_run(
    theirs: Path, trap: Path, lay: Callable[[Path, Path], None]
) -> None:
    """core.fsmonitor of a `--tree` once ran a program as root."""
    lay(theirs, trap)
    (theirs / "mm/swapfile.c").touch()  # so that git has to look into it
    try:
        found = fetch.spec_for_path(theirs)
        fetch.fetch(found, theirs.parent / "cache", Listener(), debian=no_debian)
        foreign.mails(theirs, "HEAD", "HEAD", theirs.parent)
    except (BadInput, ToolFailed):
        pass  # a repository may lack what is asked of it; it may not run a thing
    assert not sprung(trap)


@pytest.mark.parametrize("lay", [fsmonitor, clean_filter, hooks, included, submodule])
def test_the_traps_do_work_on_a_plain_git(
    theirs: Path, trap: Path, lay: Callable[[Path, Path], None]
) -> None:
    """The control: what the test above would see."""
    lay(theirs, trap)
    (theirs / "mm/swapfile.c").write_text("changed\n")
    for command in ("status", "add --all --force"):
        subprocess.run(["git", *command.split()], cwd=theirs, capture_output=True, check=False)
    assert sprung(trap)


def test_a_changed_file_is_seen_without_the_tree_s_own_settings(theirs: Path) -> None:
    assert foreign.dirty(theirs) == ""
    (theirs / "mm/swapfile.c").write_text("changed\n")
    git(theirs, "update-index", "--split-index")  # an index in parts is read anew
    assert foreign.dirty(theirs).strip() == "M mm/swapfile.c"


def test_looking_at_a_tree_changes_nothing_in_it(theirs: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in theirs.rglob("*")}
    foreign.dirty(theirs)
    with foreign.lent(theirs, "HEAD"):
        pass
    assert {path: path.stat().st_mtime_ns for path in theirs.rglob("*")} == before


def test_a_folder_that_is_no_repository_is_named(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="no git repository"), foreign.lent(tmp_path, "HEAD"):
        pass


@pytest.mark.parametrize(
    ("url", "ref"),
    [
        ("--upload-pack=touch sprung", "HEAD"),
        ("-c", "HEAD"),
        ("ext::sh -c touch% sprung", "HEAD"),
        ("fd::17", "HEAD"),
        ("ssh://-oProxyCommand=touch/x", "HEAD"),
        ("-oProxyCommand=x@host:path", "HEAD"),
        ("host::path", "HEAD"),
        ("foo://example.org/linux", "HEAD"),
        ("https://example.org/\nlinux", "HEAD"),
        ("https://example.org/linux", "--upload-pack=touch sprung"),
        ("https://example.org/linux", "+refs/heads/*:refs/patchbench/*"),
        ("https://example.org/linux", "HEAD:refs/heads/x"),
        ("https://example.org/linux", "a..b"),
        ("https://example.org/linux", ""),
    ],
)
def test_an_address_or_a_ref_that_git_would_take_for_something_else_is_refused(
    tmp_path: Path, url: str, ref: str
) -> None:
    """A url of `--upload-pack=...` once ran a program."""
    spec = KernelSpec("small", "a test's", GitOrigin("git", url, ref))
    with pytest.raises(BadInput, match=r"is neither a folder|is not a git ref"):
        fetch.fetch(spec, tmp_path, Listener(), debian=no_debian)


def unsettling_home(home: Path, trap: Path) -> None:
    home.mkdir()
    (home / ".gitconfig").write_text(
        f"[core]\n\tautocrlf = true\n\tfsmonitor = {trap}\n\thooksPath = {home}/hooks\n"
        "[apply]\n\twhitespace = fix\n[commit]\n\tgpgSign = true\n[am]\n\tmessageid = true\n"
        "[user]\n\tname = Somebody Else\n"
    )
    (home / ".config/git").mkdir(parents=True)
    (home / ".config/git/attributes").write_text("*.c text eol=crlf\n")
    (home / "hooks").mkdir()
    for name in ("applypatch-msg", "pre-applypatch", "post-commit", "reference-transaction"):
        (home / "hooks" / name).symlink_to(trap)


def test_what_is_applied_depends_on_no_setting_of_the_user_s(
    theirs: Path, tmp_path: Path, trap: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    author = small_repository(tmp_path / "author")
    port = tmp_path / "project/patches/v0/7.3"
    write_patch(port, 1, "line 3", "line three \t ", author)
    (port.parent / "series.toml").write_text('title = "t"\n')

    def applied(cache: str) -> tuple[str, bytes]:
        spec = KernelSpec("small", "a test's", GitOrigin("git", str(theirs), "HEAD"))
        source = fetch.fetch(spec, tmp_path / cache, Listener(), debian=no_debian)
        whole = tree.apply(source, series.load(tmp_path / "project", "v0", "7.3"), tmp_path / cache)
        out = tmp_path / cache / "out"
        tree.check_out(whole, out, Listener())
        return whole.commit, (out / "mm/swapfile.c").read_bytes()

    plain = applied("plain")
    unsettling_home(tmp_path / "home", trap)
    (tmp_path / "template/hooks").mkdir(parents=True)
    (tmp_path / "template/hooks/post-checkout").symlink_to(trap)
    for name, value in {
        "HOME": str(tmp_path / "home"),
        "XDG_CONFIG_HOME": str(tmp_path / "home/.config"),
        "GIT_CONFIG_PARAMETERS": "'apply.whitespace=fix' 'core.autocrlf=true'",
        "GIT_CONFIG_COUNT": "1",
        "GIT_CONFIG_KEY_0": "apply.whitespace",
        "GIT_CONFIG_VALUE_0": "fix",
        "GIT_TEMPLATE_DIR": str(tmp_path / "template"),
        "GIT_DEFAULT_HASH": "sha256",
        "GIT_QUARANTINE_PATH": str(tmp_path),
        "GIT_DIR": str(author / ".git"),
        "GIT_EXTERNAL_DIFF": str(trap),
        "GIT_COMMITTER_NAME": "Somebody Else",
    }.items():
        monkeypatch.setenv(name, value)
    assert applied("unsettled") == plain
    assert not sprung(trap)


def test_attributes_of_a_tree_change_no_byte_of_what_is_compiled(
    theirs: Path, tmp_path: Path
) -> None:
    (theirs / ".gitattributes").write_text("*.c text eol=crlf ident working-tree-encoding=UTF-16\n")
    git(theirs, "add", "--force", ".gitattributes")
    git(theirs, "commit", "--quiet", "--message", "attributes")
    spec = KernelSpec("small", "a test's", GitOrigin("git", str(theirs), "HEAD"))
    source = fetch.fetch(spec, tmp_path / "cache", Listener(), debian=no_debian)
    base = tree.apply(source, Series("none", "7.3"), tmp_path / "work")
    tree.check_out(base, tmp_path / "out", Listener())
    assert (tmp_path / "out/mm/swapfile.c").read_text().startswith("line 1\nline 2\n")


# A program that locks a file, starts a git that waits for its input, and says which.
_RUNS_GIT = """
import fcntl, sys, time
from pathlib import Path
from patchbench.tools import gitrun, process
lock = open(sys.argv[2], "w")
fcntl.flock(lock, fcntl.LOCK_EX)
process.hold(lock.fileno())
handle = gitrun.stream(Path(sys.argv[1]), "fast-import", "--quiet")
print(handle.proc.pid, flush=True)
time.sleep(60)
"""


def killed_with_git_alive(theirs: Path, lock: Path, path: str) -> int:
    """Kill a program that runs git, and return git's process."""
    program = subprocess.Popen(
        [sys.executable, "-c", _RUNS_GIT, str(theirs), str(lock)],
        stdout=subprocess.PIPE,
        stdin=subprocess.DEVNULL,
        env={**os.environ, "PATH": path, "PYTHONPATH": str(Path(__file__).parents[2])},
    )
    assert program.stdout is not None
    child = int(program.stdout.readline())
    program.kill()
    program.wait()
    return child


def is_free(lock: Path) -> bool:
    return subprocess.run(["flock", "-n", str(lock), "true"], check=False).returncode == 0


def test_git_does_not_outlive_whoever_ran_it(theirs: Path, tmp_path: Path) -> None:
    """A killed run once left git alive, and the next one removed its index.lock under it."""
    child = killed_with_git_alive(theirs, tmp_path / "lock", os.environ["PATH"])
    deadline = time.monotonic() + 10
    while Path(f"/proc/{child}").exists() and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not Path(f"/proc/{child}").exists()
    assert is_free(tmp_path / "lock")


def test_where_nothing_ends_git_the_cache_stays_locked_until_it_is_done(
    theirs: Path, tmp_path: Path
) -> None:
    """As on a host without setpriv. The input of git is closed by then, so it may end by itself."""
    (tmp_path / "bin").mkdir()
    waiting = tmp_path / "bin/git"  # which, unlike git, does not mind that its input is closed
    waiting.write_text(
        '#!/bin/sh\n[ "$1" = version ] && echo git version 2.39.5 && exit\nexec /bin/sleep 60\n'
    )
    waiting.chmod(0o755)
    for name in ("env", "flock"):
        (tmp_path / "bin" / name).symlink_to(f"/usr/bin/{name}")
    child = killed_with_git_alive(theirs, tmp_path / "lock", str(tmp_path / "bin"))
    try:
        assert not is_free(tmp_path / "lock")
    finally:
        os.kill(child, signal.SIGKILL)
    while Path(f"/proc/{child}").exists() and "Z" not in status(child):
        time.sleep(0.02)
    assert is_free(tmp_path / "lock")


def status(process: int) -> str:
    try:
        return Path(f"/proc/{process}/stat").read_text().split()[2]
    except (FileNotFoundError, ProcessLookupError):
        return "Z"


@pytest.fixture
def moved(theirs: Path, tmp_path: Path) -> tuple[Path, Path, Source]:
    """Return a small cache with a lane and a parked git-am, a copy of it, and its kernel."""
    cache = tmp_path / "cache"
    spec = KernelSpec("small", "a test's", GitOrigin("git", str(theirs), "HEAD"))
    source = fetch.fetch(spec, cache, Listener(), debian=no_debian)
    base = tree.apply(source, Series("none", "7.3"), cache / "work")
    tree.check_out(base, cache / "work/lanes/small-0/unpatched/source", Listener())
    author = small_repository(tmp_path / "author")
    port = tmp_path / "project/patches/v0/7.3"
    patch = write_patch(port, 1, "line 3", "line three", author)
    patch.write_text(patch.read_text().replace("-line 3\n", "-line 3rd\n"))
    (port.parent / "series.toml").write_text('title = "t"\n')
    with pytest.raises(DoesNotApply):
        tree.apply(source, series.load(tmp_path / "project", "v0", "7.3"), cache / "work")
    subprocess.run(["cp", "-a", str(cache), str(tmp_path / "copy")], check=True)
    return cache, tmp_path / "copy", source


def contents(folder: Path) -> dict[Path, tuple[int, bytes]]:
    return {
        path: (path.stat().st_mtime_ns, path.read_bytes())
        for path in folder.rglob("*")
        if path.is_file()
    }


def test_a_copied_cache_never_touches_the_one_that_it_was_copied_from(
    moved: tuple[Path, Path, Source],
) -> None:
    """A `git reset --hard` in a copy's work tree once worked on the other cache's repository."""
    old, new, source = moved
    before = contents(old)
    assert tree.recover(new) == 2
    ours = Source(
        *(source.kernel, source.version, source.provenance),
        new / "kernels/small/repo.git",
        source.commit,
        source.origin,
    )
    base = tree.apply(ours, Series("none", "7.3"), new / "work")
    folder = new / "work/lanes/small-0/unpatched/source"
    tree.check_out(base, folder, Listener())
    assert (folder / "mm/swapfile.c").is_file()
    assert tree.recover(new) == 0
    assert contents(old) == before


def test_a_moved_cache_works_where_it_is(moved: tuple[Path, Path, Source]) -> None:
    old, new, source = moved
    old.rename(old.with_name("gone"))
    assert tree.recover(new) == 2
    assert fetch.known_source(KernelSpec("small", "", GitOrigin("git", "", "HEAD")), new) is None
    assert gitrun.run(new / "kernels/small/repo.git", "cat-file", "-t", source.commit) == "commit"


def test_a_cache_in_its_place_keeps_its_work_trees(moved: tuple[Path, Path, Source]) -> None:
    assert tree.recover(moved[0]) == 0
    assert (moved[0] / "work/apply/small/v0/mm/swapfile.c").is_file()


def test_a_work_tree_with_a_broken_index_is_made_again(
    moved: tuple[Path, Path, Source],
) -> None:
    cache, _, source = moved
    (source.repository / "worktrees/source/index").write_bytes(b"DIRC")
    base = tree.apply(source, Series("none", "7.3"), cache / "work")
    folder = cache / "work/lanes/small-0/unpatched/source"
    tree.check_out(base, folder, Listener())
    assert (folder / "mm/swapfile.c").is_file()
