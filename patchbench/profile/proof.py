# SPDX-License-Identifier: GPL-2.0-only
"""Which functions differ and which ran, in; whether the series was at work, out."""

from pathlib import Path

from patchbench.binaries.addresses import base
from patchbench.catalog import adapter, load_kept
from patchbench.model import CodeMap, FunctionChange, FunctionProof, Profile
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
        file = profile.files.get(name, one.file)
        count = profile.instructions.get(name, 0)
        if count and file in ("", one.file):
            ran[f"{one.file}:{name}"] = count
        else:
            idle[f"{one.file}:{name}"] = None
    sorted_ran = sorted(ran.items(), key=lambda item: (-item[1], item[0]))
    left = tuple(name for name in idle if name not in ran)
    return FunctionProof(machine, seed, dict(sorted_ran), left, whole=profile.whole)


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
