# SPDX-License-Identifier: GPL-2.0-only
"""The guest protocol: text lines in, a Record out. Pure.

    patchbench 1
    meta KEY VALUE
    metric NAME UNIT lower|higher
    sample NAME NUMBER|never [LABEL]
    end ok

Only a log that ends in `end ok` is complete; a log that stops earlier is a lost guest, and a
log with any other line is a bad record. Neither is a short result.

The kernel under test writes these lines, so each word has a fixed alphabet and a greatest length.
What is parsed here may be printed anywhere: a terminal, a mail, a table, a file name.
"""

import re
from collections.abc import Sized

from patchbench.errors import BadRecord
from patchbench.model import NEVER, Metric, Record, Sample

PROTOCOL = "patchbench 1"
END = "end ok"
_NAME = re.compile(r"[a-z][a-z0-9_]{0,63}")
_KEY = re.compile(r"[A-Za-z][A-Za-z0-9_.-]{0,127}")
_VALUE = re.compile(r"[ -~]{0,256}")
_LABEL = re.compile(r"[A-Za-z0-9_.:-]{0,64}")
_NUMBER = re.compile(r"[0-9]{1,20}(\.[0-9]{1,20})?")
_UNPRINTABLE = re.compile(r"[^ -~]")
#: Some ten times what the largest workload has: each metric is compared, each sample listed.
_MOST_METRICS = 200
_MOST_META = 1000
_MOST_SAMPLES = 20_000
_SHOWN = 200  # characters of a log's last line


def parse(text: str) -> Record:
    """Return what a results log says so far.

    Raises BadRecord for a line that is not of the protocol, a sample without its metric, a
    metric declared twice, too many of anything, or anything after `end ok`. A last line without
    its newline is cut off: it is kept as `last_line`, printable and shortened, but not parsed.
    """
    whole, _, cut = text.rpartition("\n")
    lines = whole.split("\n") if whole else []
    if lines and lines[0] != PROTOCOL:
        raise BadRecord(f"results log, line 1: expected {PROTOCOL!r}, found {lines[0][:80]!r}")

    metrics: dict[str, Metric] = {}
    samples: list[Sample] = []
    meta: dict[str, str] = {}
    for number, line in enumerate(lines[1:], start=2):
        try:
            if lines[number - 2] == END:
                raise ValueError(f"a line after {END!r}")
            _read(line, metrics, samples, meta)
        except ValueError as err:
            raise BadRecord(f"results log, line {number}: {err}: {line[:80]!r}") from err
    return Record(
        complete=bool(lines) and lines[-1] == END and not cut,
        metrics=tuple(metrics.values()),
        samples=tuple(samples),
        meta=meta,
        last_line=_UNPRINTABLE.sub("?", (cut or (lines[-1] if lines else ""))[:_SHOWN]),
    )


def missing(record: Record) -> tuple[str, ...]:
    """Return the metrics that were declared and never sampled."""
    sampled = {sample.metric for sample in record.samples}
    return tuple(metric.name for metric in record.metrics if metric.name not in sampled)


def render(number: float) -> str:
    """Return a number as the protocol writes it."""
    if number == NEVER:
        return "never"
    return str(int(number)) if number == int(number) else repr(number)


def _read(
    line: str, metrics: dict[str, Metric], samples: list[Sample], meta: dict[str, str]
) -> None:
    match line.split(" "):
        case ["meta", key, *rest] if rest:
            _room_for(meta, _MOST_META)
            meta[_word(_KEY, key)] = _word(_VALUE, " ".join(rest))
        case ["metric", name, unit, ("lower" | "higher") as better]:
            if name in metrics:
                raise ValueError("a metric declared twice")
            _room_for(metrics, _MOST_METRICS)
            metrics[_word(_NAME, name)] = Metric(name, _word(_NAME, unit), better)
        case ["sample", name, number, *label] if len(label) <= 1:
            if name not in metrics:
                raise ValueError("a sample of an undeclared metric")
            _room_for(samples, _MOST_SAMPLES)
            samples.append(Sample(name, _number(number), _word(_LABEL, "".join(label))))
        case ["end", "ok"]:
            pass
        case _:
            raise ValueError("not a line of the protocol")


def _room_for(held: Sized, most: int) -> None:
    if len(held) >= most:
        raise ValueError(f"more than {most} of these")


def _word(alphabet: re.Pattern[str], text: str) -> str:
    if not alphabet.fullmatch(text):
        raise ValueError("a word that is too long, or has characters that are not allowed")
    return text


def _number(text: str) -> float:
    if text == "never":
        return NEVER
    if not _NUMBER.fullmatch(text):
        raise ValueError("not a number, or of more than 20 digits")
    return float(text)
