# SPDX-License-Identifier: GPL-2.0-only
"""What is wrong with a machine whose numbers are valid one by one, but not together."""

from collections.abc import Iterator

from patchbench.model import Machine, Timelines


def faults(machine: Machine) -> Iterator[str]:
    """Give what is wrong with a machine's numbers, taken together."""
    shifted, timelines = machine.icount_shift is not None, machine.timelines
    if shifted and timelines:
        yield "icount_shift is one clock for all vCPUs, [timelines] one for each: choose"
    if not machine.exact and (shifted or timelines):
        yield "icount_shift and [timelines] go with accel = 'icount' and no other"
    if machine.exact and not (shifted or timelines):
        yield "accel = 'icount' needs a clock: icount_shift or [timelines]"
    if machine.seeds < 1 or machine.vcpus < 1:
        yield "seeds and vcpus are at least 1"
    if timelines:
        yield from _faults_of(timelines, machine.vcpus)


def _faults_of(timelines: Timelines, vcpus: int) -> Iterator[str]:
    if vcpus > timelines.most_vcpus:
        yield f"{vcpus} vCPUs, [timelines] were tried with up to {timelines.most_vcpus}"
    if timelines.quantum_ns < 1 or timelines.spin_ns < 1:
        yield "quantum_ns and spin_ns are at least 1"
    speeds, capacities = timelines.picoseconds_per_instruction, timelines.capacities_dmips_mhz
    if len(speeds) != vcpus:
        yield f"picoseconds_per_instruction has {len(speeds)} numbers for {vcpus} vCPUs"
    if any(speed < timelines.least_picoseconds for speed in speeds):
        yield f"picoseconds_per_instruction: {timelines.least_picoseconds} is the least"
    if capacities and (len(capacities) != vcpus or min(capacities) < 1):
        yield f"capacities_dmips_mhz needs a number above 0 for each of {vcpus} vCPUs"
