# SPDX-License-Identifier: GPL-2.0-only
"""What a check found: one Finding for each thing that it asked of a series, and their sum.

findings.json holds a CheckResult. It names the series that is judged and the one it is compared
with: the findings alone do not tell which of two revisions is the newer one.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, TypeAlias

from pydantic import Field, ValidationError

from patchbench.catalog import adapter, load_json
from patchbench.errors import BadInput
from patchbench.model import NONE, SeriesName
from patchbench.store import write_whole

FILE = "findings.json"
_SCHEMA = 2

FindingState: TypeAlias = Literal["pass", "fail", "untested"]
#: `series`: is there a port for this kernel; of a row: does it `build`, which `errors` does the
#: unpatched kernel not have, which `warnings`, at W=1, from sparse; of a patch: `checkpatch`; of a
#: hazard: did the `boot` finish, is the `console` quiet, does a `condition` hold.
FindingKind: TypeAlias = Literal[
    "series", "build", "errors", "warnings", "W=1", "sparse", "checkpatch", "boot", "console",
    "condition",
]  # fmt: skip
_TITLES: Mapping[FindingKind, str] = {
    "series": "port of {0.subject}",
    "errors": "{0.subject}: new errors",
    "checkpatch": "checkpatch: {0.subject}",
    "boot": "{0.subject}",
    "condition": "{0.subject}: {0.on}",
}


@dataclass(frozen=True, slots=True)
class Finding:
    """The answer to one question that a check asked of one series on one kernel.

    `untested` comes with its reason and is never a pass. Evidence, context and commands are what
    an author needs to see the same.
    """

    kind: FindingKind
    kernel: str
    version: str
    series: str  # none, v0@1, v0
    subject: str  # the series, row, patch or workload
    state: FindingState
    says: str  # one sentence, with the figure
    on: str = ""  # a condition's metric or meta key, or what kind of splat the console has
    against: str = ""  # the series whose figure a condition compares with
    evidence: str = ""  # what tools or the guest printed
    context: tuple[str, ...] = ()  # under what: configuration and compiler
    commands: tuple[str, ...] = ()  # that show it again
    questions: tuple[str, ...] = ()  # of the answer sheet that it bears on: C8
    # of a condition: at most 105 % of that, on average; files that were published before have none
    bound: Annotated[str, Field(exclude_if=lambda bound: not bound)] = ""
    # of a comparison: of how many boots, and in how many of them it did not hold; one boot's, which
    # is what files that were published before have, says so by its state
    boots: Annotated[int, Field(exclude_if=lambda boots: boots == 1)] = 1
    failed_boots: Annotated[int, Field(exclude_if=lambda boots: not boots)] = 0

    @property
    def title(self) -> str:
        """Return what was asked, in a few words; the same for every series."""
        title = _TITLES.get(self.kind, "{0.subject}: {0.kind}").format(self)
        title += f", {self.on}" if self.kind == "console" and self.on else ""
        return title + (f" against {self.against}" if self.against else "")

    @property
    def question(self) -> tuple[str, ...]:
        """Return what findings of different series have in common if they answer one question."""
        return (self.kernel, self.kind, self.subject, self.on, self.against)


@dataclass(frozen=True, slots=True)
class Target:
    """One series on one kernel, which a check looks at, and the command that looks again."""

    kernel: str
    version: str
    series: str
    command: str

    def untested(self, kind: FindingKind, subject: str) -> Finding:
        """Return a finding that is still open, with the command."""
        where = (self.kernel, self.version, self.series)
        return Finding(kind, *where, subject, "untested", "", commands=(self.command,))


@dataclass(frozen=True, slots=True)
class CheckResult:
    """What one check found of a series, and what that is compared with; findings.json.

    kernels: their versions, by name. command: repeats the check; unknown in files of schema 1.
    """

    series: str
    against: str
    command: str
    kernels: Mapping[str, str]
    findings: tuple[Finding, ...]
    schema: int = _SCHEMA

    @property
    def series_names(self) -> tuple[str, ...]:
        """Return the series that have findings: the base, the first patches, last the judged."""
        rank = {self.against: 0, self.series: 2}
        names = {one.series for one in self.findings}
        return tuple(sorted(names, key=lambda name: (rank.get(name, 1), len(name), name)))

    @property
    def baseline(self) -> str:
        """Return how the base is built, in words: `unpatched` or `with v0`."""
        return "unpatched" if self.against == NONE else f"with {self.against}"

    def of(self, series: str) -> tuple[Finding, ...]:
        """Return the findings of one series."""
        return tuple(one for one in self.findings if one.series == series)

    def regressions(self) -> tuple[Finding, ...]:
        """Return what fails with the series, or a part of it, and not with the base."""
        known = {one.question for one in self.of(self.against) if one.state == "fail"}
        return tuple(
            one
            for one in self.findings
            if one.series != self.against and one.state == "fail" and one.question not in known
        )

    def failed_unpatched(self, kind: FindingKind) -> tuple[Finding, ...]:
        """Return what of a kind fails on the unpatched kernel."""
        return tuple(one for one in self.of(NONE) if (one.kind, one.state) == (kind, "fail"))


def dumps(result: CheckResult) -> str:
    """Return a result as the text of findings.json."""
    return adapter(CheckResult).dump_json(result, indent=1).decode() + "\n"


def write(folder: Path, result: CheckResult) -> None:
    """Write findings.json, whole or not at all."""
    write_whole(folder / FILE, dumps(result))


def read(folder: Path) -> CheckResult:
    """Return what a check found; BadInput if its file is damaged, too new, or too old to judge."""
    path = folder / FILE
    try:
        stored = load_json(path)
        if isinstance(stored, list):
            stored = _with_header(stored, path)
        if stored["schema"] > _SCHEMA:
            raise BadInput(f"{path} has schema {stored['schema']}: update patchbench")
        return adapter(CheckResult).validate_python(stored)
    except (ValueError, ValidationError, KeyError, TypeError, AttributeError) as err:
        raise BadInput(f"{path} is damaged: {err}") from err


def _with_header(rows: list[dict[str, Any]], path: Path) -> dict[str, Any]:
    """Return a file of schema 1, a bare list, as one of schema 2.

    Such a file does not say which series it judges. It is the one that all others are parts of,
    compared with none; BadInput where there is no such series.
    """
    names = {
        row["series"]: SeriesName.parse(row["series"]) for row in rows if row["series"] != NONE
    }
    judged = [text for text, name in names.items() if name.first is None] or [*names]
    if len(judged) != 1 or len({name.stem for name in names.values()}) != 1:
        raise BadInput(
            f"{path} is from before checks named the series that they judge, and has findings of "
            f"{', '.join(names) or 'none alone'}: run the check again"
        )
    return {
        "schema": _SCHEMA,
        "series": judged[0],
        "against": NONE,
        "command": "",
        "kernels": {row["kernel"]: row["version"] for row in rows},
        "findings": [_with_fields(row) for row in rows],
    }


def _with_fields(row: dict[str, Any]) -> dict[str, Any]:
    """Return a finding of schema 1, which packed into texts what it was of and what showed it."""
    row = dict(row)
    lines = row.pop("evidence", "").splitlines()
    check, text = row.pop("check"), row.pop("subject")
    questions = row.pop("hazards", None) or row.pop("questions", ())
    subject, _, rest = text.partition(": ")
    on, _, against = rest.partition(" against ")
    fields: dict[str, str]
    if check == "checkpatch":
        fields = {"kind": "checkpatch", "subject": rest}
    elif check != "hazard":
        kind = {"errors of its own": "errors", "": "series"}.get(rest, rest)
        fields = {"kind": kind, "subject": subject if rest else row["series"]}
    elif not rest:
        fields = {"kind": "boot", "subject": subject}
    elif rest.partition(",")[0] == "console":
        fields = {"kind": "console", "subject": subject, "on": rest.partition(", ")[2]}
    else:
        fields = {"kind": "condition", "subject": subject, "on": on, "against": against}
    context = [line for line in lines if line.startswith(("config: ", "compiler: "))]
    commands = [line for line in lines if line.startswith("$ ")]
    return {
        **row,
        **fields,
        "questions": questions,
        "evidence": "\n".join(line for line in lines if line not in (*context, *commands)),
        "context": context,
        "commands": [line.removeprefix("$ ") for line in commands],
    }
