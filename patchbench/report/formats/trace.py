# SPDX-License-Identifier: GPL-2.0-only
"""One storm of each arm as a timeline in the trace event format, for Perfetto and chrome://tracing.

Complete events (`ph` X, times in microseconds) and their names (`ph` M) only. A record holds
how long each clock ran but not when it was started, so every bar begins at its own zero, as
the metric's note has it: the victim's own kill, the first kill, the call of swapoff. What a
record does not hold is listed in `otherData` and not made up.
"""

import json
from collections.abc import Iterator, Mapping, Sequence

from patchbench.errors import BadInput
from patchbench.model import NEVER, Boot, Comparison, Json, MetricNote, Sample
from patchbench.report import samples
from patchbench.stages.compare import usable

_NOT_RECORDED: list[Json] = [
    "when each victim was killed, counted from the first kill",
    "when swapoff was called, other than after the drain was watched",
    "which CPU ran what, and what ran in between",
]


def render(comparison: Comparison, boots: Sequence[Boot]) -> str:
    """Return, for each machine, both arms of the first seed that neither arm lost.

    Raises BadInput if there is none, or the workload samples no clock.
    """
    storms = [*_storms(comparison, boots)]
    sampled = {sample.metric for boot in storms for sample in boot.record.samples}
    clocks = _clocks(comparison)
    events = [
        event for process, boot in enumerate(storms, 1) for event in _storm(boot, process, clocks)
    ]
    if not sampled & clocks.keys():
        raise BadInput(
            f"run {comparison.plan.run} has no storm to draw: no machine has a seed that both "
            "arms booted well, or none of its metrics is a clock (`starts` in workloads/metrics/)"
        )
    other: dict[str, Json] = {
        "run": comparison.plan.run,
        "command": comparison.plan.command,
        "not recorded": _NOT_RECORDED,
        "sampled, but not a span of time": [*sorted(sampled - clocks.keys())],
        "invalid": [*comparison.invalid],
    }
    whole: Json = {"traceEvents": [*events], "displayTimeUnit": "ms", "otherData": other}
    return json.dumps(whole, indent=1, allow_nan=False) + "\n"


def _clocks(comparison: Comparison) -> dict[str, MetricNote]:
    """Return the metrics that are spans of time with a known zero, by name."""
    metrics = dict.fromkeys(delta.metric for delta in comparison.deltas)
    noted = ((metric, comparison.metric_note(metric.name)) for metric in metrics)
    return {one.name: note for one, note in noted if one.unit == "ns" and note.starts}


def _storms(comparison: Comparison, boots: Sequence[Boot]) -> Iterator[Boot]:
    plan = comparison.plan
    for machine in plan.machines:
        base, test = (
            {boot.seed: boot for boot in usable(boots, machine.name, arm)}
            for arm in (plan.base, plan.test)
        )
        if both := sorted(base.keys() & test.keys()):
            yield from (base[both[0]], test[both[0]])


def _storm(boot: Boot, process: int, clocks: Mapping[str, MetricNote]) -> Iterator[Json]:
    title = f"{boot.series} on {boot.machine}, seed {boot.seed}"
    yield _meta("process_name", process, 0, {"name": title})
    yield _meta("process_sort_index", process, 0, {"sort_index": process})
    spans = [one for name in clocks for one in boot.record.samples if one.metric == name]
    for thread, sample in enumerate(spans, 1):
        note = clocks[sample.metric]
        track = f"{note.label} {sample.label}".strip() + f" (0 is {note.starts})"
        yield _meta("thread_name", process, thread, {"name": track})
        yield _meta("thread_sort_index", process, thread, {"sort_index": thread})
        yield _bar(sample, note, process, thread)


def _bar(sample: Sample, note: MetricNote, process: int, thread: int) -> Json:
    where: dict[str, Json] = {"cat": sample.metric, "pid": process, "tid": thread, "ts": 0}
    if sample.value == NEVER:
        args: Json = {"value": "never", "zero": note.starts}
        return {"name": f"{note.label}: never", "ph": "i", "s": "t", **where, "args": args}
    args = {"ns": samples.exported(sample.value), "zero": note.starts}
    return {"name": note.label, "ph": "X", **where, "dur": sample.value / 1000, "args": args}


def _meta(name: str, process: int, thread: int, args: dict[str, Json]) -> Json:
    return {"name": name, "ph": "M", "pid": process, "tid": thread, "args": args}
