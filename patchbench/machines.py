# SPDX-License-Identifier: GPL-2.0-only
"""What is wrong with a machine's numbers, by themselves and together."""

from collections.abc import Iterator

from patchbench.model import Machine, Timelines

_MOST_SHIFT = 10  # QEMU takes no more, see its option -icount
_MOST_VCPUS = 512  # nor of these on its machine virt
_MOST_PICOSECONDS = 1_000_000


def faults(machine: Machine) -> Iterator[str]:
    """Give what is wrong with a machine's numbers."""
    shifted, timelines = machine.icount_shift is not None, machine.timelines
    if shifted and timelines:
        yield "icount_shift is one clock for all vCPUs, [timelines] one for each: choose"
    if not machine.exact and (shifted or timelines):
        yield "icount_shift and [timelines] go with accel = 'icount' and no other"
    if machine.exact and not (shifted or timelines):
        yield "accel = 'icount' needs a clock: icount_shift or [timelines]"
    if machine.icount_shift is not None and not 0 <= machine.icount_shift <= _MOST_SHIFT:
        yield f"icount_shift is from 0 to {_MOST_SHIFT}"
    if machine.seeds < 1 or not 1 <= machine.vcpus <= _MOST_VCPUS:
        yield f"seeds and vcpus are at least 1, and vcpus at most {_MOST_VCPUS}"
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
    least, most = timelines.least_picoseconds, _MOST_PICOSECONDS
    if not all(least <= speed <= most for speed in speeds):
        yield f"picoseconds_per_instruction: {least} is the least, and {most} the most"
    if capacities and (len(capacities) != vcpus or min(capacities) < 1):
        yield f"capacities_dmips_mhz needs a number above 0 for each of {vcpus} vCPUs"
