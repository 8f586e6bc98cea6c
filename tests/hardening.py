# SPDX-License-Identifier: GPL-2.0-only
"""The whole hardening suite, and the table of docs/reliability.md that it prints.

`python -m tests.hardening FUZZ_CASES` runs the attacks (pytest, with a container engine), the
faults and the fuzzing, and prints one row for each kind: how many cases there were, and held.
"""

import json
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.fuzz.targets import TARGETS

ROOT = Path(__file__).resolve().parents[1]
SEED = 20261125
KILLS = 100
ROUNDS = 3
HEADINGS = ("what was tried", "cases", "outcome", "where")


@dataclass(frozen=True, slots=True)
class Attack:
    """A kind of attack: what it may not do, and the tests that try it, by their beginnings."""

    what: str
    outcome: str
    tests: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Row:
    """What came of one kind; `held` of `cases` did."""

    what: str
    cases: int
    held: int
    outcome: str
    where: str

    def cells(self) -> tuple[str, ...]:
        """Return the cells under HEADINGS."""
        held = f"{self.cases:,}" if self.held == self.cases else f"{self.held:,} of {self.cases:,}"
        return self.what, held, self.outcome, self.where


ATTACKS: Sequence[Attack] = (
    Attack(
        "a hostile Makefile: host files, engine socket, loopback, bridge, DNS, writes outside,"
        " root, capabilities, mounts, namespaces, devices, sockets of the kernel, io_uring,"
        " files of 5 GiB",
        "each fails",
        ("tests/hostile/test_builds.py::test_a_hostile_makefile_never",),
    ),
    Attack(
        "the same, where the breach is open",
        "succeeds: a breach would be seen",
        ("tests/hostile/test_builds.py::test_the_same_recipe",),
    ),
    Attack(
        "a build that forks, fills the disk, or prints without end",
        "ended at 4096 processes, 8 GiB of its own or 2 GiB free, 32 MiB of output",
        (
            "tests/hostile/test_builds.py::test_a_build_that",
            "tests/hostile/test_builds.py::test_a_fork_bomb",
            "tests/tools/test_disk.py",
            "tests/tools/test_output.py",
        ),
    ),
    Attack(
        "links, FIFOs, folders, sparse and huge files in place of what the host reads or shelves",
        "status 22, nothing shelved",
        (
            "tests/hostile/test_builds.py::test_what_a_build_leaves",
            "tests/stages/test_build.py::test_what",
            "tests/tools/test_files.py",
        ),
    ),
    Attack(
        "names of kernels and series, origins and places of patches that could meet in a folder",
        "no two authors write one folder",
        ("tests/stages/test_lanes.py",),
    ),
    Attack(
        "a guest that floods its logs, leaves no logs, forges parts of them, or never ends",
        "no boot, and why; read within 32 MiB and 5 s",
        ("tests/hostile/test_guests.py",),
    ),
    Attack(
        "names and texts with shell, terminal, HTML, Markdown, CSV, mail, XML and template tricks,"
        " in each report format",
        "shown and not obeyed; in Chromium no script runs and nothing is loaded",
        ("tests/hostile/test_texts.py", "tests/test_terminal.py"),
    ),
    Attack(
        "programs, attributes and settings that a --tree, the user or the environment configures",
        "none runs, no byte of what is compiled differs",
        (
            "tests/tools/test_gitrun.py::test_no_program",
            "tests/tools/test_gitrun.py::test_the_traps",
            "tests/tools/test_gitrun.py::test_what_is_applied",
            "tests/tools/test_gitrun.py::test_attributes",
        ),
    ),
    Attack(
        "urls and refs that git takes for options, transports or refspecs",
        "status 20",
        ("tests/tools/test_gitrun.py::test_an_address",),
    ),
    Attack(
        "drop-in files and programs that are no files, endless, or numbers that are none",
        "status 20",
        ("tests/test_hostile_dropins.py", "tests/stages/test_kconfig.py::test_kconfig_files"),
    ),
    Attack(
        "a real engine that is killed or told to end, is back at once or later, has no disk left,"
        " or ends a container at somebody's wish",
        "status 30, nothing runs on once it is back; want of memory stays the series' own failure",
        ("tests/faults/test_engine.py",),
    ),
    Attack(
        "outputs of 2.7 MB that are printed side by side, and one whose end the engine loses",
        "whole, or status 30",
        (
            "tests/e2e/test_toolchain.py::test_all_that_programs_print",
            "tests/e2e/test_toolchain.py::test_output_that_the_engine_loses",
        ),
    ),
    Attack(
        "an archive that has moved on: a kernel and a toolchain's packages that have left it, a"
        " snapshot that is not there or is no time, a package that is an option",
        "as of then to the package, or status 20 or 30",
        ("tests/e2e/test_archive.py",),
    ),
    Attack(
        "a gate of a kernel that does the same, beside 12 and 200 processes that want a CPU",
        "PASS, undecided, or status 30",
        ("tests/e2e/test_gate.py::test_a_host_under_load",),
    ),
    Attack(
        "git alive after a SIGKILL",
        "ends with us, or the cache stays locked until it has",
        (
            "tests/tools/test_gitrun.py::test_git_does_not_outlive",
            "tests/tools/test_gitrun.py::test_where_nothing_ends_git",
        ),
    ),
    Attack(
        "damage to the shelf, downloads, repositories and notes; links; halves of killed runs",
        "absent and made again; `doctor --cache` removes it and follows no link",
        ("tests/test_store.py::test_an_entry", "tests/cache/test_mending.py"),
    ),
)


