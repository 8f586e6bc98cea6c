# SPDX-License-Identifier: GPL-2.0-only
"""Verbs for the machine and the project: list, doctor, clean, test, harden, lint, dev.timings."""

import os
import sys
from collections.abc import Sequence
from pathlib import Path

from invoke.context import Context
from invoke.tasks import task

from patchbench.errors import BadInput, NotRepeatable, PipelineError
from patchbench.verbs.common import ROOT, bytes_of, exits, finish, flags, parameters
from patchbench.verbs.needs import needs

_PYTEST = [sys.executable, "-m", "pytest"]
#: A process for each core; the tests of one file stay in one, so its fixtures are made once.
_PARALLEL = ["-n", "auto", "--dist", "loadfile"]
#: Of milliseconds a test, half went to handing them out; so each process gets its files at once.
_FAST = ["-m", "not e2e and not slow", "-p", "no:cacheprovider"]


@task(name="list")
@needs()
def list_(_: Context) -> None:
    """List the series, kernels, flavours, machines and workloads."""
    from patchbench.catalog import Catalog
    from patchbench.tools.terminal import print_table

    with exits():
        listing = Catalog(ROOT).listing()
        rows = [
            (noun, name, text) for noun, names in listing.items() for name, text in names.items()
        ]
        print_table(("noun", "name", "what it is"), rows, words=3)


@task(
    help=flags("kernel")
    | {
        "machine": "file in qemu/machines/: boot it, and say how it keeps time",
        "sweep": "vary the machine's quantum and spin, and say what that does to a storm",
        "cache": "check the cache, and remove what is damaged",
    }
)
@needs("engine", only_with="machine")
def doctor(
    _: Context,
    machine: str = "",
    sweep: bool = False,
    kernel: str = "mainline",
    cache: bool = False,
) -> None:
    """Say what this host has and lacks, and how to get it; or how MACHINE keeps time."""
    from patchbench import doctor as doctors
    from patchbench import pipeline
    from patchbench.tools.terminal import print_table

    if cache:
        _mend_cache()
        return
    if machine:
        _examine(machine, kernel, sweep=sweep)
        return
    with exits():
        if sweep:
            raise BadInput("--sweep varies a machine: name one with --machine")
        findings = doctors.examine(pipeline.default_cache())
        print_table(("what", "state", "detail"), [finding.row() for finding in findings], words=3)
        remedies = [finding.remedy for finding in findings if not finding.good]
        if remedies:
            raise PipelineError("\n".join(remedies))


@task(
    help={
        "work": "work trees, build folders and parked git-am's",
        "shelf": "images, guests and exact boots",
        "sources": "kernel repositories and downloads",
        "results": "runs and reports (published ones stay)",
        "everything": "all of these, and the compiler cache",
        "keep": "shrink the cache to this size, for example 20G; least recently used first",
    }
)
@needs()
def clean(
    _: Context,
    work: bool = False,
    shelf: bool = False,
    sources: bool = False,
    results: bool = False,
    everything: bool = False,
    keep: str = "",
) -> None:
    """Remove what can be rebuilt; a flag says what."""
    from patchbench import pipeline
    from patchbench.tools.terminal import Terminal

    chosen = [
        *(["work"] if work or everything else []),
        *(["shelf"] if shelf or everything else []),
        *(["sources", "downloads"] if sources or everything else []),
        *(["runs", "reports", "studies"] if results or everything else []),
        *(["ccache"] if everything else []),
    ]
    with exits():
        most_bytes = bytes_of(keep) if keep else None
        if not chosen and most_bytes is None:
            flags = "--work, --shelf, --sources, --results, --everything or --keep SIZE"
            raise BadInput(f"clean what? {flags}")
        with pipeline.opened(ROOT, Terminal()) as run:
            for path in run.clean(what=chosen, most_bytes=most_bytes):
                print(f"removed {path}")


@task(
    help={
        "fast": "leave out real kernels, and most of what starts git or gcc or draws plots",
        "nightly": "also what needs a whole kernel that no other test needs, or sshd",
    }
)
@needs("engine", "browser", "hosts", "b4", unless="fast")
def test(_: Context, fast: bool = False, nightly: bool = False) -> None:
    """Lint, then run the tests, real kernels last; with --fast only the quick tests, no lint."""
    from patchbench.tools import process

    with exits():
        if fast and nightly:
            raise BadInput("--fast boots nothing, and --nightly is for what boots: choose one")
        # Many containers set this; every worker would then compile all tests again.
        os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
        if fast:
            piles = _piles(os.cpu_count() or 1)
            commands = [[*_PYTEST, *_FAST, *pile] for pile in piles]
            statuses, others = process.call_beside(commands, cwd=ROOT)
            print(others, end="")
            finish(next((status for status in statuses if status), 0))
            return
        kernels = "e2e" if nightly else "e2e and not nightly"
        # Real boots have the cores to themselves.
        finish(
            _lint()
            or process.call([*_PYTEST, "-m", "not e2e", *_PARALLEL], cwd=ROOT)
            or process.call([*_PYTEST, "-m", kernels, "--verbose", "--durations=12"], cwd=ROOT)
        )


