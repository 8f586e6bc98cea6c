# SPDX-License-Identifier: GPL-2.0-only
"""A damaged cache is found damaged, mended, and works."""

import hashlib
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from patchbench.cache import mending, parts
from patchbench.stages import tree
from patchbench.store import Store
from tests.fakes import git


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    """Return a cache with one sound thing of each kind that is checked by its bytes."""
    for kind in ("images", "boots"):
        Store(tmp_path / "shelf").ensure(kind, {"a": kind}, fill)
    (tmp_path / "downloads").mkdir()
    data = b"a tarball"
    (tmp_path / "downloads" / hashlib.sha256(data).hexdigest()).write_bytes(data)
    return tmp_path


def fill(new: Path) -> None:
    (new / "Image").write_bytes(b"a kernel")


def found(cache: Path) -> dict[str, int]:
    """Mend a cache, and return how much was removed of each part where something was."""
    rows = [*mending.mend(cache)]
    return {row.part: len(row.removed) for row in rows if row.removed}


def entry(cache: Path, kind: str = "images") -> Path:
    (folder,) = (cache / "shelf" / kind).iterdir()
    return folder


def flip(path: Path) -> None:
    """Change one bit in the middle of a file."""
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.chmod(0o644)
    path.write_bytes(data)


def flip_artefact(cache: Path) -> None:
    flip(entry(cache) / "Image")


def flip_ingredients(cache: Path) -> None:
    flip(entry(cache) / "ingredients.json")


def flip_sums(cache: Path) -> None:
    flip(entry(cache) / "sums.json")


def rename_entry(cache: Path) -> None:
    entry(cache).rename(entry(cache).with_name("0" * 64))


def put_a_file_for_an_entry(cache: Path) -> None:
    folder = entry(cache)
    shutil.rmtree(folder)
    folder.write_text("no folder")


def drop_a_file(cache: Path) -> None:
    (entry(cache) / "Image").unlink()


@pytest.mark.parametrize(
    "damage",
    [
        *(flip_artefact, flip_ingredients, flip_sums),
        *(rename_entry, put_a_file_for_an_entry, drop_a_file),
    ],
)
def test_a_damaged_entry_goes_alone_and_is_made_again(
    cache: Path, damage: Callable[[Path], None]
) -> None:
    damage(cache)
    assert found(cache) == {"shelf: images": 1}
    assert found(cache) == {}
    made = Store(cache / "shelf").ensure("images", {"a": "images"}, fill)
    assert (made / "Image").read_bytes() == b"a kernel"


def test_a_sound_cache_loses_nothing(cache: Path) -> None:
    before = sorted(cache.rglob("*"))
    assert found(cache) == {}
    assert sorted(cache.rglob("*")) == before


def test_a_damaged_download_is_removed(cache: Path) -> None:
    flip(next((cache / "downloads").iterdir()))
    assert found(cache) == {"downloads": 1}


@pytest.mark.parametrize(
    "name",
    [
        "shelf/images/.new-abcd",
        "downloads/linux-source-7.3.new",
        f"downloads/{'0' * 64}.part",
        ".removed-shelf",
        "kernels/mainline/.source.json.a1b2c3d4",
        "work/.removed-lanes",
    ],
)
def test_what_a_killed_run_left_half_made_is_removed(cache: Path, name: str) -> None:
    (cache / name).mkdir(parents=True)
    assert found(cache)["left by killed runs"] == 1
    assert not (cache / name).exists()


@pytest.mark.parametrize("name", ["shelf/images", "ccache/k/base/0", "work/lanes/k/unpatched"])
def test_a_link_is_removed_and_not_what_it_leads_to(
    cache: Path, name: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    (elsewhere / "precious").touch()
    (cache / name).parent.mkdir(parents=True, exist_ok=True)
    if (cache / name).exists():
        shutil.rmtree(cache / name)
    (cache / name).symlink_to(elsewhere)
    assert found(cache) == {"links": 1}
    assert (elsewhere / "precious").exists()
    assert not (cache / name).is_symlink()


def test_what_is_not_ours_is_left_alone_and_named(cache: Path) -> None:
    (cache / "docker").mkdir()
    rows = {row.part: row.detail for row in mending.mend(cache)}
    assert rows["not ours"] == "left alone: docker"
    assert (cache / "docker").exists()


@pytest.mark.slow
@pytest.mark.parametrize("pattern", ["objects/*/*", "refs/heads/*"])
def test_a_repository_with_a_flipped_bit_is_removed_to_be_fetched_again(
    cache: Path, pattern: str
) -> None:
    repository = cache / "kernels/small/repo.git"
    repository.mkdir(parents=True)
    git(repository, "init", "--quiet", "--bare", ".")
    tree = git(repository, "write-tree")
    git(
        repository, "update-ref", "refs/heads/base", git(repository, "commit-tree", "-m", "b", tree)
    )
    assert found(cache) == {}
    flip(next(path for path in sorted(repository.glob(pattern)) if path.is_file()))
    assert found(cache) == {"kernel small": 1}


@pytest.mark.parametrize(
    "name",
    [
        *("shelf", "shelf/images", "downloads", "kernels", "kernels/mainline", "logs", "work"),
        *("work/lanes", "work/lanes/k", "work/lanes/k/series", "work/lanes/k/series/s"),
        *(
            "kernels/mainline/repo.git",
            "work/apply",
            "work/apply/k",
            "ccache",
            "ccache/k",
            "ccache/k/series",
        ),
    ],
)
def test_nothing_that_a_link_leads_to_is_touched_by_whatever_cleans_a_cache(
    cache: Path, name: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    for path in (
        "precious",
        ".new-x",
        "a.part",
        "k/base/x",
        "s/source/.git",
        "0/0/0/0/source/.git",
    ):
        (elsewhere / path).parent.mkdir(parents=True, exist_ok=True)
        (elsewhere / path).write_text("precious")
    (elsewhere / "own link").symlink_to("precious")
    (elsewhere / "0/own link").symlink_to("../precious")
    before = sorted(elsewhere.rglob("*"))
    shutil.rmtree(cache / name, ignore_errors=True)
    (cache / name).parent.mkdir(parents=True, exist_ok=True)
    (cache / name).symlink_to(elsewhere)
    Store(cache / "shelf").prune()
    tree.recover(cache)
    parts.evict(cache, 0)
    parts.bound_shelf(cache, 0)
    assert sorted(elsewhere.rglob("*")) == before
    [*mending.mend(cache)]
    assert sorted(elsewhere.rglob("*")) == before
