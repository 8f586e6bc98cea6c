# SPDX-License-Identifier: GPL-2.0-only
"""Plain text for a cover letter or below a patch's `---`, its numbers marked for --check-claims.

At most 72 columns, except for a single word that is longer. No line can be taken for the start
of a diff, a mail or a commit message's end, so `git am` reads the patch as if it were not there.
claims.py says what a mark looks like, and reads them back.
"""

import re
import shlex
import textwrap
from collections.abc import Iterable, Iterator, Sequence

from patchbench import texts
from patchbench.model import Boot, Comparison, Delta, Machine, Plan
from patchbench.report import tables
from patchbench.report.claims import COLUMNS, MEASURED, mark
from patchbench.report.numbers import boots_of, interval, per_cent, quantity
from patchbench.stages.compare import unfinished

WIDTH = 72
#: Beginnings of lines that git mailsplit, mailinfo or apply would not take for text.
_HAZARD = re.compile(r"diff |Index: |---|\+\+\+|@@|>?From\b|-- ?$|[-\s>8<]*(>8|8<)")


def render(comparison: Comparison, boots: Sequence[Boot]) -> str:
    """Return what did not finish, a table per machine, conditions, command and limits."""
    plan = comparison.plan
    arms = f"{plan.test.series} against {plan.base.series}"
    title = f"{arms} on {plan.kernel} {plan.version}, by patchbench"
    blocks = [
        [title],
        *([f"INVALID: {reason}"] for reason in comparison.invalid),
        *([f"LOST BOOT: {failure.splitlines()[0]}"] for failure in comparison.failures),
        *([f"DISTURBED: {line}"] for line in comparison.disturbed),
        *([f"HOST OVERLOADED: {overload}"] for overload in comparison.overloads),
        *_unfinished(comparison, boots),
        _undone(comparison),
        *(_table(plan, machine, comparison.deltas) for machine in plan.machines),
        _reading(comparison),
        _conditions(plan),
    ]
    text = "\n\n".join("\n".join(_wrapped(block)) for block in blocks if block)
    command = "\n".join(command_lines(plan.command))
    return "\n".join(map(_harmless, f"{text}\n\nRepeat:\n{command}".split("\n"))) + "\n"


def _unfinished(comparison: Comparison, boots: Sequence[Boot]) -> Iterator[list[str]]:
    plan = comparison.plan
    for delta in comparison.deltas:
        machine, name = delta.machine, delta.metric.name
        for column, arm in (("base", plan.base), ("patched", plan.test)):
            counts = unfinished(boots, machine, arm, name)
            if counts[0]:
                yield [
                    f"DID NOT FINISH: {machine} {name} with {arm.series} in {boots_of(counts)}",
                    "  " + mark(plan.run, machine, name, f"{column}-never"),
                ]


def _undone(comparison: Comparison) -> list[str]:
    """Return what was left undone, and the numbers per freed page."""
    left = [f"LEFT UNDONE: {line}" for line in tables.undone(comparison)]
    return [*left, *_per_page(comparison)] if left else []


def _per_page(comparison: Comparison) -> Iterator[str]:
    for delta in comparison.deltas:
        if one := delta.per_page:
            base, test = (quantity(value, one.metric.unit) for value in (one.base, one.test))
            change = f"{per_cent(one.change_pct)} {interval(one)}"
            yield f"  {one.machine} {one.metric.name} per freed page: {base}, {test}, {change}"


def _table(plan: Plan, machine: Machine, deltas: Iterable[Delta]) -> list[str]:
    """Return a table that is its own mark: claims.py reads these very lines."""
    cells = [
        (
            delta.metric.name,
            quantity(delta.base, delta.metric.unit),
            quantity(delta.test, delta.metric.unit),
            per_cent(delta.change_pct),
            interval(delta),
        )
        for delta in deltas
        if delta.machine == machine.name and not delta.equal
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


def _reading(comparison: Comparison) -> list[str]:
    higher = sorted({one.metric.name for one in comparison.deltas if one.metric.better == "higher"})
    plan = comparison.plan
    seeds = ", ".join(f"{len(plan.seeds[one.name])} on {one.name}" for one in plan.machines)
    better = f"Higher is better for {', '.join(higher)}" if higher else "Lower is better"
    return [
        f"base: {plan.base.series}, patched: {plan.test.series}. {better}.",
        f"Medians over boots (per arm: {seeds}); changes are of pairs with the same seed.",
        *tables.notes(comparison),
        *tables.equal(comparison),
        *_floors(comparison),
    ]


def _floors(comparison: Comparison) -> Iterator[str]:
    """Give the changes that equal kernels show, where that was measured."""
    for machine in comparison.plan.machines:
        known = [
            f"{one.metric.name} {one.floor_pct:.2f} %"
            for one in comparison.deltas
            if one.machine == machine.name and one.floor_pct and not one.equal
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


def command_lines(command: str) -> Iterator[str]:
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
    clean = re.sub(r"[^\t\x20-\uffff]", "?", texts.printable(line)).rstrip()
    return f" {clean}" if _HAZARD.match(clean) else clean
