# SPDX-License-Identifier: GPL-2.0-only
"""What one boot of a series says, beside the boot before it and the base's.

Between two edits nobody needs an interval: an exact boot repeats to the byte, so what differs is
the edit's doing, for this seed. The note keeps the last two kernels of a series under the same
conditions; what the newest is compared with is the one before it.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from pydantic import ConfigDict, ValidationError, with_config

from patchbench.catalog import adapter
from patchbench.model import NEVER, Boot, Metric, MetricNote
from patchbench.profile import tables
from patchbench.profile.counts import Profile
from patchbench.report import numbers
from patchbench.store import write_whole

_TOP = 15
_KEPT = 2
Row = tuple[str, ...]


@with_config(ConfigDict(ser_json_inf_nan="constants"))  # NEVER is a time as well
@dataclass(frozen=True, slots=True)
class Iteration:
    """One kernel's boot: its image's key, the median of each metric, and its counts."""

    series: str
    image: str
    values_ns: Mapping[str, float]
    profile: Profile


@dataclass(frozen=True, slots=True)
class Progress:
    """A series now, what it was before (None the first time), and the base."""

    base: Iteration
    before: Iteration | None
    now: Iteration

    @property
    def others(self) -> tuple[tuple[str, Iteration], ...]:
        """Return what the series is compared with, each with its column's name."""
        before = [("before", self.before)] if self.before else []
        return (*before, (self.base.series, self.base))


def shown(metrics: Mapping[str, Metric], notes: Mapping[str, MetricNote]) -> list[str]:
    """Return the metrics that are shown: times from a kill on, and what is shared by pages."""
    known = [name for name, metric in metrics.items() if metric.unit == "ns" and name in notes]
    return [name for name in known if notes[name].starts or notes[name].per_page]


def of_boot(boot: Boot, image: str, profile: Profile, metrics: Iterable[str]) -> Iteration:
    """Return what one boot says: each metric that it has, and what it ran by function."""
    values = {name: boot.value(name) for name in metrics if boot.values(name)}
    return Iteration(boot.series, image, values, profile)


def remember(note: Path, now: Iteration) -> Iteration | None:
    """Keep an iteration as the newest, and return the last one of another kernel, if any.

    A note that cannot be read is as good as none: it is only a convenience.
    """
    kept = adapter(tuple[Iteration, ...])
    try:
        known = kept.validate_json(note.read_bytes())
    except (OSError, ValidationError):
        known = ()
    others = [one for one in known if one.image != now.image]
    note.parent.mkdir(parents=True, exist_ok=True)
    write_whole(note, kept.dump_json((*others, now)[-_KEPT:]).decode() + "\n")
    return others[-1] if others else None


def times(progress: Progress) -> tuple[Row, list[Row]]:
    """Return the headings and rows of what the boot took, and how that changed."""
    others = [one for _, one in progress.others]
    rows = [
        _row(name, value, [one.values_ns.get(name) for one in others], _time)
        for name, value in progress.now.values_ns.items()
    ]
    totals = [_total(one) for one in others]
    rows.append(_row("instructions", _total(progress.now), totals, "{:,.0f}".format))
    if each := _per_freed_page(progress.now):
        a_page = [_per_freed_page(one) for one in others]
        rows.append(_row("instructions a freed page", each, a_page, "{:.1f}".format))
    columns = (column for name, _ in progress.others for column in (name, f"against {name}"))
    return ("", f"{progress.now.series} now", *columns), rows


def functions(progress: Progress) -> tuple[Row, list[Row]]:
    """Return the functions that changed most since the boot before, else against the base."""
    _, nearest = progress.others[0]
    now = progress.now.profile.instructions
    then = nearest.profile.instructions

    def change(name: str) -> tuple[int, str]:
        return (-abs(now.get(name, 0) - then.get(name, 0)), name)

    listed = [name for name in sorted({*now, *then}, key=change)[:_TOP] if change(name)[0]]
    rows = [
        (
            name,
            f"{now.get(name, 0):,}",
            *(
                f"{now.get(name, 0) - other.profile.instructions.get(name, 0):+,}"
                for _, other in progress.others
            ),
        )
        for name in listed
    ]
    names = (f"against {name}" for name, _ in progress.others)
    return ("function", f"{progress.now.series} now", *names), rows


def notes(progress: Progress) -> list[str]:
    """Return what a reader must know of the numbers: who left work undone."""
    arms = [progress.now, *(one for _, one in progress.others)]
    return [f"{one.series}: {line}" for one in arms for line in tables.undone(one.profile)]


def _row(
    title: str, now: float, others: Sequence[float | None], form: Callable[[float], str]
) -> Row:
    cells = [title, form(now)]
    for other in others:
        cells += ["-", "-"] if other is None else [form(other), _change(now, other)]
    return tuple(cells)


def _change(now: float, then: float) -> str:
    if now == then:
        return "="
    if then == NEVER:
        return "ends again"
    if not then:
        return "was 0"
    return numbers.per_cent(NEVER if now == NEVER else (now / then - 1) * 100)


def _time(value: float) -> str:
    return numbers.quantity(value, "ns")


def _total(one: Iteration) -> int:
    return sum(one.profile.instructions.values())


def _per_freed_page(one: Iteration) -> float | None:
    pages = one.profile.freed_pages
    return _total(one) / pages if pages else None
