# SPDX-License-Identifier: GPL-2.0-only
"""The guest protocol: text lines in, a Record out. Pure.

    patchbench 1
    meta KEY VALUE
    metric NAME UNIT lower|higher
    sample NAME NUMBER|never [LABEL]
    end ok

Only a log that ends in `end ok` is complete; a log that stops earlier is a lost guest, and a
log with any other line is a bad record. Neither is a short result.
"""

import math
import re

from patchbench.errors import BadRecord
from patchbench.model import NEVER, Metric, Record, Sample

PROTOCOL = "patchbench 1"
END = "end ok"
_NUMBER = re.compile(r"[0-9]+(\.[0-9]+)?")


def parse(text: str) -> Record:
    """Return what a results log says so far.

    Raises BadRecord for a line that is not of the protocol, a sample without its metric, a
    metric declared twice, or anything after `end ok`. A last line without its newline is
    cut off: it is told as `last_line`, and not read.
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
        last_line=cut or (lines[-1] if lines else ""),
    )


def missing(record: Record) -> tuple[str, ...]:
    """Return the metrics that were declared and never sampled."""
    sampled = {sample.metric for sample in record.samples}
    return tuple(metric.name for metric in record.metrics if metric.name not in sampled)


def values(record: Record, metric: str) -> list[float]:
    """Return the samples of one metric, in the order in which they were told."""
    return [sample.value for sample in record.samples if sample.metric == metric]


def render(number: float) -> str:
    """Return a number as the protocol writes it."""
    if number == NEVER:
        return "never"
    return str(int(number)) if number == int(number) else repr(number)


def _read(
    line: str, metrics: dict[str, Metric], samples: list[Sample], meta: dict[str, str]
) -> None:
    match line.split(" "):
        case ["meta", key, *rest] if key and rest:
            meta[key] = " ".join(rest)
        case ["metric", name, unit, ("lower" | "higher") as better]:
            if name in metrics:
                raise ValueError("a metric declared twice")
            metrics[name] = Metric(name, unit, better)
        case ["sample", name, number, *label] if len(label) <= 1:
            if name not in metrics:
                raise ValueError("a sample of an undeclared metric")
            samples.append(Sample(name, _number(number), "".join(label)))
        case ["end", "ok"]:
            pass
        case _:
            raise ValueError("not a line of the protocol")


def _number(text: str) -> float:
    if text == "never":
        return NEVER
    if not _NUMBER.fullmatch(text) or not math.isfinite(float(text)):
        raise ValueError("not a number")
    return float(text)
