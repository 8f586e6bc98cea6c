# SPDX-License-Identifier: GPL-2.0-only
"""A Comparison on exact machines of several sizes in, all its times by CPUs out. Pure."""

from markupsafe import Markup

from patchbench.model import NEVER, Comparison, Delta, Machine
from patchbench.report import plots

_ENOUGH = 3  # machines that make a curve; two make a line, whatever lies between them
_NS_PER_MS = 1e6
_PAGES = 1000  # or CPU time per freed page would be drawn in thousandths
_PER_PAGE = " per page"


def by_cpus(comparison: Comparison) -> Markup:
    """Return a panel for each time, with a line per arm over the machines; empty for a few of them.

    Exact machines only: elsewhere a time depends on the host. They stand in the order of their
    CPUs, those whose CPUs have unlike speeds last and by name.
    """
    machines = sorted((one for one in comparison.plan.machines if one.exact), key=_order)
    if len({_label(one) for one in machines}) < _ENOUGH:
        return Markup()
    found = {
        (delta.machine, name): one for delta in comparison.deltas for name, one in _times(delta)
    }
    names = dict.fromkeys(name for _, name in found)
    panels = {}
    for name in names:
        each = [found.get((machine.name, name)) for machine in machines]
        label = comparison.metric_note(name.removesuffix(_PER_PAGE)).label
        scale = _NS_PER_MS / (_PAGES if name.endswith(_PER_PAGE) else 1)
        what = f"{label} per {_PAGES} freed pages" if name.endswith(_PER_PAGE) else label
        panels[what] = plots.BothArms(
            [one.base / scale if one else float("nan") for one in each],
            [one.test / scale if one else float("nan") for one in each],
        )
    return plots.scaling(
        range(len(machines)),
        panels,
        (comparison.plan.base.series, comparison.plan.test.series),
        "times by CPUs",
        ("CPUs", "ms"),
        labels=[_label(one) for one in machines],
    )


def _times(delta: Delta) -> list[tuple[str, Delta]]:
    """Return a metric's own times and those per freed page; none of one that never moves."""
    if delta.metric.unit != "ns" or {delta.base, delta.test} == {NEVER}:
        return []
    per_page = [(delta.metric.name + _PER_PAGE, delta.per_page)] if delta.per_page else []
    return [(delta.metric.name, delta), *per_page]


def _is_even(machine: Machine) -> bool:
    return len(set(machine.nanoseconds_per_instruction)) == 1


def _order(machine: Machine) -> tuple[bool, int, str]:
    return (not _is_even(machine), machine.vcpus, machine.name)


def _label(machine: Machine) -> str:
    return str(machine.vcpus) if _is_even(machine) else machine.name
