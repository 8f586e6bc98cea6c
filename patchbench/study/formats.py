# SPDX-License-Identifier: GPL-2.0-only
"""The formats in which a study leaves the project."""

import json
from collections.abc import Callable
from typing import TypeAlias

from patchbench.errors import BadInput
from patchbench.model import NEVER, Json
from patchbench.study import page, report
from patchbench.study.estimates import Estimate
from patchbench.study.evidence import Study
from patchbench.study.weigh import Weighed

Render: TypeAlias = Callable[[Study], str]


def find(name: str) -> Render:
    """Return what renders a study in a format; BadInput lists those that there are."""
    if name not in FORMATS:
        raise BadInput(f"--format {name}: a study has the formats {', '.join(FORMATS)}")
    return FORMATS[name]


def as_json(study: Study) -> str:
    """Return the study as JSON: every statement with its outcome, and every rule with its own."""
    logbook = study.logbook
    whole: Json = {
        "study": logbook.study,
        "command": logbook.command,
        "series": logbook.plan.series,
        "scale": logbook.scale,
        "kernels": dict(logbook.versions),
        "headline": list(report.headline(study)),
        "statements": [
            {
                "id": one.statement.id,
                "by": one.statement.by,
                "says": one.statement.says,
                "claimed": one.statement.claimed,
                "outcome": one.outcome,
                "unanswerable": one.statement.unanswerable,
                "rules": [_weighed(weighed) for weighed in one.weighed],
            }
            for one in study.conclusions
        ],
        "controls": [_weighed(one) for one in study.controls],
    }
    return json.dumps(whole, indent=1) + "\n"


def _weighed(one: Weighed) -> dict[str, Json]:
    return {
        "leg": one.rule.leg,
        "asked": one.rule.asked,
        "outcome": one.outcome,
        "why": one.why,
        "estimate": _estimate(one.estimate),
        "hazard": one.hazard or None,
        "run": one.run or None,
        "command": one.command or None,
    }


def _estimate(found: Estimate | None) -> Json:
    """Return a number with its interval; `never`, which JSON has no number for, as a word."""
    if found is None:
        return None
    numbers = {"value": found.value, "low": found.low, "high": found.high}
    words: dict[str, Json] = {
        name: "never" if number == NEVER else number for name, number in numbers.items()
    }
    return {**words, "unit": found.unit.replace("+", ""), "count": found.count}


#: By the name that `--format` has for them.
FORMATS: dict[str, Render] = {"html": page.html, "json": as_json, "markdown": page.markdown}
