# SPDX-License-Identifier: GPL-2.0-only
"""What counts as missing of all that a part of a kernel misses."""

from pathlib import Path

import pytest

from patchbench.check import matrixing
from patchbench.check.request import CheckRequest
from patchbench.model import Series, Source, Tree
from patchbench.tools.git import FileEntry, Repository

BEFORE = {
    "mm/swapfile.c": "static void was_static(void) {}\nvoid moved(void) {}\n",
    "mm/memory.c": "void zap(void) { moved(); }\n",
    "include/linux/swap.h": "void was_static_elsewhere(void);\nvoid moved(void);\n",
    "lib/sort.c": "void in_lib(void) {}\nvoid named_in_lib(void);\n",
}
AFTER = BEFORE | {
    "mm/swapfile.c": "void was_static(void) {}\nvoid brand_new(void) {}\n",
    "mm/memory.c": "void zap(void) { was_static(); brand_new(); in_lib(); moved(); moved(); }\n",
}


@pytest.fixture
def arms(tmp_path: Path) -> matrixing._Arms:
    """Return a series that uses more than it defines, in a kernel of four files."""
    repository = Repository.create(tmp_path / "repo.git")
    entries = [FileEntry(name, "100644", text.encode()) for name, text in BEFORE.items()]
    before = repository.import_snapshot(entries, "a kernel")
    author = repository.scratch(before, tmp_path / "author", [*AFTER])
    for name, text in AFTER.items():
        (tmp_path / "author" / name).write_text(text)
    author.mail("mm: use more than there is")
    after = author.commit("HEAD")
    source = Source("mainline", "7.3.4", "a test's", repository.path, before)
    tree = Tree(source, Series("v0", "7.3"), after, "t1")
    files = tuple(repository.differing(before, after))
    return matrixing._Arms(CheckRequest("v0", ("mainline",)), source, ("v0",), files, {"v0": tree})


def test_a_part_lacks_what_is_new_became_global_or_lost_its_definition(
    arms: matrixing._Arms,
) -> None:
    missed = {"brand_new", "was_static", "moved", "in_lib", "zap", "schedule"}
    assert matrixing._missing(arms, "v0", missed) == {"brand_new", "was_static", "moved"}


def test_only_what_no_source_had_is_new(arms: matrixing._Arms) -> None:
    missed = {"brand_new", "was_static", "in_lib"}
    assert matrixing._new(arms, "v0", arms.source.commit, missed) == {"brand_new"}
    assert arms.files == ("mm/memory.c", "mm/swapfile.c")
