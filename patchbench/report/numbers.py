# SPDX-License-Identifier: GPL-2.0-only
"""How a number is printed: quantities with their unit, changes, intervals, noise floors. Pure."""

from patchbench import records
from patchbench.model import NEVER, Delta


def quantity(value: float, unit: str) -> str:
    """Return a number with its unit: nanoseconds as ms from 0.1 ms on, anything else as it is."""
    if value == NEVER:
        return "never"
    if unit == "ns" and abs(value) >= 1e5:
        return f"{value / 1e6:.3f} ms"
    return f"{value:.0f} {unit}" if value == int(value) else f"{value:.2f} {unit}"


def sample(value: float) -> str:
    """Return a sample as the guest wrote it."""
    return records.render(value)


def per_cent(value: float | None) -> str:
    """Return a change in per cent, or a word where there is no number."""
    if value is None:
        return "-"
    if value == NEVER:
        return "to never"
    return f"{value:+.2f} %"


def share(per_cent: float) -> str:
    """Return a size in per cent, without its sign: 6.6 %, 41 %."""
    size = abs(per_cent)
    return f"{size:.1f} %" if size < 10 else f"{size:.0f} %"


def interval(delta: Delta) -> str:
    """Return the interval of a change, or a dash."""
    if delta.low_pct is None or delta.high_pct is None:
        return "-"
    return f"[{per_cent(delta.low_pct)}, {per_cent(delta.high_pct)}]".replace(" %", "")


def floor(delta: Delta) -> str:
    """Return the noise floor of a metric, or a dash where none was measured."""
    return "-" if delta.floor_pct is None else f"±{delta.floor_pct:.2f} %"


def boots_of(counts: tuple[int, int]) -> str:
    """Return in how many of how many boots something was so."""
    return "{} of {} boots".format(*counts)