class _Outcomes:
    """A pytest plugin that remembers which tests held."""

    def __init__(self) -> None:
        self.held: dict[str, bool] = {}

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        good = self.held.get(report.nodeid, True)
        self.held[report.nodeid] = good and report.passed


def collected() -> dict[str, int]:
    """Return how many tests each kind of attack has, by what it is."""
    names = _names()
    return {attack.what: len(_of(attack, names)) for attack in ATTACKS}


def attacks() -> Iterator[Row]:
    """Try every attack."""
    outcomes = _Outcomes()
    every = _names()
    names = sorted({name for attack in ATTACKS for name in _of(attack, every)})
    pytest.main(["-q", "--no-header", "-p", "no:cacheprovider", *names], plugins=[outcomes])
    for attack in ATTACKS:
        tried = _of(attack, outcomes.held)
        held = sum(outcomes.held[name] for name in tried)
        yield Row(attack.what, len(tried), held, attack.outcome, _where(attack))


def faults() -> Iterator[Row]:
    """Let every fault happen."""
    cases, held = Counter[str](), Counter[str]()
    with tempfile.TemporaryDirectory() as folder:
        for fault in _told("tests.faults", folder, str(SEED), str(KILLS), str(ROUNDS)):
            kind = "bits flip" if "bit flips" in fault["kind"] else fault["kind"]
            cases[kind] += 1
            held[kind] += not fault["wrong"]
    for kind, count in cases.items():
        yield Row(FAULTS[kind], count, held[kind], _OUTCOMES.get(kind, _USUAL), "`tests/faults`")


#: What faults are called in the table.
FAULTS = {
    "SIGKILL": "SIGKILL at random points of bench, gate, check, study, calibrate and publish",
    "the cache's disk is full": "the cache's disk is full from a random point on",
    "the results' disk is full": "the results' disk is full from a random point on",
    "the cache is read-only": "the cache becomes read-only",
    "the results are read-only": "the results become read-only",
    "files can be no larger": "no file can become larger than up to 8 KiB, git's own among them",
    "the engine goes away": "the container engine goes away",
    "the clock jumps back": "the clock jumps back ten years",
    "the clock jumps ahead": "the clock jumps ahead ten years",
    "bits flip": "a bit flips in a file of each kind of the cache",
    "the run is stopped": "SIGSTOP and SIGCONT",
    "two runs on one cache": "two runs on one cache",
    "two runs on two caches": "two runs on two caches, into one folder of results",
    "the cache was copied": "the cache was copied",
    "the cache was moved": "the cache was moved",
}
_USUAL = "nothing half-made, no orphan, status 30 or right; the next run's bytes are the same"
_OUTCOMES = {
    "the cache was copied": "the old one keeps every byte and time; the new one is right",
    "the cache was moved": "no work tree leads back; the new one is right",
    "SIGKILL": "nothing half-made, no orphan, no boot lost; the next run's bytes are the same",
    "bits flip": "noticed and made again, or status 30 and `doctor --cache` mends it",
}


def fuzzing(cases: int) -> Iterator[Row]:
    """Feed each kind of parser so many inputs; what one failed on is kept, and where is said."""
    folder = tempfile.mkdtemp(prefix="patchbench-fuzz-")
    rows = [*_told("tests.fuzz", str(SEED), "cases", str(cases), folder)]
    tried = sum(row["cases"] for row in rows)
    bad = [f"{row['target']}: {', '.join(row['wrong'])}" for row in rows if row["wrong"]]
    bad += [f"inputs kept in {folder}"] if bad else []
    slowest_s = max(row["slowest_s"] for row in rows)
    what = f"random mutations of what {len(rows)} parsers of {len(TARGETS)} kinds read"
    outcome = "; ".join(bad) or f"errors of ours alone, at most {slowest_s:.1f} s and 512 MiB each"
    yield Row(what, tried, tried - sum(len(row["wrong"]) for row in rows), outcome, "`tests/fuzz`")


def markdown(rows: Iterable[Row]) -> str:
    """Return the table of docs/reliability.md."""
    lines = [HEADINGS, ("---",) * len(HEADINGS), *(row.cells() for row in rows)]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def _told(module: str, *arguments: str) -> Iterator[dict[str, Any]]:
    command = [sys.executable, "-m", module, *arguments]
    done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True)
    return map(json.loads, done.stdout.splitlines())


def _files() -> list[str]:
    return sorted({name.partition("::")[0] for attack in ATTACKS for name in attack.tests})


def _names() -> list[str]:
    command = [sys.executable, "-m", "pytest", "--collect-only", "-q", "--no-header", *_files()]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    return [line for line in done.stdout.splitlines() if "::" in line]


def _of(attack: Attack, names: Iterable[str]) -> list[str]:
    return [name for name in names if name.startswith(attack.tests)]


def _where(attack: Attack) -> str:
    return ", ".join(dict.fromkeys(f"`{name.partition('::')[0]}`" for name in attack.tests))


def main(fuzz_cases: int) -> int:
    """Run all of it, print the table and how long it took; 1 if anything did not hold."""
    began = time.monotonic()
    rows = [*attacks(), *faults(), *fuzzing(fuzz_cases)]
    sys.stdout.write(f"\n{markdown(rows)}\n{(time.monotonic() - began) / 60:.0f} minutes\n")
    return int(any(row.held != row.cases for row in rows))


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1])))
