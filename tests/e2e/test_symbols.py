# SPDX-License-Identifier: GPL-2.0-only
"""Real kernels: which functions a series changed, and when there is nothing to measure."""

from collections.abc import Callable

from patchbench.binaries import symbols
from patchbench.model import Image, Source
from patchbench.pipeline import Pipeline
from tests.e2e.conftest import KERNEL

WriteSeries = Callable[[Source, str, str, str, str], None]
SWAP = "mm/swapfile.c"


def image(run: Pipeline, series: str) -> Image:
    return run.image(run.apply(run.source(KERNEL), series), "bench")


def test_v0_changes_what_it_touches_and_little_else(run: Pipeline) -> None:
    base, test = (image(run, series).path.parent for series in ("none", "v0"))
    changes = symbols.compare(base / "vmlinux.o", test / "vmlinux.o")
    by_name = {one.name: one.state for one in changes}
    assert by_name["add_to_swap_gather_cache"] == "appeared"
    assert by_name["do_exit"] == by_name["folio_alloc_swap"] == "changed"
    touched = {"exit.c", "memory.c", "oom_kill.c", "page_alloc.c", "swapfile.c", "vmstat.c"}
    assert {one.file for one in changes if one.state != "constants"} <= touched
    assert len(changes) < 100
    assert not symbols.equal(base, test)


def test_a_comment_leaves_nothing_to_measure(copied: Pipeline, write_series: WriteSeries) -> None:
    base = image(copied, "none").path.parent
    line = "#include <linux/mm.h>\n"
    write_series(copied.source(KERNEL), "warns", SWAP, line, f"/* it moves\n * lines */\n{line}")
    test = image(copied, "warns").path.parent
    assert base != test
    assert symbols.equal(base, test)
    assert symbols.compare(base / "vmlinux.o", test / "vmlinux.o") == ()
