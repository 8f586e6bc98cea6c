# SPDX-License-Identifier: GPL-2.0-only
"""Series applied to kernels, in repositories of three files."""

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from patchbench.errors import BadInput, DoesNotApply, UnknownName
from patchbench.model import GitOrigin, Series, Source
from patchbench.stages import series, tree, variants
from patchbench.tools.git import Repository
from tests.fakes import Listener, fetched_from, git, small_repository, write_patch

pytestmark = pytest.mark.slow


def tree_id(repository: Path) -> str:
    return git(repository, "rev-parse", "HEAD^{tree}")


def load(root: Path, name: str) -> Series:
    return series.load(root, name, "7.3")


@pytest.fixture
def source(tmp_path: Path) -> Source:
    repository = small_repository(tmp_path / "upstream")
    return fetched_from(GitOrigin("git", str(repository), "HEAD"), tmp_path / "cache")


@pytest.fixture
def patches(tmp_path: Path) -> Path:
    """Return a project root whose series v0 changes lines 3 and 20."""
    repository = small_repository(tmp_path / "author")
    port = tmp_path / "project/patches/v0/7.3"
    write_patch(port, 1, "line 3", "line three", repository)
    write_patch(port, 2, "line 20", "line twenty", repository)
    (port.parent / "series.toml").write_text('title = "t"\n')
    return tmp_path / "project"


def test_a_series_is_applied_patch_by_patch(source: Source, patches: Path, tmp_path: Path) -> None:
    applied = tree.apply(source, load(patches, "v0"), tmp_path / "work")
    assert applied.id == tree_id(tmp_path / "author")
    assert not list((tmp_path / "work/apply/small").iterdir())


def test_applying_twice_gives_the_same_commit(
    source: Source, patches: Path, tmp_path: Path
) -> None:
    both = [tree.apply(source, load(patches, "v0"), tmp_path / f"work{n}") for n in (1, 2)]
    assert both[0].commit == both[1].commit


def test_a_moved_context_is_merged_three_way(patches: Path, tmp_path: Path) -> None:
    repository = small_repository(tmp_path / "upstream")
    origin = GitOrigin("git", str(repository), "HEAD")
    fetched_from(origin, tmp_path / "cache")  # brings the blobs that the patches were made against
    text = (repository / "mm/swapfile.c").read_text()
    (repository / "mm/swapfile.c").write_text("new\n" * 50 + text)
    git(repository, "commit", "--all", "--quiet", "--message", "drift")
    fetched = fetched_from(origin, tmp_path / "cache")
    assert tree.apply(fetched, load(patches, "v0"), tmp_path / "work").id


def test_a_conflict_names_patch_file_hunk_and_kernel_and_parks_the_work_tree(
    patches: Path, tmp_path: Path
) -> None:
    repository = small_repository(tmp_path / "upstream")
    path = repository / "mm/swapfile.c"
    path.write_text(path.read_text().replace("line 20\n", "line XX\n"))
    git(repository, "commit", "--all", "--quiet", "--message", "conflict")
    fetched = fetched_from(GitOrigin("git", str(repository), "HEAD"), tmp_path / "cache")
    with pytest.raises(DoesNotApply) as caught:
        tree.apply(fetched, load(patches, "v0"), tmp_path / "work")
    message = str(caught.value)
    parked = tmp_path / "work/apply/small/v0"
    assert "0002-mm-say.patch does not apply to small 7.3.4" in message
    assert "mm/swapfile.c, hunk @@ -17,7 +17,7 @@" in message
    assert str(parked) in message
    assert (parked / "mm/swapfile.c").is_file()
    assert caught.value.exit_code == 21


def test_a_file_that_this_kernel_lacks_is_named(patches: Path, tmp_path: Path) -> None:
    repository = small_repository(tmp_path / "upstream")
    git(repository, "rm", "--quiet", "mm/swapfile.c")
    git(repository, "commit", "--quiet", "--message", "gone")
    fetched = fetched_from(GitOrigin("git", str(repository), "HEAD"), tmp_path / "cache")
    with pytest.raises(DoesNotApply, match=r"mm/swapfile\.c, which this kernel does not have"):
        tree.apply(fetched, load(patches, "v0"), tmp_path / "work")


