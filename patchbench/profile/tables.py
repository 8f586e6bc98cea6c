# SPDX-License-Identifier: GPL-2.0-only
"""Profiles of arms in; tables, for the terminal and as Markdown, out.

Instruction counts and calls are exact; shares of stacks are samples. Every table says which it is.
The first arm is the base: every other one has a column of its change.
"""

import json
import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence

from markupsafe import Markup

from patchbench import texts
from patchbench.profile import flame, listing, waiting
from patchbench.profile.counts import Profile
from patchbench.profile.listing import Listing
from patchbench.profile.sorting import (
    FREED_PAGE,
    NO_FILE,
    OTHER,
    Profiles,
    ProfileTable,
    nanoseconds,
    weigh,
    worst_error_points,
)

#: Smaller rows are left out of a table or joined, never left out of the sums.
_LEAST_SHARE = 0.01
_BAR = 20
_OTHER_FILES = "other files"


def tables(profiles: Profiles, shown: Listing | None = None) -> tuple[ProfileTable, ...]:
    """Return all tables, the most asked for first; shown: which functions are listed."""
    return (
        _callees(profiles),
        _groups(profiles),
        _contexts(profiles),
        _units(profiles),
        waiting.by_waiter(profiles),
        waiting.by_cpu(profiles),
        _functions(profiles, shown or Listing()),
    )


def notes(profiles: Profiles) -> list[str]:
    """Return what a reader must know of the numbers, and what is missing, a line each."""
    lines = []
    for arm, sampled in zip(profiles.arms, profiles.sampled, strict=True):
        samples = sum(arm.stacks.values())
        error = 196 * math.sqrt(0.25 / max(1, samples))
        traced, plain = profiles.overheads[arm.series]
        counted = (
            f"{sampled.instructions:,} instructions between the marks (exact); {samples:,} "
            f"stacks, one in about {profiles.every_instructions:,} instructions: a sampled share "
            f"is within {error:.1f} points (95 %); checked against the exact counts, the worst is "
            f"{worst_error_points(arm):.1f} off"
        )
        about = [counted]
        about += undone(arm)
        about.append(
            f"results and console are the plain boot's to the byte; the profiled boot took "
            f"{traced:.1f} s, the plain one beside it {plain:.1f} s: {traced / plain:.2f} times as "
            "long (other load on the host changes this)"
        )
        about.append(f"KASLR moved the kernel by {arm.moved_bytes:#x}, checked against vmlinux")
        if missing := profiles.missing(arm):
            about.append(
                f"not in this kernel, or inlined: {', '.join(missing)}; inlined code counts where "
                "it was inlined"
            )
        lines += [f"{arm.series}: {line}" for line in about]
    return lines


def undone(arm: Profile) -> list[str]:
    """Return that an arm left pages unfreed, if it did: what looks saved was not done."""
    if not arm.unfreed_pages:
        return []
    pages = f"{arm.unfreed_pages:,} of {arm.pages or 0:,} pages were never freed"
    return [f"{pages}: part of what looks saved was not done, and the wait is counted in"]


def markdown(profiles: Profiles, shown: Listing | None = None) -> str:
    """Return the whole report."""
    return texts.render(
        "profile.md.j2",
        title=profiles.title,
        command=profiles.command,
        notes=notes(profiles),
        tables=tables(profiles, shown),
    )


def html(profiles: Profiles, graphs: Mapping[str, str], shown: Listing | None = None) -> str:
    """Return the report as a page that loads and runs nothing; graphs: SVG by file name."""
    return texts.render(
        "profile.html.j2",
        profiles=profiles,
        style=Markup((texts.FOLDER / "report.css").read_text()),  # noqa: S704  # our own
        notes=notes(profiles),
        tables=tables(profiles, shown),
        graphs={name: texts.as_image(svg) for name, svg in graphs.items()},
    )


def across(machines: Sequence[Profiles], command: str) -> tuple[ProfileTable, str]:
    """Return what several machines say of waiting for locks: the table, and it as Markdown."""
    table = waiting.across(machines)
    title = ", ".join(f"{profiles.machine}/" for profiles in machines)
    text = texts.render(
        "profile.md.j2", title=f"Profiles: {title}", command=command, notes=[], tables=[table]
    )
    return table, text


