# SPDX-License-Identifier: GPL-2.0-only
"""Numbers in a mail, each marked with where it comes from, checked against the runs' logs.

Two marks, both plain text that survives quoting and re-wrapping:

    the exits take -6.6 % [run 20261123T114500 exact makespan_ns change]

In Markdown, a mark may stand in a comment, `-6.6 %<!-- [run ...] -->`, which no reader sees.
A number and, in brackets behind it, a run (or the beginning of its name), a machine, a metric,
and which number of it: base, patched, change, interval, base-never or patched-never (the last
two are `7 of 10 boots`). And a table, which names run and machine once, up to a blank line:

    Measured: 20261123T114500-v0-against-none-mainline exact
    metric             base     patched   change   95% interval
    makespan_ns  129.500 ms  120.900 ms  -6.64 %  [-7.41, +0.32]

A claim holds if the number worked out from the logs, rounded as the claim is, is the claim. A
number without a mark is no claim.
"""

import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from email import message_from_bytes, policy
from itertools import pairwise
from pathlib import Path
from typing import Literal

from patchbench.errors import BadInput, ClaimFails, PipelineError
from patchbench.model import NEVER, Boot, Comparison, Delta
from patchbench.report.numbers import boots_of, interval, per_cent, quantity
from patchbench.stages.compare import unfinished
from patchbench.stats import CONFIDENCE

MEASURED = "Measured:"
COLUMNS = ("metric", "base", "patched", "change", f"{CONFIDENCE:.0%} interval")
_SCALE_NS = {"ns": 1, "us": 1e3, "ms": 1e6, "s": 1e9}

_NUMBER = r"(?:to never|never|[-+]?[0-9][0-9,]*(?:\.[0-9]+)?)"
_UNIT = r"(?:%|[A-Za-z][\w/]*)"
_QUANTITY = rf"(?:never|{_NUMBER}\s*{_UNIT})"
_CHANGE = rf"(?:to never|{_NUMBER}\s*%)"
_INTERVAL = rf"(?:\[\s*({_NUMBER}),\s+({_NUMBER})\s*\](?:\s*%)?)"
_TIMES = r"(?:([0-9]+)\s+of\s+([0-9]+)(?:\s+boots)?)"
_CELLS = (_QUANTITY, _QUANTITY, rf"(?:-|{_CHANGE})", rf"(?:-|{_INTERVAL})")
_COLUMNS = "".join(rf"\s+(?P<cell{at}>{cell})" for at, cell in enumerate(_CELLS))
_ROW = re.compile(rf"\s*(?P<metric>\w+){_COLUMNS}\s*")
_MARK = re.compile(r"\[(?i:run)\s(?P<words>[^\][]*)(?P<end>\]?)")
_BEFORE = re.compile(rf"(?P<number>{_INTERVAL}|{_TIMES}|{_NUMBER}(?:\s*{_UNIT})?)\s*(?:<!--\s*)?$")
#: A mail header that says that the text is encoded.
_ENCODED = re.compile(
    r"(?im)^content-(type:\s*multipart/|transfer-encoding:\s*(quoted-printable|base64))"
)
#: The forms that a number may have, by what it is said to be.
_FORMS = {
    "base": _QUANTITY,
    "patched": _QUANTITY,
    "change": _CHANGE,
    "interval": _INTERVAL,
    "base-never": _TIMES,
    "patched-never": _TIMES,
}

HEADINGS = ("line", "state", "of", "claimed", "measured")

ClaimState = Literal["holds", "FAILS", "malformed", "unknown"]
Read = Callable[[str], tuple[Comparison, Sequence[Boot]]]


@dataclass(frozen=True, slots=True)
class Claim:
    """A number as printed, and what it claims to be; `lack` is what is wrong with its form."""

    line: int
    text: str
    run: str = ""
    machine: str = ""
    metric: str = ""
    what: str = ""
    lack: str = ""


