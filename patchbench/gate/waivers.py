# SPDX-License-Identifier: GPL-2.0-only
"""configs/waivers.toml: limits that may be broken for a while, with the reason and until when.

A ruling that is waived stays what it is, FAIL, and is shown as waived; it only stops nobody.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Annotated

from pydantic import Field, with_config

from patchbench.catalog import Catalog, load_toml
from patchbench.errors import BadInput, UnknownName
from patchbench.gate.limits import Ruling
from patchbench.model import STRICT

FILE = Path("configs/waivers.toml")
_Said = Annotated[str, Field(min_length=1)]


@with_config(STRICT)
@dataclass(frozen=True, slots=True)
class Waiver:
    """A limit on a metric that may be broken until a day; `series`, if given, by that one alone."""

    metric: _Said
    reason: _Said
    link: Annotated[str, Field(pattern=r"^https?://\S+$")]
    expires: date
    workload: str = ""
    machine: str = ""
    series: str = ""

    def covers(self, ruling: Ruling, series: str) -> bool:
        """Return whether a ruling on a series is one that it waives."""
        limit = ruling.limit
        return (
            self.metric == limit.metric
            and self.workload in ("", limit.workload)
            and self.machine in ("", limit.machine)
            and self.series in ("", series)
        )

    def __str__(self) -> str:
        return f"waived until {self.expires}: {self.reason} ({self.link})"


@with_config(STRICT)
@dataclass(frozen=True, slots=True)
class Waivers:
    """The whole file."""

    waivers: tuple[Waiver, ...] = ()


def load(catalog: Catalog, today: date | None = None) -> tuple[Waiver, ...]:
    """Return the waivers; none without the file.

    Raises BadInput for one that has expired, UnknownName for a metric that no workload has.
    """
    path = catalog.root / FILE
    if not path.exists():
        return ()
    waivers = load_toml(path, Waivers).waivers
    known = catalog.metric_notes() if waivers else {}
    for one in waivers:
        if one.metric not in known:
            raise UnknownName("metric", one.metric, [*known], path)
        if one.expires < (today or datetime.now(UTC).date()):
            raise BadInput(
                f"{path}: the waiver of {one.metric} expired on {one.expires}\n"
                "  see whether the limit is still broken: drop the waiver, or renew it with a link"
            )
    return waivers


def apply(waivers: Sequence[Waiver], rulings: Sequence[Ruling], series: str) -> tuple[Ruling, ...]:
    """Return the rulings on a series, with the waiver of each broken limit that has one."""
    return tuple(
        replace(
            ruling, waived=next((str(one) for one in waivers if one.covers(ruling, series)), "")
        )
        if ruling.ruled == "FAIL"
        else ruling
        for ruling in rulings
    )
