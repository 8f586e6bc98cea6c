# SPDX-License-Identifier: GPL-2.0-only
"""What a machine's own times should be, held against those of a boot of clockwork. Pure."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from statistics import median

from patchbench.model import Boot, Machine

HEADINGS = ("what", "state", "measured", "expected")
#: A thread's work is twice its loops, and the timer tick takes its share of the CPU.
_INSTRUCTIONS_PER_LOOP = 2
_TICK_PCT = 1.0
#: What a lock is held for, see HELD_LOOPS in workloads/clockwork.c.
_HELD_INSTRUCTIONS = 500
_HAND_OVER_NS = 500


@dataclass(frozen=True, slots=True)
class Timing:
    """One time of a machine; `good` is None where nothing in particular is expected."""

    what: str
    good: bool | None
    measured: str
    expected: str

    def cells(self) -> tuple[str, str, str, str]:
        """Return the row as a table has it."""
        state = {True: "ok", False: "WRONG", None: ""}[self.good]
        return self.what, state, self.measured, self.expected


@dataclass(frozen=True, slots=True)
class _Bound:
    """A time whose median must be at most so much; generous, as kernels differ."""

    metric: str
    what: str
    at_most_ns: int


_BOUNDS = (
    _Bound("timer_late_idle_ns", "a timer is late, all CPUs idle", 20_000),
    _Bound("timer_late_busy_ns", "a timer is late, the other CPUs busy", 20_000),
    _Bound("wake_idle_ns", "waking a thread on an idle CPU", 20_000),
    _Bound("wake_busy_ns", "preempting a busy CPU", 20_000),
    _Bound("interrupt_others_ns", "interrupting all other CPUs and back", 20_000),
    _Bound("futex_hand_over_ns", "hand-over by futex", 20_000),
    _Bound("spin_hand_over_ns", "hand-over by spinning", 2_500),
    _Bound("yield_hand_over_ns", "hand-over by spinning with YIELD", 1_000),
)


def judge(booted: Boot, machine: Machine) -> list[Timing]:
    """Return a row for each time that the boot has, in clockwork's order.

    On a machine that counts no instructions the rows are shown and not judged.
    """
    rows = [*_steps(booted), *_work(booted, machine), *_bounds(booted), *_lock(booted, machine)]
    if machine.exact:
        return rows
    return [Timing(row.what, None, row.measured, row.expected) for row in rows]


def _steps(booted: Boot) -> Iterator[Timing]:
    steps = booted.values("clock_step_ns")
    yield Timing("between two readings of the clock", min(steps) >= 0, _spread(steps), "0 or more")
    for count in booted.values("clock_back_count"):
        yield Timing("the clock went back across CPUs", count == 0, f"{count:.0f} times", "never")


def _work(booted: Boot, machine: Machine) -> Iterator[Timing]:
    """Give a row for each number of threads: each must take as long as if it were alone."""
    by_threads: dict[int, dict[int, float]] = {}
    for sample in booted.record.samples:
        if sample.metric == "work_ns":
            threads, _, _, cpu = sample.label.split("-")
            by_threads.setdefault(int(threads), {})[int(cpu)] = sample.value
    loops = int(booted.record.meta["parameter.loops"])
    for count, took_ns in by_threads.items():
        what = f"the same work in {count} thread{'s' if count > 1 else ''}"
        measured = _range([ns / 1e6 for ns in took_ns.values()], "ms")
        speeds = machine.nanoseconds_per_instruction
        if not speeds:
            yield Timing(what, None, measured, "")
            continue
        due = [_INSTRUCTIONS_PER_LOOP * loops * speeds[cpu] for cpu in took_ns]
        over = [100 * (ns / want - 1) for ns, want in zip(took_ns.values(), due, strict=True)]
        good = all(0 <= pct <= _TICK_PCT for pct in over)
        expected = f"{_range([ns / 1e6 for ns in due], 'ms')}, + {_TICK_PCT:g} % at most"
        yield Timing(what, good, measured, expected)


def _bounds(booted: Boot) -> Iterator[Timing]:
    for bound in _BOUNDS:
        if times := booted.values(bound.metric):
            good = 0 <= median(times) <= bound.at_most_ns
            yield Timing(
                bound.what, good, _spread(times), f"{bound.at_most_ns / 1000:g} us at most"
            )


def _lock(booted: Boot, machine: Machine) -> Iterator[Timing]:
    """Give the row of the ticket lock: sections must neither overlap nor wait for nothing."""
    for section_ns in booted.values("ticket_section_ns"):
        what, measured = "a section under a lock that all CPUs want", f"{section_ns / 1000:.2f} us"
        speeds = machine.nanoseconds_per_instruction
        if not speeds:
            yield Timing(what, None, measured, "")
            continue
        held_ns = _HELD_INSTRUCTIONS * sum(speeds) / len(speeds)
        good = held_ns <= section_ns <= held_ns + _HAND_OVER_NS
        limits = f"{held_ns / 1000:.2f} us held, + {_HAND_OVER_NS / 1000:g} us at most"
        yield Timing(what, good, measured, limits)


def _spread(times: Sequence[float]) -> str:
    if len(times) == 1:
        return f"{times[0] / 1000:.2f} us"
    return f"{median(times) / 1000:.2f} us, {_range([ns / 1000 for ns in times], 'us')}"


def _range(values: Sequence[float], unit: str) -> str:
    low, high = f"{min(values):.2f}", f"{max(values):.2f}"
    return f"{low} {unit}" if low == high else f"{low} to {high} {unit}"
