# SPDX-License-Identifier: GPL-2.0-only
"""Keys worked out from what was published: a shelf filled by an earlier version is still used.

A key changes when an ingredient does, or only its spelling. The second rebuilds every kernel and
repeats every boot of everybody for nothing.
"""

import hashlib
from dataclasses import replace
from pathlib import Path

import pytest

from patchbench import store
from patchbench.catalog import Catalog
from patchbench.model import Arm, ArmNote, Guest, Image, Plan, Series, Source, Toolchain, Tree
from patchbench.runs import archive, folder
from patchbench.stages import boot, build, guest

ROOT = Path(__file__).resolve().parents[2]
STORM = folder.read_plan(ROOT / "results/published/v0-parallel-7.3")


#: What lies in configs/kconfig/, and what did when the older of the published runs were made.
FRAGMENT = (ROOT / "configs/kconfig/bench.config").read_text()
FORMER = (ROOT / "tests/data/kconfig/bench-until-20261126.config").read_text()


def image_keys(plan: Plan, arm: ArmNote) -> set[str]:
    source = Source(plan.kernel, plan.version, plan.provenance, Path(), "", "")
    tree = Tree(source, Series(arm.series, source.line), "", arm.tree_id)
    now = Catalog(ROOT).flavour(plan.flavour, source.line)
    then = replace(now, fragment=now.fragment.replace(FRAGMENT, FORMER))
    tools = Toolchain("", plan.toolchain["toolchain"], "", "", "", plan.toolchain["qemu"])
    return {store.key(build.ingredients(tree, flavour, tools)) for flavour in (now, then)}


def boot_key(arm: ArmNote, seed: int) -> str:
    image = Image(arm.image, Path(), arm.release, arm.series, arm.tree_id, STORM.flavour)
    exact, qemu = STORM.machines[0], STORM.toolchain["qemu"]
    made = Arm(image, Guest(STORM.guest, Path()), exact, STORM.workload, qemu)
    return store.key(boot.ingredients(made, seed))


def test_every_published_kernel_has_the_key_that_it_would_be_built_under() -> None:
    plans = [folder.read_plan(path) for path in archive.benches(ROOT / "results").values()]
    for plan in plans:
        for arm in (plan.base, plan.test):
            assert arm.image in image_keys(plan, arm)
            assert arm.release.endswith(f"-{arm.image[:12]}")


@pytest.mark.parametrize(
    ("arm", "seed", "key"),
    [
        (STORM.base, 1, "82074703229d9dc34f0445c7ea4e2ca1fb558b53c3d4bced277894a3ab7474f0"),
        (STORM.test, 3, "044fec4bb6ea8cfe6ac0bebbdac7b7a294d41be54e919f2b5a005e2c9dd9973a"),
    ],
)
def test_a_published_boot_has_the_key_that_it_was_shelved_under(
    arm: ArmNote, seed: int, key: str
) -> None:
    assert boot_key(arm, seed) == key


def test_an_initrd_of_the_same_files_has_the_same_key(tmp_path: Path) -> None:
    (tmp_path / "init").write_text("#!/bin/sh\n")
    programs = {"busybox": b"busybox", "exit-storm": b"exit-storm"}
    archived = guest.cpio(guest._entries(tmp_path / "init", programs))
    digest = "1f4b0c6c8418330120b2756ab7e92ff7abb48aad2eaad2bc86a896d8f20a27f5"
    assert hashlib.sha256(archived).hexdigest() == digest