def files(profiles: Profiles, shown: Listing | None = None) -> dict[str, str]:
    """Return every file of the report by its name."""
    note = (
        f"sampled: one stack in about {profiles.every_instructions} instructions; "
        "widths are instructions between the workload's marks"
    )
    base, *others = profiles.sampled
    made = {
        "profile.md": markdown(profiles, shown),
        "functions.csv": listing.as_csv(profiles),
        "waits.csv": listing.waits_as_csv(profiles),
        "profile.speedscope.json": json.dumps(flame.speedscope(profiles.title, profiles.sampled))
        + "\n",
    }
    for arm in profiles.sampled:
        made[f"{arm.name}.folded"] = flame.folded(arm.stacks)
        made[f"{arm.name}.svg"] = flame.svg(f"{arm.name}: {profiles.title}", note, [arm])
    for arm in others:
        name = "difference" if len(others) == 1 else f"difference-{arm.name}"
        made[f"{name}.svg"] = flame.svg(f"{name}: {profiles.title}", note, [base, arm])
    graphs = {name: text for name, text in made.items() if name.endswith(".svg")}
    return {"profile.html": html(profiles, graphs, shown), **made}


def _callees(profiles: Profiles) -> ProfileTable:
    """Return the function that the map puts on top, and all that it calls."""
    top = profiles.map.top
    inclusive = [
        nanoseconds(profiles, arm, lambda stack: stack[stack.index(top) :] if top in stack else ())
        for arm in profiles.arms
    ]
    wholes = [max(1.0, below.get(top, 0.0)) for below in inclusive]
    found = {top} | {
        name
        for below, whole in zip(inclusive, wholes, strict=True)
        for name, value in below.items()
        if value >= _LEAST_SHARE * whole
    }

    def order(name: str) -> tuple[float, str]:
        return (-max(below.get(name, 0.0) for below in inclusive), name)

    rows = []
    for name in sorted(found, key=order):
        row = [name]
        for arm, below, whole in zip(profiles.arms, inclusive, wholes, strict=True):
            share = below.get(name, 0.0) / whole
            if name in arm.functions:
                bar = f"{'█' * round(share * _BAR):<{_BAR}}"
                row += [_ms(below.get(name, 0.0)), f"{share:.1%}", bar]
            else:
                row += ["missing", "", ""]
        rows.append((*row, *_ms_changes([below.get(name, 0.0) for below in inclusive])))
    return ProfileTable(
        f"{top} and what it calls, inclusive: instructions, in time (sampled; "
        f"{_speeds(profiles)} an instruction, not a device's)",
        (f"{top} and below", *profiles.headings("ms", "share", "")),
        tuple(rows),
    )


def _groups(profiles: Profiles) -> ProfileTable:
    own = [_by(profiles.group, arm.instructions) for arm in profiles.arms]
    totals = [max(1, sampled.instructions) for sampled in profiles.sampled]
    small = {
        name
        for counts in own
        for name in counts
        if name not in (*profiles.groups, NO_FILE)
        and all(
            those[name] < _LEAST_SHARE * total for those, total in zip(own, totals, strict=True)
        )
    }

    def shown(function: str) -> str:
        name = profiles.group(function)
        return _OTHER_FILES if name in small else name

    own = [_by(shown, arm.instructions) for arm in profiles.arms]
    below = [
        weigh(sampled, lambda stack: {shown(name) for name in stack})
        for sampled in profiles.sampled
    ]
    ran = {name for counts in own for name, count in counts.items() if count}
    last = (_OTHER_FILES, NO_FILE)
    listed = [name for name in profiles.groups if name in ran]
    listed += sorted(ran - {*listed, *last}) + [name for name in last if name in ran]
    rows = []
    for name in listed:
        row = [name]
        for arm, counts, inclusive, total in zip(profiles.arms, own, below, totals, strict=True):
            row += [f"{counts[name]:,}", _a_page(counts[name], arm.freed_pages)]
            row += [f"{counts[name] / total:.1%}", f"{inclusive.get(name, 0.0) / total:.1%}"]
        rows.append((*row, *_changes([counts[name] for counts in own])))
    row = ["all"]
    for arm, total in zip(profiles.arms, totals, strict=True):
        row += [f"{total:,}", _a_page(total, arm.freed_pages), "100.0%", "100.0%"]
    rows.append((*row, *_changes(totals)))
    return ProfileTable(
        "Groups by source file (own instructions: exact; with what they call: sampled)",
        ("group", *profiles.headings("own", "a freed page", "share", "with callees")),
        tuple(rows),
    )


