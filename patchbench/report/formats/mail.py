# SPDX-License-Identifier: GPL-2.0-only
"""Plain text for a cover letter or below a patch's `---`, its numbers marked for --check-claims.

At most 72 columns, but for a single word that is longer. No line can be taken for the start
of a diff, a mail or a commit message's end, so `git am` reads the patch as if it were not there.
What a mark looks like is told in claims.py, which reads them back.
"""

import re
import shlex
import textwrap
from collections.abc import Iterable, Iterator, Sequence

from patchbench import texts
from patchbench.model import Boot, Comparison, Delta, Machine, Plan
from patchbench.report import report, samples
from patchbench.report.claims import COLUMNS, MEASURED, mark

WIDTH = 72
#: What git mailsplit, mailinfo or apply would take a line for that begins so.
_HAZARD = re.compile(r"diff |Index: |---|\+\+\+|@@|>?From\b|-- ?$|[-\s>8<]*(>8|8<)")


def render(told: Comparison, boots: Sequence[Boot]) -> str:
    """Return what never ended, a table a machine, conditions, the command, the limits."""
    plan = told.plan
    arms = f"{plan.test.series} against {plan.base.series}"
    title = f"{arms} on {plan.kernel} {plan.version}, by patchbench"
    blocks = [
        [title],
        *([f"INVALID: {reason}"] for reason in told.invalid),
        *([f"LOST BOOT: {failure.splitlines()[0]}"] for failure in told.failures),
        *([f"HOST OVERLOADED: {overload}"] for overload in told.overloads),
        *_never(told, boots),
        *(_table(plan, machine, told.deltas) for machine in plan.machines),
        _reading(told),
        _conditions(plan),
    ]
    text = "\n\n".join("\n".join(_wrapped(block)) for block in blocks if block)
    command = "\n".join(_command(plan.command))
    return "\n".join(map(_harmless, f"{text}\n\nRepeat:\n{command}".split("\n"))) + "\n"


def _never(told: Comparison, boots: Sequence[Boot]) -> Iterator[list[str]]:
    plan = told.plan
    for delta in told.deltas:
        for column, arm in (("base", plan.base), ("patched", plan.test)):
            good = samples.good(boots, delta.machine, arm)
            if never := samples.stuck(good, delta.metric.name):
                whose = f"{delta.machine} {delta.metric.name}"
                yield [
                    f"NEVER ENDED: {whose} with {arm.series} in {never} of {len(good)} boots",
                    "  " + mark(plan.run, delta.machine, delta.metric.name, f"{column}-never"),
                ]


def _table(plan: Plan, machine: Machine, deltas: Iterable[Delta]) -> list[str]:
    """Return a table that is its own mark: claims.py reads these very lines."""
    cells = [
        (
            delta.metric.name,
            report.quantity(delta.base, delta.metric.unit),
            report.quantity(delta.test, delta.metric.unit),
            report.per_cent(delta.change_pct),
            report.interval(delta),
        )
        for delta in deltas
        if delta.machine == machine.name
    ]
    if not cells:
        return []
    rows = [COLUMNS, *cells]
    widths = [max(len(row[column]) for row in rows) for column in range(len(COLUMNS))]
    narrow = sum(widths) + 2 * len(widths) - 2 <= WIDTH
    table = [_aligned(row, widths) for row in rows] if narrow else [*_folded(rows)]
    return [_measured(plan.run, machine.name), *table]


def _aligned(row: Sequence[str], widths: Sequence[int]) -> str:
    name, *numbers = row
    columns = [text.rjust(width) for text, width in zip(numbers, widths[1:], strict=True)]
    return "  ".join([name.ljust(widths[0]), *columns])


def _folded(rows: Sequence[Sequence[str]]) -> Iterator[str]:
    """Give the rows of a table that is too wide, the numbers of each below its name."""
    heading, *others = rows
    yield "  ".join(heading)
    wrapper = textwrap.TextWrapper(
        WIDTH, initial_indent="  ", subsequent_indent="  ", break_on_hyphens=False
    )
    for name, *numbers in others:
        yield from (name, *wrapper.wrap("  ".join(numbers)))


