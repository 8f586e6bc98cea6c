# SPDX-License-Identifier: GPL-2.0-only
"""Verbs that measure: bench, profile."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from invoke.context import Context
from invoke.tasks import task

from patchbench.verbs.common import ROOT, exits, flags, opened, parameters
from patchbench.verbs.needs import needs
from patchbench.verbs.reporting import report_bench

if TYPE_CHECKING:
    from patchbench.profile.listing import Listing
    from patchbench.profile.sorting import Profiles


@task(
    help=flags(
        "series", "against", "kernel", "tree", "dirty", "workload", "machine", "flavour", "seeds",
        "set", "fresh", "json", "hosts",
    )
    | {
        "series": "what to bench, as for build; with commas several, each an arm of one run",
        "plan-only": "build, write the boots as jobs for `work`, and print their files",
        "run": "carry on this run, which --plan-only began",
        "all-pairs": "compare the series with each other as well",
        "workload": "file in workloads/; auto: those that run what the series changes, up to three",
    },
    iterable=["set"],
)  # fmt: skip
@needs("engine")
def bench(
    _: Context,
    series: str = "v0",
    against: str = "none",
    kernel: str = "",
    tree: str = "",
    dirty: bool = False,
    workload: str = "exit-storm",
    machine: str = "exact,exact8",
    flavour: str = "bench",
    seeds: int = 0,
    set: list[str] | None = None,  # noqa: A002  # the flag's name
    fresh: bool = False,
    all_pairs: bool = False,
    json: bool = False,
    hosts: str = "",
    plan_only: bool = False,
    run: str = "",
) -> None:
    """Build each SERIES and the series AGAINST, boot them, and report what changed."""
    from patchbench.intake import taking
    from patchbench.runs import benching, planning

    with exits():
        request = benching.BenchRequest(
            series=series,
            against=against,
            kernel=kernel,
            tree=tree,
            workload=workload,
            machines=tuple(machine.split(",")),
            flavour=flavour,
            seeds=seeds or None,
            fresh=fresh,
            parameters=parameters(set),
            dirty=dirty,
        )
        with opened(hosts) as line:
            line.with_changes = dirty
            request = replace(request, run=planning.begun(line, run) if run else "")
            asked = benching.by_workload(line, taking.resolved(line, request))
            if plan_only:
                print(*(job for one in asked for job in planning.plan_only(line, one)), sep="\n")
                return
            folders = [benching.bench(line, one).folder for one in asked]
        errors = [report_bench(folder, pairs=all_pairs, as_json=json) for folder in folders]
        if error := next(filter(None, errors), None):
            raise error


@task(
    help=flags(
        "series", "against", "kernel", "tree", "dirty", "workload", "machine", "flavour", "set"
    )
    | {
        "seed": "which seed to boot with",
        "series": "folders in patches/, with commas; each is compared with AGAINST",
        "machine": "exact files in qemu/machines/, with commas; each is profiled by itself",
        "run": "profile the arms of this run, and put the flame graphs into its report",
        "top": "how many functions to list; 0: all with one per cent or more",
        "by": "sort functions by own, change or calls",
    },
    iterable=["set"],
)
@needs("engine")
def profile(
    _: Context,
    run: str = "",
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
    top: int = 0,
    by: str = "own",
) -> None:
    """Count a storm's instructions by function and CPU, and its waiting for locks, in every arm."""
    from patchbench import pipeline
    from patchbench.intake import taking
    from patchbench.profile import profiling
    from patchbench.profile import tables as profiles
    from patchbench.profile.listing import Listing
    from patchbench.profile.profiling import ProfileRequest
    from patchbench.runs import archive
    from patchbench.runs import folder as runs
    from patchbench.store import write_whole
    from patchbench.tools.terminal import Terminal, print_table

    with exits():
        shown = Listing.parse(top, by)
        request = ProfileRequest(
            series=series,
            against=against,
            kernel=kernel,
            tree=tree,
            dirty=dirty,
            workload=workload,
            machine=machine,
            flavour=flavour,
            seed=seed,
            parameters=parameters(set),
        )
        if run:
            bench_run = archive.find_bench(ROOT / "results", run)
            request = profiling.of_run(runs.read_plan(bench_run), seed)
        with pipeline.opened(ROOT, Terminal()) as opened:
            opened.with_changes = dirty
            folder, by_machine = profiling.by_machine(opened, taking.resolved(opened, request))
        out = ROOT / "results/reports" / folder.name
        for profiled in by_machine:
            below = out / profiled.machine if len(by_machine) > 1 else out
            files = _report_profile(profiled, shown, below)
            if run:
                graphs = {name: text for name, text in files.items() if name.endswith(".svg")}
                runs.add_profile(bench_run, profiled.machine, graphs)
        if len(by_machine) > 1:
            table, text = profiles.across(by_machine, request.command())
            write_whole(out / "profile.md", text)
            print_table(table.headings, table.rows, table.title, words=table.words)
        print(f"report {out}")


def _report_profile(profiled: Profiles, shown: Listing, folder: Path) -> dict[str, str]:
    """Leave one machine's profiles in a folder, print their tables, and return the files."""
    from patchbench.profile import tables as profiles
    from patchbench.store import write_whole
    from patchbench.tools.terminal import print_table

    folder.mkdir(parents=True, exist_ok=True)
    files = profiles.files(profiled, shown)
    for name, text in files.items():
        write_whole(folder / name, text)
    for table in profiles.tables(profiled, shown):
        print_table(table.headings, table.rows, table.title, words=table.words)
    for note in profiles.notes(profiled):
        print(f"- {note}")
    return files