def _contexts(profiles: Profiles) -> ProfileTable:
    weights = [
        weigh(sampled, lambda stack: (profiles.context(stack),)) for sampled in profiles.sampled
    ]
    times = [
        nanoseconds(profiles, arm, lambda stack: (profiles.context(stack),))
        for arm in profiles.arms
    ]
    rows = []
    for name in (*(context.name for context in profiles.map.context), OTHER):
        row = [name]
        each = zip(profiles.arms, weights, times, profiles.sampled, strict=True)
        for arm, weight, ns, sampled in each:
            value = weight.get(name, 0.0)
            row += [_ms(ns.get(name, 0.0)), _a_page(value, arm.freed_pages)]
            row += [f"{value / max(1, sampled.instructions):.1%}"]
        rows.append((*row, *_ms_changes([ns.get(name, 0.0) for ns in times])))
    return ProfileTable(
        "On whose behalf: all that ran between the workload's marks (sampled)",
        ("on behalf of", *profiles.headings("ms", "instr. a freed page", "share")),
        tuple(rows),
    )


def _units(profiles: Profiles) -> ProfileTable:
    done = [profiles.units(arm) for arm in profiles.arms]
    rows = []
    for name in (FREED_PAGE, *(unit.name for unit in profiles.map.unit)):
        row, a_unit = [name], []
        for units, sampled in zip(done, profiles.sampled, strict=True):
            ratio = sampled.instructions / units[name] if name in units else None
            row += [f"{units[name]:,}", f"{ratio:.1f}"] if ratio else ["-", "-"]
            a_unit.append(ratio)
        base, *others = a_unit
        row += [f"{one - base:+.1f}" if one and base else "-" for one in others]
        rows.append(tuple(row))
    return ProfileTable(
        "Instructions a unit of work (exact)",
        ("unit", *profiles.headings("done", "instr. each")),
        tuple(rows),
    )


def _functions(profiles: Profiles, shown: Listing) -> ProfileTable:
    totals = [max(1, sampled.instructions) for sampled in profiles.sampled]
    rows = []
    for name in listing.names(profiles, shown):
        row = [name, profiles.files.get(name, ""), profiles.group(name)]
        counts = [arm.instructions.get(name, 0) for arm in profiles.arms]
        for arm, count, total in zip(profiles.arms, counts, totals, strict=True):
            if name in arm.functions or name.startswith("["):
                calls = arm.calls.get(name)
                row += [f"{count:,}", f"{count / total:.1%}"]
                row += [f"{calls:,}", f"{count / calls:.1f}"] if calls else ["-", "-"]
            else:
                row += ["missing", "", "", ""]
        rows.append((*row, *_changes(counts)))
    return ProfileTable(
        f"{shown.title} (own instructions and calls: exact; all of them: functions.csv)",
        ("function", "file", "group", *profiles.headings("own", "share", "calls", "a call")),
        tuple(rows),
        words=3,
    )


def _by(key: Callable[[str], str], counts: Mapping[str, int]) -> Counter[str]:
    summed: Counter[str] = Counter()
    for name, count in counts.items():
        summed[key(name)] += count
    return summed


def _a_page(instructions: float, pages: int | None) -> str:
    return f"{instructions / pages:.1f}" if pages else "-"


def _ms(ns: float) -> str:
    return f"{ns / 1e6:.2f}"


def _ms_changes(values_ns: Sequence[float]) -> list[str]:
    return [f"{(one - values_ns[0]) / 1e6:+.2f} ms" for one in values_ns[1:]]


def _speeds(profiles: Profiles) -> str:
    speeds = dict.fromkeys(profiles.ns_per_instruction)
    return f"{', '.join(f'{ns:g}' for ns in speeds)} ns"


def _changes(values: Sequence[int]) -> list[str]:
    return [f"{one - values[0]:+,}" for one in values[1:]]
