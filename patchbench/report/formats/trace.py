# SPDX-License-Identifier: GPL-2.0-only
"""One storm of each arm as a timeline in the trace event format, for Perfetto and chrome://tracing.

Complete events (`ph` X, times in microseconds) and their names (`ph` M) only. A record holds
how long each clock ran, and not when it was started, so every bar begins at its own zero:
an exit's at that victim's own kill, the storm's and the drain's at the first kill, swapoff's
at its own call. What a record does not hold is listed in `otherData` and not made up.
"""

import json
from collections.abc import Iterator, Sequence

from patchbench.errors import BadInput
from patchbench.model import NEVER, Boot, Comparison, Json, Sample
from patchbench.report import samples

#: Which clocks are spans of time, the zero each of them counts from, and what its bar is called.
_SPANS = {
    "makespan_ns": ("first kill", "all exits"),
    "drain_ns": ("first kill", "memory back"),
    "exit_ns": ("its own kill", "exit"),
    "swapoff_ns": ("its own call", "swapoff"),
}
_NOT_RECORDED: list[Json] = [
    "when each victim was killed, counted from the first kill",
    "when swapoff was called, other than after the drain was watched",
    "which CPU ran what, and what ran in between",
]


def render(told: Comparison, boots: Sequence[Boot]) -> str:
    """Return, for each machine, both arms of the first seed that neither arm lost.

    Raises BadInput if there is none, or the workload tells no storm.
    """
    storms = [*_storms(told, boots)]
    sampled = {sample.metric for boot in storms for sample in boot.record.samples}
    events = [event for process, boot in enumerate(storms, 1) for event in _storm(boot, process)]
    if not sampled & _SPANS.keys():
        raise BadInput(
            f"run {told.plan.run} has no storm to draw: no machine has a seed that both arms "
            f"booted well, or its workload tells none of {', '.join(_SPANS)}"
        )
    other: dict[str, Json] = {
        "run": told.plan.run,
        "command": told.plan.command,
        "not recorded": _NOT_RECORDED,
        "sampled, and no span of time": [*sorted(sampled - _SPANS.keys())],
        "invalid": [*told.invalid],
    }
    whole: Json = {"traceEvents": [*events], "displayTimeUnit": "ms", "otherData": other}
    return json.dumps(whole, indent=1, allow_nan=False) + "\n"


def _storms(told: Comparison, boots: Sequence[Boot]) -> Iterator[Boot]:
    for machine in told.plan.machines:
        base, test = (
            {boot.seed: boot for boot in samples.good(boots, machine.name, arm)}
            for arm in (told.plan.base, told.plan.test)
        )
        if both := sorted(base.keys() & test.keys()):
            yield from (base[both[0]], test[both[0]])


def _storm(boot: Boot, process: int) -> Iterator[Json]:
    title = f"{boot.series} on {boot.machine}, seed {boot.seed}"
    yield _meta("process_name", process, 0, {"name": title})
    yield _meta("process_sort_index", process, 0, {"sort_index": process})
    spans = [sample for sample in boot.record.samples if sample.metric in _SPANS]
    order = [*_SPANS]
    for thread, sample in enumerate(sorted(spans, key=lambda one: order.index(one.metric)), 1):
        zero, name = _SPANS[sample.metric]
        track = f"{sample.label or name} (0 is {zero})"
        yield _meta("thread_name", process, thread, {"name": track})
        yield _meta("thread_sort_index", process, thread, {"sort_index": thread})
        yield _bar(sample, name, zero, process, thread)


def _bar(sample: Sample, name: str, zero: str, process: int, thread: int) -> Json:
    where: dict[str, Json] = {"cat": sample.metric, "pid": process, "tid": thread, "ts": 0}
    if sample.value == NEVER:
        args: Json = {"value": "never", "zero": zero}
        return {"name": f"{name}: never ended", "ph": "i", "s": "t", **where, "args": args}
    nanoseconds = samples.exported(sample.value)
    args = {"ns": nanoseconds, "zero": zero}
    return {"name": name, "ph": "X", **where, "dur": sample.value / 1000, "args": args}


def _meta(name: str, process: int, thread: int, args: dict[str, Json]) -> Json:
    return {"name": name, "ph": "M", "pid": process, "tid": thread, "args": args}
