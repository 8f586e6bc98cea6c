# SPDX-License-Identifier: GPL-2.0-only
"""What an arm's workload runs, by function: one profiled boot, shelved like any exact boot."""

import shutil
from dataclasses import replace
from pathlib import Path

from patchbench.catalog import adapter
from patchbench.errors import BootFailed, NoMarks
from patchbench.model import Arm, CodeMap, FunctionProof, Json, Machine, Profile
from patchbench.pipeline import Pipeline
from patchbench.profile import boots, proof
from patchbench.stages import boot, plugin, splats
from patchbench.store import write_whole
from patchbench.tools.qemu import Hypervisor, Profiler

#: A sample costs the host as much as some thousand guest instructions.
EVERY_INSTRUCTIONS = 2000
_COUNTS = "counts.json"


def profiler(run: Pipeline) -> Hypervisor:
    """Return what boots with the plugin, which is compiled unless it is shelved."""
    compiled = plugin.build(
        run.engine,
        run.store,
        run.root,
        run.toolchain,
        "profile",
        work=run.cache / "work",
        story=run.story,
    )
    return Hypervisor(run.engine, run.toolchain, Profiler(compiled, EVERY_INSTRUCTIONS))


def can_count(machine: Machine) -> bool:
    """Return whether a machine's instructions can be counted, CPU by CPU."""
    return machine.exact and (machine.vcpus == 1 or machine.timelines is not None)


def counted(run: Pipeline, arm: Arm, seed: int) -> Profile:
    """Return what an arm's boot runs between its marks, without stacks; booted unless shelved.

    Raises NoMarks for a workload without marks, BootFailed for a boot that gave no samples,
    NotRepeatable if the same boot is shelved and printed something else.
    """
    made_of: dict[str, Json] = {
        "boot": boot.ingredients(arm, seed),
        "plugin": plugin.ingredients(run.root, run.toolchain, "profile"),
    }

    def fill(new: Path) -> None:
        run.story.say(f"counting what {arm.image.series} runs in {arm.workload.name}, seed {seed}")
        out = run.cache / "work/counting"
        shutil.rmtree(out, ignore_errors=True)
        shelved = run.store.get("boots", boot.ingredients(arm, seed))
        profile = boots.count(
            profiler(run), arm, seed, out, policy=splats.load(run.root), plain=shelved
        )
        kept = replace(profile, stacks={}, functions=frozenset(), cpus=())
        write_whole(new / _COUNTS, adapter(Profile).dump_json(kept).decode() + "\n")
        shutil.rmtree(out)

    folder = run.store.ensure("counts", made_of, fill)
    kept = adapter(Profile).validate_json((folder / _COUNTS).read_text())
    return replace(kept, series=arm.image.series)


def prove(run: Pipeline, code: CodeMap, arm: Arm, seed: int) -> FunctionProof:
    """Return which of the functions that differ an arm runs, or why that is untold."""
    place = arm.machine.name, seed
    if not proof.differing(code):
        return proof.untold(*place, "no function differs between the kernels")
    try:
        return proof.prove(code, counted(run, arm, seed), *place)
    except NoMarks as err:
        return proof.untold(*place, str(err).partition("\n")[0])
    except BootFailed as err:
        return proof.untold(*place, f"the profiled boot was lost: {str(err).partition(chr(10))[0]}")
