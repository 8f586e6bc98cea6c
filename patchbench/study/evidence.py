# SPDX-License-Identifier: GPL-2.0-only
"""What a study's runs say, read again from their folders for its rules."""

from collections import Counter as Counts
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from patchbench import findings
from patchbench.catalog import Catalog, adapter
from patchbench.errors import PipelineError
from patchbench.findings import CheckResult
from patchbench.model import NONE, Boot, Comparison, Machine
from patchbench.profile.sorting import Profiles
from patchbench.runs import reading as runs
from patchbench.stats import CONFIDENCE
from patchbench.store import write_whole
from patchbench.study import folder as studies
from patchbench.study import looks, weigh
from patchbench.study.folder import Logbook
from patchbench.study.plan import Leg
from patchbench.study.readings import ArmShares, Counter, Reading, Shares, reasons_against
from patchbench.study.weigh import Conclusion, Weighed

SHARES = "shares.json"
NOT_RUN = "it was not run"
_TOP = "do_exit"


def keep_shares(folder: Path, profiled: Profiles) -> None:
    """Write down, in a profile's folder, each function's share of do_exit in either arm."""
    arms = [_shares(arm.stacks) for arm in profiled.arms]
    text = adapter(Shares).dump_json(Shares((arms[0], arms[-1])), indent=1).decode()
    write_whole(folder / SHARES, text + "\n")


def _shares(stacks: Mapping[tuple[str, ...], int]) -> ArmShares:
    below = [(stack, count) for stack, count in stacks.items() if _TOP in stack]
    total = sum(count for _, count in below)
    counts = Counts[str]()
    for stack, count in below:
        for name in {*stack[stack.index(_TOP) :]}:
            counts[name] += count
    return ArmShares(total, {name: 100 * counts[name] / total for name in sorted(counts)})


def read(
    root: Path, folder: Path, leg: Leg, machine: Machine, confidence: float = CONFIDENCE
) -> Reading | str:
    """Return what the run in a folder says of its leg, or why it cannot be relied on."""
    try:
        if leg.kind == "bench":
            return replace(_read_bench(root, folder, leg), confidence=confidence)
        workload = Catalog(root).workload(leg.workload)
        result: Shares | CheckResult
        if leg.kind == "profile":
            result = adapter(Shares).validate_json((folder / SHARES).read_text())
            command = _profile_command(leg)
        else:
            result, command = findings.read(folder), _hazard_command(leg)
        return Reading(
            folder.name, command, machine, leg.at_work, result,
            program=workload.program, parameters={**workload.parameters, **leg.parameters},
            confidence=confidence,
        )  # fmt: skip
    except (PipelineError, OSError, ValueError) as err:
        return str(err).splitlines()[0]


def _read_bench(root: Path, folder: Path, leg: Leg) -> Reading:
    comparison, boots = runs.read(root, folder)
    plan = comparison.plan
    (machine,) = (one for one in plan.machines if one.name == leg.machine)
    counter = _counter(plan.test.engaged_vmstat, plan.test.series, boots)
    return Reading(
        folder.name, plan.command, machine, leg.at_work, comparison, counter,
        plan.workload.program, plan.workload.parameters,
    )  # fmt: skip


def _counter(name: str | None, series: str, boots: Sequence[Boot]) -> Counter | None:
    if name is None:
        return None
    mine = [one for one in boots if one.series == series and not one.failure]
    moved = [one for one in mine if one.record.meta.get(f"vmstat.{name}", "0") != "0"]
    return Counter(name, len(moved), len(mine))


def _profile_command(leg: Leg) -> str:
    words = [f"./bootstrap profile --series {leg.series} --against {NONE}"]
    words += [f"--kernel {leg.kernel} --workload {leg.workload} --machine {leg.machine} --seed 1"]
    return " ".join([*words, *(f"--set {name}={value}" for name, value in leg.parameters.items())])


def _hazard_command(leg: Leg) -> str:
    return (
        f"./bootstrap check --series {leg.series} --kernel {leg.kernel} --hazards {leg.workload} "
        f"--seeds {leg.seeds}{' --whole' if leg.whole else ''}"
    )


def runs_of(root: Path, folder: Path) -> Path:
    """Return where a study's runs are: below its own folder once it is published."""
    own = folder / "runs"
    return own if own.is_dir() else root / "results/runs"


@dataclass(frozen=True, slots=True)
class Study:
    """A whole study: each leg's reading, the conclusion about every statement, the controls."""

    logbook: Logbook
    readings: Mapping[str, Reading | str]  # by the leg's key
    conclusions: tuple[Conclusion, ...]
    controls: tuple[Weighed, ...]
    machines: tuple[Machine, ...]


def study_of(root: Path, folder: Path) -> Study:
    """Return what a study's folder says, from its runs; BadInput if it is damaged."""
    logbook, catalog = studies.read(folder), Catalog(root)
    machines = {one.leg.machine: catalog.machine(one.leg.machine) for one in logbook.legs}
    place, plan = runs_of(root, folder), logbook.plan
    readings: dict[str, Reading | str] = {}
    for one in logbook.legs:
        if one.state == "done":
            run = place / logbook.run(one.leg)
            readings[one.leg.key] = read(
                root, run, one.leg, machines[one.leg.machine], looks.confidence(logbook.looks)
            )
        else:
            readings[one.leg.key] = one.why.partition("\n")[0] or NOT_RUN

    def look(key: str) -> Reading | str:
        return readings.get(key, f"not part of scale {logbook.scale}")

    return Study(
        logbook=logbook,
        readings=readings,
        conclusions=weigh.conclude(plan, look),
        controls=tuple(
            weigh.weigh(rule, look, plan.reach, plan.floor_pct) for rule in plan.controls
        ),
        machines=tuple(machines[name] for name in sorted(machines)),
    )


def first_error(study: Study) -> PipelineError | None:
    """Return the error of the most valuable leg that failed or that must not be relied on."""
    for one in study.logbook.legs:
        if one.state == "failed":
            failed = PipelineError(f"{one.leg.key}: {one.why}")
            failed.exit_code = one.status
            return failed
        reading = study.readings[one.leg.key]
        if isinstance(reading, Reading) and (against := reasons_against(reading)):
            assert isinstance(reading.result, Comparison)  # nothing speaks against any other
            error = runs.verdict_error(reading.result)
            unreliable = PipelineError(f"{one.leg.key}: {against}")
            unreliable.exit_code = error.exit_code if error else 0
            return unreliable if error else None
    return None
