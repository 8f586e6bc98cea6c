# SPDX-License-Identifier: GPL-2.0-only
"""Profiles of one or two arms in; tables, for the terminal and as Markdown, out. Pure.

Instruction counts are exact; shares of stacks are samples. Every column says which it is.
"""

import json
import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from patchbench import texts
from patchbench.profile import flame
from patchbench.profile.sorting import NO_GROUP, OTHER, Profiles, weigh, worst_error_points

#: Smaller functions are left out of the tables, never out of the sums.
_LEAST = 0.01
_BAR = 20
_UNGROUPED = 8


@dataclass(frozen=True, slots=True)
class Table:
    """A table; the first `words` columns hold no numbers."""

    title: str
    headings: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    words: int = 1


def tables(profiled: Profiles) -> tuple[Table, ...]:
    """Return all tables, the most asked for first."""
    return (_calls(profiled), _groups(profiled), _contexts(profiled), _functions(profiled))


def notes(profiled: Profiles) -> list[str]:
    """Return what a reader must know of the numbers, and what is missing, a line each."""
    told = []
    for arm, sampled in zip(profiled.arms, profiled.sampled, strict=True):
        total, samples = sampled.instructions, sum(arm.stacks.values())
        error = 196 * math.sqrt(0.25 / max(1, samples))
        pages = f", {total / arm.pages:.1f} a swapped page" if arm.pages else ""
        traced, plain = profiled.overheads[arm.series]
        told.append(
            f"{arm.series}: {total:,} instructions between the marks (exact){pages}; {samples:,} "
            f"stacks, one in about {profiled.every_instructions:,} instructions: a sampled share "
            f"is good to {error:.1f} points (95 %); where the exact counts can tell, the worst is "
            f"{worst_error_points(arm):.1f} off"
        )
        if arm.unfreed_pages:
            told.append(
                f"{arm.series}: {arm.unfreed_pages:,} of {arm.pages or 0:,} pages were never "
                "freed: what looks saved is in part not done, and the wait for them is counted in"
            )
        told.append(
            f"{arm.series}: results and console are the plain boot's to the byte; the profiled "
            f"boot took {traced:.1f} s, the plain one beside it {plain:.1f} s: "
            f"{traced / plain:.2f} times as long (which a host that does more makes no measure)"
        )
        told.append(
            f"{arm.series}: the kernel was moved by {arm.moved_bytes:#x}, checked against vmlinux"
        )
        if missing := profiled.missing(arm):
            told.append(
                f"{arm.series}: not in this kernel, or inlined: {', '.join(missing)}; "
                "what was inlined is counted where it was inlined to"
            )
        largest = [f"{name} {count:,}" for name, count in profiled.ungrouped(arm)[:_UNGROUPED]]
        told.append(f"{arm.series}: largest in no group: {', '.join(largest) or 'none'}")
    return told


def markdown(profiled: Profiles) -> str:
    """Return the whole report."""
    return texts.render(
        "profile.md.j2", profiled=profiled, notes=notes(profiled), tables=tables(profiled)
    )


def files(profiled: Profiles) -> dict[str, str]:
    """Return every file of the report by its name."""
    note = (
        f"sampled: one stack in about {profiled.every_instructions} instructions; "
        "widths are instructions between the workload's marks"
    )
    made = {"profile.md": markdown(profiled)}
    for arm in profiled.sampled:
        made[f"{arm.name}.folded"] = flame.folded(arm.stacks)
        made[f"{arm.name}.svg"] = flame.svg(f"{arm.name}: {profiled.title}", note, [arm])
    if len(profiled.sampled) > 1:
        made["difference.svg"] = flame.svg(f"difference: {profiled.title}", note, profiled.sampled)
    speedscope = flame.speedscope(profiled.title, profiled.sampled)
    made["profile.speedscope.json"] = json.dumps(speedscope) + "\n"
    return made


def _calls(profiled: Profiles) -> Table:
    """Return do_exit and all below it, as the cover letter of v0 has it."""
    top = profiled.map.table[0]
    inclusive = [
        weigh(sampled, lambda stack: stack[stack.index(top) :] if top in stack else ())
        for sampled in profiled.sampled
    ]
    whole = [max(1.0, below.get(top, 0.0)) for below in inclusive]
    found = {
        name
        for below, all_of_it in zip(inclusive, whole, strict=True)
        for name, value in below.items()
        if value >= _LEAST * all_of_it
    }
    wanted = [name for name in profiled.map.table if name not in found]

    def order(name: str) -> tuple[float, str]:
        return (-max(below.get(name, 0.0) for below in inclusive), name)

    rows = []
    for name in [*sorted(found, key=order), *wanted]:
        row = [name]
        for arm, below, all_of_it in zip(profiled.arms, inclusive, whole, strict=True):
            value = below.get(name, 0.0)
            share = value / all_of_it
            if name in arm.functions:
                row += [
                    _ms(value, profiled),
                    f"{share:.1%}",
                    f"{'█' * round(share * _BAR):<{_BAR}}",
                ]
            else:
                row += ["missing", "", ""]
        known = any(name in arm.functions for arm in profiled.arms)
        row += [
            _ms_change(profiled, [below.get(name, 0.0) for below in inclusive]) if known else ""
        ]
        rows.append(tuple(row if len(profiled.arms) > 1 else row[:-1]))
    headings = [f"{top} and below"]
    for arm in profiled.arms:
        headings += [f"{arm.series} ms", f"{arm.series} share", ""]
    return Table(
        f"{top} and what it calls, inclusive (sampled; {profiled.ns_per_instruction:g} ns an "
        "instruction, not a device's)",
        (*headings, *_change_heading(profiled)),
        tuple(rows),
    )


