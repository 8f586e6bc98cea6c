# SPDX-License-Identifier: GPL-2.0-only
"""The books of a boot's CPU time: whether so much was there, and what looking took of it. Pure.

Who watches a storm takes CPU time himself, and more of it where the watch lasts longer. A guest
that reports cpu_window_ns has taken the observer's and the curve's own time out of cpu_ns, in a
storm the foreground's as well, and reports that beside it, all of one window. Others leave it in;
how much it is, is known where a drain ended.
"""

from collections.abc import Iterator, Mapping, Sequence

from patchbench.model import NEVER, Boot, Plan

CPU = "cpu_ns"
#: Between these two readings of the CPUs lies what cpu_ns has.
_WINDOW = "cpu_window_ns"
_LOOKING = ("cpu_observer_ns", "cpu_curve_ns", "cpu_foreground_ns")
#: As a guest without a window names it; of a storm that drained it is of nearly the same time.
_OLD_LOOKING = ("observer_cpu_ns", "curve_cpu_ns")
#: A storm's CPUs are read before its first kill, and 5 ms after its drain for the last time.
_OLD_SLACK_NS = 20e6


def overdrawn(boot: Boot, cpus: int) -> str:
    """Return why a boot's CPU time cannot be true: more than `cpus` have; empty if it can."""
    window_ns = _window_ns(boot)
    if window_ns is None or CPU not in _metrics(boot):
        return ""
    looking_ns = 0 if _looking_is_in(boot) else _looking_ns(boot)
    spent_ns = boot.value(CPU) + looking_ns
    if spent_ns <= cpus * window_ns:
        return ""
    return (
        f"{spent_ns / 1e6:.1f} ms of CPU time in {window_ns / 1e6:.1f} ms on "
        f"{cpus} CPU{'s' if cpus > 1 else ''}, which is more than there was"
    )


def looking(plan: Plan, machine: str, boots: Sequence[Boot]) -> Iterator[str]:
    """Give a line on what looking took of the CPU time in either arm, where both report it."""
    told = {
        arm.series: [boot for boot in boots if boot.series == arm.series and _is_told(boot)]
        for arm in (plan.base, plan.test)
    }
    if not all(told.values()):
        return
    shares = (f"{_looking_pct(those):.1f} % with {series}" for series, those in told.items())
    is_in = any(_looking_is_in(boot) for those in told.values() for boot in those)
    yield (
        f"{machine}: looking took {' and '.join(shares)}, as a share of all CPU time; "
        f"{CPU} {'has' if is_in else 'is without'} it"
    )


def _looking_pct(boots: Sequence[Boot]) -> float:
    """Return what share of all CPU time looking took, a mean over boots, in per cent."""
    shares = [
        _looking_ns(boot) / (boot.value(CPU) + (0 if _looking_is_in(boot) else _looking_ns(boot)))
        for boot in boots
    ]
    return 100 * sum(shares) / len(shares)


def _window_ns(boot: Boot) -> float | None:
    meta = boot.record.meta
    if _WINDOW in meta:
        return _number(meta, _WINDOW)
    if meta.get("drained") == "yes" and "drain_ns" in _metrics(boot):
        drained_ns = boot.value("drain_ns")
        return None if drained_ns == NEVER else drained_ns + _OLD_SLACK_NS
    return None


def _is_told(boot: Boot) -> bool:
    """Return whether a boot reports what looking took, of the time that cpu_ns is of."""
    meta = boot.record.meta
    of_one_window = not _looking_is_in(boot) or meta.get("drained") == "yes"
    known = of_one_window and any(name in meta for name in _keys(boot))
    return known and CPU in _metrics(boot) and boot.value(CPU) > 0


def _looking_is_in(boot: Boot) -> bool:
    return _WINDOW not in boot.record.meta


def _keys(boot: Boot) -> tuple[str, ...]:
    return _OLD_LOOKING if _looking_is_in(boot) else _LOOKING


def _looking_ns(boot: Boot) -> float:
    return sum(_number(boot.record.meta, name) for name in _keys(boot))


def _number(meta: Mapping[str, str], name: str) -> float:
    value = meta.get(name, "0")
    return float(value) if value.isdecimal() else 0.0


def _metrics(boot: Boot) -> set[str]:
    return {metric.name for metric in boot.record.metrics}