def _measured(run: str, machine: str) -> str:
    """Return the line that the table's numbers are marked by; it must not be wrapped."""
    whole = f"{MEASURED} {run} {machine}"
    return whole if len(whole) <= WIDTH else f"{MEASURED} {run.partition('-')[0]} {machine}"


def _reading(told: Comparison) -> list[str]:
    higher = sorted({one.metric.name for one in told.deltas if one.metric.better == "higher"})
    counts = ", ".join(
        f"{len(told.plan.seeds[machine.name])} on {machine.name}" for machine in told.plan.machines
    )
    notes: dict[str, list[str]] = {}
    for delta in told.deltas:
        if delta.note:
            notes.setdefault(delta.note, []).append(f"{delta.machine} {delta.metric.name}")
    better = f"Higher is better for {', '.join(higher)}" if higher else "Lower is better"
    return [
        f"base: {told.plan.base.series}, patched: {told.plan.test.series}. {better}.",
        f"Medians over boots (an arm: {counts}); changes within pairs of a seed.",
        *(f"{', '.join(whose)}: {note}" for note, whose in notes.items()),
        *_floors(told),
    ]


def _floors(told: Comparison) -> Iterator[str]:
    """Tell what changes equal kernels show, where that was measured."""
    for machine in told.plan.machines:
        known = [
            f"{one.metric.name} {one.floor_pct:.2f} %"
            for one in told.deltas
            if one.machine == machine.name and one.floor_pct is not None
        ]
        if known:
            yield f"Equal kernels differ on {machine.name} by up to: {', '.join(known)}"


def _conditions(plan: Plan) -> list[str]:
    parameters = " ".join(f"{name}={value}" for name, value in plan.workload.parameters.items())
    tools = [f"{name} {plan.toolchain[name]}" for name in ("gcc", "qemu") if name in plan.toolchain]
    noisy = not all(machine.exact for machine in plan.machines)
    host = ", ".join(f"{name} {value}" for name, value in plan.host.items())
    return [
        f"Kernel: {plan.kernel} {plan.version} ({plan.provenance}), flavour {plan.flavour}",
        f"Workload: {plan.workload.name} {parameters}",
        *(f"Machine {machine.name}: {_hardware(machine)}" for machine in plan.machines),
        f"Tools: {', '.join(tools)}",
        *([f"Host: {host}"] if noisy else []),
        *(f"{machine.name} cannot show: {machine.cannot_show}" for machine in plan.machines),
    ]


def _hardware(machine: Machine) -> str:
    speeds = "/".join(f"{ns:g}" for ns in dict.fromkeys(machine.nanoseconds_per_instruction))
    count = f", {speeds} ns per instruction" if speeds else ""
    return (
        f"emulated arm64 ({machine.accel}{count}), {machine.vcpus} vCPU {machine.cpu}, "
        f"{machine.memory_mib} MiB, zram {machine.zram_mib} MiB {machine.zram_algorithm}"
    )


def _command(command: str) -> Iterator[str]:
    """Give the command in lines that a shell takes as one."""
    line = " "
    for word in map(shlex.quote, shlex.split(command)):
        if len(f"{line} {word} \\") > WIDTH and line.strip():
            yield f"{line} \\"
            line = "   "
        line += f" {word}"
    yield line


def _wrapped(lines: Iterable[str]) -> Iterator[str]:
    wrapper = textwrap.TextWrapper(
        WIDTH, subsequent_indent="  ", break_long_words=False, break_on_hyphens=False
    )
    for line in map(texts.one_line, lines):
        yield from [line] if len(line) <= WIDTH else wrapper.wrap(line)


def _harmless(line: str) -> str:
    clean = re.sub(r"[^\t\x20-\x7e\xa0-\uffff]", "?", line).rstrip()
    return f" {clean}" if _HAZARD.match(clean) else clean
