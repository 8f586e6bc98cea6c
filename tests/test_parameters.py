# SPDX-License-Identifier: GPL-2.0-only
"""What a workload takes is read from its C source, and anything else refused."""

from dataclasses import replace
from pathlib import Path

import pytest

from patchbench import ctables, parameters
from patchbench.catalog import Catalog
from patchbench.errors import BadInput
from patchbench.model import Parameter, Workload
from tests.fakes import machine

ROOT = Path(__file__).resolve().parents[1]
KNOWN = {
    name: Parameter(name, standard, 0, most)
    for name, standard, most in (("victims", 10, 64), ("mib", 32, 4096), ("divisor", 1, 1000),
                                 ("kill", 0, 2), ("reapers", 0, 8))
}  # fmt: skip
STORM = Workload(
    "storm", "a test's", "storm", {"victims": 4, "mib": 32},
    swap_mib="victims * mib / divisor", excludes=(("kill", "reapers"),),
)  # fmt: skip
ON = machine(zram_mib=256, memory_mib=512)


def with_parameters(**changed: int) -> Workload:
    return parameters.changed(STORM, changed)


def test_a_parameter_s_bounds_are_those_of_the_c_table() -> None:
    source = """
#define MAX_VICTIMS	64	/* a phone's */
    enum way { TMPFS, MUNMAP };
    { "victims", 10, &victims, 1, MAX_VICTIMS, "processes" },
    { "extent", 0, &extent, 0, 1 << 20,
      "pages" },
    { "way", 1, &way, TMPFS, MUNMAP, "how" },
    """
    assert [*ctables.parameters(source).values()] == [
        Parameter("victims", 10, 1, 64),
        Parameter("extent", 0, 0, 1 << 20),
        Parameter("way", 1, 0, 1),
    ]


def test_a_bound_that_nobody_can_tell_is_an_error() -> None:
    with pytest.raises(BadInput, match="'UNKNOWN'"):
        ctables.parameters('{ "mib", 1, &mib, 1, UNKNOWN, "memory" },')


def test_every_workload_keeps_to_what_its_program_declares() -> None:
    catalog = Catalog(ROOT)
    for name in catalog.workloads():
        workload = catalog.workload(name)
        known = catalog.parameters(workload.program)
        parameters.check(workload, known)
        parameters.check_fits(workload, catalog.machine(workload.machine), known)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"victims": 200}, r"victims=200 is out of range, it takes 0 to 64"),
        ({"victim": 2}, r"no parameter victim\n  known: victims, mib"),
        ({"kill": 1, "reapers": 2}, r"kill=1 and reapers=2 exclude one another"),
    ],
)
def test_what_a_workload_cannot_be_told_is_refused(changed: dict[str, int], message: str) -> None:
    with pytest.raises(BadInput, match=message):
        parameters.check(with_parameters(**changed), KNOWN)


def test_one_of_those_that_exclude_one_another_is_fine() -> None:
    parameters.check(with_parameters(kill=2, reapers=0), KNOWN)


def test_what_a_machine_cannot_hold_is_refused_and_what_fits_is_named() -> None:
    with pytest.raises(BadInput, match=r"pages out 640 MiB.*has 256 MiB") as raised:
        parameters.check_fits(with_parameters(victims=20), ON, KNOWN)
    assert "fits: victims at most 8, or mib at most 12" in str(raised.value)


def test_a_divisor_makes_it_fit_and_is_told_too() -> None:
    with pytest.raises(BadInput, match="or divisor at least 5"):
        parameters.check_fits(with_parameters(victims=20, divisor=2, mib=64), ON, KNOWN)
    parameters.check_fits(with_parameters(victims=20, divisor=5, mib=64), ON, KNOWN)


def test_what_fits_is_no_part_of_what_a_workload_is() -> None:
    assert replace(STORM, swap_mib="", excludes=()) == STORM
