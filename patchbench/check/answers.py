# SPDX-License-Identifier: GPL-2.0-only
"""The answer sheet: which questions of configs/questions.toml a run's findings confirm. Pure.

Nothing that was not looked at counts as an answer.
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
State: TypeAlias = Literal["confirmed", "not confirmed", "not tested", "not testable here"]


@with_config(STRICT)
@dataclass(frozen=True, slots=True)
class Question:
    """One hazard: what is claimed, what confirms it, and why no run can answer it, if none can."""

    claim: str
    confirmed_by: Literal["fail", "pass"] = "fail"
    untestable: str = ""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a run says of one hazard on one kernel; evidence has a line for each that decided it."""

    run: str
    kernel: str
    version: str
    series: str
    hazard: str
    claim: str
    state: State
    evidence: tuple[str, ...]


@with_config(STRICT)
@dataclass(frozen=True, slots=True)
class _Sheet:
    questions: Mapping[str, Question]


def questions(root: Path) -> Mapping[str, Question]:
    """Return configs/questions.toml; BadInput names what is wrong in it."""
    return load_toml(root / FILE, _Sheet).questions


def answer(asked: Mapping[str, Question], result: CheckResult, run: str) -> tuple[Answer, ...]:
    """Return an answer for each kernel and question, from the findings on the whole series."""
    worse, series = result.regressions(), result.series
    answers = []
    for kernel, version in result.kernels.items():
        for name, question in asked.items():
            these = [
                one for one in result.of(series) if one.kernel == kernel and name in one.questions
            ]
            state = _state(question, these, worse)
            evidence = (*_lines(question, these, worse, result.baseline),)
            answers.append(
                Answer(run, kernel, version, series, name, question.claim, state, evidence)
            )
    return tuple(answers)


def markdown(answers: Sequence[Answer], run: str) -> str:
    """Return the sheet as Markdown: a table of all kernels, then the evidence of each answer."""
    kernels = [*dict.fromkeys((one.kernel, one.version) for one in answers)]
    lines = [f"# Answers of run {run}", ""]
    lines += [f"| | claim | {' | '.join(f'{name} {version}' for name, version in kernels)} |"]
    lines += ["|---" * (len(kernels) + 2) + "|"]
    for name in dict.fromkeys(one.hazard for one in answers):
        row = [one for one in answers if one.hazard == name]
        lines.append(f"| {name} | {row[0].claim} | {' | '.join(one.state for one in row)} |")
    for kernel, version in kernels:
        lines += ["", f"## {kernel} {version}", ""]
        for one in answers:
            if one.kernel == kernel and one.evidence:
                lines += [f"- {one.hazard}, {one.state}:"]
                lines += [f"  - {line}" for line in one.evidence]
    return "\n".join(lines) + "\n"


def write(out: Path, answers: Sequence[Answer], run: str) -> Path:
    """Write answers.md and answers.json into a folder, and return the former."""
    out.mkdir(parents=True, exist_ok=True)
    write_whole(out / "answers.json", json.dumps([asdict(one) for one in answers], indent=1) + "\n")
    write_whole(out / "answers.md", markdown(answers, run))
    return out / "answers.md"


def _lines(
    question: Question, these: Sequence[Finding], worse: Sequence[Finding], baseline: str
) -> Iterator[str]:
    """Give what decides: what the series breaks or is open, else everything that holds."""
    if question.untestable:
        yield question.untestable
        return
    telling = [one for one in these if one.state != "pass"] or _conditions(these)
    for one in telling:
        known = f" ({baseline} as well)" if one.state == "fail" and one not in worse else ""
        yield f"{one.state}: {one.title}: {one.says}{known}"
    if held := len([one for one in _conditions(these) if one not in telling]):
        yield f"pass: {held} more"


def _conditions(findings: Sequence[Finding]) -> list[Finding]:
    """Return what was asked of hazards; a quiet console or a lost guest answers no question."""
    return [one for one in findings if one.kind == "condition"]


def _state(question: Question, these: Sequence[Finding], worse: Sequence[Finding]) -> State:
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
