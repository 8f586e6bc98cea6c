# SPDX-License-Identifier: GPL-2.0-only
"""Checkouts, builds and tests as KernelCI's result bus takes them (KCIDB schema 5.3).

The schema has one number per test and no interval, so a test is either a boot, which passes,
fails or errs, or one arm's median of one metric, which is only DONE: nothing here judges it.
Samples, changes and reasons go to `misc`. What a run does not record (the base's git commit,
start times, the patches' hashes) is absent.
"""

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import asdict

from patchbench.errors import KernelSplat
from patchbench.model import ArmNote, Boot, Comparison, Delta, Json, Machine, Plan
from patchbench.report import numbers, samples
from patchbench.stages.compare import unfinished

ORIGIN = "patchbench"
_VERSION: dict[str, Json] = {"major": 5, "minor": 3}


def render(comparison: Comparison, boots: Sequence[Boot]) -> str:
    """Return one report, ready for `kcidb-validate` and `kcidb-submit`."""
    plan = comparison.plan
    arms = (plan.base, plan.test)
    tests = [*_boots(plan, boots), *_medians(comparison, boots)]
    checkouts = {arm.tree_id: _checkout(plan, arm) for arm in arms}
    whole: dict[str, Json] = {
        "version": _VERSION,
        "checkouts": [*checkouts.values()],
        "builds": [*{arm.image: _build(plan, arm) for arm in arms}.values()],
        "tests": [*tests],
    }
    return json.dumps(whole, indent=1, allow_nan=False) + "\n"


def _checkout(plan: Plan, arm: ArmNote) -> Json:
    none = arm.series == "none"
    return {
        "id": _id(arm.tree_id),
        "origin": ORIGIN,
        "comment": f"{plan.kernel} {plan.version}, series {arm.series}",
        "valid": True,
        **({"patchset_hash": ""} if none else {}),
        "misc": {"git_tree": arm.tree_id, "series": arm.series, "provenance": plan.provenance},
    }


def _build(plan: Plan, arm: ArmNote) -> Json:
    return {
        "id": _id(arm.image),
        "checkout_id": _id(arm.tree_id),
        "origin": ORIGIN,
        "architecture": "arm64",
        "compiler": plan.toolchain.get("gcc", ""),
        "config_name": plan.flavour,
        "comment": arm.release,
        "status": "PASS",
        "misc": {"toolchain": dict(plan.toolchain)},
    }


def _boots(plan: Plan, boots: Sequence[Boot]) -> Iterator[Json]:
    for machine, arm, boot in _places(plan, boots):
        splat = boot.failure_status == KernelSplat.exit_code
        misc: dict[str, Json] = {
            "seed": boot.seed,
            "samples": [
                {"metric": one.metric, "label": one.label, "value": samples.exported(one.value)}
                for one in boot.record.samples
            ],
            "splats": [*boot.splats],
        }
        yield {
            **_test(plan, machine, arm, f"seed-{boot.seed}", "boot"),
            "status": ("FAIL" if splat else "ERROR") if boot.failure else "PASS",
            **({"log_excerpt": boot.failure.replace("\0", "?")} if boot.failure else {}),
            "misc": misc,
        }


def _medians(comparison: Comparison, boots: Sequence[Boot]) -> Iterator[Json]:
    plan = comparison.plan
    machines = {machine.name: machine for machine in plan.machines}
    for delta in comparison.deltas:
        for arm, value in ((plan.base, delta.base), (plan.test, delta.test)):
            plain = samples.exported(value)
            number: Json = {"value": plain, "unit": delta.metric.unit}
            never, usable = unfinished(boots, delta.machine, arm, delta.metric.name)
            yield {
                **_test(plan, machines[delta.machine], arm, delta.metric.name, delta.metric.name),
                "status": "DONE",
                "comment": f"median of {usable} boots; did not finish in {never} of them",
                **({} if plain == "never" else {"number": number}),
                "misc": _change(comparison, delta) if arm is plan.test else {},
            }


def _change(comparison: Comparison, delta: Delta) -> Json:
    return {
        "better": delta.metric.better,
        "against": comparison.plan.base.series,
        "change": numbers.per_cent(delta.change_pct),
        "interval": numbers.interval(delta),
        "pairs": delta.pairs,
        "invalid": [*comparison.invalid],
    }


def _places(plan: Plan, boots: Sequence[Boot]) -> Iterator[tuple[Machine, ArmNote, Boot]]:
    machines = {machine.name: machine for machine in plan.machines}
    arms = {arm.series: arm for arm in (plan.base, plan.test)}
    return ((machines[boot.machine], arms[boot.series], boot) for boot in boots)


def _test(plan: Plan, machine: Machine, arm: ArmNote, name: str, node: str) -> dict[str, Json]:
    path = (plan.workload.name, machine.name, node)
    conditions = {**asdict(machine), "qemu": plan.toolchain.get("qemu", ""), "host": {**plan.host}}
    return {
        "id": _id(f"{plan.run}/{machine.name}/{arm.series}/{name}"),
        "build_id": _id(arm.image),
        "origin": ORIGIN,
        "path": ".".join(re.sub(r"[^a-zA-Z0-9_-]", "-", part) for part in path),
        "environment": {
            "comment": f"{machine.name}: {machine.summary}; cannot show {machine.cannot_show}",
            "misc": {**conditions, "parameters": {**plan.workload.parameters}},
        },
    }


def _id(name: str) -> str:
    return f"{ORIGIN}:{name}"
