# SPDX-License-Identifier: GPL-2.0-only
"""The verbs: parse flags, call the pipeline, print, choose the exit status. No logic."""

import functools
import json
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from invoke.collection import Collection
from invoke.context import Context
from invoke.exceptions import Exit
from invoke.tasks import task

from patchbench import (
    calibrating,
    calibration,
    checking,
    claims,
    formats,
    gating,
    pipeline,
    porting,
    profiling,
    runs,
    verdicts,
    verifying,
)
from patchbench import doctor as doctors
from patchbench import history as histories
from patchbench import policy as policies
from patchbench import profile_report as profiles
from patchbench import report as reports
from patchbench.catalog import Catalog
from patchbench.errors import BadInput, GateFailed, PipelineError, Undecided
from patchbench.model import Boot, Comparison, Verdict
from patchbench.profiling import ProfileRequest
from patchbench.store import write_whole
from patchbench.tools import process
from patchbench.tools.terminal import Terminal, print_table

ROOT = Path(__file__).resolve().parent
_INTERRUPTED = 130
_PYTEST = [sys.executable, "-m", "pytest"]
_HELP = {
    "series": "folder in patches/, or none",
    "against": "the series to compare with, or none",
    "kernel": "file in configs/kernels/",
    "tree": "a kernel tree of your own, instead of --kernel",
    "flavour": "file in configs/kconfig/",
    "machine": "files in qemu/machines/, with commas",
    "workload": "file in workloads/",
    "seeds": "boots an arm; 0: as many as the machine's file says",
    "set": "a workload's parameter, name=value; may be repeated",
    "fresh": "boot everything again and compare with the shelf, to the byte",
    "json": "print comparison.json and nothing else",
    "run": "folder in results/runs/ or results/published/, the beginning of its name, or latest",
    "format": f"print this and nothing else: {', '.join(formats.names())}",
}


def _help(*flags: str) -> dict[str, str]:
    return {name: _HELP[name] for name in flags}


@contextmanager
def exits() -> Iterator[None]:
    """Turn a failure the user can act on into its message and exit status."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    except PipelineError as err:
        raise Exit(f"error: {err}", code=err.exit_code) from err
    except OSError as err:
        if err.filename is None and err.errno is None:
            raise
        raise Exit(f"error: {err}", code=PipelineError.exit_code) from err
    except KeyboardInterrupt as err:
        raise Exit(
            "interrupted; the next run carries on from what is shelved", _INTERRUPTED
        ) from err


@task(name="list")
def list_(_: Context) -> None:
    """1 List the series, kernels, flavours, machines and workloads that are dropped in."""
    with exits():
        listing = Catalog(ROOT).listing()
        rows = [
            (noun, name, text) for noun, names in listing.items() for name, text in names.items()
        ]
        print_table(("noun", "name", "what it is"), rows, words=3)


@task(help=_help("kernel"))
def fetch(_: Context, kernel: str = "mainline") -> None:
    """2 Fetch the newest version of KERNEL from its origin (other verbs use what is there)."""
    with exits(), pipeline.opened(ROOT, Terminal()) as run:
        source = run.fetch(run.catalog.kernel(kernel))
        print(f"{source.kernel} {source.version}  {source.provenance}  {source.commit}")


@task(
    help=_help("series", "kernel", "tree", "json")
    | {"matrix": "try every port of every series on every kernel instead"}
)
def apply(
    _: Context,
    series: str = "v0",
    kernel: str = "mainline",
    tree: str = "",
    matrix: bool = False,
    json: bool = False,
) -> None:
    """3 Apply SERIES to KERNEL with a three-way merge, and print the tree."""
    if matrix:
        _apply_matrix(as_json=json)
        return
    with exits(), pipeline.opened(ROOT, Terminal()) as run:
        applied = run.apply(run.source(kernel, tree), series)
        print(f"tree {applied.id}  commit {applied.commit}  {applied.source.version}")


@task(
    name="range-diff",
    help=_help("series")
    | {
        "to": "the kernel line of the port to compare with, for example 7.3",
        "from": "the kernel line of the other port",
        "against": "the other revision; the same series if left out",
    },
)
def range_diff(
    _: Context, series: str = "v0", from_: str = "6.12", to: str = "7.3", against: str = ""
) -> None:
    """Show how two ports or revisions of a series differ, by git's range-diff."""
    with exits(), pipeline.opened(ROOT, Terminal()) as run:
        print(porting.range_diff(run, (against or series, from_), (series, to)))


