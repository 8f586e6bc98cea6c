# SPDX-License-Identifier: GPL-2.0-only
"""Real kernels: what builds, what does not and how that is said, and that bytes repeat."""

from collections.abc import Callable
from pathlib import Path

import pytest

from patchbench import pipeline
from patchbench.errors import BuildFailed, KconfigDropped
from patchbench.model import Image, Source
from patchbench.pipeline import Pipeline
from patchbench.store import Store
from tests.e2e.conftest import KERNEL, ROOT
from tests.fakes import Listener

WriteSeries = Callable[[Source, str, str, str, str], None]
SWAP = "mm/swapfile.c"
FUNCTION = "void swap_put_entries_direct(swp_entry_t entry, int nr)\n{\n"


def image(run: Pipeline, series: str) -> Image:
    return run.image(run.apply(run.source(KERNEL), series), "bench")


def test_base_and_v0_build(run: Pipeline) -> None:
    images = [image(run, series) for series in ("none", "v0")]
    assert all(one.path.read_bytes()[56:60] == b"ARM\x64" for one in images)
    assert images[0].tree_id != images[1].tree_id


@pytest.mark.nightly
def test_the_first_patch_of_v0_builds_and_boots_alone(run: Pipeline) -> None:
    machine = run.catalog.machine("exact")
    workload = run.workload("exit-storm", {}, machine)
    arm = run.arm(image(run, "v0@1"), machine, workload)
    _, boot = run.boot_once(arm, seed=1)
    assert int(boot.record.meta["vmstat.async_swap_count"]) > 0


def test_a_compile_error_is_named_by_file_and_line(
    copied: Pipeline, write_series: WriteSeries
) -> None:
    write_series(copied.source(KERNEL), "broken", SWAP, FUNCTION, FUNCTION + "\tno_such_thing;\n")
    with pytest.raises(BuildFailed, match=rf"{SWAP}:\d+: .*no_such_thing(.|\n)*log: ") as caught:
        image(copied, "broken")
    assert caught.value.exit_code == 22


def test_a_symbol_the_kernel_drops_is_named_with_the_reason(copied: Pipeline) -> None:
    fragment = copied.root / "configs/kconfig/bench.config"
    fragment.write_text(fragment.read_text() + "CONFIG_TASKSTATS=y\n")
    with pytest.raises(KconfigDropped, match=r"TASKSTATS: asked y, got n\n.*NET \(NET=n\)"):
        image(copied, "none")


@pytest.mark.nightly  # in a lane of its own, so that nearly all of a kernel is compiled
def test_increments_and_a_build_of_another_lane_give_the_same_bytes(
    project: Path, tmp_path: Path
) -> None:
    """This checkout's v0 and the copy's build in folders and compiler caches of their own."""
    with pipeline.opened(ROOT, Listener()) as run:
        elsewhere = image(run, "v0")
    with pipeline.opened(project, Listener()) as copied:
        copied.store = Store(tmp_path / "shelf-of-increments")
        image(copied, "v0@1")
        by_increment = image(copied, "v0")
    for kept in ("Image", "System.map", "config", "vmlinux", "vmlinux.o"):
        assert _kept(by_increment, kept) == _kept(elsewhere, kept), kept


def _kept(built: Image, name: str) -> bytes:
    return built.path.with_name(name).read_bytes()
