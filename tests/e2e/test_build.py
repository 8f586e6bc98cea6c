# SPDX-License-Identifier: GPL-2.0-only
"""Real kernels: what builds, what does not and how that is said, and that bytes repeat."""

import shutil
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from patchbench.errors import BuildFailed, KconfigDropped
from patchbench.model import Image, Source
from patchbench.pipeline import Pipeline
from patchbench.store import Store
from tests.e2e.conftest import KERNEL

WriteSeries = Callable[[Source, str, str, str, str], None]
SWAP = "mm/swapfile.c"
FUNCTION = "void swap_put_entries_direct(swp_entry_t entry, int nr)\n{\n"


def image(run: Pipeline, series: str) -> Image:
    return run.image(run.apply(run.source(KERNEL), series), "bench")


def test_base_and_v0_build(run: Pipeline) -> None:
    images = [image(run, series) for series in ("none", "v0")]
    assert all(one.path.read_bytes()[56:60] == b"ARM\x64" for one in images)
    assert images[0].tree_id != images[1].tree_id


def test_the_first_patch_of_v0_builds_and_boots_alone(copied: Pipeline) -> None:
    for patch in (copied.root / "patches/v0/7.3").glob("0002-*"):
        patch.unlink()
    machine = copied.catalog.machine("exact")
    workload = copied.workload("exit-storm", {}, machine)
    arm = copied.arm(image(copied, "v0"), machine, workload)
    _, boot = copied.boot_once(arm, seed=1)
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


@pytest.fixture
def lanes(copied: Pipeline) -> Iterator[tuple[Path, Path]]:
    """Return two series without patches yet, whose builds start from nothing and leave nothing."""
    ports = []
    for name in ("incremental", "clean"):
        port = copied.root / "patches" / f"e2e-{name}" / "7.3"
        port.mkdir(parents=True)
        (port.parent / "series.toml").write_text('title = "for a test"\n')
        ports.append(port)
    _forget(copied.cache, ports)
    yield ports[0], ports[1]
    _forget(copied.cache, ports)


def _folders(cache: Path, port: Path) -> list[Path]:
    """Return a series' work and compiler cache; the kernel's folder ends with its origin's key."""
    parts = ("work/lanes", "ccache")
    return [
        folder
        for part in parts
        for folder in cache.glob(f"{part}/{KERNEL}-*/series/{port.parent.name}-*")
    ]


def _forget(cache: Path, ports: Sequence[Path]) -> None:
    for port in ports:
        for folder in _folders(cache, port):
            shutil.rmtree(folder)


def test_a_clean_and_an_incremental_build_give_the_same_bytes(
    copied: Pipeline, lanes: tuple[Path, Path], tmp_path: Path
) -> None:
    """Slow: two whole kernels and an increment, none from the shelf or a lane's cache."""
    shelved = image(copied, "v0")
    first, second = sorted((copied.root / "patches/v0/7.3").glob("*.patch"))
    growing, whole = lanes

    copied.store = Store(tmp_path / "shelf-of-increments")
    shutil.copy(first, growing)
    image(copied, growing.parent.name)
    shutil.copy(second, growing)
    by_increment = image(copied, growing.parent.name)

    copied.store = Store(tmp_path / "shelf-of-clean-builds")
    shutil.copy(first, whole)
    shutil.copy(second, whole)
    from_nothing = image(copied, whole.parent.name)

    assert all(len(_folders(copied.cache, lane)) == 2 for lane in lanes)
    for kept in ("Image", "System.map", "config", "vmlinux", "vmlinux.o"):
        assert _kept(by_increment, kept) == _kept(from_nothing, kept), kept
        assert _kept(shelved, kept) == _kept(from_nothing, kept), kept


def _kept(built: Image, name: str) -> bytes:
    return built.path.with_name(name).read_bytes()