@task(help=_help("series", "kernel", "tree", "flavour"))
def build(
    _: Context,
    series: str = "v0",
    kernel: str = "mainline",
    tree: str = "",
    flavour: str = "bench",
) -> None:
    """4 Build the ARM64 image of SERIES on KERNEL; --series none is the kernel as it is."""
    with exits(), pipeline.opened(ROOT, Terminal()) as run:
        image = run.image(run.apply(run.source(kernel, tree), series), flavour)
        print(f"image {image.key[:12]}  {image.release}  {image.path}")


@task(
    help=_help("series", "kernel", "tree", "flavour", "machine", "workload", "set")
    | {"seed": "which seed to boot with"},
    iterable=["set"],
)
def boot(
    _: Context,
    series: str = "v0",
    kernel: str = "mainline",
    tree: str = "",
    flavour: str = "bench",
    machine: str = "exact",
    workload: str = "exit-storm",
    seed: int = 1,
    set: list[str] | None = None,  # noqa: A002  # the flag's name
) -> None:
    """5 Boot once and print the guest's console and samples."""
    with exits(), pipeline.opened(ROOT, Terminal()) as run:
        image = run.image(run.apply(run.source(kernel, tree), series), flavour)
        arm = run.arm(image, run.catalog.machine(machine), workload, _parameters(set))
        console, told = run.boot_once(arm, seed)
        print(console)
        rows = [(one.metric, one.label, reports.number(one.value)) for one in told.record.samples]
        print_table(("metric", "label", "value"), rows)


@task(
    help=_help(
        "series", "against", "kernel", "tree", "workload", "machine", "flavour", "seeds", "set",
        "fresh", "json",
    ),
    iterable=["set"],
)  # fmt: skip
def bench(
    _: Context,
    series: str = "v0",
    against: str = "none",
    kernel: str = "mainline",
    tree: str = "",
    workload: str = "exit-storm",
    machine: str = "exact,parallel",
    flavour: str = "bench",
    seeds: int = 0,
    set: list[str] | None = None,  # noqa: A002  # the flag's name
    fresh: bool = False,
    json: bool = False,
) -> None:
    """6 Build SERIES and the series AGAINST, boot both, and report what changed."""
    with exits():
        request = pipeline.BenchRequest(
            series=series,
            against=against,
            kernel=kernel,
            tree=tree,
            workload=workload,
            machines=tuple(machine.split(",")),
            flavour=flavour,
            seeds=seeds or None,
            fresh=fresh,
            parameters=_parameters(set),
        )
        with pipeline.opened(ROOT, Terminal()) as run:
            folder = run.bench(request)
        _report(folder, as_json=json)


@task(
    help=_help("series", "against", "kernel", "tree", "workload", "machine", "flavour", "set")
    | {
        "seed": "which seed to boot with",
        "run": "profile the arms of this run, and put the flame graphs into its report",
    },
    iterable=["set"],
)
def profile(
    _: Context,
    run: str = "",
    series: str = "v0",
    against: str = "none",
    kernel: str = "mainline",
    tree: str = "",
    workload: str = "exit-storm",
    machine: str = "exact",
    flavour: str = "bench",
    seed: int = 1,
    set: list[str] | None = None,  # noqa: A002  # the flag's name
) -> None:
    """Tell where the instructions of a storm go, function by function, in both arms."""
    with exits():
        request = ProfileRequest(
            series=series,
            against=against,
            kernel=kernel,
            tree=tree,
            workload=workload,
            machine=machine,
            flavour=flavour,
            seed=seed,
            parameters=_parameters(set),
        )
        if run:
            bench_run = runs.find(ROOT / "results", run)
            request = profiling.of_run(runs.read_plan(bench_run), seed)
        with pipeline.opened(ROOT, Terminal()) as opened:
            folder, profiled = profiling.profile(opened, request)
        out = ROOT / "results/reports" / folder.name
        out.mkdir(parents=True, exist_ok=True)
        files = profiles.files(profiled)
        for name, text in files.items():
            write_whole(out / name, text)
        if run:
            graphs = {name: text for name, text in files.items() if name.endswith(".svg")}
            runs.add_profile(bench_run, graphs)
        for table in profiles.tables(profiled):
            print_table(table.headings, table.rows, table.title, words=table.words)
        for note in profiles.notes(profiled):
            print(f"- {note}")
        print(f"report {out}")