def _groups(profiled: Profiles) -> Table:
    own = [_by(profiled.group, arm.instructions) for arm in profiled.arms]
    below = [
        weigh(sampled, lambda stack: {profiled.group(name) for name in stack})
        for sampled in profiled.sampled
    ]
    names = [*(name for name, _ in profiled.patterns), NO_GROUP]
    rows = []
    for name in names:
        row = [name]
        for arm, counts, inclusive, sampled in zip(
            profiled.arms, own, below, profiled.sampled, strict=True
        ):
            row += [
                f"{counts[name]:,}",
                f"{counts[name] / arm.pages:.1f}" if arm.pages else "-",
                f"{counts[name] / max(1, sampled.instructions):.1%}",
                f"{inclusive.get(name, 0.0) / max(1, sampled.instructions):.1%}",
            ]
        row += _change(profiled, [counts[name] for counts in own])
        if any(counts[name] for counts in own):
            rows.append(tuple(row))
    totals = [sampled.instructions for sampled in profiled.sampled]
    row = ["all"]
    for arm, total in zip(profiled.arms, totals, strict=True):
        row += [f"{total:,}", f"{total / arm.pages:.1f}" if arm.pages else "-", "100.0%", "100.0%"]
    rows.append((*row, *_change(profiled, totals)))
    headings = ["group"]
    for arm in profiled.arms:
        told = ("own", "a page", "share", "with callees")
        headings += [f"{arm.series} {one}" for one in told]
    return Table(
        "Groups (own instructions: exact; with what they call: sampled)",
        (*headings, *_change_heading(profiled)),
        tuple(rows),
    )


def _contexts(profiled: Profiles) -> Table:
    weights = [
        weigh(sampled, lambda stack: (profiled.context(stack),)) for sampled in profiled.sampled
    ]
    names = [*(context.name for context in profiled.map.context), OTHER]
    rows = []
    for name in names:
        row = [name]
        for arm, weight, sampled in zip(profiled.arms, weights, profiled.sampled, strict=True):
            value = weight.get(name, 0.0)
            row += [
                _ms(value, profiled),
                f"{value / arm.pages:.1f}" if arm.pages else "-",
                f"{value / max(1, sampled.instructions):.1%}",
            ]
        row += [_ms_change(profiled, [weight.get(name, 0.0) for weight in weights])]
        rows.append(tuple(row if len(profiled.arms) > 1 else row[:-1]))
    headings = ["on behalf of"]
    for arm in profiled.arms:
        headings += [f"{arm.series} {one}" for one in ("ms", "instr. a page", "share")]
    return Table(
        "On whose behalf: all that ran between the workload's marks (sampled)",
        (*headings, *_change_heading(profiled)),
        tuple(rows),
    )


def _functions(profiled: Profiles) -> Table:
    totals = [max(1, sampled.instructions) for sampled in profiled.sampled]
    names = {
        name
        for arm, total in zip(profiled.arms, totals, strict=True)
        for name, count in arm.instructions.items()
        if count >= _LEAST * total
    }
    counts = {name: [arm.instructions.get(name, 0) for arm in profiled.arms] for name in names}
    rows = []
    for name in sorted(names, key=lambda name: (-max(counts[name]), name)):
        row = [name, profiled.group(name)]
        for arm, count, total in zip(profiled.arms, counts[name], totals, strict=True):
            present = name in arm.functions or name.startswith("[")
            row += [f"{count:,}", f"{count / total:.1%}"] if present else ["missing", ""]
        rows.append((*row, *_change(profiled, counts[name])))
    headings = ["function", "group"]
    for arm in profiled.arms:
        headings += [f"{arm.series} own", f"{arm.series} share"]
    return Table(
        "Functions of one per cent and more (own instructions: exact)",
        (*headings, *_change_heading(profiled)),
        tuple(rows),
        words=2,
    )


def _by(key: Callable[[str], str], counts: Mapping[str, int]) -> Counter[str]:
    summed: Counter[str] = Counter()
    for name, count in counts.items():
        summed[key(name)] += count
    return summed


def _ms(instructions: float, profiled: Profiles) -> str:
    return f"{instructions * profiled.ns_per_instruction / 1e6:.2f}"


def _ms_change(profiled: Profiles, values: Sequence[float]) -> str:
    change = (values[-1] - values[0]) * profiled.ns_per_instruction / 1e6
    return f"{change:+.2f} ms"


def _change(profiled: Profiles, values: Sequence[int]) -> tuple[str, ...]:
    return (f"{values[1] - values[0]:+,}",) if len(profiled.arms) > 1 else ()


def _change_heading(profiled: Profiles) -> tuple[str, ...]:
    return ("change",) if len(profiled.arms) > 1 else ()
