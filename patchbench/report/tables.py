# SPDX-License-Identifier: GPL-2.0-only
"""Stage 8: a Comparison in; its table, report.md and comparison.json out. Pure."""

import json
import math
from collections import Counter, defaultdict
from dataclasses import asdict

from patchbench import texts
from patchbench.model import CodeMap, Comparison, Delta, FunctionProof, FunctionState, Json
from patchbench.report import nevers
from patchbench.report.numbers import floor, interval, per_cent, quantity, share
from patchbench.stats import CONFIDENCE

HEADINGS = (
    "machine",
    "metric",
    "base",
    "test",
    "change",
    f"{CONFIDENCE:.0%} interval",
    "A/A noise",
)
_WORDS = 2  # columns that hold no numbers
#: More of a series' functions are named only where they did not run.
_SHOWN_FUNCTIONS = 8


def as_json(comparison: Comparison) -> dict[str, Json]:
    """Return the comparison as `bench --json` prints it; NEVER is the word "never"."""
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
        "metrics": [_delta(comparison, delta) for delta in comparison.deltas],
        "engaged": dict(comparison.engaged),
        "proof": plain(asdict(comparison.proof)) if comparison.proof else None,
        "outcomes": [*comparison.outcomes],
        "failures": [*comparison.failures],
        "overloads": [*comparison.overloads],
        "disturbed": [*comparison.disturbed],
        "never": [*nevers.lines(comparison)],
        "books": [*comparison.books],
        "splats": [*comparison.splats],
        "invalid": [*comparison.invalid],
        "valid": not comparison.invalid,
        "nothing_to_measure": comparison.nothing_to_measure,
        "code": plain(asdict(comparison.code)) if comparison.code else None,
        "facts": plain({name: dict(facts) for name, facts in comparison.facts.items()}),
        "undone_pct": plain({name: [*both] for name, both in comparison.undone_pct.items()}),
    }


def dumps(comparison: Comparison) -> str:
    """Return the comparison as the text of `bench --json`."""
    return json.dumps(as_json(comparison), indent=1)


def rows(comparison: Comparison) -> list[tuple[str, ...]]:
    """Return the table's rows as text under HEADINGS, without those that are equal in both arms.

    A metric that is also reported per freed page has a second row for that.
    """
    return [
        (
            one.machine,
            name,
            quantity(one.base, one.metric.unit),
            quantity(one.test, one.metric.unit),
            per_cent(one.change_pct),
            interval(one),
            floor(one),
        )
        for delta in comparison.deltas
        if not delta.equal
        for name, one in _with_per_page(delta)
    ]


