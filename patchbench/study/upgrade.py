# SPDX-License-Identifier: GPL-2.0-only
"""A study.json of an earlier schema in, the same in today's words out. Pure.

Schema 1 had one kind of rule with every key of every kind, most of them empty, `arm = "both"`
for a difference, and legs that were "left out".
"""

from collections.abc import Mapping
from typing import Any

_DIFFERENCE = {"at_least": "difference_at_least", "at_most": "difference_at_most"}


def upgraded(stored: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return a stored study as the newest schema has it; LookupError if it lacks a part."""
    return stored if stored.get("schema") != 1 else _from_schema_1(stored)


def _from_schema_1(stored: Mapping[str, Any]) -> Mapping[str, Any]:
    plan = stored["plan"]
    statements = [
        {**one, "rules": [_rule(rule) for rule in one["rules"]]} for one in plan["statements"]
    ]
    controls = [_rule(rule) for rule in plan["controls"]]
    legs = [
        {**one, "state": "skipped" if one["state"] == "left out" else one["state"]}
        for one in stored["legs"]
    ]
    plan = {**plan, "statements": statements, "controls": controls}
    return {**stored, "plan": plan, "legs": legs, "schema": 2}


def _rule(rule: Mapping[str, Any]) -> dict[str, Any]:
    kept = {name: value for name, value in rule.items() if value not in ("", None, [], ())}
    if not kept.get("patches"):
        kept.pop("patches", None)
    if "finding" not in kept:
        kept.pop("says", None)
    if kept.get("arm") != "both":
        return kept
    del kept["arm"]
    return {_DIFFERENCE.get(name, name): value for name, value in kept.items()}
