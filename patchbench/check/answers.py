# SPDX-License-Identifier: GPL-2.0-only
"""The answer sheet: which claims of configs/questions.toml a check confirms.

What was not tested answers nothing.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal, TypeAlias

from pydantic import with_config

from patchbench.catalog import load_toml
from patchbench.findings import CheckResult, Finding
from patchbench.model import STRICT
from patchbench.store import write_whole

FILE = Path("configs/questions.toml")
_SCHEMA = 2
AnswerState: TypeAlias = Literal["confirmed", "not confirmed", "not tested", "not testable here"]


@with_config(STRICT)
@dataclass(frozen=True, slots=True)
class Question:
    """What somebody claims, what confirms it, and why no run can answer it, if none can."""

    claim: str
    confirmed_by: Literal["fail", "pass"] = "fail"
    untestable: str = ""


@with_config(STRICT)
@dataclass(frozen=True, slots=True)
class _Questions:
    questions: Mapping[str, Question]


@dataclass(frozen=True, slots=True)
class Answer:
    """The answer to one question on one kernel; evidence has a line for each finding behind it."""

    kernel: str
    version: str
    question: str
    claim: str
    state: AnswerState
    evidence: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Sheet:
    """Every answer that a check gives about a series; answers.json."""

    run: str
    series: str
    against: str
    answers: tuple[Answer, ...]
    schema: int = _SCHEMA


def questions(root: Path) -> Mapping[str, Question]:
    """Return configs/questions.toml; BadInput names what is wrong in it."""
    return load_toml(root / FILE, _Questions).questions


def answer(asked: Mapping[str, Question], result: CheckResult, run: str) -> Sheet:
    """Return an answer for each kernel and question, from the findings on the whole series."""
    worse = result.regressions()
    found = []
    for kernel, version in result.kernels.items():
        ours = [one for one in result.of(result.series) if one.kernel == kernel]
        for name, question in asked.items():
            these = [one for one in ours if name in one.questions]
            state = _state(question, these, worse)
            evidence = tuple(_lines(question, these, worse, result.baseline))
            found.append(Answer(kernel, version, name, question.claim, state, evidence))
    return Sheet(run, result.series, result.against, tuple(found))


def markdown(sheet: Sheet) -> str:
    """Return the sheet as Markdown: a table of all kernels, then the evidence of each answer."""
    kernels = [*dict.fromkeys((one.kernel, one.version) for one in sheet.answers)]
    lines = [f"# Answers of run {sheet.run}", ""]
    lines += [f"Series {sheet.series}, compared with {sheet.against}.", ""]
    lines += [f"| | claim | {' | '.join(f'{name} {version}' for name, version in kernels)} |"]
    lines += ["|---" * (len(kernels) + 2) + "|"]
    for name in dict.fromkeys(one.question for one in sheet.answers):
        row = [one for one in sheet.answers if one.question == name]
        lines.append(f"| {name} | {row[0].claim} | {' | '.join(one.state for one in row)} |")
    for kernel, version in kernels:
        lines += ["", f"## {kernel} {version}", ""]
        for one in sheet.answers:
            if one.kernel == kernel and one.evidence:
                lines += [f"- {one.question}, {one.state}:"]
                lines += [f"  - {line}" for line in one.evidence]
    return "\n".join(lines) + "\n"


def write(out: Path, sheet: Sheet) -> Path:
    """Write answers.md and answers.json into a folder, and return the former."""
    out.mkdir(parents=True, exist_ok=True)
    write_whole(out / "answers.json", json.dumps(asdict(sheet), indent=1) + "\n")
    write_whole(out / "answers.md", markdown(sheet))
    return out / "answers.md"


def _lines(
    question: Question, these: Sequence[Finding], worse: Sequence[Finding], baseline: str
) -> Iterator[str]:
    """Give what decides: failures and untested conditions, or else everything that passes."""
    if question.untestable:
        yield question.untestable
        return
    telling = [one for one in these if one.state != "pass"] or _conditions(these)
    for one in telling:
        known = f" ({baseline} as well)" if one.state == "fail" and one not in worse else ""
        yield f"{one.state}: {one.title}: {one.says}{known}"
    if passed := len([one for one in _conditions(these) if one not in telling]):
        yield f"pass: {passed} more"


def _conditions(findings: Sequence[Finding]) -> list[Finding]:
    """Return the findings on conditions: a quiet console or a lost guest answers no question."""
    return [one for one in findings if one.kind == "condition"]


def _state(question: Question, these: Sequence[Finding], worse: Sequence[Finding]) -> AnswerState:
    if question.untestable:
        return "not testable here"
    asked = _conditions(these)
    fails = any(one in worse for one in asked)
    decided = bool(asked) and all(
        one.state == "pass" or (one in worse and one in asked) for one in these
    )
    if question.confirmed_by == "fail":
        return "confirmed" if fails else "not confirmed" if decided else "not tested"
    return "not confirmed" if fails else "confirmed" if decided else "not tested"
