# SPDX-License-Identifier: GPL-2.0-only
"""The noise floor beside a change: only where it was measured with the run's own parameters."""

from dataclasses import replace

from patchbench.model import Boot, Plan
from patchbench.runs import reading
from tests.recorded import PROJECT

RUN = PROJECT / "results/published/v0-exit-storm-7.3"


def floors(plan: Plan, boots: list[Boot]) -> set[str]:
    """Return the machines on which the exit latency has a floor."""
    deltas = reading.compare(PROJECT, RUN, plan, boots).deltas
    return {one.machine for one in deltas if one.metric.name == "exit_ns" and one.floor_pct}


def test_a_floor_is_shown_only_where_it_was_measured_with_these_parameters() -> None:
    # Before 3080c34b1cf0: a floor stood beside machines changed since.
    comparison, boots = reading.read(PROJECT, RUN)
    plan = comparison.plan
    exact, parallel = plan.machines
    fewer = replace(plan.workload, parameters={**plan.workload.parameters, "victims": 5})
    assert floors(plan, boots) == {"exact", "parallel"}
    assert floors(replace(plan, workload=fewer), boots) == set()
    assert floors(replace(plan, machines=(replace(exact, zram_mib=512), parallel)), boots) == {
        "parallel"
    }


def test_two_pairs_have_no_floor_beside_them() -> None:
    comparison, boots = reading.read(PROJECT, RUN)
    assert floors(comparison.plan, [boot for boot in boots if boot.seed <= 2]) == set()