def lines(comparison: Comparison) -> list[str]:
    """Return the table in lines of text, under what a reader must know before any number."""
    cells = [HEADINGS, *rows(comparison)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    table = [
        "  ".join(
            cell.ljust(width) if number < _WORDS else cell.rjust(width)
            for number, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        for row in cells
    ]
    return [*headline(comparison), *table]


def equal(comparison: Comparison) -> list[str]:
    """Return a line per machine with the metrics that are equal in every pair of boots."""
    by_machine: dict[str, list[str]] = defaultdict(list)
    for delta in comparison.deltas:
        if delta.equal:
            value = quantity(delta.base, delta.metric.unit)
            by_machine[delta.machine].append(f"{delta.metric.name} {value}")
    return [
        f"{machine}, equal in both arms: {', '.join(names)}"
        for machine, names in by_machine.items()
    ]


def undone(comparison: Comparison) -> list[str]:
    """Return how much work was left undone, for each machine on which an arm did so."""
    plan = comparison.plan
    return [
        f"{machine}: {plan.test.series} left {share(test)} of the pages in swap, "
        f"{plan.base.series} {share(base)}; work not done is no gain, compare per freed page"
        for machine, (base, test) in comparison.undone_pct.items()
        if base or test
    ]


def at_work(comparison: Comparison) -> list[str]:
    """Return what shows that the series did its work: its counter, and what ran of its code."""
    plan, proof = comparison.plan, comparison.proof
    counter = plan.test.engaged_vmstat or plan.base.engaged_vmstat
    words = {
        None: f"{plan.test.series} names no counter of its own",
        True: f"{counter} moved in every boot",
        False: f"{counter} did NOT move in every boot",
    }
    lines = [f"{machine}: {words[was]}" for machine, was in comparison.engaged.items()]
    return [*lines, *([_ran(proof)] if proof else [])]


def _ran(proof: FunctionProof) -> str:
    place = f"functions that differ, {proof.machine} seed {proof.seed}"
    if proof.untold:
        return f"{place}: whether they ran is unknown: {proof.untold}"
    most = [f"{name} ({count:,} instructions)" for name, count in proof.ran.items()]
    shown = [*most[:_SHOWN_FUNCTIONS], *(["..."] if len(most) > _SHOWN_FUNCTIONS else [])]
    idle = f"; idle: {', '.join(proof.idle)}" if proof.idle else ""
    when = "since user space began" if proof.whole else "between the marks"
    some = f"{len(most) or 'NONE'} of {len(most) + len(proof.idle)} ran {when}"
    return f"{place}: {some}{': ' if shown else ''}{', '.join(shown)}{idle}"


def headline(comparison: Comparison) -> list[str]:
    """Return what a reader must know before any number."""
    nothing = comparison.nothing_to_measure
    return [
        *([f"NOTHING TO MEASURE: {nothing}"] if nothing else []),
        *(f"DISTURBED: {line}" for line in comparison.disturbed),
        *(f"INVALID: {reason}" for reason in comparison.invalid),
        *(f"DID NOT FINISH: {outcome}" for outcome in comparison.outcomes),
        *(f"LEFT UNDONE: {line}" for line in undone(comparison)),
        *(f"LOST BOOT: {failure}" for failure in comparison.failures),
        *(f"HOST OVERLOADED: {overload}" for overload in comparison.overloads),
    ]


def markdown(comparison: Comparison) -> str:
    """Return the whole report."""
    shown = dict.fromkeys(delta.metric.name for delta in comparison.deltas if not delta.equal)
    return texts.render(
        "report.md.j2",
        comparison=comparison,
        plan=comparison.plan,
        headline=headline(comparison),
        headings=HEADINGS,
        rows=rows(comparison),
        equal=equal(comparison),
        at_work=at_work(comparison),
        functions=functions,
        functions_in_short=functions_in_short,
        other_constants=other_constants,
        metrics=[note for note in map(comparison.metric_note, shown) if note.about],
        notes=[*notes(comparison), *nevers.lines(comparison), *comparison.books],
    )


def notes(comparison: Comparison) -> list[str]:
    """Return what keeps metrics from having numbers, a line each: where, and then why."""
    about: dict[tuple[str, str], list[str]] = {}
    for delta in comparison.deltas:
        if delta.note:
            about.setdefault((delta.machine, delta.note), []).append(delta.metric.name)
    return [f"{machine} {', '.join(names)}: {why}" for (machine, why), names in about.items()]


def _with_per_page(delta: Delta) -> list[tuple[str, Delta]]:
    """Return a row's name and numbers, and those per freed page if there are any."""
    name = delta.metric.name
    direction = " (higher is better)" if delta.metric.better == "higher" else ""
    per_page = [(f"{name} per freed page", delta.per_page)] if delta.per_page else []
    return [(f"{name}{direction}", delta), *per_page]


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
        return "Both kernels are the same except for name, build id and line numbers."
    if not code.functions:
        return "No function differs; only data or the layout does."
    count = Counter(one.state for one in code.functions)
    words: dict[FunctionState, str] = {
        "changed": "changed",
        "appeared": "new",
        "disappeared": "gone",
        "constants": "with other constants only",
    }
    counted = [f"{count[state]} {word}" for state, word in words.items() if count[state]]
    grown = sum(one.test_bytes - one.base_bytes for one in code.functions)
    return (
        f"{len(code.functions)} functions differ: {', '.join(counted)}; {grown:+d} bytes of code."
    )


def other_constants(code: CodeMap) -> dict[str, list[str]]:
    """Return the functions that differ in constants alone, by file."""
    found: dict[str, list[str]] = defaultdict(list)
    for one in code.functions:
        if one.state == "constants":
            found[one.file].append(one.name)
    return found


def _delta(comparison: Comparison, delta: Delta) -> dict[str, Json]:
    return {
        "machine": delta.machine,
        "name": delta.metric.name,
        "label": comparison.metric_note(delta.metric.name).label,
        "unit": delta.metric.unit,
        "better": delta.metric.better,
        **_numbers(delta),
        "floor_pct": delta.floor_pct,
        "per_page": _numbers(delta.per_page) if delta.per_page else None,
    }


def _numbers(delta: Delta) -> dict[str, Json]:
    return {
        "base": plain(delta.base),
        "test": plain(delta.test),
        "change_pct": plain(delta.change_pct),
        "low_pct": plain(delta.low_pct),
        "high_pct": plain(delta.high_pct),
        "pairs": delta.pairs,
        "note": delta.note,
    }


def plain(value: object) -> Json:
    """Return a value as JSON takes it, infinity as the word "never"."""
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
