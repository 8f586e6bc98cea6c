# SPDX-License-Identifier: GPL-2.0-only
"""The noise floor beside a change: only where it was measured with the run's own parameters."""

from dataclasses import replace

import pytest

from patchbench import noise
from patchbench.catalog import Catalog
from patchbench.model import Boot, Plan
from patchbench.runs import reading
from tests.recorded import PROJECT

RUN = PROJECT / "results/published/v0-exit-storm-7.3"


def floors(plan: Plan, boots: list[Boot]) -> set[str]:
    """Return the machines on which the exit latency has a floor."""
    deltas = reading.compare(PROJECT, RUN, plan, boots).deltas
    return {one.machine for one in deltas if one.metric.name == "exit_ns" and one.floor_pct}


def calibrated(plan: Plan, machine: str) -> Plan:
    """Return the plan with the guest and the machines with which one was calibrated."""
    (guest,) = [
        one.conditions.guest
        for one in noise.stored(PROJECT)
        if (one.conditions.workload, one.conditions.machine) == ("exit-storm", machine)
    ]
    catalog = Catalog(PROJECT)
    machines = tuple(catalog.machine(one.name) for one in plan.machines)
    return replace(plan, guest=guest, machines=machines)


@pytest.mark.parametrize("name", ["exact", "exact8"])
def test_a_floor_is_shown_only_where_it_was_measured_with_these_parameters(name: str) -> None:
    # Before 3080c34b1cf0: a floor stood beside machines changed since.
    comparison, boots = reading.read(PROJECT, RUN)
    plan = calibrated(comparison.plan, name)
    fewer = replace(plan.workload, parameters={**plan.workload.parameters, "victims": 5})
    smaller = tuple(replace(one, zram_mib=512) for one in plan.machines)
    assert name in floors(plan, boots)
    assert floors(replace(plan, workload=fewer), boots) == set()
    assert floors(replace(plan, machines=smaller), boots) == set()
    assert floors(replace(plan, guest="another"), boots) == set()


def test_two_pairs_have_no_floor_beside_them() -> None:
    comparison, boots = reading.read(PROJECT, RUN)
    plan = calibrated(comparison.plan, "exact")
    assert floors(plan, [boot for boot in boots if boot.seed <= 2]) == set()
