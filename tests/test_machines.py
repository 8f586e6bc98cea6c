# SPDX-License-Identifier: GPL-2.0-only
"""Machines of many CPUs: what is refused, and what a boot's key is made of."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from patchbench.catalog import Catalog
from patchbench.errors import BadInput
from patchbench.model import Platform, Timelines
from patchbench.stages import boot
from patchbench.store import key
from tests.fakes import arm, machine

ROOT = Path(__file__).resolve().parents[1]
EXACT2 = (ROOT / "qemu/machines/exact2.toml").read_text()
SPEEDS = "picoseconds_per_instruction = [2000, 2000]"


def load(root: Path, old: str, new: str) -> None:
    """Load a machine that is exact2 with one text replaced."""
    assert old in EXACT2
    folder = root / "qemu/machines"
    folder.mkdir(parents=True)
    (folder / "mine.toml").write_text(EXACT2.replace(old, new))
    Catalog(root).machine("mine")


@pytest.mark.parametrize(
    ("old", "new", "complaint"),
    [
        ("vcpus = 2", "vcpus = 9", "9 vCPUs, .* tried with up to 8"),
        (SPEEDS, "picoseconds_per_instruction = 2000", r"picoseconds_per_instruction: .* tuple"),
        (SPEEDS, "picoseconds_per_instruction = ['fast', 2000]", r"instruction\.0: .* integer"),
        (SPEEDS, "picoseconds_per_instruction = [2000]", "has 1 numbers for 2 vCPUs"),
        (SPEEDS, "picoseconds_per_instruction = [2000, 999]", "1000 is the least"),
        (SPEEDS, f"{SPEEDS}\ncapacities_dmips_mhz = [1024]", "capacities_dmips_mhz needs"),
        (SPEEDS, f"{SPEEDS}\ncapacities_dmips_mhz = [1024, 0]", "capacities_dmips_mhz needs"),
        (SPEEDS, "", "picoseconds_per_instruction: "),
        ("quantum_ns = 1000", "quantum_ns = 0", "quantum_ns and spin_ns are at least 1"),
        ("spin_ns = 200", "spin_ns = -1", "quantum_ns and spin_ns are at least 1"),
        ("spin_ns", "spin", "timelines.spin: Unexpected keyword"),
        ("seeds = 10", "seeds = 10\nicount_shift = 1", "one clock for all vCPUs"),
        ('"icount"', '"tcg"', "go with accel = 'icount'"),
        (EXACT2[EXACT2.index("[timelines]") :], "", "needs a clock"),
    ],
)
def test_a_machine_whose_clocks_make_no_sense_is_refused_by_name(
    tmp_path: Path, old: str, new: str, complaint: str
) -> None:
    with pytest.raises(BadInput, match=rf"mine\.toml(.|\n)*{complaint}"):
        load(tmp_path, old, new)


def test_the_keys_of_boots_on_older_machines_are_what_they_were() -> None:
    """Every exact boot on every shelf is under such a key, and would have to be made again."""
    names = ("exact", "exact-large", "exact-small", "exact-zstd")
    then: dict[str, Any] = {"icount_shift": 1, "timelines": None, "kernel_parameters": ""}
    older = [replace(Catalog(ROOT).machine(name), **then) for name in names]
    keys = {one.name: key(boot.ingredients(arm("v0", one), 7))[:16] for one in older}
    assert keys == {
        "exact": "e845691af282e8c5",
        "exact-large": "75f4a23b65f493b3",
        "exact-small": "60cc3673366aa9cb",
        "exact-zstd": "12a2721662266582",
    }


def test_what_a_machine_adds_to_the_kernel_s_command_line_is_another_boot() -> None:
    plain = arm("v0", machine("exact"))
    told = arm("v0", machine("exact", kernel_parameters="kpti=off"))
    command = boot.ingredients(told, 7)["command"]
    assert isinstance(command, list)
    assert "panic=-1 kpti=off pb_zram_mib" in str(command[-1])
    assert key(boot.ingredients(told, 7)) != key(boot.ingredients(plain, 7))


def test_another_plugin_or_device_tree_is_another_boot() -> None:
    plain = arm("v0", machine(icount_shift=None, timelines=Timelines(1000, 200, (2000,))))
    arms = [plain, *(replace(plain, platform=Platform(one, Path("x.so"))) for one in ("a", "b"))]
    assert len({key(boot.ingredients(one, 1)) for one in arms}) == 3


def test_another_quantum_is_another_boot() -> None:
    arms = [
        arm("v0", machine(icount_shift=None, timelines=Timelines(quantum_ns, 200, (2000,))))
        for quantum_ns in (1000, 4000)
    ]
    assert len({key(boot.ingredients(one, 1)) for one in arms}) == 2


def test_a_machine_knows_how_long_its_cpus_take_for_an_instruction() -> None:
    two = Timelines(1000, 200, (2000, 3500))
    clocks = machine(icount_shift=None, timelines=two, vcpus=2)
    assert clocks.nanoseconds_per_instruction == (2.0, 3.5)
    assert machine(icount_shift=1, vcpus=2).nanoseconds_per_instruction == (2.0, 2.0)
    assert machine(accel="tcg", icount_shift=None).nanoseconds_per_instruction == ()
