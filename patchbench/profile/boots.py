# SPDX-License-Identifier: GPL-2.0-only
"""Stage 6b: arms and one seed in, their profiles out, with the boots that they come from.

Each arm boots twice, side by side: plain, and with the plugin. The results of both must be the
same to the byte, or the plugin changed what it was to measure. They share the host, so the
difference in time is the plugin's cost.
"""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

from patchbench.binaries import addresses
from patchbench.errors import BadInput, NotRepeatable, ToolFailed, Unfit
from patchbench.model import Arm, Boot, Machine
from patchbench.profile import counts as profile
from patchbench.profile.counts import Profile
from patchbench.stages import boot, boots
from patchbench.stages.pool import Pool
from patchbench.stages.splats import SplatPolicy
from patchbench.story import Story
from patchbench.tools import files
from patchbench.tools.qemu import CONSOLE, PROFILE, RESULTS, Ran

#: A storm's has 10 MB; as much as the plugin has room for is twenty times that.
_MOST_PROFILE_BYTES = 128 << 20


@dataclass(frozen=True, slots=True)
class Profiled:
    """An arm's profile, and the seconds of the profiled and the plain boot."""

    profile: Profile
    seconds: tuple[float, float]


def check_machine(machine: Machine) -> None:
    """Refuse a machine whose boots do not repeat, or whose CPUs share one clock."""
    if not machine.exact:
        raise BadInput(
            f"machine {machine.name} is not exact, so a profile cannot count its instructions; "
            "use --machine exact or exact8"
        )
    if machine.vcpus > 1 and machine.timelines is None:
        raise BadInput(
            f"machine {machine.name} has {machine.vcpus} CPUs on one clock, and a profile tells "
            "them apart by their clocks; use --machine exact or exact8"
        )


def run(
    plain: Pool,
    profiled: Pool,
    arms: Sequence[Arm],
    seed: int,
    folder: Path,
    *,
    policy: SplatPolicy,
    story: Story,
) -> list[Profiled]:
    """Boot every arm plain and profiled, and return the profiles.

    Raises BadInput for a kernel without symbols or a workload without marks, NotRepeatable if the
    plugin shows in the guest's results, ToolFailed if the profile is not whole.
    """
    kernels = [addresses.load(arm.image.path.with_name("vmlinux")) for arm in arms]
    done = []
    with story.meter("booting plain and profiled", len(arms), "arms") as meter:
        for number, (arm, kernel) in enumerate(zip(arms, kernels, strict=True), start=1):
            done.append(_profile(plain, profiled, arm, seed, folder, policy, kernel))
            meter.at(number)
    return done


def count(
    profiled: Pool,
    arm: Arm,
    seed: int,
    folder: Path,
    *,
    policy: SplatPolicy,
    plain: Path | None,
) -> Profile:
    """Boot an arm profiled alone, and return its profile.

    plain: the logs of the same boot without the plugin, where there are any. Raises as `run`, and
    BootFailed if the boot gave no samples.
    """
    kernel = addresses.load(arm.image.path.with_name("vmlinux"))
    (ran,) = profiled.boot([(_patient(arm), seed, folder)])
    read = boot.read(folder, boot.wanted(arm, seed), policy)
    if plain:
        _check_same(plain, folder, arm, seed)
    return _counts(arm, read, _raw(folder, ran), kernel)


def _profile(
    plain: Pool,
    profiled: Pool,
    arm: Arm,
    seed: int,
    folder: Path,
    policy: SplatPolicy,
    kernel: addresses.Symbols,
) -> Profiled:
    quiet = boots.boot_folder(folder, arm.machine.name, arm.image.series, seed)
    counted = quiet.with_name(f"{quiet.name}-profiled")
    arm = _patient(arm)
    with ThreadPoolExecutor(2) as pool:
        beside = pool.submit(plain.boot, [(arm, seed, quiet)])
        try:
            (ran,) = profiled.boot([(arm, seed, counted)])
            (plain_ran,) = beside.result()
        except BaseException:
            plain.stop()
            raise
    read = boot.read(quiet, boot.wanted(arm, seed), policy)
    boot.read(counted, boot.wanted(arm, seed), policy)
    _check_same(quiet, counted, arm, seed)
    counts = _counts(arm, read, _raw(counted, ran), kernel)
    return Profiled(counts, (ran.seconds, plain_ran.seconds))


def _patient(arm: Arm) -> Arm:
    """Return an arm with more time: the plugin costs some, and a deadline has no say in a boot."""
    patient = replace(arm.machine, boot_timeout_s=2 * arm.machine.boot_timeout_s)
    return replace(arm, machine=patient)


def _counts(arm: Arm, read: Boot, raw: str, kernel: addresses.Symbols) -> Profile:
    pages = read.record.meta.get("swapped_pages", "")
    left = read.values("residue_pages")
    return profile.profile(
        profile.parse(raw, arm.workload.name),
        kernel,
        series=arm.image.series,
        pages=int(pages) if pages.isdigit() else None,
        unfreed_pages=int(left[0]) if left else 0,
    )


def _raw(folder: Path, ran: Ran) -> str:
    try:
        return files.take_text(folder, PROFILE, most_bytes=_MOST_PROFILE_BYTES)
    except Unfit as err:
        raise ToolFailed(f"the profiled boot left no profile: {err}\n  QEMU: {ran.said}") from err


def _check_same(quiet: Path, counted: Path, arm: Arm, seed: int) -> None:
    for name in (RESULTS, CONSOLE):
        if boot.read_log(quiet, name) != boot.read_log(counted, name):
            raise NotRepeatable(
                f"{arm.image.series} seed {seed} on {arm.machine.name}: {name} of the profiled "
                "boot differs from the plain boot's; it profiles something else\n"
                f"  plain:    {quiet / name}\n  profiled: {counted / name}"
            )
