# SPDX-License-Identifier: GPL-2.0-only
"""The build matrix on a real kernel: planted bugs are found in the patch that has them."""

import shutil
from dataclasses import replace
from pathlib import Path
from uuid import uuid4

import pytest

from patchbench.check import checking, rowmaking
from patchbench.check.request import CheckRequest
from patchbench.model import Source
from patchbench.pipeline import Pipeline
from patchbench.tools.git import Repository
from tests.e2e.conftest import KERNEL
from tests.fakes import Listener

#: A row of which only a part is built, and the smallest that is linked whole.
ROWS = ["arm64-noswap", pytest.param("sparc64-noswap", marks=pytest.mark.nightly)]
EXIT = "void __noreturn do_exit(long code)\n{\n"


@pytest.mark.parametrize("row", ROWS)
def test_each_patch_is_failed_for_its_own_bug(copied: Pipeline, tmp_path: Path, row: str) -> None:
    source = copied.source(KERNEL)
    write_two(copied.root / "patches/broken" / source.line, source, tmp_path / "author")
    request = CheckRequest("broken", (KERNEL,), rows=(row,), parts=("matrix",))
    jobs = checking.plan_only(copied, request)
    for entry in [left for job in jobs for left in rowmaking.work(copied, job)]:
        shutil.rmtree(copied.store.root / "rows" / entry.name)  # as if another host had done it
    compiled_before = said(copied, "compile ")
    checked = checking.check(copied, replace(request, run=jobs[0].parents[1].name))
    assert not [one for one in said(copied, "compile ")[len(compiled_before) :] if "broken" in one]
    builds = {one.series: one for one in checked.result.findings if one.title == f"{row}: build"}
    assert {name: one.state for name, one in builds.items()} == {
        "none": "pass",
        "broken@1": "fail",
        "broken": "fail",
    }
    assert "kernel/exit.c:" in builds["broken@1"].says
    assert "no_such_thing" in builds["broken@1"].says
    assert "`only_with_swap': do_exit (kernel/exit.o)" in builds["broken"].says
    error = checking.verdict_error(checked.result, checked.errors)
    assert error
    assert error.exit_code == 10


@pytest.mark.nightly
def test_a_module_that_calls_what_is_not_exported_is_found(
    copied: Pipeline, tmp_path: Path
) -> None:
    source, row = copied.source(KERNEL), "arm64-modules"
    write_unexported(copied.root / "patches/unexported" / source.line, source, tmp_path / "author")
    request = CheckRequest("unexported", (KERNEL,), rows=(row,), parts=("matrix",))
    found = checking.check(copied, request).result.findings
    (build,) = (one for one in found if one.title == f"{row}: build" and one.series != "none")
    assert build.state == "fail"
    assert build.says == "undefined reference to `for_the_kernel': drivers/block/zram/zram.ko"


def said(run: Pipeline, begins: str) -> list[str]:
    assert isinstance(run.story, Listener)
    return [line for line in run.story.heard if line.startswith(begins)]


def write_unexported(port: Path, source: Source, author: Path) -> None:
    """Write a series in which zram, a module here, calls a new function of the kernel."""
    files = ["kernel/exit.c", "drivers/block/zram/zram_drv.c"]
    tree = Repository(source.repository).scratch(source.commit, author, files)
    leaving, zram = (author / name for name in files)
    declared = f"/* {uuid4()} */\nvoid for_the_kernel(void);\n"
    leaving.write_text(f"{leaving.read_text()}\n{declared}void for_the_kernel(void)\n{{\n}}\n")
    begins = "static void __exit zram_exit(void)\n{\n"
    text = zram.read_text()
    assert text.count(begins) == 1
    zram.write_text(text.replace(begins, f"{declared}{begins}\tfor_the_kernel();\n"))
    port.mkdir(parents=True)
    (port.parent / "series.toml").write_text('title = "for a test"\n')
    (port / "0001-unexported.patch").write_text(tree.mail("zram: call the kernel") + "\n")
    Repository(source.repository).discard(author)


def write_two(port: Path, source: Source, author: Path) -> None:
    """Write a series whose first patch does not compile, and whose second needs CONFIG_SWAP.

    It is another tree each time: nothing of it is on the shelf.
    """
    files = ["kernel/exit.c", "mm/swapfile.c"]
    tree = Repository(source.repository).scratch(source.commit, author, files)
    leaving, swapping = (author / name for name in files)
    text = leaving.read_text()
    assert text.count(EXIT) == 1
    port.mkdir(parents=True)
    (port.parent / "series.toml").write_text('title = "for a test"\n')
    leaving.write_text(text.replace(EXIT, f"{EXIT}\tno_such_thing; /* {uuid4()} */\n"))
    (port / "0001-typo.patch").write_text(tree.mail("exit: a typo") + "\n")
    declared = f"/* {uuid4()} */\nvoid only_with_swap(void);\n"
    leaving.write_text(text.replace(EXIT, f"{declared}{EXIT}\tonly_with_swap();\n"))
    defined = f"\n{declared}void only_with_swap(void)\n{{\n}}\n"
    swapping.write_text(swapping.read_text() + defined)
    (port / "0002-unstubbed.patch").write_text(tree.mail("exit: an unstubbed symbol") + "\n")
    Repository(source.repository).discard(author)