def test_after_a_conflict_the_mended_series_applies(
    source: Source, patches: Path, tmp_path: Path
) -> None:
    patch = patches / "patches/v0/7.3/0001-mm-say.patch"
    good = patch.read_text()
    patch.write_text(good.replace("-line 3\n", "-line 3rd\n"))
    with pytest.raises(DoesNotApply):
        tree.apply(source, load(patches, "v0"), tmp_path / "work")
    patch.write_text(good)
    assert tree.apply(source, load(patches, "v0"), tmp_path / "work").id


def test_a_damaged_patch_is_bad_input_and_no_conflict(
    source: Source, patches: Path, tmp_path: Path
) -> None:
    patch = patches / "patches/v0/7.3/0001-mm-say.patch"
    patch.write_text(patch.read_text().replace("-line 3\n", ""))
    with pytest.raises(BadInput, match="is damaged"):
        tree.apply(source, load(patches, "v0"), tmp_path / "work")


def test_the_locks_of_a_killed_git_stop_nobody(
    source: Source, patches: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "lane/source"
    base = tree.apply(source, Series("none", "7.3"), tmp_path / "work")
    tree.check_out(base, folder, Listener())
    for name in ("index.lock", "locked"):
        (source.repository / "worktrees/source" / name).touch()
    Repository(source.repository).recover()
    applied = tree.apply(source, load(patches, "v0"), tmp_path / "work")
    tree.check_out(applied, folder, Listener())
    assert "line twenty" in (folder / "mm/swapfile.c").read_text()


def test_a_git_of_our_own_never_works_on_the_caller_s_repository(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    callers = small_repository(tmp_path / "callers")
    before = git(callers, "rev-parse", "HEAD")
    repository = small_repository(tmp_path / "upstream")
    monkeypatch.setenv("GIT_DIR", str(callers / ".git"))
    fetched = fetched_from(GitOrigin("git", str(repository), "HEAD"), tmp_path / "cache")
    tree.check_out(tree.apply(fetched, Series("none", "7.3"), tmp_path), tmp_path / "x", Listener())
    assert git(callers, "rev-parse", "HEAD") == before
    assert not (callers / ".git/worktrees").exists()


def test_a_work_tree_moves_by_touching_only_what_differs(
    source: Source, patches: Path, tmp_path: Path
) -> None:
    base = tree.apply(source, Series("none", "7.3"), tmp_path / "work")
    applied = tree.apply(source, load(patches, "v0"), tmp_path / "work")
    folder = tmp_path / "lane/source"
    tree.check_out(base, folder, Listener())
    before = (folder / "Makefile").stat().st_mtime_ns
    (folder / "stray.o").write_text("left by a build")
    tree.check_out(applied, folder, Listener())
    assert (folder / "Makefile").stat().st_mtime_ns == before
    assert "line twenty" in (folder / "mm/swapfile.c").read_text()
    assert not (folder / "stray.o").exists()


def with_variant(patches: Path, find: str) -> None:
    (patches / "patches/v0/variants.toml").write_text(
        "[variants.four]\nsummary = 's'\nfile = 'mm/swapfile.c'\n"
        f"find = '{find}'\nput = 'line four'\n"
    )


def test_a_variant_is_the_series_and_one_patch_more(
    source: Source, patches: Path, tmp_path: Path
) -> None:
    with_variant(patches, "line three")
    whole = tree.apply(source, load(patches, "v0"), tmp_path / "work")
    made = variants.make(patches, "v0+four", whole, tmp_path / "variants")
    assert [patch.path.name for patch in made.patches] == [
        "0001-mm-say.patch",
        "0002-mm-say.patch",
        "0001-planted.patch",
    ]
    applied = tree.apply(source, made, tmp_path / "work")
    repository = Repository(source.repository)
    repository.checkout(applied.commit, tmp_path / "out")
    text = (tmp_path / "out/mm/swapfile.c").read_text()
    assert "line four\n" in text
    assert "line twenty\n" in text


def test_a_variant_of_a_text_that_the_series_has_not_once_is_refused(
    source: Source, patches: Path, tmp_path: Path
) -> None:
    with_variant(patches, "line 3")  # which the series has replaced; of 30 to 39 it is a part
    whole = tree.apply(source, load(patches, "v0"), tmp_path / "work")
    with pytest.raises(BadInput, match="exactly once, found 10"):
        variants.make(patches, "v0+four", whole, tmp_path / "variants")


@pytest.mark.parametrize("file", ["/etc/hostname", "../secret", ".git", "link", "mm", "no.c"])
def test_a_variant_changes_no_file_but_the_kernel_s(
    patches: Path, tmp_path: Path, file: str
) -> None:
    upstream = small_repository(tmp_path / "upstream")
    (tmp_path / "secret").write_text("line three\n")
    (upstream / "link").symlink_to(tmp_path / "secret")
    git(upstream, "add", "--force", "link")
    git(upstream, "commit", "--quiet", "--message", "a link")
    source = fetched_from(GitOrigin("git", str(upstream), "HEAD"), tmp_path / "cache")
    with_variant(patches, "line three")
    toml = patches / "patches/v0/variants.toml"
    toml.write_text(toml.read_text().replace("mm/swapfile.c", file))
    whole = tree.apply(source, load(patches, "v0"), tmp_path / "work")
    with pytest.raises(BadInput):
        variants.make(patches, "v0+four", whole, tmp_path / "variants")
    assert (tmp_path / "secret").read_text() == "line three\n"


def test_an_unknown_variant_lists_the_known_ones(patches: Path) -> None:
    with_variant(patches, "line three")
    with pytest.raises(UnknownName, match=r"variant of series v0 is called 'five'\n.*: four"):
        variants.find(patches, "v0+five")


def test_what_was_applied_before_does_not_help_a_series_that_does_not_apply(
    source: Source, patches: Path, tmp_path: Path
) -> None:
    # Before 033159fa5573: a three-way merge took blobs of another series.
    mails = [one.read_text() for one in sorted((patches / "patches/v0/7.3").glob("*.patch"))]
    alone = patches / "patches/second/7.3"
    alone.mkdir(parents=True)
    shutil.copyfile(patches / "patches/v0/series.toml", alone.parent / "series.toml")
    (alone / "0001-second.patch").write_text(mails[1])

    def answer() -> str:
        try:
            return tree.apply(source, load(patches, "second"), tmp_path / "work").id
        except DoesNotApply as err:
            return err.where

    fresh = answer()
    tree.apply(source, load(patches, "v0"), tmp_path / "work")
    assert answer() == fresh


def test_a_patch_that_the_kernel_has_already_is_said_to_be_there(
    source: Source, patches: Path, tmp_path: Path
) -> None:
    applied = tree.apply(source, load(patches, "v0"), tmp_path / "work")
    later = replace(source, commit=applied.commit)
    Repository(source.repository)._git("repack", "-a", "-d", "--quiet")
    with pytest.raises(DoesNotApply, match=r"already in small 7\.3\.4"):
        tree.apply(later, load(patches, "v0"), tmp_path / "work")


@pytest.mark.parametrize(
    ("path", "differs"),
    [
        ("mm/swapfile.c", False),
        ("include/linux/swap.h", False),
        ("mm/Kconfig", True),
        ("mm/Makefile", True),
        ("scripts/cc-version.sh", True),
        ("scripts/kconfig/conf.c", True),
        ("new", True),
    ],
)
def test_what_a_configuration_follows_from_is_told_from_code(
    tmp_path: Path, path: str, differs: bool
) -> None:
    repository = small_repository(tmp_path / "upstream")
    answers = []
    for text in ("one\n", "two\n"):
        (repository / path).parent.mkdir(parents=True, exist_ok=True)
        (repository / path).write_text(text)
        git(repository, "add", "--all", "--force")
        git(repository, "commit", "--quiet", "--message", text)
        answers.append(Repository(repository).without_code("HEAD"))
    assert (answers[0] != answers[1]) == differs


def test_where_a_later_patch_stops_it_is_named_and_a_plain_git_works_in_the_parked_tree(
    source: Source, patches: Path, tmp_path: Path
) -> None:
    mails = sorted((patches / "patches/v0/7.3").glob("*.patch"))
    second = mails[1]
    second.write_text(second.read_text().replace("line 20", "line twelve"))
    with pytest.raises(DoesNotApply, match=r"hunk @@") as caught:
        tree.apply(source, load(patches, "v0"), tmp_path / "work")
    assert caught.value.patch == second.name
    # The commits of the patches before were where no other git looked.
    parked = tmp_path / "work/apply/small/v0"
    assert len(git(parked, "log", "--format=%h").split()) == 2
    assert "am session" in git(parked, "status")
