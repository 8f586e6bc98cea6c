# SPDX-License-Identifier: GPL-2.0-only
"""What `gate` does: judges one series against another, and writes the verdict down."""

import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from patchbench import noise
from patchbench.gate import blame, verdicts, waivers
from patchbench.gate import policy as policies
from patchbench.gate.limits import FunctionRise, Policy, Ruling, Verdict
from patchbench.gate.request import GateRequest
from patchbench.gate.trial import Trial
from patchbench.model import Plan
from patchbench.pipeline import Pipeline


def gate_series(pipeline: Pipeline, request: GateRequest) -> Verdict:
    """Build, boot and judge a series; its verdict is written to results/reports/GATE.

    Raises BadInput and UnknownName as policy.load does, before anything is built; and what
    keeps a comparison from being relied on, unless only the tested series lost boots.
    """
    began, cpu_before = time.monotonic(), pipeline.engine.cpu_seconds
    policy = policies.load(pipeline.catalog, pipeline.root / request.policy, request.seeds)
    source = pipeline.source(request.kernel, request.tree)
    until = began + request.budget_s if request.budget_s else None
    trial = Trial(pipeline, request, policy, until, waivers.load(pipeline.catalog))
    what = f"gate-{request.series}-against-{request.against}-{source.kernel}"
    name = pipeline.new_name(what)
    trial.run()
    plans = {name: one.plan for name, one in trial.prepared.items()}
    verdict = Verdict(
        gate=name,
        series=request.series,
        against=request.against,
        kernel=f"{source.kernel} {source.version}",
        ruled=trial.ruled(),
        rulings=tuple(_with_command(request, one, trial.seeds) for one in trial.rulings),
        reasons=(*trial.reasons, *_within_noise(pipeline.root, policy, plans)),
        runs=tuple(one.plan.run for one in trial.prepared.values()),
        error_rate=policy.error_rate,
        seeds=trial.seeds,
        cpu_seconds=pipeline.engine.cpu_seconds - cpu_before,
        wall_seconds=time.monotonic() - began,
        command=request.command(),
        not_looked_at=tuple(trial.not_looked_at),
        rises=_rises(pipeline, trial),
    )
    verdicts.write(pipeline.results / "reports" / verdict.gate, verdict)
    return verdict


def _with_command(request: GateRequest, ruling: Ruling, seeds: int) -> Ruling:
    """Return a ruling with what measures its limit again, if it is broken."""
    if ruling.ruled != "FAIL":
        return ruling
    limit = ruling.limit
    again = replace(request.bench(limit.workload, (limit.machine,)), seeds=seeds)
    return replace(ruling, command=again.command())


def _rises(pipeline: Pipeline, trial: Trial) -> tuple[FunctionRise, ...]:
    broken = dict.fromkeys(one.limit.workload for one in trial.rulings if one.ruled == "FAIL")
    return tuple(
        rise for workload in broken for rise in blame.of(pipeline, trial.prepared[workload])
    )


def _within_noise(root: Path, policy: Policy, plans: Mapping[str, Plan]) -> list[str]:
    """Return a warning for each limit that equal kernels have been seen to exceed.

    plans: of the runs, by workload.
    """
    floors = {name: noise.floors(root, plan) for name, plan in plans.items()}
    warnings = []
    for limit in policy.limits:
        measured = floors.get(limit.workload, {}).get(limit.machine)
        floor = measured.floor_pct(limit.quantity, policy.looks[-1]) if measured else None
        bound = limit.max_regression_pct
        if floor is not None and bound is not None and bound < floor:
            warnings.append(
                f"the limit of {bound:g} % for {limit.quantity} on {limit.machine} lies within the "
                f"A/A noise of ±{floor:.2f} %: where the code lies may decide it"
            )
    return warnings
