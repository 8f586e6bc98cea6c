# SPDX-License-Identifier: GPL-2.0-only
"""The verb between two edits: iterate."""

from invoke.context import Context
from invoke.tasks import task

from patchbench.errors import BadInput
from patchbench.verbs.common import ROOT, exits, flags, parameters
from patchbench.verbs.needs import needs


@task(
    help=flags(
        "series", "against", "kernel", "tree", "dirty", "workload", "machine", "flavour", "set"
    )
    | {"seed": "which seed to boot with", "machine": "an exact machine"},
    iterable=["set"],
)
@needs("engine")
def iterate(
    _: Context,
    series: str = "v0",
    against: str = "none",
    kernel: str = "",
    tree: str = "",
    dirty: bool = False,
    workload: str = "exit-storm",
    machine: str = "exact",
    flavour: str = "bench",
    seed: int = 1,
    set: list[str] | None = None,  # noqa: A002  # the flag's name
) -> None:
    """Boot SERIES once, and show what changed since the last edit and against AGAINST."""
    from patchbench import pipeline
    from patchbench.intake import taking
    from patchbench.profile import iterating, iterations
    from patchbench.profile.profiling import ProfileRequest
    from patchbench.tools.terminal import Terminal, print_table

    with exits():
        if series == against or "," in series:
            raise BadInput(f"--series {series} --against {against}: one series, and another base")
        request = ProfileRequest(
            series=series,
            against=against,
            kernel=kernel,
            tree=tree,
            workload=workload,
            machine=machine,
            flavour=flavour,
            seed=seed,
            parameters=parameters(set),
        )
        with pipeline.opened(ROOT, Terminal()) as opened:
            opened.with_changes = dirty
            progress = iterating.iterate(opened, taking.resolved(opened, request), series)
        title = f"{workload} on {machine}, seed {seed}"
        for table, about in ((iterations.times, title), (iterations.functions, "instructions")):
            headings, rows = table(progress)
            print_table(headings, rows, about)
        for note in iterations.notes(progress):
            print(f"- {note}")
        print("one seed, no interval: `./bootstrap bench` reuses these boots and adds the others")
