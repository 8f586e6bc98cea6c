# SPDX-License-Identifier: GPL-2.0-only
"""The guest's programs, built for this host: what they refuse, and how clearly."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from patchbench.catalog import Catalog

ROOT = Path(__file__).resolve().parents[1]
CATALOG = Catalog(ROOT)
#: What a program ends with on a host without zram swap, once it has read its parameters.
LOOKS_FOR_SWAP = re.compile("no swap area is in use|mm_stat")
PROGRAMS = sorted({CATALOG.workload(name).program for name in CATALOG.workloads()})

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not (shutil.which("gcc") and shutil.which("make")), reason="no compiler"),
    # There they would do what they are made for, and end in swapoff.
    pytest.mark.skipif("zram" in Path("/proc/swaps").read_text(), reason="this host has zram swap"),
]


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("programs")
    make = ["make", "-s", "-j2", "-C", str(ROOT / "workloads"), f"O={folder}"]
    subprocess.run(make, check=True)
    return folder


def refusal(built: Path, program: str, *parameters: str) -> tuple[int, str, str]:
    """Return the exit status of a program, and what it said on stdout and on stderr."""
    ran = subprocess.run(
        [built / program, *parameters], capture_output=True, text=True, timeout=10, check=False
    )
    return ran.returncode, ran.stdout, ran.stderr


@pytest.mark.parametrize("program", PROGRAMS)
def test_a_host_without_zram_swap_is_refused_and_nothing_recorded(
    built: Path, program: str
) -> None:
    status, stdout, stderr = refusal(built, program)
    assert (status, stdout) == (1, "")
    assert LOOKS_FOR_SWAP.search(stderr), stderr


@pytest.mark.parametrize(
    ("parameters", "why"),
    [
        (("kill=1", "reapers=2"), "reapers=2 goes with kill=0 only"),
        (("kill=2", "reapers=1"), "reapers=1 goes with kill=0 only"),
        (("large_folios=1", "interleave=1"), "exclude each other"),
        (("victims=65",), "victims=65: out of range"),
        (("swapped_pct=101",), "swapped_pct=101: out of range"),
        (("swapped=50",), "swapped=50: no such parameter"),
    ],
)
def test_a_storm_that_makes_no_sense_is_refused_before_it_looks_for_swap(
    built: Path, parameters: tuple[str, ...], why: str
) -> None:
    status, stdout, stderr = refusal(built, "exit-storm", *parameters)
    assert status
    assert not stdout
    assert why in stderr


@pytest.mark.parametrize("name", CATALOG.workloads())
def test_a_workload_s_file_names_parameters_that_its_program_has(built: Path, name: str) -> None:
    workload = CATALOG.workload(name)
    given = [f"{parameter}={value}" for parameter, value in workload.parameters.items()]
    status, _, stderr = refusal(built, workload.program, *given)
    assert (status, LOOKS_FOR_SWAP.search(stderr) is not None) == (1, True), stderr


#: What series v0 was posted with, and what our port of it to 7.3 prints.
@pytest.mark.parametrize(
    "text", ["exiting_tasks:3 cache_counts:17", "exiting_tasks 3\ncache_counts 17"]
)
def test_the_records_of_series_v0_are_counted_in_either_form(tmp_path: Path, text: str) -> None:
    source, program = tmp_path / "count.c", tmp_path / "count"
    source.write_text(
        '#include "left.c"\n'
        "int main(int count, char **words)\n"
        '{ return count < 2 || !printf("%ld", counted_records(words[1])); }\n'
    )
    # The rest of left.c needs the other programs' parts, and is not called.
    alone = [
        "-static",
        "-ffunction-sections",
        "-Wl,--gc-sections",
        "-Wl,--unresolved-symbols=ignore-all",
    ]
    include = f"-I{ROOT / 'workloads'}"
    subprocess.run(["gcc", include, *alone, "-o", str(program), str(source)], check=True)
    ran = subprocess.run([program, text], capture_output=True, text=True, check=True)
    assert ran.stdout == "17"
