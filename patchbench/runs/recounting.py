# SPDX-License-Identifier: GPL-2.0-only
"""Are the numbers that a published run reports still those of its logs? Nothing is booted.

Checksums show that a report is as it was published, not that it was right.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from patchbench.catalog import load_json
from patchbench.errors import BadInput
from patchbench.report import tables
from patchbench.runs import reading

REPORT = "comparison.json"
_NUMBERS = ("base", "test", "change_pct", "low_pct", "high_pct", "pairs")
#: Of the same arithmetic on another host, or by another release of a library.
_ROUNDING = 1e-9


def count(folder: Path) -> int:
    """Return how many numbers a run reports; 0 for one without a report, as a study's are."""
    return (
        sum(len(_numbers(one)) for one in _reported(folder)) if (folder / REPORT).is_file() else 0
    )


def differences(root: Path, folder: Path) -> Iterator[str]:
    """Give each number of a run's comparison.json that its logs do not give, in words.

    Raises BadInput for a broken file, and as reading.comparison does.
    """
    if not (folder / REPORT).is_file():
        return
    whole: list[Any] = [tables.as_json(one) for one, _ in reading.read_all(root, folder)]
    ours = {_place(one): _numbers(one) for one in _metrics(whole)}
    for one in _reported(folder):
        for name, published in _numbers(one).items():
            found = ours.get(_place(one), {}).get(name)
            if not _same(published, found):
                where = " ".join(_place(one)).strip()
                yield f"{where} {name}: {published} is reported, and the logs say {found}"


def _reported(folder: Path) -> list[Mapping[str, Any]]:
    try:
        read = load_json(folder / REPORT)
        return _metrics(read.get("comparisons", [read]))
    except (OSError, ValueError, LookupError, TypeError, AttributeError) as err:
        raise BadInput(f"{folder / REPORT} is broken: {err}") from err


def _metrics(comparisons: Sequence[Any]) -> list[Mapping[str, Any]]:
    """Return the metrics of comparisons; of several, each says whose it is."""
    several = len(comparisons) > 1
    return [
        {**metric, "of": one["test"]["series"] if several else ""}
        for one in comparisons
        for metric in one["metrics"]
    ]


def _place(metric: Mapping[str, Any]) -> tuple[str, str, str]:
    return metric["of"], metric["machine"], metric["name"]


def _numbers(metric: Mapping[str, Any]) -> dict[str, Any]:
    """Return the numbers of a metric, those per freed page among them, by what they are."""
    per_page = metric.get("per_page") or {}
    found = {name: metric.get(name) for name in _NUMBERS}
    return found | {f"{name} per freed page": per_page[name] for name in _NUMBERS if per_page}


def _same(one: object, other: object) -> bool:
    if isinstance(one, int | float) and isinstance(other, int | float):
        return math.isclose(one, other, rel_tol=_ROUNDING, abs_tol=_ROUNDING)
    return one == other
