# SPDX-License-Identifier: GPL-2.0-only
"""What the verbs share: their flags, their exit statuses, how a comparison is shown."""

from __future__ import annotations

import os
import re
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from invoke.exceptions import Exit

from patchbench.errors import BadInput, PipelineError
from patchbench.verbs.needs import SCHEDULER

if TYPE_CHECKING:
    from patchbench.findings import CheckResult
    from patchbench.model import Comparison
    from patchbench.pipeline import Pipeline

ROOT = Path(__file__).absolute().parents[2]
_INTERRUPTED = 130
#: Their files' names: to import them takes longer than to print a verb's help.
_FORMATS = sorted(path.stem for path in (ROOT / "patchbench/report/formats").glob("[a-z]*.py"))
_HELP = {
    "series": "folder in patches/, none, a file or folder of mails, -, or BASE..TIP of --tree",
    "against": "the series to compare with, or none",
    "kernel": "file in configs/kernels/; default: mainline, for mails the nearest to their base",
    "dirty": "take what no commit of --tree holds as well",
    "tree": "a kernel tree of your own, instead of --kernel",
    "flavour": "file in configs/kconfig/",
    "machine": "files in qemu/machines/, with commas",
    "workload": "file in workloads/",
    "seeds": "seeds per arm; 0: as many as the machine file says",
    "set": "set a parameter of the workload, name=value; repeatable",
    "fresh": "boot again what is shelved, and compare to the byte",
    "hosts": "boot on the workers of a scheduler, tcp://127.0.0.1:8786; else $PATCHBENCH_SCHEDULER",
    "json": "print JSON on stdout and nothing else",
    "run": "folder in results/runs/ or results/published/, the beginning of its name, or latest",
    "format": "print this format and nothing else, but for reply, which writes a mail: "
    f"{', '.join(_FORMATS)}; a check has fewer",
}


def flags(*names: str) -> dict[str, str]:
    return {name: _HELP[name] for name in names}


@contextmanager
def exits() -> Iterator[None]:
    """Turn a failure the user can act on into its message and exit status."""
    from patchbench.story import shown
    from patchbench.tools.terminal import plain_output

    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        with plain_output():
            yield
    except PipelineError as err:
        raise Exit(f"error: {shown(str(err))}", code=err.exit_code) from err
    except OSError as err:
        if err.filename is None and err.errno is None:
            raise
        raise Exit(f"error: {shown(str(err))}", code=PipelineError.exit_code) from err
    except KeyboardInterrupt as err:
        raise Exit(
            "interrupted; the next run carries on from what is shelved", _INTERRUPTED
        ) from err


@contextmanager
def opened(hosts: str = "") -> Iterator[Pipeline]:
    """Give the pipeline, which boots on other hosts if a scheduler of theirs is named."""
    from patchbench import pipeline
    from patchbench.tools.terminal import Terminal

    address = hosts or os.environ.get(SCHEDULER, "")
    with pipeline.opened(ROOT, Terminal()) as run:
        if not address:
            yield run
            return
        from patchbench.work.hosts import joined

        with joined(run, address):
            yield run


def show(comparison: Comparison, *, as_json: bool, written: Path | None = None) -> None:
    """Print a comparison; its status is the caller's to leave."""
    from patchbench.report import tables
    from patchbench.tools.terminal import print_table

    if as_json:
        print(tables.dumps(comparison))
    else:
        for line in tables.headline(comparison):
            print(line)
        plan = comparison.plan
        title = f"{plan.test.series} against {plan.base.series}, {plan.kernel} {plan.version}"
        if not comparison.nothing_to_measure:
            print_table(tables.HEADINGS, tables.rows(comparison), title)
            for line in tables.equal(comparison):
                print(line)
        if written:
            print(f"report {written / 'report.md'}  {written / 'report.html'}")


def show_findings(
    folder: Path,
    result: CheckResult,
    errors: tuple[PipelineError, ...] = (),
    *,
    as_json: bool,
) -> None:
    """Print what a check found, with its answer sheet, and leave the status that it deserves."""
    from patchbench import findings
    from patchbench.check import checking
    from patchbench.runs.archive import FINDINGS
    from patchbench.tools.terminal import print_table

    answers = checking.answer(ROOT, folder, result)
    if as_json:
        print(findings.dumps(result), end="")
    else:
        print_table(checking.headings(result), checking.table(result), words=9)
        for line in checking.problems(result):
            print(line)
        if answers:
            print(f"answers {answers}")
        print(f"findings {folder / FINDINGS}")
    if error := checking.verdict_error(result, errors):
        raise error


def parameters(settings: list[str] | None) -> dict[str, int]:
    parameters = {}
    for text in settings or []:
        name, _, value = text.partition("=")
        if not value.isdigit():
            raise BadInput(f"--set {text}: expected name=NUMBER")
        parameters[name] = int(value)
    return parameters


def seconds_of(budget: str) -> float:
    units = {"s": 1, "m": 60, "h": 3600}
    if not budget[:-1].isdigit() or budget[-1:] not in units:
        raise BadInput(f"--budget {budget}: expected a number with its unit: 90s, 10m or 2h")
    return float(budget[:-1]) * units[budget[-1]]


def bytes_of(size: str) -> int:
    units = {"M": 20, "G": 30, "T": 40}
    if not re.fullmatch(r"[0-9]{1,6}[MGT]", size):
        raise BadInput(f"--keep {size}: expected a number with its unit: 500M, 20G or 1T")
    return int(size[:-1]) << units[size[-1]]


def finish(status: int) -> None:
    if status:
        raise Exit(code=status)
