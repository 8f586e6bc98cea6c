# SPDX-License-Identifier: GPL-2.0-only
"""Verbs that judge: gate, check, calibrate, publish, verify."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from invoke.context import Context
from invoke.tasks import task

from patchbench.errors import BadInput, GateFailed, Undecided
from patchbench.verbs.common import ROOT, exits, flags, opened, seconds_of, show_findings
from patchbench.verbs.needs import needs

if TYPE_CHECKING:
    from patchbench.gate.limits import Verdict

_CALIBRATED = "configs/gate.toml,configs/gate-storm.toml"


@task(
    help=flags("series", "against", "kernel", "tree", "dirty", "flavour", "fresh", "json", "hosts")
    | {
        "policy": "the limits, instead of configs/gate.toml",
        "seeds": "judge once, after this many seeds per arm, instead of at the policy's looks",
        "budget": "start no boot after this long: 90s, 10m, 2h; what is undecided stays undecided",
        "all": "go on when the verdict is FAIL already, and look at everything else",
        "changed-since": "gate what differs from this commit, against its predecessor and none",
    }
)
@needs("engine")
def gate(
    _: Context,
    series: str = "v0",
    against: str = "none",
    kernel: str = "",
    tree: str = "",
    dirty: bool = False,
    flavour: str = "bench",
    policy: str = "configs/gate.toml",
    seeds: int = 0,
    budget: str = "",
    fresh: bool = False,
    json: bool = False,
    changed_since: str = "",
    all: bool = False,  # noqa: A002  # the flag's name
    hosts: str = "",
) -> None:
    """Pass or stop a series by configs/gate.toml: 0 PASS, 10 FAIL, 11 INCONCLUSIVE."""
    from patchbench.gate import gating, revisions
    from patchbench.gate.request import GateRequest
    from patchbench.intake import taking

    with exits():
        request = GateRequest(
            series=series,
            against=against,
            kernel=kernel,
            tree=tree,
            flavour=flavour,
            policy=Path(policy),
            seeds=seeds or None,
            budget_s=seconds_of(budget) if budget else None,
            fresh=fresh,
            everything=all,
            dirty=dirty,
        )
        with opened(hosts) as run:
            run.with_changes = dirty
            request = taking.resolved(run, request)
            requests = (
                revisions.changed(run, request, changed_since) if changed_since else [request]
            )
            gated = [gating.gate_series(run, one) for one in requests]
        if not requests:
            print(f"nothing in patches/ differs from {changed_since}: nothing to gate")
        _print_verdicts(gated, as_json=json)


@task(
    help=flags("series", "against", "tree", "dirty", "fresh", "hosts")
    | {
        "kernel": "files in configs/kernels/, with commas",
        "matrix": "the build matrix and no hazards, unless those are named",
        "rows": "rows of configs/matrix.toml, with commas, and no hazards",
        "quick": "the quick rows of the matrix, and no hazards",
        "style": "strict checkpatch, kernel-doc, W=1 and sparse (where the toolchain image has "
        "it) on what each patch touches; no matrix and no hazards, unless those are named",
        "hazards": "workloads with conditions, with commas, and no matrix; or all, or auto",
        "flavour": "file in configs/kconfig/, instead of each hazard's own",
        "machine": "file in qemu/machines/, instead of each hazard's own",
        "seeds": "boots of each hazard per series; a single failure fails it",
        "whole": "the series alone, and not its first patches as well",
        "json": "print findings.json and nothing else",
        "plan-only": "write the rows of the matrix as jobs for `work`, and print their files",
        "run": "take in what `work` did of this check, which --plan-only began",
    }
)
@needs("engine")
def check(
    _: Context,
    series: str = "v0",
    against: str = "none",
    kernel: str = "",
    tree: str = "",
    dirty: bool = False,
    matrix: bool = False,
    rows: str = "",
    quick: bool = False,
    style: bool = False,
    hazards: str = "",
    flavour: str = "",
    machine: str = "",
    seeds: int = 1,
    whole: bool = False,
    fresh: bool = False,
    json: bool = False,
    hosts: str = "",
    plan_only: bool = False,
    run: str = "",
) -> None:
    """Build SERIES in many configurations, boot the hazards, and report what breaks."""
    from patchbench.check import checking
    from patchbench.check.request import CheckRequest
    from patchbench.intake import taking

    with exits():
        request = CheckRequest(
            series, tuple(kernel.split(",")),
            () if hazards == "all" else tuple(name for name in hazards.split(",") if name),
            flavour, machine, seeds, fresh,
            tuple(name for name in rows.split(",") if name), quick,
            checking.parts(
                # With --style, --rows says in which of them.
                matrix=matrix or quick or (bool(rows) and not style),
                hazards=bool(hazards), style=style,
            ), tree, against, first_patches=not whole, dirty=dirty,
        )  # fmt: skip
        with opened(hosts) as line:
            line.with_changes = dirty
            request = replace(request, run=checking.begun(line, run) if run else "")
            request = taking.resolved(line, request)
            if plan_only:
                print(*checking.plan_only(line, request), sep="\n")
                return
            checked = checking.check(line, request)
        show_findings(checked.folder, checked.result, checked.errors, as_json=json)


@task(
    help=flags("kernel", "hosts")
    | {
        "policy": "the policies to calibrate, with commas; one workload for each machine",
        "machine": "only these of the policies' machines, with commas",
        "trials": "comparisons to draw from the boots",
    }
)
@needs("engine")
def calibrate(
    _: Context,
    kernel: str = "mainline",
    policy: str = _CALIBRATED,
    machine: str = "",
    trials: int = 400,
    hosts: str = "",
) -> None:
    """Measure the gate: noise floor, false alarms, power; written to docs/calibration.md."""
    from patchbench.gate import calibrating, calibration, calibration_docs
    from patchbench.tools.terminal import print_table

    with exits():
        paths = tuple(Path(one) for one in policy.split(","))
        machines = tuple(name for name in machine.split(",") if name)
        request = calibrating.CalibrationRequest(kernel, paths, machines, trials=trials)
        with opened(hosts) as run:
            calibrated = calibrating.calibrate(run, request)
        findings = calibration_docs.save(ROOT, calibrated)
        print_table(calibration_docs.HEADINGS, calibration_docs.rows(findings), words=2)
        print(f"calibration {ROOT / calibration_docs.TEXT}")
        if wrong := calibration.out_of_bounds(findings):
            raise GateFailed("the gate is not what it claims:\n  " + "\n  ".join(wrong))


@task(
    help=flags("run")
    | {
        "name": "its folder in results/published/",
        "reweigh": "weigh a published study again by its plan in configs/studies/, without a boot",
        "images": "keep the images of a run as well, for `verify --images`; up to 8 MiB",
        "sign": "an SSH key that signs its checksums; `verify` says which",
    }
)
@needs()
def publish(
    _: Context,
    name: str,
    run: str = "latest",
    reweigh: bool = False,
    images: bool = False,
    sign: str = "",
) -> None:
    """Put a run, a check or a study into results/published/; `verify` repeats a run."""
    from patchbench.runs import folder
    from patchbench.tools import signing

    with exits():
        kept = _publish(name, run, reweigh=reweigh, images=images)
        print(f"published {kept}")
        if sign:
            print(f"signed {signing.sign(kept / folder.SUMS, Path(sign))}")


def _publish(name: str, run: str, *, reweigh: bool, images: bool) -> Path:
    """Return the folder in results/published/ that now has a run, check or study."""
    from patchbench.check import checking
    from patchbench.pipeline import default_cache
    from patchbench.runs import archive, publishing
    from patchbench.study import publishing as study_publishing

    if reweigh:
        return study_publishing.weigh_again(ROOT, name)
    found = archive.find(ROOT / "results", run)
    if images and not isinstance(found, archive.StoredBench):
        raise BadInput(f"{run} is no run of `bench`: it has no images to keep")
    match found:
        case archive.StoredStudy(folder):
            return study_publishing.publish(ROOT, folder, name)
        case archive.StoredCheck(folder):
            return checking.publish(ROOT, folder, name)
        case archive.StoredBench(folder):
            return publishing.publish(
                ROOT, folder, name, shelf=default_cache() / "shelf" if images else None
            )


@task(
    positional=["folder"],
    help=flags("tree")
    | {
        "folder": "results/published/NAME",
        "all": "replay every boot",
        "images": "boot the images that were published with it, and build none",
    },
)
@needs("engine")
def verify(
    _: Context,
    folder: str,
    all: bool = False,  # noqa: A002  # the flag's name
    tree: str = "",
    images: bool = False,
) -> None:
    """Build a published run's images again, replay some of its boots, and compare."""
    from patchbench import pipeline
    from patchbench.runs import archive, verifying
    from patchbench.tools.terminal import Terminal, print_table

    with exits():
        if images and tree:
            raise BadInput("--images builds nothing, so there is no use for --tree: choose one")
        place = archive.find_bench(ROOT / "results", folder)
        with pipeline.opened(ROOT, Terminal()) as run:
            verification = verifying.verify(run, place, everything=all, tree=tree, kept=images)
        print_table(verifying.HEADINGS, verification.rows(), verification.name, words=4)
        print(f"signed by {verification.signed_by or 'nobody: its checksums show no author'}")
        if count := verification.unrepeatable:
            print(f"{count} boots of other machines cannot repeat; their checksums were compared")
        if error := verification.error():
            raise error


def _print_verdicts(gated: list[Verdict], *, as_json: bool) -> None:
    """Print each verdict, and end with the status of the worst: FAIL, then INCONCLUSIVE."""
    from patchbench.gate import verdicts
    from patchbench.tools.terminal import print_table

    if as_json:
        print(json.dumps([verdicts.as_json(one) for one in gated], indent=1))
    for one in gated:
        if not as_json:
            print(verdicts.headline(one))
            for sentence in verdicts.sentences(one):
                print(f"  {sentence}")
            print_table(verdicts.HEADINGS, verdicts.rows(one))
            print(f"summary {ROOT / 'results/reports' / one.gate / 'summary.md'}")
    ruled = {one.ruled for one in gated}
    if "FAIL" in ruled:
        raise GateFailed("the series is stopped; the verdict says why")
    if "INCONCLUSIVE" in ruled:
        raise Undecided("not everything is decided; more seeds or a longer --budget may help")