@dataclass(frozen=True, slots=True)
class CheckedClaim:
    """A claim that was checked, with the number that was measured or why there is none."""

    claim: Claim
    state: ClaimState
    measured: str = "-"
    why: str = ""

    def row(self) -> tuple[str, ...]:
        """Return a row of text, under HEADINGS."""
        claim = self.claim
        whose = f"{claim.machine} {claim.metric} {claim.what}".strip()
        return str(claim.line), self.state, whose or "-", claim.text, self.measured


def mark(run: str, machine: str, metric: str, what: str) -> str:
    """Return the mark of a number."""
    return f"[run {run} {machine} {metric} {what}]"


def read_mail(path: Path) -> str:
    """Return the text of a mail or any other file, its transfer encoding undone."""
    try:
        raw = path.read_bytes()
    except OSError as err:
        raise BadInput(f"--check-claims: {err}") from err
    text = raw.decode(errors="replace").replace("\r\n", "\n")
    if not _ENCODED.search(text.partition("\n\n")[0]):
        return text
    body = message_from_bytes(raw, policy=policy.default).get_body(("plain",))
    return str(body.get_content()).replace("\r\n", "\n") if body else ""


def parse(text: str) -> list[Claim]:
    """Return the claims of a text in their order, malformed ones included."""
    text = text.replace("\N{MINUS SIGN}", "-")
    lines = [re.sub(r"^(?:> ?)+", "", line) for line in text.split("\n")]
    return sorted([*_tables(lines), *_marks("\n".join(lines))], key=lambda claim: claim.line)


def check(claims: Sequence[Claim], read: Read) -> list[CheckedClaim]:
    """Return each claim with what was measured; `read` gives a run by its name, or raises."""
    return [_check(claim, read) for claim in claims]


def reasons(findings: Sequence[CheckedClaim]) -> list[str]:
    """Return why claims cannot be checked or believed, where the table does not show it."""
    return [f"line {one.claim.line}: {one.state}: {one.why}" for one in findings if one.why]


def error(findings: Sequence[CheckedClaim], path: Path) -> PipelineError | None:
    """Return the worst reason why the claims cannot be believed, as an error, or None."""
    states = Counter(finding.state for finding in findings)
    if states["FAILS"]:
        return ClaimFails(f"{path}: {states['FAILS']} of {len(findings)} claims do not hold")
    if not findings:
        return BadInput(
            f"{path} claims nothing: mark a number as -6.6 % [run RUN exact exit_ns change], "
            "or paste what `invoke report --format mail` prints"
        )
    if bad := states["malformed"] + states["unknown"]:
        return BadInput(f"{path}: {bad} of {len(findings)} claims cannot be checked")
    return None


# --- reading ----------------------------------------------------------------------------------


def _tables(lines: Sequence[str]) -> Iterator[Claim]:
    begins = [at for at, line in enumerate(lines) if line.strip().startswith(MEASURED)]
    for at, after in pairwise([*begins, len(lines)]):
        end = next((one for one in range(at + 1, after) if not lines[one].strip()), after)
        place = lines[at].split()[1:]
        heading = tuple(re.split(r"\s{2,}", lines[at + 1].strip())) if at + 1 < end else ()
        if len(place) != 2 or heading != COLUMNS:
            lack = f"expected `{MEASURED} RUN MACHINE`, and then `{'  '.join(COLUMNS)}`"
            yield Claim(at + 1, lines[at].strip(), lack=lack)
            continue
        yield from _rows(lines, at + 2, end, place[0], place[1])


def _rows(lines: Sequence[str], at: int, end: int, run: str, machine: str) -> Iterator[Claim]:
    while at < end:
        # A row that is too wide goes on below its name.
        tried = (_ROW.fullmatch("\n".join(lines[at : min(at + n, end)])) for n in (1, 2, 3))
        taken, row = next(((n, row) for n, row in enumerate(tried, 1) if row), (1, None))
        if not row:
            yield Claim(at + 1, lines[at].strip(), lack="not a row of the table above it")
            at += 1
            continue
        for number, what in enumerate(("base", "patched", "change", "interval")):
            cell = " ".join(row[f"cell{number}"].split())
            if cell != "-":
                yield Claim(at + 1, cell, run, machine, row["metric"], what)
        at += taken


