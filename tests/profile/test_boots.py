# SPDX-License-Identifier: GPL-2.0-only
"""A plain boot and a profiled one, side by side, without an engine."""

import shutil
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from patchbench.errors import BadInput, NotRepeatable, ToolFailed
from patchbench.model import Arm, Machine, Platform, Workload
from patchbench.profile import boots as profile_boots
from patchbench.stages.splats import SplatPolicy
from patchbench.story import Silence
from patchbench.tools.qemu import PROFILE, Ran
from tests.fakes import FakeHypervisor, arm, local, machine, results

DATA = Path(__file__).parents[1] / "data/profile"
RAW = """patchbench-profile 2
every 2000
marks 2
vbar ffff800080010014
vcpus 1
run ffff800080010000 2 aa0103e0 7
run 400000 3 00000000 2
stack 0 4 0 ffff800080010000 ffff800080010010 0
end ok
"""


@dataclass
class ProfilingHypervisor(FakeHypervisor):
    """Leaves a profile beside the logs; none if it is empty."""

    raw: str = RAW

    def run(
        self,
        machine: Machine,
        workload: Workload,
        *,
        image: Path,
        initrd: Path,
        seed: int,
        out: Path,
        platform: Platform | None = None,
    ) -> Ran:
        ran = super().run(machine, workload, image=image, initrd=initrd, seed=seed, out=out)
        if self.raw:
            (out / PROFILE).write_text(self.raw)
        return ran


@pytest.fixture
def storm(tmp_path: Path) -> Arm:
    """Return an arm whose vmlinux is tiny.elf."""
    made = arm()
    shutil.copyfile(DATA / "tiny.elf", tmp_path / "vmlinux")
    return replace(made, image=replace(made.image, path=tmp_path / made.image.release))


def run(storm: Arm, profiled: FakeHypervisor, tmp_path: Path) -> list[profile_boots.Profiled]:
    return profile_boots.run(
        local(FakeHypervisor()),
        local(profiled),
        [storm],
        1,
        tmp_path / "run",
        policy=SplatPolicy(deny=()),
        story=Silence(),
    )


def test_an_arm_boots_plain_and_profiled_and_both_are_kept(storm: Arm, tmp_path: Path) -> None:
    (made,) = run(storm, ProfilingHypervisor(), tmp_path)
    assert made.profile.instructions == {"first": 14, "[user space]": 6}
    boots = sorted(path.name for path in (tmp_path / "run/boots/exact/none").iterdir())
    assert boots == ["seed-1", "seed-1-profiled"]


def test_a_plugin_that_shows_in_the_results_is_an_error(storm: Arm, tmp_path: Path) -> None:
    release = storm.image.release
    other = results(999, release=release), "[    0.000000] Booting Linux\n"
    with pytest.raises(NotRepeatable, match=r"results\.log of the profiled boot differs") as caught:
        run(storm, ProfilingHypervisor({(release, 1): other}), tmp_path)
    assert caught.value.exit_code == 30


def test_a_boot_that_leaves_no_profile_is_no_profile(storm: Arm, tmp_path: Path) -> None:
    with pytest.raises(ToolFailed, match=r"left no .*profile\.raw"):
        run(storm, ProfilingHypervisor(raw=""), tmp_path)


def test_a_kernel_without_symbols_is_refused_before_anything_boots(
    storm: Arm, tmp_path: Path
) -> None:
    storm.image.path.with_name("vmlinux").unlink()
    booting = ProfilingHypervisor()
    with pytest.raises(BadInput, match="vmlinux cannot be read"):
        run(storm, booting, tmp_path)
    assert booting.booted == []


def test_a_machine_that_does_not_repeat_is_refused() -> None:
    with pytest.raises(BadInput, match="use --machine exact"):
        profile_boots.check_machine(machine("parallel", accel="tcg", icount_shift=None))
