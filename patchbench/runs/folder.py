# SPDX-License-Identifier: GPL-2.0-only
"""A run's folder: how it is written, found and read again.

    plan.json                            what was known before the first boot
    functions.json                       how the two kernels' code differs
    boots/MACHINE/SERIES/seed-N/         two logs and a note, one folder a boot
    profile/*.svg                        flame graphs, if any were made
    timings.json                         what ran when
    SHA256SUMS                           of all these; written last, at the run's end

What a run says is worked out from the plan and the logs each time, never stored as a fact.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from patchbench import noise
from patchbench.binaries import codemap
from patchbench.catalog import Catalog, adapter
from patchbench.errors import (
    BadInput,
    BootFailed,
    HostOverloaded,
    KernelSplat,
    LostGuest,
    NotEngaged,
    PipelineError,
)
from patchbench.model import Boot, CodeMap, Comparison, Json, Plan
from patchbench.report import report
from patchbench.runs import across, archive, published
from patchbench.runs.archive import PLAN
from patchbench.stages import boot, compare
from patchbench.stages import boots as bench
from patchbench.store import file_sha256, write_whole

TIMINGS = "timings.json"
SUMS = "SHA256SUMS"

#: Why a run of two equal kernels makes no boot.
_NOTHING_TO_MEASURE = (
    "both kernels are the same byte for byte, but for their names, build ids and the line "
    "numbers of warnings (`bench --fresh` boots them all the same)"
)


def start(folder: Path, plan: Plan, code: CodeMap) -> None:
    """Make a run's folder, with its plan and what its kernels differ in."""
    folder.mkdir(parents=True)
    codemap.write(folder, code)
    amend(folder, plan)


def carry_on(folder: Path, plan: Plan) -> None:
    """Look whether a run that was cut off is of this plan; BadInput, naming what differs, if not.

    What a host tells of itself may differ: that is part of no exact boot, and of every other.
    """
    begun = read_plan(folder)
    told = ("base", "test", "guest", "workload", "machines", "toolchain")
    if other := [name for name in told if getattr(begun, name) != getattr(plan, name)]:
        raise BadInput(f"{folder} was begun with another {' and '.join(other)}; begin anew")
    amend(folder, plan)


def amend(folder: Path, plan: Plan) -> None:
    """Write the plan of a run that is under way."""
    write_whole(folder / PLAN, adapter(Plan).dump_json(plan, indent=1).decode() + "\n")


def seal(folder: Path) -> None:
    """Write down the checksums of a run that came to its end; `comparison` looks at them."""
    files = sorted(path for path in folder.rglob("*") if path.is_file() and path.name != SUMS)
    lines = [f"{file_sha256(path)}  {path.relative_to(folder)}\n" for path in files]
    write_whole(folder / SUMS, "".join(lines))


def add_profile(folder: Path, graphs: Mapping[str, str]) -> None:
    """Put flame graphs, SVG by file name, into a run for its report; BadInput as in check_seal."""
    check_seal(folder)
    (folder / "profile").mkdir(exist_ok=True)
    for name, svg in graphs.items():
        write_whole(folder / "profile" / name, svg)
    seal(folder)


def check_seal(folder: Path) -> None:
    """Raise BadInput, naming the file, if a sealed folder is not as it was sealed."""
    for line in (folder / SUMS).read_text().splitlines():
        told, _, name = line.partition("  ")
        if not (folder / name).is_file():
            raise BadInput(f"{folder / name} is missing; {SUMS} has it")
        if file_sha256(folder / name) != told:
            raise BadInput(
                f"{folder / name} is not what was measured: {SUMS} has another checksum\n"
                "  an edited sample is no sample; boot again"
            )


