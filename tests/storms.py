# SPDX-License-Identifier: GPL-2.0-only
"""A run of exit storms: made up, but of the shape that the workload gives it."""

from dataclasses import replace

from patchbench.catalog import Catalog
from patchbench.model import Boot, CodeMap, Comparison, FunctionChange, Plan
from patchbench.runs import scaling
from patchbench.stages.compare import compare
from tests.fakes import boot, machine, plan
from tests.recorded import PROJECT

NOTES = Catalog(PROJECT).metric_notes()
PARALLEL = machine("parallel", accel="tcg", vcpus=2, icount_shift=None)
CODE = CodeMap(
    equal=False,
    functions=(
        FunctionChange("do_exit", "exit.c", "changed", 2276, 2372),
        FunctionChange("swap_gather", "swapfile.c", "appeared", 0, 312),
        FunctionChange("swaps_open", "swapfile.c", "constants", 80, 80),
    ),
)


def log(exit_ns: int, cpu_ns: int, drain_ns: object, *, curve: bool = False) -> str:
    """Return a results log: three victims, CPU, drain, and free memory over time if asked.

    A drain that never ends leaves 64 of 1024 pages in swap.
    """
    return (
        "patchbench 1\nmeta release r\nmeta vmstat.async_swap_count 3\nmeta swapped_pages 1024\n"
        "metric exit_ns ns lower\nmetric cpu_ns ns lower\nmetric drain_ns ns lower\n"
        "metric residue_pages pages lower\n"
        + ("metric free_kib kib higher\n" if curve else "")
        + "".join(f"sample exit_ns {exit_ns + 1000 * n} victim-{n}\n" for n in range(3))
        + f"sample cpu_ns {cpu_ns}\nsample drain_ns {drain_ns}\n"
        + f"sample residue_pages {64 if drain_ns == 'never' else 0}\n"
        + ("".join(f"sample free_kib {n * 900} {n * 1000000}\n" for n in range(5)) if curve else "")
        + "end ok\n"
    )


def storms(*, curve: bool = False) -> tuple[Comparison, list[Boot]]:
    """Return a run in which exits got shorter and memory, in two of ten exact boots, never came."""
    boots = []
    for name in ("exact", "parallel"):
        for seed in range(1, 11):
            base = log(87_000_000 + seed * 10_000, 188_000_000, 98_000_000, curve=curve)
            stuck = name == "exact" and seed < 3
            drain: object = "never" if stuck else 133_000_000 + seed * 10_000
            test = log(51_000_000 + seed * 20_000, 188_000_000 + seed, drain, curve=curve)
            boots += [boot("none", seed, base, name), boot("v0", seed, test, name)]
    comparison = compare(
        plan(machine(), PARALLEL, seeds=10, engaged="async_swap_count"), boots, NOTES
    )
    return replace(comparison, code=CODE), boots


def beside(comparison: Comparison, victims: int, **changes: object) -> Comparison:
    """Return a run that differs in its victims alone; from six of them v0's drain never ends."""
    name = f"2026010{victims}T000000-v0-against-none-mainline"
    workload = replace(comparison.plan.workload, parameters={"victims": victims})
    command = f"./bootstrap bench --set victims={victims}"
    usual = {"run": name, "command": command, "workload": workload}
    planned = replace(comparison.plan, **{**usual, **changes})  # type: ignore[arg-type]  # any field
    logs = {
        "none": log(43_000_000 * victims, 94_000_000 * victims, 49_000_000 * victims),
        "v0": log(
            26_000_000 * victims,
            94_000_000 * victims,
            66_000_000 * victims if victims < 6 else "never",
        ),
    }
    return compare(
        planned,
        [
            boot(series, seed, logs[series], on.name)
            for on in planned.machines
            for series in logs
            for seed in planned.seeds[on.name]
        ],
        NOTES,
    )


def scaled(comparison: Comparison, *others: Comparison) -> Comparison:
    """Return a run with its scaling over others."""
    by_name: dict[str, Comparison] = {one.plan.run: one for one in others}
    plans: list[Plan] = [one.plan for one in others]
    return replace(comparison, scaling=scaling.find(comparison, plans, by_name.__getitem__))
