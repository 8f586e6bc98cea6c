# SPDX-License-Identifier: GPL-2.0-only
"""The files of a run's folder: written, read, and sealed against later changes.

    plan.json                            what was known before the first boot
    functions.json                       how the two kernels' code differs
    proof.json                           which of these functions ran in the test arm
    boots/MACHINE/SERIES/seed-N/         two logs and a note, one folder a boot
    arms/SERIES/                         both of each test arm after the first
    profile/MACHINE-*.svg                flame graphs, if any were made
    timings.json                         what ran when
    SHA256SUMS                           of all these; written last, at the run's end

`reading` works out what a run says from its plan and logs each time; that is never stored.
"""

import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from patchbench.binaries import codemap
from patchbench.catalog import adapter, load_json
from patchbench.errors import BadInput
from patchbench.machines import faults
from patchbench.model import ArmNote, Boot, CodeMap, Comparison, Plan
from patchbench.runs import published
from patchbench.runs.archive import PLAN
from patchbench.stages import boot, splats
from patchbench.stages import boots as booting
from patchbench.store import file_sha256, write_whole
from patchbench.tools import files
from patchbench.tools.signing import SUFFIX

SUMS = "SHA256SUMS"
SIGNATURE = SUMS + SUFFIX
ARMS = "arms"


def start(folder: Path, plan: Plan, codes: Sequence[CodeMap]) -> None:
    """Make a run's folder, with its plan and how the kernel of each test arm differs from base's.

    What a start that was killed left there, without a plan, is replaced. Raises ValueError unless
    there is a difference for each test arm.
    """
    if folder.exists() and not is_begun(folder):
        files.remove(folder)
    folder.mkdir(parents=True)
    for arm, code in zip(plan.arms[1:], codes, strict=True):
        place = arm_folder(folder, plan, arm)
        place.mkdir(parents=True, exist_ok=True)
        codemap.write(place, code)
    amend(folder, plan)


def arm_folder(folder: Path, plan: Plan, arm: ArmNote) -> Path:
    """Return where a run keeps what it knows of a test arm's code."""
    return folder if arm.series == plan.test.series else folder / ARMS / arm.series


def is_begun(folder: Path) -> bool:
    """Return whether a run's folder has its plan, the last thing that `start` writes."""
    return (folder / PLAN).is_file()


def carry_on(folder: Path, plan: Plan) -> None:
    """Carry on a run that was cut off; BadInput, naming what differs, if its plan was another.

    The host may differ: exact boots do not depend on it, and other boots always do.
    """
    begun = read_plan(folder)
    conditions = ("base", "test", "others", "guest", "workload", "machines", "toolchain")
    if other := [name for name in conditions if getattr(begun, name) != getattr(plan, name)]:
        raise BadInput(f"{folder} was started with another {' and '.join(other)}; start a new run")
    amend(folder, plan)


def amend(folder: Path, plan: Plan) -> None:
    """Write the plan of a run that is not finished."""
    write_whole(folder / PLAN, adapter(Plan).dump_json(plan, indent=1).decode() + "\n")


def seal(folder: Path) -> None:
    """Write the checksums of a finished run's files; `check_seal` compares them.

    A signature of other checksums goes, and so do halves of files whose writer was killed.
    """
    (folder / SIGNATURE).unlink(missing_ok=True)
    for half in [path for path in folder.rglob(".*") if path.is_file()]:
        half.unlink()
    found = (path for path in folder.rglob("*") if path.is_file() and not path.is_symlink())
    sealed = sorted(path for path in found if path.name != SUMS)
    lines = [f"{file_sha256(path)}  {path.relative_to(folder)}\n" for path in sealed]
    write_whole(folder / SUMS, "".join(lines))


def is_sealed(folder: Path) -> bool:
    """Return whether a run was finished."""
    return (folder / SUMS).is_file()