def told(root: Path, folder: Path, *, under_way: bool = False) -> tuple[Comparison, list[Boot]]:
    """Return what a run's folder says, and the boots it says it of, the lost ones too.

    A run without its seal is invalid, unless it is under way and known to be. A run of two
    equal kernels without a boot has nothing to measure, and is none the worse. Raises BadInput
    if the plan is broken or too new, or if a sealed file was changed.
    """
    plan, boots = _read(root, folder)
    code = codemap.read(folder) if codemap.kept(folder) else None
    if code and code.equal and not (folder / "boots").exists():
        nothing = _NOTHING_TO_MEASURE
        said = Comparison(plan, (), {}, (), (), (), (), nothing_to_measure=nothing, code=code)
    else:
        profiles = {path.stem: path.read_text() for path in sorted(folder.glob("profile/*.svg"))}
        compared = _with_floors(root, compare.compare(plan, boots))
        said = replace(compared, code=code, profiles=profiles)
    return (said if under_way else _with_seal(said, folder)), boots


def comparison(root: Path, folder: Path, *, under_way: bool = False) -> Comparison:
    """Return what a run's folder says, as in `told`."""
    return told(root, folder, under_way=under_way)[0]


def comparisons(root: Path) -> Iterator[tuple[str, Comparison | PipelineError]]:
    """Give every run's name and what it says, or why it cannot be read, by time."""
    for name, folder in archive.benches(root / "results").items():
        try:
            yield name, comparison(root, folder)
        except PipelineError as err:
            yield name, err


def compare_arms(root: Path, base: str, test: str, machines: Sequence[str]) -> Comparison:
    """Return what one stored arm is against another, each named as RUN or RUN:SERIES.

    A run alone stands for its test arm. Raises NotComparable as across.join does.
    """
    sides = []
    for name in (base, test):
        run, _, series = name.partition(":")
        folder = archive.find_bench(root / "results", run)
        plan, boots = _read(root, folder)
        sides.append((folder, plan, across.arm(plan, series), boots))
    (here, ours, base_arm, base_boots), (there, theirs, test_arm, test_boots) = sides
    plan = across.join((ours, base_arm), (theirs, test_arm), machines)
    said = compare.compare(
        plan,
        [
            *across.boots(base_boots, base_arm.series, plan.base.series, plan),
            *across.boots(test_boots, test_arm.series, plan.test.series, plan),
        ],
    )
    return _with_floors(root, _with_seal(_with_seal(said, here), there))


def _with_floors(root: Path, told: Comparison) -> Comparison:
    """Return a comparison with the noise floors of its metrics, where they were measured."""
    plan, catalog = told.plan, Catalog(root)
    if plan.workload.name not in catalog.workloads():
        return told
    if plan.workload != catalog.workload(plan.workload.name):
        return told  # other parameters than those that were calibrated
    floors = noise.floors(root, plan.workload.name)
    deltas = (
        replace(one, floor_pct=floors.get((one.machine, one.metric.name))) for one in told.deltas
    )
    return replace(told, deltas=tuple(deltas))


def read_boots(root: Path, folder: Path, plan: Plan) -> list[Boot]:
    """Return every boot that a run planned; those without usable samples carry the failure."""
    if published.is_published(folder):
        return published.read_boots(folder, plan)
    policy = Catalog(root).splat_policy()
    return [
        boot.read_or_count(
            bench.boot_folder(folder, machine.name, arm.series, seed),
            boot.Wanted(machine.name, arm.series, arm.release, seed, machine.exact),
            policy,
        )
        for machine in plan.machines
        for arm in (plan.base, plan.test)
        for seed in plan.seeds[machine.name]
    ]


def read_plan(folder: Path) -> Plan:
    """Return a run's plan; BadInput if it is broken, of a newer schema or another run's."""
    path = folder / PLAN
    try:
        read = json.loads(path.read_text())
        # Before anything else of it: what a newer schema means, this version cannot know.
        schema = read.get("schema", 0) if isinstance(read, dict) else 0
        if isinstance(schema, int) and schema > Comparison.known_schema:
            raise BadInput(
                f"{path} has schema {schema}; this version reads up to "
                f"{Comparison.known_schema}: update patchbench"
            )
        plan = adapter(Plan).validate_python(_upgrade(read))
    except (OSError, ValueError) as err:
        raise BadInput(f"{path} is not a plan this version reads:\n  {err}") from err
    if plan.run != folder.name and not published.is_published(folder):
        raise BadInput(f"{path} is the plan of run {plan.run}; a run's folder keeps its name")
    if lack := [machine.name for machine in plan.machines if machine.name not in plan.seeds]:
        raise BadInput(f"{path} has no seeds for machine {', '.join(lack)}")
    return plan


