# SPDX-License-Identifier: GPL-2.0-only
"""A study's folder, results/studies/STUDY: study.json, and how it is found and read again.

The file holds the plan as it was when the study began, and what became of each leg. What the
legs measured is in results/runs/, in runs named after study and leg.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, TypeAlias

from pydantic import ValidationError

from patchbench.catalog import adapter
from patchbench.errors import BadInput
from patchbench.runs.archive import STUDY
from patchbench.store import write_whole
from patchbench.study.plan import Leg, Scale, StudyPlan

_SCHEMA = 1

State: TypeAlias = Literal["to do", "done", "failed", "left out"]


@dataclass(slots=True)
class LegNote:
    """What became of a leg: its run, or why it has none; how long it took on this host."""

    leg: Leg
    state: State = "to do"
    why: str = ""
    status: int = 0  # the exit status of what made it fail
    seconds: float = 0.0


@dataclass(slots=True)
class Note:
    """study.json. `made_of` tells this plan on these trees from any other."""

    study: str
    command: str
    made_of: str
    scale: Scale
    plan: StudyPlan
    legs: list[LegNote]
    versions: Mapping[str, str]  # of the kernels
    proved: list[str] = field(default_factory=list)  # machines that were seen to repeat
    schema: int = _SCHEMA

    def run(self, leg: Leg) -> str:
        """Return the name of a leg's run."""
        stamp = self.study.partition("-")[0]
        return f"{stamp}-{leg.series}-{leg.key.replace('/', '-')}"


def read(folder: Path) -> Note:
    """Return a study's note; BadInput if it is damaged or too new."""
    path = folder / STUDY
    try:
        told = json.loads(path.read_text())
        if told.get("schema", 0) > _SCHEMA:
            raise BadInput(f"{path} has schema {told['schema']}: update patchbench")
        return adapter(Note).validate_python(told)
    except (OSError, ValueError, ValidationError) as err:
        raise BadInput(f"{path} is not a study this version reads:\n  {err}") from err


def save(folder: Path, note: Note) -> None:
    """Write study.json, whole or not at all."""
    text = adapter(Note).dump_json(note, indent=1).decode()
    write_whole(folder / STUDY, text + "\n")
