# SPDX-License-Identifier: GPL-2.0-only
"""Which functions differ and which ran, in; whether the series was at work, out."""

from pathlib import Path

from patchbench.binaries.addresses import base
from patchbench.catalog import adapter, load_kept
from patchbench.model import CodeMap, FunctionChange, FunctionProof
from patchbench.profile.counts import Profile
from patchbench.store import write_whole

PROOF = "proof.json"


def differing(code: CodeMap) -> tuple[FunctionChange, ...]:
    """Return the functions of the test arm that show that a series was at work when they run."""
    there = [one for one in code.functions if one.state != "disappeared"]
    return tuple(one for one in there if one.state != "constants") or tuple(there)


def prove(code: CodeMap, profile: Profile, machine: str, seed: int) -> FunctionProof:
    """Return which of the functions that differ ran in the test arm, the most costly first."""
    ran: dict[str, int] = {}
    idle: dict[str, None] = {}
    for one in differing(code):
        name = base(one.name)
        if count := instructions(profile, one.file, name):
            ran[f"{one.file}:{name}"] = count
        else:
            idle[f"{one.file}:{name}"] = None
    sorted_ran = sorted(ran.items(), key=lambda item: (-item[1], item[0]))
    left = tuple(name for name in idle if name not in ran)
    return FunctionProof(machine, seed, dict(sorted_ran), left, whole=profile.whole)


def instructions(profile: Profile, file: str, function: str) -> int:
    """Return a function's instructions; 0 if another source file's function of that name ran.

    Assembly's file is an object with a name of the moment, so only C can be told apart.
    """
    other = profile.files.get(function, file)
    if other != file and other.endswith(".c") and file.endswith(".c"):
        return 0
    return profile.instructions.get(function, 0)


def untold(machine: str, seed: int, why: str) -> FunctionProof:
    """Return that nobody can say what ran, and why."""
    return FunctionProof(machine, seed, {}, (), why)


def write(folder: Path, proof: FunctionProof) -> None:
    """Keep a proof in a run's folder."""
    write_whole(folder / PROOF, adapter(FunctionProof).dump_json(proof, indent=1).decode() + "\n")


def read(folder: Path) -> FunctionProof | None:
    """Return what was kept, None where a run kept none; BadInput if it is broken or too new."""
    path = folder / PROOF
    return load_kept(path, FunctionProof) if path.exists() else None
