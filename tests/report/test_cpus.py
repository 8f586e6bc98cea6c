# SPDX-License-Identifier: GPL-2.0-only
"""One storm on machines of one to eight CPUs, and on a phone's."""

import pytest

from patchbench.model import Comparison, Machine, Timelines
from patchbench.report.cpus import by_cpus
from patchbench.stages.compare import compare
from tests.fakes import boot, machine, plan
from tests.storms import NOTES, log

pytestmark = pytest.mark.slow


def of(name: str, *picoseconds: int) -> Machine:
    vcpus = len(picoseconds)
    return machine(
        name, vcpus=vcpus, icount_shift=None, timelines=Timelines(1000, 200, picoseconds)
    )


PHONE, EIGHT, TWO = of("phone", 2000, 2406), of("exact8", *[2000] * 8), of("exact2", 2000, 2000)
PARALLEL = machine("parallel", accel="tcg", icount_shift=None)


def compared(*machines: Machine) -> Comparison:
    """Return a run in which an exit takes 10 ms with none and 5 with v0, on every machine."""
    boots = [
        boot(series, seed, log(exit_ns, 100, 30), on=one.name)
        for one in machines
        for series, exit_ns in (("none", 10_000_000), ("v0", 5_000_000))
        for seed in (1, 2)
    ]
    return compare(plan(*machines), boots, NOTES)


def test_machines_stand_in_the_order_of_their_cpus_and_unlike_ones_by_name() -> None:
    drawn = by_cpus(compared(PHONE, EIGHT, machine("exact"), TWO))
    places = [drawn.index(f"CPUs {label}: ") for label in ("1", "2", "8", "phone")]
    assert places == sorted(places)
    assert "none 10 ms" in drawn


def test_two_machines_make_no_curve() -> None:
    assert by_cpus(compared(TWO, EIGHT)) == ""


def test_a_machine_whose_times_follow_the_host_is_not_drawn() -> None:
    assert by_cpus(compared(TWO, EIGHT, PARALLEL)) == ""