@task(
    help=_help("run", "json", "format")
    | {"check-claims": "a mail or text whose marked numbers are checked against the runs' logs"}
)
def report(
    _: Context,
    run: str = "latest",
    json: bool = False,
    format: str = "",  # noqa: A002  # the flag's name
    check_claims: str = "",
) -> None:
    """7 Report a run again, from its logs, or check a text's numbers against the runs."""
    with exits():
        if check_claims:
            _check_claims(Path(check_claims))
        elif format:
            _export(run, format)
        else:
            _report(runs.find(ROOT / "results", run), as_json=json)


@task(
    help=_help("json")
    | {
        "base": "a run, or RUN:SERIES for its other arm",
        "test": "another run, or RUN:SERIES",
        "machine": "exact machines that both runs were made on, with commas",
    }
)
def compare(_: Context, base: str, test: str, machine: str = "exact", json: bool = False) -> None:
    """Compare arms of two stored runs: what nothing but the image tells apart."""
    with exits():
        told = runs.compare_arms(ROOT, base, test, machine.split(","))
        _show(told, as_json=json)


@task(
    help={
        "metric": "what to follow, for example exit_ns",
        "machine": "machines, with commas; all of them if left out",
    }
)
def history(_: Context, metric: str, machine: str = "") -> None:
    """Follow METRIC over all runs, and plot it."""
    with exits():
        machines = [name for name in machine.split(",") if name]
        points = histories.points(runs.comparisons(ROOT), metric, machines)
        out = ROOT / "results/reports" / f"history-{metric}.svg"
        out.parent.mkdir(parents=True, exist_ok=True)
        write_whole(out, histories.svg(points, metric))
        print_table(histories.HEADINGS, histories.rows(points), metric, words=6)
        for line in histories.reasons(points):
            print(line)
        print(f"plot {out}")


@task(
    help=_help("series", "against", "kernel", "tree", "flavour", "fresh", "json")
    | {
        "policy": "the limits, instead of configs/gate.toml",
        "seeds": "judge once, after so many boots an arm, instead of at the policy's looks",
        "budget": "start no boot after so long: 90s, 10m, 2h; what is undecided stays so",
        "changed-since": "gate what differs from this commit, against its revision before and none",
    }
)
def gate(
    _: Context,
    series: str = "v0",
    against: str = "none",
    kernel: str = "mainline",
    tree: str = "",
    flavour: str = "bench",
    policy: str = str(policies.DEFAULT),
    seeds: int = 0,
    budget: str = "",
    fresh: bool = False,
    json: bool = False,
    changed_since: str = "",
) -> None:
    """8 Pass or stop a series by configs/gate.toml: 0 PASS, 10 FAIL, 11 INCONCLUSIVE."""
    with exits():
        request = gating.GateRequest(
            series, against, kernel, tree, flavour, Path(policy), seeds or None,
            _seconds(budget) if budget else None, fresh,
        )  # fmt: skip
        with pipeline.opened(ROOT, Terminal()) as run:
            requests = gating.changed(run, request, changed_since) if changed_since else [request]
            told = [gating.gate_series(run, one) for one in requests]
        if not requests:
            print(f"nothing in patches/ differs from {changed_since}: nothing to gate")
        _print_verdicts(told, as_json=json)


@task(
    help=_help("series", "fresh", "json")
    | {
        "kernel": "files in configs/kernels/, with commas",
        "hazards": "workloads with conditions, with commas; empty: all there are",
        "flavour": "file in configs/kconfig/, instead of each hazard's own",
        "machine": "file in qemu/machines/, instead of each hazard's own",
        "seeds": "boots of each hazard on each arm; one that fails is enough",
    }
)
def check(
    _: Context,
    series: str = "v0",
    kernel: str = "mainline",
    hazards: str = "",
    flavour: str = "",
    machine: str = "",
    seeds: int = 1,
    fresh: bool = False,
    json: bool = False,
) -> None:
    """9 Boot the hazards with and without SERIES, and tell what does not hold."""
    with exits():
        request = checking.CheckRequest(
            series, tuple(kernel.split(",")), tuple(name for name in hazards.split(",") if name),
            flavour, machine, seeds, fresh,
        )  # fmt: skip
        with pipeline.opened(ROOT, Terminal()) as run:
            told = checking.check(run, request)
        if json:
            print(checking.as_json(told.findings))
        else:
            print_table(checking.headings(told.findings), checking.rows(told.findings), words=9)
            for line in checking.complaints(told.findings):
                print(line)
            print(f"findings {told.folder / checking.FINDINGS}")
        if error := checking.verdict_error(told.findings):
            raise error