@task(help={"fuzz": "random inputs for each kind of parser; a million take two hours"})
@needs("engine", "browser")
def harden(_: Context, fuzz: int = 10_000) -> None:
    """Attack the project and let its host fail; print the table of docs/reliability.md."""
    from patchbench.tools import process

    with exits():
        finish(process.call([sys.executable, "-m", "tests.hardening", str(fuzz)], cwd=ROOT))


@task
@needs()
def lint(_: Context) -> None:
    """Check Python and shell for style and types."""
    with exits():
        finish(_lint())


def _piles(number: int) -> list[list[str]]:
    """Return the files of tests that boot nothing, dealt out by size: long ones take longer."""
    files = [path for path in (ROOT / "tests").rglob("test_*.py") if path.parent.name != "e2e"]
    piles: list[list[Path]] = [[] for _ in range(number)]
    for path in sorted(files, key=lambda one: one.stat().st_size, reverse=True):
        min(piles, key=_bytes_of).append(path)
    return [sorted(map(str, pile)) for pile in piles]


def _bytes_of(files: Sequence[Path]) -> int:
    return sum(path.stat().st_size for path in files)


def _lint() -> int:
    from patchbench.tools import process

    scripts = [
        "bootstrap",
        ".ci/run",
        "configs/toolchain/describe-toolchain",
        "configs/toolchain/fetch-source",
        "qemu/guest/init",
    ]
    workflows = sorted(str(path) for path in (ROOT / ".github/workflows").glob("*.yml"))
    checks = [
        [sys.executable, "-m", "ruff", "check", "."],
        [sys.executable, "-m", "ruff", "format", "--check", "."],
        [sys.executable, "-m", "mypy"],
        ["shellcheck", *scripts],
        ["check-jsonschema", "--builtin-schema", "vendor.github-workflows", *workflows],
        ["check-jsonschema", "--builtin-schema", "vendor.gitlab-ci", "docs/gitlab-ci.yml"],
    ]
    here = Path(sys.executable).parent
    os.environ["PATH"] = f"{here}{os.pathsep}{os.environ.get('PATH', '')}"
    return max(process.call(check, cwd=ROOT) for check in checks)


def _mend_cache() -> None:
    from patchbench import pipeline
    from patchbench.cache import mending
    from patchbench.tools.terminal import Terminal, print_table

    with exits(), pipeline.opened(ROOT, Terminal()) as run:
        run.require_alone()
        rows = [row.cells() for row in mending.mend(run.cache)]
        print_table(mending.HEADINGS, rows, str(run.cache), words=3)


def _examine(name: str, kernel: str, *, sweep: bool) -> None:
    from patchbench import pipeline
    from patchbench.clocks import clockwork, timekeeping
    from patchbench.tools.terminal import Terminal, print_table

    with exits(), pipeline.opened(ROOT, Terminal()) as run:
        machine = run.catalog.machine(name)
        if sweep:
            rows = [*timekeeping.sweep(run, machine, kernel)]
            print_table(
                timekeeping.sweep_headings(run.catalog), rows, f"a storm on {name}", words=1
            )
            return
        checked = timekeeping.examine(run, machine, kernel)
        print_table(clockwork.HEADINGS, [row.cells() for row in checked], name, words=4)
        if wrong := [row.what for row in checked if row.good is False]:
            raise PipelineError(f"machine {name} does not keep time: {', '.join(wrong)}")


@task(
    help=flags("machine", "workload", "kernel", "set")
    | {"workload": "files in workloads/, with commas; by default all"},
    iterable=["set"],
)
@needs("engine")
def repeat(
    _: Context,
    machine: str = "exact8",
    workload: str = "",
    kernel: str = "mainline",
    set: list[str] | None = None,  # noqa: A002  # the flag's name
) -> None:
    """Boot every workload twice, side by side, and compare results and console to the byte."""
    from patchbench import pipeline
    from patchbench.clocks import timekeeping
    from patchbench.tools.terminal import Terminal, print_table

    with exits(), pipeline.opened(ROOT, Terminal()) as run:
        names = workload.split(",") if workload else run.catalog.workloads()
        on = run.catalog.machine(machine)
        rows = [*timekeeping.repeat(run, on, kernel, names, parameters(set))]
        print_table(timekeeping.REPEAT_HEADINGS, [row.cells() for row in rows], machine, words=3)
        if differ := [row.workload for row in rows if row.difference]:
            raise NotRepeatable(f"boots on {machine} differ: {', '.join(differ)}")


@task(help=flags("run"))
@needs()
def timings(_: Context, run: str = "latest") -> None:
    """Print where the time of a run went: make, QEMU, and our own."""
    from patchbench.runs import archive, times
    from patchbench.tools.terminal import print_table

    with exits():
        folder = archive.find_bench(ROOT / "results", run)
        print_table(times.HEADINGS, times.rows(folder))
