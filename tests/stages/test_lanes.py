# SPDX-License-Identifier: GPL-2.0-only
"""No two authors ever write one folder, whatever they call themselves.

An object that a series called `base` had planted in the base compiler cache was once linked into
the kernel of another author's series.
"""

import itertools
import random
from contextlib import suppress
from pathlib import Path

import pytest

from patchbench.errors import BadInput
from patchbench.model import DirectoryOrigin, GitOrigin, KernelSpec, Patch, Series, Source, Tree
from patchbench.stages import fetch, lanes
from tests.fakes import small_kernel

CACHE = Path("/cache")
#: Where patches may lie: two checkouts, a mailbox that was taken, the project's history.
PLACES = ("/home/a/patchbench", "/home/b/patchbench", "/cache/taken/0123", "/cache/work/past/4567")
#: What each of kernel, series and folder of objects may be called.
NAMES = (
    *("base", "base1", "none", "none1", "unpatched", "series", "history", "objects", "source"),
    *("v", "v0", "v1", "a", "a-b", "b", "b-c", "c", "mainline", "mainline-base", "-base", "base-"),
    *("..", ".", "", "../base", "a/base", "a/../base", "/cache/ccache", "a\nb", "a\x00", "\x1b[2J"),
    *("none/unpatched", "v0/objects", "v0 ", "é", "v0..", "x" * 99, "x" * 400),
)
ORIGINS = ("0" * 12, "1" * 12)


def built(kernel: str, origin: str, series: str, place: str = PLACES[0]) -> Tree:
    """Return a kernel with a series from a place applied; with nothing applied if it is ""."""
    source = Source(kernel, "7.3.4", "a test's", CACHE, "c0", origin)
    path = Path(place, "patches", "x", "7.3", "0001-a.patch")
    patch = Patch(1, path, "mm: say", "0" * 64, ("mm/swap.c",))
    return Tree(source, Series(series, "7.3", (patch,) if place else ()), "c1", "t1")


def written(one: Tree) -> set[Path]:
    """Return the folders that a build of a tree may write."""
    lane = lanes.lane(CACHE, one, "bench")
    return {lane.objects, lane.compiler_cache, *([lane.base_cache] if lane.base else [])}


def meet(one: Path, other: Path) -> bool:
    return one == other or one in other.parents or other in one.parents


def authors() -> list[tuple[tuple[str, ...], set[Path]]]:
    """Return who there can be, by kernel, origin, place and series, with the folders they write."""
    every: list[tuple[tuple[str, ...], set[Path]]] = []
    for kernel, origin, place in itertools.product(NAMES[::2], ORIGINS, ("", *PLACES)):
        for series in NAMES:
            with suppress(BadInput):
                folders = written(built(kernel, origin, series, place))
                every.append(((kernel, origin, place, series if place else ""), folders))
    return every


@pytest.mark.slow
def test_no_two_authors_write_one_folder_whatever_they_are_called() -> None:
    every = authors()
    random.Random(1).shuffle(every)
    by_author = dict(every)
    assert len(by_author) > 1000  # most names are refused, many are not
    owners = {folder: who for who, folders in by_author.items() for folder in folders}
    for who, folders in every:
        for folder in folders:
            assert owners[folder] == who
            assert not any(above in owners for above in folder.parents), folder
            assert CACHE in folder.parents
            assert ".." not in folder.parts


def test_a_test_that_shared_a_folder_by_joined_names_would_fail() -> None:
    """The control: what the layout was once, where a-b of c and a of b-c met."""
    joined = [
        Path(f"/cache/ccache/{kernel}-{series}") for kernel, series in (("a-b", "c"), ("a", "b-c"))
    ]
    assert meet(*joined)


@pytest.mark.parametrize("name", ["base", "none1", "none~relink-1", "none+planted", "unpatched"])
def test_nothing_that_is_patched_writes_the_base_cache(name: str) -> None:
    lane = lanes.lane(CACHE, built("mainline", ORIGINS[0], name), "bench")
    assert not lane.base
    assert not any(meet(folder, lane.base_cache) for folder in (lane.objects, lane.compiler_cache))


def test_parts_and_variants_of_a_series_share_its_lane() -> None:
    names = ("v0", "v0@1", "v0+one-worker")
    assert len({lanes.lane(CACHE, built("k", ORIGINS[0], name), "b") for name in names}) == 1


def test_two_trees_with_the_same_last_component_share_nothing(tmp_path: Path) -> None:
    specs = [fetch.spec_for_path(small_kernel(tmp_path / one / "linux")) for one in ("x", "y")]
    names = {spec.name for spec in specs}
    assert len(names) == 2
    origins = {fetch.origin_key(spec.origin) for spec in specs}
    assert len(origins) == 2


def test_a_tree_may_lie_below_a_folder_of_any_name(tmp_path: Path) -> None:
    spec = fetch.spec_for_path(small_kernel(tmp_path / "my linux\n(\x1b[2J) 7.3"))
    lanes.lane(CACHE, built(spec.name, ORIGINS[0], "v0"), "bench")


def test_another_origin_under_the_same_name_is_another_author() -> None:
    ours = KernelSpec("mainline", "", GitOrigin("git", "https://example.org/linux", "v7.3"))
    theirs = KernelSpec("mainline", "", DirectoryOrigin("directory", "/tmp/linux"))
    assert fetch.origin_key(ours.origin) != fetch.origin_key(theirs.origin)
