# SPDX-License-Identifier: GPL-2.0-only
"""The verb coverage: which functions of the kernel each workload runs."""

from invoke.context import Context
from invoke.tasks import task

from patchbench.verbs.common import ROOT, exits, flags
from patchbench.verbs.needs import needs


@task(
    help=flags("kernel", "tree")
    | {
        "machine": "an exact machine",
        "function": "only the workloads that run this function",
    }
)
@needs("engine")
def coverage(
    _: Context,
    kernel: str = "mainline",
    tree: str = "",
    machine: str = "exact",
    function: str = "",
) -> None:
    """Count which functions of the unpatched KERNEL each workload runs, once per kernel."""
    from patchbench import pipeline
    from patchbench.profile import covering
    from patchbench.store import write_whole
    from patchbench.tools.terminal import Terminal, print_table

    with exits():
        with pipeline.opened(ROOT, Terminal()) as run:
            names = [
                *covering.workloads(run, hazards=False),
                *covering.workloads(run, hazards=True),
            ]
            source = run.source(kernel, tree)
            covered = covering.cover(run, source, machine, names)
        out = ROOT / f"results/reports/coverage-{source.kernel}-{source.version}-{machine}.csv"
        out.parent.mkdir(parents=True, exist_ok=True)
        write_whole(out, covered.csv())
        if function:
            rows = [(name, f"{count:,}") for name, count in covered.of(function)]
            print_table(("workload", "instructions"), rows, f"{function} on {covered.kernel}")
        else:
            print_table(covered.headings, covered.rows(), f"{covered.kernel} on {machine}")
        print(f"index {out}")