def _upgrade(read: Any) -> Any:
    """Return a stored plan in today's words: schema 1 had other names for two keys."""
    if not isinstance(read, dict) or read.get("schema", 1) != 1:
        return read
    machines = [_renamed(one, "boots", "seeds") for one in read.get("machines", ())]
    workload = read.get("workload")
    if isinstance(workload, dict):
        asked = [_renamed(one, "hazards", "questions") for one in workload.get("conditions", ())]
        workload = {**workload, "conditions": asked}
    return {**read, "machines": machines, "workload": workload, "schema": 2}


def _renamed(table: Any, old: str, new: str) -> Any:
    if not isinstance(table, dict):
        return table
    return {new if key == old else key: value for key, value in table.items()}


def _read(root: Path, folder: Path) -> tuple[Plan, list[Boot]]:
    plan = read_plan(folder)
    if (folder / SUMS).is_file():
        check_seal(folder)
    return plan, read_boots(root, folder, plan)


def _with_seal(said: Comparison, folder: Path) -> Comparison:
    """Return the comparison, invalid if the run did not come to its end."""
    if (folder / SUMS).is_file():
        return said
    return replace(said, invalid=(*said.invalid, f"the run did not come to its end: no {SUMS}"))


def write_timings(folder: Path, note: Mapping[str, Json]) -> None:
    """Keep what ran when, as Pipeline.timings has it."""
    write_whole(folder / TIMINGS, json.dumps(note, indent=1) + "\n")


def timings(folder: Path) -> list[tuple[str, str, str]]:
    """Return where a run's wall time went, as rows of what, seconds and share.

    Containers that run side by side count once. Setting up (toolchain image, sources, work
    trees) is told apart; what is none of these is the pipeline's own.
    """
    try:
        note = json.loads((folder / TIMINGS).read_text())
    except OSError as err:
        raise BadInput(f"{folder} has no {TIMINGS}: the run did not come to its end") from err
    wall = note["ended"] - note["started"]
    names = {"make": "make", "timeout": "QEMU"}
    spans: dict[str, list[tuple[float, float]]] = {name: [] for name in names.values()}
    for program, start, end in note["busy"]:
        if program in names:
            spans[names[program]].append((start, end))
    for what, start, end in note["set_up"]:
        spans.setdefault(what, []).append((start, end))
    seconds = {name: _covered(those) for name, those in spans.items()}
    seconds["pipeline"] = wall - sum(seconds.values())
    seconds["wall"] = wall
    return [(name, f"{value:.1f}", f"{value / wall:.1%}") for name, value in seconds.items()]


def _covered(spans: Sequence[tuple[float, float]]) -> float:
    """Return the length of the union of time spans."""
    covered, reached = 0.0, float("-inf")
    for start, end in sorted(spans):
        covered += max(0.0, end - max(start, reached))
        reached = max(reached, end)
    return covered


def verdict_error(told: Comparison) -> PipelineError | None:
    """Return what keeps a comparison from being relied on, as the error to end with."""
    if told.failures and all(boot.NOT_BOOTED in failure for failure in told.failures):
        return LostGuest(
            f"the run was cut off: {len(told.failures)} boots were never made\n"
            f"  make it again: {told.plan.command}"
        )
    if told.failures:
        # The worst of what befell them: 24, 23, and 30 only where the host alone is to blame.
        found = told.failure_statuses
        kinds: tuple[type[BootFailed], ...] = (KernelSplat, LostGuest, HostOverloaded)
        kind = next((kind for kind in kinds if kind.exit_code in found), LostGuest)
        return kind(f"{len(told.failures)} boots gave no usable samples; the report tells which")
    if told.invalid:
        return NotEngaged("\n  ".join(told.invalid))
    return None


def publish(root: Path, folder: Path, name: str) -> Path:
    """Copy a run into results/published/NAME and return that folder.

    Raises what keeps the run from being relied on, BadInput as published.new_folder.
    """
    said, boots = told(root, folder)
    if error := verdict_error(said):
        raise error
    target = published.new_folder(root, name)
    published.publish(folder, boots, target)
    report.write(target, said)
    seal(target)
    return target