def _marks(text: str) -> Iterator[Claim]:
    line, read = 1, 0
    for found in _MARK.finditer(text):
        line, read = line + text.count("\n", read, found.start()), found.start()
        words = found["words"].split()
        before = _BEFORE.search(text[max(0, found.start() - 80) : found.start()])
        if not found["end"] or len(words) != 4 or words[3] not in _FORMS:
            lack = f"expected `[run RUN MACHINE METRIC {'|'.join(_FORMS)}]`"
            yield Claim(line, " ".join(found[0].split()), lack=lack)
        elif not before:
            yield Claim(line, " ".join(found[0].split()), lack="no number before the mark")
        else:
            number = " ".join(before["number"].split())
            run, machine, metric, what = words
            lack = "" if re.fullmatch(_FORMS[what], number) else f"{number} is no {what}"
            yield Claim(line, number, run, machine, metric, what, lack)


# --- checking ---------------------------------------------------------------------------------


def _check(claim: Claim, read: Read) -> CheckedClaim:
    if claim.lack or claim.run == "latest":
        return CheckedClaim(claim, "malformed", why=claim.lack or "latest is another run tomorrow")
    try:
        comparison, boots = read(claim.run)
        delta = _delta(claim, comparison)
    except PipelineError as err:
        return CheckedClaim(claim, "unknown", why=str(err).splitlines()[0])
    plan = comparison.plan
    arm = plan.base if claim.what == "base-never" else plan.test
    never = unfinished(boots, claim.machine, arm, claim.metric)
    measured = _measured(claim, delta, never)
    try:
        holds = _holds(claim, delta, never)
    except ValueError as err:
        return CheckedClaim(claim, "malformed", measured, str(err))
    if comparison.invalid:
        why = f"the run is invalid: {comparison.invalid[0]}"
        return CheckedClaim(claim, "FAILS", measured, why)
    return CheckedClaim(claim, "holds" if holds else "FAILS", measured)


def _delta(claim: Claim, comparison: Comparison) -> Delta:
    for delta in comparison.deltas:
        if (delta.machine, delta.metric.name) == (claim.machine, claim.metric):
            return delta
    raise BadInput(f"run {comparison.plan.run} did not measure {claim.metric} on {claim.machine}")


def _holds(claim: Claim, delta: Delta, never: tuple[int, int]) -> bool:
    """Return whether the claim is the measured number; ValueError if its unit is another."""
    unit = delta.metric.unit
    match claim.what:
        case "base":
            return _same(claim.text, delta.base, unit)
        case "patched":
            return _same(claim.text, delta.test, unit)
        case "change":
            return _same(claim.text, delta.change_pct, "%")
        case "interval":
            ends = re.fullmatch(_INTERVAL, claim.text)
            pairs = zip(ends.groups() if ends else (), (delta.low_pct, delta.high_pct), strict=True)
            return all(_same(f"{printed} %", measured, "%") for printed, measured in pairs)
        case _:
            counts = re.fullmatch(_TIMES, claim.text)
            return bool(counts) and tuple(map(int, counts.groups() if counts else ())) == never


def _same(text: str, measured: float | None, unit: str) -> bool:
    """Return whether the number, rounded as it was printed, is the measured one."""
    if "never" in text or measured in (None, NEVER):
        return "never" in text and measured == NEVER
    number = re.match(_NUMBER, text)
    printed = number[0].replace(",", "") if number else ""
    printed_unit = text[number.end() if number else 0 :].strip()
    scale = _SCALE_NS.get(printed_unit) if unit == "ns" else (printed_unit == unit) * 1.0
    if not scale:
        raise ValueError(f"{printed_unit} is not a unit of {unit}")
    half = 0.5 * 10.0 ** -len(printed.partition(".")[2])
    return abs((measured or 0) / scale - float(printed)) <= half * (1 + 1e-9)


def _measured(claim: Claim, delta: Delta, never: tuple[int, int]) -> str:
    match claim.what:
        case "base":
            return quantity(delta.base, delta.metric.unit)
        case "patched":
            return quantity(delta.test, delta.metric.unit)
        case "change":
            return per_cent(delta.change_pct)
        case "interval":
            return interval(delta)
        case _:
            return boots_of(never)