def add_profile(folder: Path, machine: str, graphs: Mapping[str, str]) -> None:
    """Put a machine's flame graphs, SVG by file name, into a run; BadInput as in check_seal."""
    check_seal(folder)
    (folder / "profile").mkdir(exist_ok=True)
    for name, svg in graphs.items():
        write_whole(folder / "profile" / f"{machine}-{name}", svg)
    seal(folder)


def check_seal(folder: Path, *, below: str = "") -> None:
    """Raise BadInput, naming the file, if a sealed folder is not as it was sealed.

    below: look only at files whose names begin with this.
    """
    for line in (folder / SUMS).read_text(errors="replace").splitlines():
        digest, _, name = line.partition("  ")
        if not name.startswith(below):
            continue
        found = _sha256(folder / name)
        if not found:
            raise BadInput(f"{folder / name} is missing; {SUMS} lists it")
        if found != digest:
            raise BadInput(
                f"{folder / name} is not what was measured: {SUMS} has another checksum\n"
                "  an edited sample is no sample; boot again"
            )


def _sha256(path: Path) -> str:
    """Return a file's checksum; empty for what is no file, or cannot be the name of one."""
    try:
        return file_sha256(path) if path.is_file() else ""
    except (OSError, ValueError):
        return ""


def read_boots(root: Path, folder: Path, plan: Plan) -> list[Boot]:
    """Return every boot that a run planned; one without usable samples carries its failure."""
    if published.is_published(folder):
        return published.read_boots(folder, plan)
    policy = splats.load(root).provoked(plan.workload.provokes)
    return [
        boot.read_or_count(
            booting.boot_folder(folder, machine.name, arm.series, seed),
            boot.Wanted(machine.name, arm.series, arm.release, seed, machine.exact),
            policy,
        )
        for machine in plan.machines
        for arm in plan.arms
        for seed in plan.seeds[machine.name]
    ]


def read_plan(folder: Path) -> Plan:
    """Return a run's plan; BadInput if it is broken, of a newer schema or another run's."""
    path = folder / PLAN
    try:
        read = load_json(path)
        # First of all: this version cannot know what the rest of a newer schema means.
        schema = read.get("schema", 0) if isinstance(read, dict) else 0
        if isinstance(schema, int) and schema > Comparison.known_schema:
            raise BadInput(
                f"{path} has schema {schema}; this version reads up to "
                f"{Comparison.known_schema}: update patchbench"
            )
        plan = adapter(Plan).validate_python(_upgrade(read))
        shlex.split(plan.command)  # as reports do that wrap it
    except (OSError, ValueError) as err:
        raise BadInput(f"{path} is not a plan this version reads:\n  {err}") from err
    if plan.run != folder.name and not published.is_published(folder):
        raise BadInput(f"{path} is the plan of run {plan.run}; a run's folder keeps its name")
    if wrong := [f"{one.name}: {fault}" for one in plan.machines for fault in faults(one)]:
        raise BadInput(f"{path}: machine {wrong[0]}")
    if lack := [machine.name for machine in plan.machines if machine.name not in plan.seeds]:
        raise BadInput(f"{path} has no seeds for machine {', '.join(lack)}")
    return plan


def _upgrade(read: Any) -> Any:
    """Return a stored plan with the keys of this schema: schema 1 had other names for two."""
    if not isinstance(read, dict) or read.get("schema", 1) != 1:
        return read
    machines = _renamed(read.get("machines", []), "boots", "seeds")
    workload = read.get("workload")
    if isinstance(workload, dict):
        asked = _renamed(workload.get("conditions", []), "hazards", "questions")
        workload = {**workload, "conditions": asked}
    return {**read, "machines": machines, "workload": workload, "schema": 2}


def _renamed(tables: Any, old: str, new: str) -> Any:
    """Return tables with a key renamed in each; what is none, and no list of them, as it is."""
    if isinstance(tables, list):
        return [_renamed(one, old, new) for one in tables]
    if not isinstance(tables, dict):
        return tables
    return {new if key == old else key: value for key, value in tables.items()}
