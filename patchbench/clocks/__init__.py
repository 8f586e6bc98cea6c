# SPDX-License-Identifier: GPL-2.0-only
"""How a machine keeps time: what its clocks show, and whether its boots repeat.

Doors: timekeeping, clockwork

    timekeeping  boots clockwork, sweeps quanta, boots every workload twice
    clockwork    what the guest's micro-benchmarks measured, beside what was expected
"""
