# SPDX-License-Identifier: GPL-2.0-only
"""Verbs for kernels: fetch, apply, range-diff, build, boot."""

import json

from invoke.context import Context
from invoke.tasks import task

from patchbench.verbs.common import ROOT, exits, flags, parameters
from patchbench.verbs.needs import needs


@task(help=flags("kernel"))
@needs("engine")
def fetch(_: Context, kernel: str = "mainline") -> None:
    """Fetch the newest version of KERNEL from its origin (other verbs use what is there)."""
    from patchbench import pipeline
    from patchbench.tools.terminal import Terminal

    with exits(), pipeline.opened(ROOT, Terminal()) as run:
        source = run.fetch(run.catalog.kernel(kernel))
        print(f"{source.kernel} {source.version}  {source.provenance}  {source.commit}")


@task(
    help=flags("series", "kernel", "tree", "json")
    | {"ports": "try every port of every series on every kernel instead"}
)
@needs("engine")
def apply(
    _: Context,
    series: str = "v0",
    kernel: str = "",
    tree: str = "",
    ports: bool = False,
    json: bool = False,
) -> None:
    """Apply SERIES to KERNEL with a three-way merge, and print the tree."""
    from patchbench import pipeline
    from patchbench.intake import taking
    from patchbench.tools.terminal import Terminal

    if ports:
        _apply_ports(as_json=json)
        return
    with exits(), pipeline.opened(ROOT, Terminal()) as run:
        name, on = taking.take(run, series, kernel=kernel, tree=tree)
        applied = run.apply(run.source(on, tree), name)
        print(f"tree {applied.id}  commit {applied.commit}  {applied.source.version}")


@task(
    name="range-diff",
    help=flags("series")
    | {
        "to": "the kernel line of the port to compare with, for example 7.3",
        "from": "the kernel line of the other port",
        "against": "the other revision; by default the same series",
    },
)
@needs("engine")
def range_diff(
    _: Context, series: str = "v0", from_: str = "6.12", to: str = "7.3", against: str = ""
) -> None:
    """Show how two ports or revisions of a series differ, by git's range-diff."""
    from patchbench import pipeline, porting
    from patchbench.tools.terminal import Terminal

    with exits(), pipeline.opened(ROOT, Terminal()) as run:
        print(porting.range_diff(run, (against or series, from_), (series, to)))


@task(help=flags("series", "kernel", "tree", "dirty", "flavour"))
@needs("engine")
def build(
    _: Context,
    series: str = "v0",
    kernel: str = "",
    tree: str = "",
    dirty: bool = False,
    flavour: str = "bench",
) -> None:
    """Build the arm64 image of SERIES on KERNEL; --series none: the unpatched kernel."""
    from patchbench import pipeline
    from patchbench.intake import taking
    from patchbench.tools.terminal import Terminal

    with exits(), pipeline.opened(ROOT, Terminal()) as run:
        run.with_changes = dirty
        name, on = taking.take(run, series, kernel=kernel, tree=tree)
        (image,) = run.images(run.source(on, tree), [name], flavour)
        print(f"image {image.key[:12]}  {image.release}  {image.path}")


@task(
    help=flags("series", "kernel", "tree", "dirty", "flavour", "machine", "workload", "set")
    | {"seed": "which seed to boot with"},
    iterable=["set"],
)
@needs("engine")
def boot(
    _: Context,
    series: str = "v0",
    kernel: str = "",
    tree: str = "",
    dirty: bool = False,
    flavour: str = "bench",
    machine: str = "exact",
    workload: str = "exit-storm",
    seed: int = 1,
    set: list[str] | None = None,  # noqa: A002  # the flag's name
) -> None:
    """Boot once and print the guest's console and samples."""
    from patchbench import pipeline
    from patchbench.intake import taking
    from patchbench.report import numbers
    from patchbench.tools.terminal import Terminal, print_table

    with exits(), pipeline.opened(ROOT, Terminal()) as run:
        run.with_changes = dirty
        asked, booted_on = parameters(set), run.catalog.machine(machine)
        chosen = run.workload(workload, asked, booted_on)  # refused before anything is built
        name, on = taking.take(run, series, kernel=kernel, tree=tree)
        (arm,) = run.arms(
            run.source(on, tree),
            [name],
            flavour=flavour,
            machine=booted_on,
            workload=chosen,
        )
        console, booted = run.boot_once(arm, seed)
        print(console)
        rows = [(one.metric, one.label, numbers.sample(one.value)) for one in booted.record.samples]
        print_table(("metric", "label", "value"), rows)


def _apply_ports(*, as_json: bool) -> None:
    """Print which port applies to which kernel, and write it as JSON and Markdown."""
    from patchbench import pipeline, porting
    from patchbench.store import write_whole
    from patchbench.tools.terminal import Terminal, print_table

    with exits():
        with pipeline.opened(ROOT, Terminal()) as run:
            fits = porting.fits(run)
        out = ROOT / "results/reports"
        out.mkdir(parents=True, exist_ok=True)
        text = json.dumps(porting.as_json(fits), indent=1)
        write_whole(out / "applies.json", text + "\n")
        write_whole(out / "applies.md", porting.markdown(fits))
        if as_json:
            print(text)
        else:
            print_table(porting.HEADINGS, [fit.row() for fit in fits], words=6)
        if error := porting.verdict_error(fits):
            raise error