@task(
    help=_help("kernel")
    | {
        "policy": "the limits to calibrate, with commas; each for one workload and machine",
        "trials": "comparisons drawn from the boots",
    }
)
def calibrate(
    _: Context,
    kernel: str = "mainline",
    policy: str = "configs/gate.toml,configs/gate-parallel.toml",
    trials: int = 400,
) -> None:
    """10 Measure the gate: noise floor, false alarms, power; written to docs/calibration.md."""
    with exits():
        paths = tuple(Path(one) for one in policy.split(","))
        request = calibrating.CalibrationRequest(kernel, paths, trials=trials)
        with pipeline.opened(ROOT, Terminal()) as run:
            told = calibrating.calibrate(run, request)
        findings = calibration.save(ROOT, told)
        print_table(calibration.HEADINGS, calibration.rows(findings), words=2)
        print(f"calibration {ROOT / calibration.TEXT}")
        if wrong := calibration.out_of_bounds(told, findings):
            raise GateFailed("the gate is not what it claims:\n  " + "\n  ".join(wrong))


@task(help=_help("run") | {"name": "its folder in results/published/"})
def publish(_: Context, name: str, run: str = "latest") -> None:
    """11 Put a run into results/published/, in compact text that `verify` can repeat."""
    with exits():
        folder = runs.publish(ROOT, runs.find(ROOT / "results", run), name)
        print(f"published {folder}")


@task(positional=["folder"], help={"folder": "results/published/NAME", "all": "replay every boot"})
def verify(_: Context, folder: str, all: bool = False) -> None:  # noqa: A002  # the flag's name
    """12 Build a published run's images again, replay some of its boots, and compare."""
    with exits():
        place = runs.find(ROOT / "results", folder)
        with pipeline.opened(ROOT, Terminal()) as run:
            told = verifying.verify(run, place, everything=all)
        print_table(verifying.HEADINGS, told.rows(), told.name, words=4)
        if told.unrepeatable:
            print(f"{told.unrepeatable} boots of other machines have their checksums, and no more")
        if error := told.error():
            raise error


@task
def doctor(_: Context) -> None:
    """13 Say what this machine has, what it lacks, and how to get that."""
    with exits():
        findings = doctors.examine(pipeline.default_cache())
        print_table(("what", "state", "detail"), [finding.row() for finding in findings], words=3)
        if any(not finding.good for finding in findings):
            raise PipelineError("\n".join(finding.remedy for finding in findings if finding.remedy))


@task(
    help={
        "work": "work trees, build folders and parked git-am's",
        "shelf": "images, guests and exact boots",
        "sources": "kernel repositories and downloads",
        "results": "runs and reports (published ones stay)",
        "everything": "all of these, and the compiler cache",
    }
)
def clean(
    _: Context,
    work: bool = False,
    shelf: bool = False,
    sources: bool = False,
    results: bool = False,
    everything: bool = False,
) -> None:
    """14 Remove what can be made again; needs a flag that says what."""
    chosen = [
        *(["work"] if work or everything else []),
        *(["shelf"] if shelf or everything else []),
        *(["sources", "downloads"] if sources or everything else []),
        *(["runs", "reports"] if results or everything else []),
        *(["ccache"] if everything else []),
    ]
    with exits():
        if not chosen:
            raise BadInput("clean what? --work, --shelf, --sources, --results or --everything")
        with pipeline.opened(ROOT, Terminal()) as run:
            for path in run.clean(what=chosen):
                print(f"removed {path}")


@task(help={"fast": "stop before the container engine: seconds instead of minutes"})
def test(_: Context, fast: bool = False) -> None:
    """Run lint, the pure tests, the stages' tests, then the real thing on a real kernel."""
    with exits():
        if fast:
            _finish(process.call([*_PYTEST, "-m", "not e2e"], cwd=ROOT))
        else:
            _finish(_lint() or process.call([*_PYTEST, "--verbose", "--durations=12"], cwd=ROOT))


@task
def lint(_: Context) -> None:
    """Check Python and shell for style and types."""
    with exits():
        _finish(_lint())


def _lint() -> int:
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


