# SPDX-License-Identifier: GPL-2.0-only
"""What an arm's workload runs, by function: one profiled boot, shelved like any exact boot."""

from dataclasses import replace
from pathlib import Path

from patchbench.catalog import adapter
from patchbench.errors import BootFailed
from patchbench.model import Arm, CodeMap, FunctionProof, Json, Machine
from patchbench.pipeline import Pipeline
from patchbench.profile import boots, proof
from patchbench.profile.counts import Profile
from patchbench.stages import boot, plugin, splats
from patchbench.stages.pool import Pool
from patchbench.stages.splats import SplatPolicy
from patchbench.store import key, write_whole
from patchbench.tools import files
from patchbench.tools.qemu import Profiler

#: A sample costs the host as much as some thousand guest instructions.
EVERY_INSTRUCTIONS = 2000
#: For counts alone: enough to see where the kernel is, and no more stacks than there is room for.
_COUNTING_EVERY_INSTRUCTIONS = 100_000
_COUNTS = "counts.json"


def profiler(
    run: Pipeline, *, every_instructions: int = EVERY_INSTRUCTIONS, whole: bool = False
) -> Pool:
    """Return where boots run with the plugin, which is compiled unless it is shelved.

    whole: count all since user space began, and not what lies between a workload's marks.
    """
    compiled = plugin.build(
        run.engine,
        run.store,
        run.root,
        run.toolchain,
        "profile",
        work=run.cache / "work",
        story=run.story,
    )
    return run.pool(Profiler(compiled, every_instructions, whole))


def can_count(machine: Machine) -> bool:
    """Return whether a machine's instructions can be counted, CPU by CPU."""
    return machine.exact and (machine.vcpus == 1 or machine.timelines is not None)


def counted(run: Pipeline, arm: Arm, seed: int) -> Profile:
    """Return what an arm's boot runs between its marks, without stacks; booted unless shelved.

    Of a workload without marks it is all since user space began. Raises BootFailed for a boot that
    gave no samples, NotRepeatable if the same boot is shelved and printed something else.
    """
    made_of = _ingredients(run, arm, seed)
    whole = not run.catalog.is_marked(arm.workload.program)
    # What a hazard provokes is judged where it is checked.
    policy = SplatPolicy(deny=()) if arm.workload.provokes else splats.load(run.root)

    def fill(new: Path) -> None:
        run.story.say(f"counting what {arm.image.series} runs in {arm.workload.name}, seed {seed}")
        out = run.cache / "work/counting" / key(made_of)[:12]
        files.remove(out)
        plain = run.store.get("boots", boot.ingredients(arm, seed))
        profile = boots.count(
            profiler(run, every_instructions=_COUNTING_EVERY_INSTRUCTIONS, whole=whole),
            arm,
            seed,
            out,
            policy=policy,
            plain=plain,
        )
        kept = replace(profile, stacks={}, functions=frozenset(), cpus=(), whole=whole)
        write_whole(new / _COUNTS, adapter(Profile).dump_json(kept).decode() + "\n")
        files.remove(out)

    return _read(run.store.ensure("counts", made_of, fill), arm)


def _ingredients(run: Pipeline, arm: Arm, seed: int) -> dict[str, Json]:
    return {
        "boot": boot.ingredients(arm, seed),
        "plugin": plugin.ingredients(run.root, run.toolchain, "profile"),
    }


def _read(folder: Path, arm: Arm) -> Profile:
    kept = adapter(Profile).validate_json((folder / _COUNTS).read_text())
    return replace(kept, series=arm.image.series)


def prove(run: Pipeline, code: CodeMap, arm: Arm, seed: int) -> FunctionProof:
    """Return which of the functions that differ an arm runs, or why that is untold."""
    place = arm.machine.name, seed
    if not proof.differing(code):
        return proof.untold(*place, "no function differs between the kernels")
    try:
        return proof.prove(code, counted(run, arm, seed), *place)
    except BootFailed as err:
        return proof.untold(*place, f"the profiled boot was lost: {str(err).partition(chr(10))[0]}")
