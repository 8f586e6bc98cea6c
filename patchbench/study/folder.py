# SPDX-License-Identifier: GPL-2.0-only
"""A study's folder, results/studies/STUDY: study.json, and how it is found and read again.

The file is the study's logbook: the plan that is in force, and the state of each leg. What the
legs measured is in results/runs/, in runs named after study and leg.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal, TypeAlias

from patchbench.catalog import adapter, load_json
from patchbench.errors import BadInput
from patchbench.runs.archive import STUDY
from patchbench.store import write_whole
from patchbench.study import upgrade
from patchbench.study.plan import FOLDER, Leg, Scale, StudyPlan
from patchbench.study.plan import legs as legs_of

SCHEMA = 2

LegState: TypeAlias = Literal["to do", "done", "failed", "skipped"]


@dataclass(slots=True)
class LegEntry:
    """The state of a leg, why it has no run, and how long it took on this host.

    looked: how many times, this one counted; each has twice the seeds of the one before. booted:
    how many of its boots were made in these seconds; others came from the shelf.
    """

    leg: Leg
    state: LegState = "to do"
    why: str = ""
    status: int = 0  # the exit status of what made it fail
    seconds: float = 0.0
    looked: int = 1
    booted: int = 0


@dataclass(slots=True)
class Logbook:
    """study.json. made_of: the key of these legs on these trees.

    looks: how many times a leg whose rules stay undecided is looked at. lines: how many each series
    adds and removes, in a study of several.
    """

    study: str
    command: str
    made_of: str
    scale: Scale
    plan: StudyPlan
    legs: list[LegEntry]
    versions: Mapping[str, str]  # of the kernels
    proved: list[str] = field(default_factory=list)  # machines on which a boot was repeated
    looks: int = 1
    lines: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    schema: int = SCHEMA

    def run(self, leg: Leg) -> str:
        """Return the name of a leg's run."""
        stamp = self.study.partition("-")[0]
        looked = f"-{leg.seeds}-seeds" if self.looks > 1 else ""
        return f"{stamp}-{leg.series}-{leg.key.replace('/', '-')}{looked}"


def read(folder: Path) -> Logbook:
    """Return a study's logbook; BadInput if it is damaged or too new."""
    path = folder / STUDY
    try:
        stored = load_json(path)
        if stored.get("schema", 0) > SCHEMA:
            raise BadInput(f"{path} has schema {stored['schema']}: update patchbench")
        return adapter(Logbook).validate_python(upgrade.upgraded(stored))
    except (OSError, ValueError, LookupError, AttributeError) as err:
        raise BadInput(f"{path} is not a study this version reads:\n  {err}") from err


def save(folder: Path, logbook: Logbook) -> None:
    """Write study.json, whole or not at all."""
    text = adapter(Logbook).dump_json(logbook, indent=1).decode()
    write_whole(folder / STUDY, text + "\n")


def reworded(logbook: Logbook, plan: StudyPlan) -> Logbook:
    """Return a logbook under a plan with other statements; legs that it has besides are skipped.

    Raises BadInput, naming the leg, if the plan measures a leg of the study in another way.
    """
    entries = {one.leg.key: one for one in logbook.legs}
    legs = []
    for leg in legs_of(plan, logbook.scale):
        entry = entries.get(leg.key)
        if entry is None:
            legs.append(LegEntry(leg, "skipped", "the study was made before its plan had this leg"))
            continue
        leg = replace(leg, seeds=leg.seeds * 2 ** (entry.looked - 1))
        if entry.leg.measured != leg.measured:
            raise BadInput(
                f"{logbook.study} did not measure {leg.key} as {FOLDER}/{plan.name}.toml has it\n"
                f"  run the study again: {logbook.command}"
            )
        legs.append(replace(entry, leg=leg))
    return replace(logbook, plan=plan, legs=legs)