@task(help=_help("run"))
def timings(_: Context, run: str = "latest") -> None:
    """Print where a run's time went: make, QEMU, and what is ours."""
    with exits():
        folder = runs.find(ROOT / "results", run)
        print_table(("what", "wall s", "share"), runs.timings(folder))


def _report(folder: Path, *, as_json: bool) -> None:
    """Write a run's report, print it, and leave the status that it deserves."""
    told, boots = runs.told(ROOT, folder)
    out = ROOT / "results/reports" / folder.name
    reports.write(out, told)
    write_whole(out / "report.html", formats.find("html")(told, boots))
    _show(told, as_json=as_json, written=out)


def _show(told: Comparison, *, as_json: bool, written: Path | None = None) -> None:
    """Print a comparison, and leave the status that it deserves."""
    if as_json:
        print(reports.dumps(told))
    else:
        for line in reports.headline(told):
            print(line)
        plan = told.plan
        title = f"{plan.test.series} against {plan.base.series}, {plan.kernel} {plan.version}"
        if not told.nothing_to_measure:
            print_table(reports.HEADINGS, reports.rows(told), title)
        if written:
            print(f"report {written / 'report.md'}  {written / 'report.html'}")
    if error := runs.verdict_error(told):
        raise error


def _apply_matrix(*, as_json: bool) -> None:
    """Print which port applies where, and leave it as JSON and Markdown."""
    with exits():
        with pipeline.opened(ROOT, Terminal()) as run:
            fits = porting.matrix(run)
        out = ROOT / "results/reports"
        out.mkdir(parents=True, exist_ok=True)
        text = json.dumps(porting.as_json(fits), indent=1)
        write_whole(out / "applies.json", text + "\n")
        write_whole(out / "applies.md", porting.markdown(fits))
        if as_json:
            print(text)
        else:
            print_table(porting.HEADINGS, [fit.row() for fit in fits], words=6)


def _export(run: str, name: str) -> None:
    """Print a run in a format, and leave the status that the run deserves."""
    render = formats.find(name)
    told, boots = runs.told(ROOT, runs.find(ROOT / "results", run))
    sys.stdout.write(render(told, boots))
    if error := runs.verdict_error(told):
        raise error


def _check_claims(path: Path) -> None:
    """Print what became of each number that a text claims; the worst decides the status."""

    @functools.cache
    def read(name: str) -> tuple[Comparison, list[Boot]]:
        return runs.told(ROOT, runs.find(ROOT / "results", name))

    findings = claims.check(claims.parse(claims.read_mail(path)), read)
    if findings:
        print_table(claims.HEADINGS, [finding.row() for finding in findings], words=3)
    for line in claims.reasons(findings):
        print(line)
    if error := claims.error(findings, path):
        raise error
    print(f"all {len(findings)} claims hold")


def _print_verdicts(told: list[Verdict], *, as_json: bool) -> None:
    """Print each verdict, and leave the status of the worst: FAIL, then INCONCLUSIVE."""
    if as_json:
        print(json.dumps([verdicts.as_json(one) for one in told], indent=1))
    for one in told:
        if not as_json:
            print(verdicts.headline(one))
            for reason in one.reasons:
                print(f"  {reason}")
            print_table(verdicts.HEADINGS, verdicts.rows(one))
            print(f"summary {ROOT / 'results/reports' / one.gate / 'summary.md'}")
    ruled = {one.ruled for one in told}
    if "FAIL" in ruled:
        raise GateFailed("the series breaks a limit; the table tells which")
    if "INCONCLUSIVE" in ruled:
        raise Undecided("not every limit is decided; more seeds or a longer --budget may do it")


def _seconds(text: str) -> float:
    units = {"s": 1, "m": 60, "h": 3600}
    if not text[:-1].isdigit() or text[-1:] not in units:
        raise BadInput(f"--budget {text}: a number and its unit, as 90s, 10m or 2h")
    return float(text[:-1]) * units[text[-1]]


def _parameters(told: list[str] | None) -> dict[str, int]:
    parameters = {}
    for text in told or []:
        name, _, value = text.partition("=")
        if not value.isdigit():
            raise BadInput(f"--set {text}: expected name=NUMBER")
        parameters[name] = int(value)
    return parameters


def _finish(status: int) -> None:
    if status:
        raise Exit(code=status)


namespace = Collection(
    list_, fetch, apply, range_diff, build, boot, bench, report, profile, gate, check, calibrate,
    publish, verify, compare, history, doctor, clean, test, lint,
    Collection("dev", timings),
)  # fmt: skip
