# SPDX-License-Identifier: GPL-2.0-only
"""A real run, recorded: v0 against none on 7.3.4, three seeds on the exact machine."""

import shutil
from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

from patchbench.catalog import adapter
from patchbench.model import Boot, Comparison, Plan
from patchbench.runs import folder as runs
from patchbench.runs import reading

PROJECT = Path(__file__).resolve().parents[1]
DATA = PROJECT / "tests/data"
RUN = "20261123T115314-v0-against-none-mainline"


def root(folder: Path) -> Path:
    """Return a checkout that holds the recorded run, and no other."""
    (folder / "configs").symlink_to(PROJECT / "configs")
    add_run(folder, RUN)
    return folder


def add_run(checkout: Path, name: str, **changes: object) -> Path:
    """Store the recorded run under a name, with a plan that is changed, and return its folder."""
    folder = checkout / "results/runs" / name
    shutil.copytree(DATA / "runs" / RUN, folder)
    for log in folder.glob("boots/*/*/*/results.log"):
        shutil.copyfile(DATA / "consoles/clean.log", log.with_name("console.log"))
    plan = adapter(Plan).validate_json((folder / "plan.json").read_text())
    write_plan(folder, replace(plan, run=name, **changes))  # type: ignore[arg-type]  # any field
    return folder


def add_victims(checkout: Path, name: str, victims: int) -> Path:
    """Store the recorded run once more, as if it had been made with so many victims."""
    workload = runs.read_plan(checkout / "results/runs" / RUN).workload
    parameters = {**workload.parameters, "victims": victims}
    return add_run(checkout, name, workload=replace(workload, parameters=parameters))


def write_plan(folder: Path, plan: Plan) -> None:
    """Replace the plan of a stored run, and seal it again."""
    runs.amend(folder, plan)
    runs.seal(folder)


def lose(folder: Path, *logs: str) -> None:
    """Take results logs out of a stored run, as if these boots had been lost."""
    for log in logs:
        for path in folder.glob(f"boots/{log}/results.log"):
            path.unlink()
    runs.seal(folder)


@cache
def read() -> tuple[Comparison, Sequence[Boot]]:
    """Return what the recorded run says, and its boots; many tests ask, and none changes them."""
    with TemporaryDirectory() as folder:
        return reading.read(PROJECT, root(Path(folder)) / "results/runs" / RUN)
