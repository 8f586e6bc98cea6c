# SPDX-License-Identifier: GPL-2.0-only
"""Which of the names that a part of a kernel leaves undefined count as missing."""

from pathlib import Path

import pytest

from patchbench.check.names import Names
from patchbench.model import Source
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
def kernel(tmp_path: Path) -> tuple[Names, str, str]:
    """Return a kernel of four files, and its commits without and with a series.

    The series uses more than it defines.
    """
    repository = Repository.create(tmp_path / "repo.git")
    entries = [FileEntry(name, "100644", text.encode()) for name, text in BEFORE.items()]
    before = repository.import_snapshot(entries, "a kernel")
    author = repository.scratch(before, tmp_path / "author", [*AFTER])
    for name, text in AFTER.items():
        (tmp_path / "author" / name).write_text(text)
    author.mail("mm: use more than there is")
    after = author.commit("HEAD")
    source = Source("mainline", "7.3.4", "a test's", repository.path, before, "")
    return Names(source, tuple(repository.differing(before, after))), before, after


def test_a_part_lacks_what_is_new_became_global_or_lost_its_definition(
    kernel: tuple[Names, str, str],
) -> None:
    # Before f0455f6392c5: a static function made global passed unheard.
    names, _, after = kernel
    undefined = {"brand_new", "was_static", "moved", "in_lib", "zap", "schedule"}
    assert names.missing(after, undefined) == {"brand_new", "was_static", "moved"}


def test_only_what_no_source_had_is_new(kernel: tuple[Names, str, str]) -> None:
    names, before, after = kernel
    assert names.new(after, before, {"brand_new", "was_static", "in_lib"}) == {"brand_new"}
