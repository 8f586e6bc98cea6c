# SPDX-License-Identifier: GPL-2.0-only
"""Why a limit is broken: the functions that cost more than with the base, counted in both arms."""

from patchbench.errors import BootFailed
from patchbench.gate.limits import FunctionRise
from patchbench.model import Arm
from patchbench.pipeline import Pipeline
from patchbench.profile import counting, proof
from patchbench.profile.counts import Profile
from patchbench.runs.benching import Prepared

_SEED = 1
_SHOWN = 5
_FREED_PAGE, _BOOT = "freed page", "boot"


def of(pipeline: Pipeline, prepared: Prepared) -> tuple[FunctionRise, ...]:
    """Return the functions that rose most in a gate's run; one counted boot an arm, shelved.

    None where nothing can be counted: no machine that counts, no function that differs, or a boot
    that was lost.
    """
    arms = next((one for one in prepared.arms if counting.can_count(one[0].machine)), ())
    if not arms or not proof.differing(prepared.code):
        return ()
    try:
        base, test = (_counted(pipeline, arm) for arm in arms[:2])
    except BootFailed:
        return ()
    return rises(prepared.plan.workload.name, base, test)


def rises(workload: str, base: Profile, test: Profile) -> tuple[FunctionRise, ...]:
    """Return the functions whose instructions rose most, per freed page where that is known. Pure.

    A storm that frees fewer pages runs less of everything: only per page is it a comparison.
    """
    per, ours, theirs = _FREED_PAGE, base.freed_pages, test.freed_pages
    if not ours or not theirs:
        per, ours, theirs = _BOOT, 1, 1
    risen = [
        FunctionRise(
            workload,
            f"{file}:{name}" if (file := test.files.get(name, "")) else name,
            base.instructions.get(name, 0) / ours,
            count / theirs,
            per,
        )
        for name, count in test.instructions.items()
    ]
    most = sorted(risen, key=lambda one: one.base - one.test)[:_SHOWN]
    return tuple(one for one in most if one.test > one.base)


def _counted(pipeline: Pipeline, arm: Arm) -> Profile:
    return counting.counted(pipeline, arm, _SEED)
