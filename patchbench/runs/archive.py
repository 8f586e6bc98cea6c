# SPDX-License-Identifier: GPL-2.0-only
"""What results/ holds, by name: benches, checks and studies, told apart by the file in each.

    plan.json       a bench      results/runs/RUN, and runs/ of a published study
    findings.json   a check      results/runs/RUN
    study.json      a study      results/studies/STUDY

All three are in results/published/NAME as well.
"""

import json
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from patchbench import findings
from patchbench.catalog import load_json
from patchbench.errors import BadInput

PLAN = "plan.json"
FINDINGS = findings.FILE
STUDY = "study.json"
LATEST = "latest"
LATEST_STUDY = "latest-study"
_NEWEST_SHOWN = 5


@dataclass(frozen=True, slots=True)
class StoredBench:
    """The folder of a run of `bench`."""

    folder: Path


@dataclass(frozen=True, slots=True)
class StoredCheck:
    """The folder of a run of `check`."""

    folder: Path


@dataclass(frozen=True, slots=True)
class StoredStudy:
    """The folder of a study."""

    folder: Path


Stored: TypeAlias = StoredBench | StoredCheck | StoredStudy

_KINDS: Mapping[str, type[Stored]] = {STUDY: StoredStudy, FINDINGS: StoredCheck, PLAN: StoredBench}


def find(results: Path, name: str) -> Stored:
    """Return what is stored under a name, or under the beginning of one.

    name: that of a run or a study; `published/NAME` or the path of a folder; `latest` is the
    newest run of this checkout, `latest-study` its newest study. Raises BadInput for a name that
    nothing has, or more than one thing; a study is meant before the runs that begin like it.
    """
    if stored := _at_path(results, name):
        return stored
    studies = _local(results, "studies")
    if name == LATEST_STUDY:
        return _newest(studies, results / "studies", "study")
    runs = _local(results, "runs")
    if name == LATEST:
        return _newest(runs, results / "runs", "bench")
    if len(meant := _beginning(studies, name)) == 1:
        return studies[meant[0]]
    every_run = dict(sorted({**_published_benches(results), **runs}.items()))
    return _only({**studies, **every_run}, name)


def measured(results: Path, message_ids: Collection[str]) -> Path | None:
    """Return the newest run of `bench` of this checkout that measured a series of these mails."""
    for stored in reversed(_local_benches(results).values()):
        try:
            plan = json.loads((stored.folder / PLAN).read_text())
            arms = (plan["test"], *plan.get("others", ()))
            ids = {one for arm in arms for one in arm.get("message_ids", ())}
        except (OSError, ValueError, RecursionError, KeyError, TypeError, AttributeError):
            continue  # it says so itself when it is asked for
        if ids & {*message_ids}:
            return stored.folder
    return None


def find_bench(results: Path, name: str) -> Path:
    """Return the folder of a run of `bench`, as `find` does; `latest` is the newest bench."""
    if name == LATEST:
        return _newest(_local_benches(results), results / "runs", "bench").folder
    stored = find(results, name)
    if not isinstance(stored, StoredBench):
        raise BadInput(f"{stored.folder} is a {_word(stored)}, and this takes a run of `bench`")
    return stored.folder


def benches(results: Path) -> dict[str, Path]:
    """Return the folders of all runs of `bench` by the runs' names, oldest first.

    A published run keeps the name it was made under; one that is still here comes once.
    """
    found = {**_published_benches(results), **_local_benches(results)}
    return {name: stored.folder for name, stored in sorted(found.items())}


def _word(stored: Stored) -> str:
    return type(stored).__name__.removeprefix("Stored").lower()


def _local_benches(results: Path) -> dict[str, Stored]:
    runs = _local(results, "runs")
    return {name: stored for name, stored in runs.items() if isinstance(stored, StoredBench)}


def _published_benches(results: Path) -> dict[str, Stored]:
    patterns = (f"published/*/{PLAN}", f"published/*/runs/*/{PLAN}")  # the latter a study's
    plans = (path for pattern in patterns for path in sorted(results.glob(pattern)))
    return {_run_of(path): StoredBench(path.parent) for path in plans}


def _local(results: Path, below: str) -> dict[str, Stored]:
    """Return what this checkout made in results/runs or results/studies, oldest first."""
    found = ((folder.name, _at(folder)) for folder in sorted((results / below).glob("*")))
    return {name: stored for name, stored in found if stored}


def _at_path(results: Path, name: str) -> Stored | None:
    """Return what a name that is a path leads to, from results/ or from where we are."""
    if name in ("", LATEST, LATEST_STUDY):
        return None
    return _at(results / name) or _at(Path(name))


def _at(folder: Path) -> Stored | None:
    return next((kind(folder) for file, kind in _KINDS.items() if (folder / file).is_file()), None)


def _newest(stored: Mapping[str, Stored], folder: Path, verb: str) -> Stored:
    if not stored:
        raise BadInput(f"{folder} is empty; `invoke {verb}` fills it")
    return [*stored.values()][-1]


def _only(stored: Mapping[str, Stored], name: str) -> Stored:
    meant = _beginning(stored, name)
    if not meant:
        newest = ", ".join([*stored][-_NEWEST_SHOWN:]) or "none; `invoke bench` makes one"
        raise BadInput(f"no run is called {name!r}\n  newest: {newest}")
    if len(meant) > 1:
        listed = "\n  ".join(meant)
        raise BadInput(f"{name!r} is the beginning of {len(meant)} runs:\n  {listed}")
    return stored[meant[0]]


def _beginning(names: Iterable[str], name: str) -> list[str]:
    """Return the one name that it is, or all that it is the beginning of."""
    names = [*names]
    if name in names:
        return [name]
    return [one for one in names if name and one.startswith(name)]


def _run_of(plan: Path) -> str:
    """Return the name of the run that a published plan is of, or of its folder if it is broken."""
    try:
        return str(load_json(plan)["run"])
    except (OSError, ValueError, LookupError, TypeError):
        return plan.parent.name
