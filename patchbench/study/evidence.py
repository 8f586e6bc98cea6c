# SPDX-License-Identifier: GPL-2.0-only
"""What a study's runs say, read again from their folders for its rules."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from patchbench import findings
from patchbench.catalog import Catalog, adapter
from patchbench.errors import PipelineError
from patchbench.model import NONE, Comparison, Machine
from patchbench.profile.sorting import Profiles
from patchbench.runs import folder as runs
from patchbench.store import write_whole
from patchbench.study import folder as studies
from patchbench.study import rules
from patchbench.study.folder import Note
from patchbench.study.plan import Leg
from patchbench.study.rules import Answer, ArmShares, Shares, Source, Weighed

SHARES = "shares.json"
_TOP = "do_exit"


def keep_shares(folder: Path, profiled: Profiles) -> None:
    """Write down, in a profile's folder, each function's share of do_exit in either arm."""
    told = [_shares(arm.stacks) for arm in profiled.arms]
    text = adapter(Shares).dump_json(Shares((told[0], told[-1])), indent=1).decode()
    write_whole(folder / SHARES, text + "\n")


def _shares(stacks: Mapping[tuple[str, ...], int]) -> ArmShares:
    below = [(stack, count) for stack, count in stacks.items() if _TOP in stack]
    total = sum(count for _, count in below)
    counts = Counter[str]()
    for stack, count in below:
        for name in {*stack[stack.index(_TOP) :]}:
            counts[name] += count
    return ArmShares(total, {name: 100 * counts[name] / total for name in sorted(counts)})


def read(root: Path, folder: Path, leg: Leg, machine: Machine) -> Source | str:
    """Return what the run in a folder says of its leg, or why it cannot be relied on."""
    run, label = folder.name, describe(machine)
    try:
        match leg.kind:
            case "bench":
                told = runs.comparison(root, folder)
                return Source(run, told.plan.command, label, leg.at_work, told)
            case "profile":
                shares = adapter(Shares).validate_json((folder / SHARES).read_text())
                return Source(run, _profile_command(leg), label, leg.at_work, shares)
            case "hazard":
                result = findings.read(folder)
                return Source(run, _hazard_command(leg), label, leg.at_work, result)
    except (PipelineError, OSError, ValidationError) as err:
        return str(err).splitlines()[0]


def describe(machine: Machine) -> str:
    """Return a machine's name and what it is, as it is told beside each of its numbers."""
    return f"{machine.name} (TCG, {'icount' if machine.exact else 'side by side'})"


def _profile_command(leg: Leg) -> str:
    told = [f"./bootstrap profile --series {leg.series} --against {NONE}"]
    told += [f"--kernel {leg.kernel} --workload {leg.workload} --machine {leg.machine} --seed 1"]
    return " ".join([*told, *(f"--set {name}={value}" for name, value in leg.parameters.items())])


def _hazard_command(leg: Leg) -> str:
    return (
        f"./bootstrap check --series {leg.series} --kernel {leg.kernel} --hazards {leg.workload} "
        f"--seeds {leg.seeds}"
    )


def runs_of(root: Path, folder: Path) -> Path:
    """Return where a study's runs are: in its own folder if it is published."""
    own = folder / "runs"
    return own if own.is_dir() else root / "results/runs"


@dataclass(frozen=True, slots=True)
class Told:
    """A whole study: what each leg came to, every statement's answer, and the controls."""

    note: Note
    sources: Mapping[str, Source | str]  # by the leg's key
    answers: tuple[Answer, ...]
    controls: tuple[Weighed, ...]
    machines: tuple[Machine, ...]


def tell(root: Path, folder: Path) -> Told:
    """Return what a study's folder says, from its runs; BadInput if it is damaged."""
    note, catalog = studies.read(folder), Catalog(root)
    machines = {name: catalog.machine(name) for name in {one.leg.machine for one in note.legs}}
    place = runs_of(root, folder)
    sources = {
        one.leg.key: read(root, place / note.run(one.leg), one.leg, machines[one.leg.machine])
        if one.state == "done"
        else one.why.splitlines()[0]
        if one.why
        else "it was not run"
        for one in note.legs
    }

    def look(key: str) -> Source | str:
        return sources.get(key, f"not part of scale {note.scale}")

    return Told(
        note=note,
        sources=sources,
        answers=rules.answer(note.plan, look),
        controls=tuple(rules.weigh(rule, look) for rule in note.plan.controls),
        machines=tuple(machines[name] for name in sorted(machines)),
    )


def first_error(told: Told) -> PipelineError | None:
    """Return what kept the most valuable of the legs that failed from telling anything."""
    for one in told.note.legs:
        if one.state == "failed":
            failed = PipelineError(f"{one.leg.key}: {one.why}")
            failed.exit_code = one.status
            return failed
        source = told.sources[one.leg.key]
        if isinstance(source, Source) and (against := rules.reasons_against(source)):
            assert isinstance(source.told, Comparison)  # for mypy: no other can be invalid
            error = runs.verdict_error(source.told)
            wrong = PipelineError(f"{one.leg.key}: {against}")
            wrong.exit_code = error.exit_code if error else 0
            return wrong if error else None
    return None
