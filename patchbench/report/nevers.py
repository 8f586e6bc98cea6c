# SPDX-License-Identifier: GPL-2.0-only
"""How often a clock did not stop, as a probability, and how soon it did where it stopped. Pure.

An estimate over pairs some of which are "never" says neither: it is a time or "never" by chance.
"""

from collections.abc import Iterator, Sequence

from patchbench.model import NEVER, Comparison
from patchbench.report.numbers import quantity
from patchbench.stats import CONFIDENCE, median, share_interval_pct


def odds(stuck: int, of: int) -> str:
    """Return in what share of boots a clock does not stop, with its interval: 25 % [7, 52]."""
    low, high = share_interval_pct(stuck, of)
    return f"{100 * stuck / of:.0f} % [{low:.0f}, {high:.0f}]"


def lines(comparison: Comparison) -> Iterator[str]:
    """Give a line for each clock and arm of which a boot has no end, of the boots in pairs."""
    arms = (comparison.plan.base, comparison.plan.test)
    for delta in comparison.deltas:
        for arm, values in zip(arms, zip(*delta.values, strict=True), strict=False):
            if NEVER in values:
                place = f"{delta.machine} {delta.metric.name} with {arm.series}"
                yield f"{place}: {_told(values, delta.metric.unit)}"


def _told(values: Sequence[float], unit: str) -> str:
    stuck = [value for value in values if value == NEVER]
    often = (
        f"never in {len(stuck)} of {len(values)} boots, so with a probability of "
        f"{odds(len(stuck), len(values))} ({CONFIDENCE:.0%} interval)"
    )
    if len(stuck) == len(values):
        return often
    ended = median([value for value in values if value != NEVER])
    return f"{often}; {quantity(ended, unit)} in the median boot that ended"
