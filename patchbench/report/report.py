# SPDX-License-Identifier: GPL-2.0-only
"""Stage 8: a Comparison in; JSON, Markdown and table rows out. Pure."""

import json
import math
from collections import Counter, defaultdict
from dataclasses import asdict
from pathlib import Path

from patchbench import records, texts
from patchbench.model import NEVER, CodeMap, Comparison, Delta, FunctionState, Json, Metric
from patchbench.stats import CONFIDENCE
from patchbench.store import write_whole

HEADINGS = (
    "machine",
    "metric",
    "base",
    "test",
    "change",
    f"{CONFIDENCE:.0%} interval",
    "A/A noise",
)


def as_json(comparison: Comparison) -> dict[str, Json]:
    """Return the comparison as `bench --json` prints it; `never` is the word "never"."""
    plan = comparison.plan
    seeds: dict[str, Json] = {name: [*those] for name, those in plan.seeds.items()}
    return {
        "schema": plan.schema,
        "run": plan.run,
        "command": plan.command,
        "kernel": plan.kernel,
        "kernel_version": plan.version,
        "kernel_provenance": plan.provenance,
        "flavour": plan.flavour,
        "base": plain(asdict(plan.base)),
        "test": plain(asdict(plan.test)),
        "guest": plan.guest,
        "workload": plain(asdict(plan.workload)),
        "machines": [plain(asdict(machine)) for machine in plan.machines],
        "seeds": seeds,
        "toolchain": dict(plan.toolchain),
        "host": dict(plan.host),
        "metrics": [_delta(delta) for delta in comparison.deltas],
        "engaged": dict(comparison.engaged),
        "outcomes": [*comparison.outcomes],
        "failures": [*comparison.failures],
        "overloads": [*comparison.overloads],
        "splats": [*comparison.splats],
        "invalid": [*comparison.invalid],
        "valid": not comparison.invalid,
        "nothing_to_measure": comparison.nothing_to_measure,
        "code": plain(asdict(comparison.code)) if comparison.code else None,
        "facts": plain({name: dict(facts) for name, facts in comparison.facts.items()}),
    }


def write(folder: Path, comparison: Comparison) -> None:
    """Leave comparison.json and report.md in a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    write_whole(folder / "comparison.json", dumps(comparison) + "\n")
    write_whole(folder / "report.md", markdown(comparison))


def dumps(comparison: Comparison) -> str:
    """Return the comparison as the text of `bench --json`."""
    return json.dumps(as_json(comparison), indent=1)


def rows(comparison: Comparison) -> list[tuple[str, ...]]:
    """Return the table's rows as text, one a metric and machine, under HEADINGS."""
    return [
        (
            delta.machine,
            _name(delta.metric),
            quantity(delta.base, delta.metric.unit),
            quantity(delta.test, delta.metric.unit),
            per_cent(delta.change_pct),
            interval(delta),
            floor(delta),
        )
        for delta in comparison.deltas
    ]


def headline(comparison: Comparison) -> list[str]:
    """Return what a reader must know before any number."""
    nothing = comparison.nothing_to_measure
    return [
        *([f"NOTHING TO MEASURE: {nothing}"] if nothing else []),
        *(f"INVALID: {reason}" for reason in comparison.invalid),
        *(f"NEVER ENDED: {outcome}" for outcome in comparison.outcomes),
        *(f"LOST BOOT: {failure}" for failure in comparison.failures),
        *(f"HOST OVERLOADED: {overload}" for overload in comparison.overloads),
    ]


def markdown(comparison: Comparison) -> str:
    """Return the whole report."""
    return texts.render(
        "report.md.j2",
        comparison=comparison,
        plan=comparison.plan,
        headline=headline(comparison),
        headings=HEADINGS,
        rows=rows(comparison),
        functions=functions,
        functions_in_short=functions_in_short,
        other_constants=other_constants,
        notes=[
            f"{delta.machine} {delta.metric.name}: {delta.note}"
            for delta in comparison.deltas
            if delta.note
        ],
    )


def _name(metric: Metric) -> str:
    return metric.name if metric.better == "lower" else f"{metric.name} (higher is better)"


def quantity(value: float, unit: str) -> str:
    """Return a number with its unit: nanoseconds as ms from 0.1 ms on, the rest plain."""
    if value == NEVER:
        return "never"
    if unit == "ns" and abs(value) >= 1e5:
        return f"{value / 1e6:.3f} ms"
    return f"{value:.0f} {unit}" if value == int(value) else f"{value:.2f} {unit}"


def number(value: float) -> str:
    """Return a sample as the guest told it."""
    return records.render(value)


def per_cent(value: float | None) -> str:
    """Return a change in per cent, or a word where there is no number."""
    if value is None:
        return "-"
    if value == NEVER:
        return "to never"
    return f"{value:+.2f} %"


def interval(delta: Delta) -> str:
    """Return the interval of a change, or a dash."""
    if delta.low_pct is None or delta.high_pct is None:
        return "-"
    return f"[{per_cent(delta.low_pct)}, {per_cent(delta.high_pct)}]".replace(" %", "")


def floor(delta: Delta) -> str:
    """Return the noise floor of a metric, or a dash where none was measured."""
    return "-" if delta.floor_pct is None else f"±{delta.floor_pct:.2f} %"


def functions(code: CodeMap) -> list[tuple[str, str, str, str]]:
    """Return the functions that differ in more than constants: file, name, what, bytes."""
    return [
        (one.file, one.name, one.state, f"{one.test_bytes - one.base_bytes:+d}")
        for one in code.functions
        if one.state != "constants"
    ]


def functions_in_short(code: CodeMap) -> str:
    """Return how many functions differ, and by how many bytes, as one sentence."""
    if code.equal:
        return "Both kernels are the same but for name, build id and line numbers."
    if not code.functions:
        return "No function differs; data, or the place of things, does."
    count = Counter(one.state for one in code.functions)
    words: dict[FunctionState, str] = {
        "changed": "changed",
        "appeared": "new",
        "disappeared": "gone",
        "constants": "with other constants only",
    }
    told = [f"{count[state]} {word}" for state, word in words.items() if count[state]]
    grown = sum(one.test_bytes - one.base_bytes for one in code.functions)
    return f"{len(code.functions)} functions differ: {', '.join(told)}; {grown:+d} bytes of code."


def other_constants(code: CodeMap) -> dict[str, list[str]]:
    """Return the functions that differ in constants alone, by file."""
    found: dict[str, list[str]] = defaultdict(list)
    for one in code.functions:
        if one.state == "constants":
            found[one.file].append(one.name)
    return found


def _delta(delta: Delta) -> dict[str, Json]:
    return {
        "machine": delta.machine,
        "name": delta.metric.name,
        "unit": delta.metric.unit,
        "better": delta.metric.better,
        "base": plain(delta.base),
        "test": plain(delta.test),
        "change_pct": plain(delta.change_pct),
        "low_pct": plain(delta.low_pct),
        "high_pct": plain(delta.high_pct),
        "pairs": delta.pairs,
        "note": delta.note,
        "floor_pct": delta.floor_pct,
    }


def plain(value: object) -> Json:
    """Return a value as JSON has it; what is infinite is the word "never"."""
    match value:
        case dict():
            return {str(name): plain(item) for name, item in value.items()}
        case list() | tuple():
            return [plain(item) for item in value]
        case float() if math.isinf(value):
            return "never"
        case None | bool() | int() | float() | str():
            return value
        case _:
            return str(value)
