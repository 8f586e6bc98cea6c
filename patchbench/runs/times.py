# SPDX-License-Identifier: GPL-2.0-only
"""Where a run's wall time went: timings.json of its folder."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from patchbench.catalog import load_json
from patchbench.errors import BadInput
from patchbench.model import Json
from patchbench.store import write_whole

TIMINGS = "timings.json"
HEADINGS = ("what", "wall s", "share")
#: What containers run, by the program that starts there.
_PROGRAMS = {"make": "make", "timeout": "QEMU"}


def write(folder: Path, note: Mapping[str, Json]) -> None:
    """Keep what ran when, as Pipeline.timings returns it."""
    write_whole(folder / TIMINGS, json.dumps(note, indent=1) + "\n")


def rows(folder: Path) -> list[tuple[str, str, str]]:
    """Return what a run's wall time was spent on, in seconds and as a share, under HEADINGS.

    Containers that run side by side count once, wherever they do. Setting up (toolchain image,
    sources, work trees) has rows of its own; the remainder is the pipeline's. Then comes how long
    each other host booted. BadInput if the run was cut off.
    """
    try:
        return _rows(load_json(folder / TIMINGS))
    except OSError as err:
        raise BadInput(f"{folder} has no {TIMINGS}: the run did not finish") from err
    except (ValueError, LookupError, TypeError, ArithmeticError) as err:
        raise BadInput(f"{folder / TIMINGS} is damaged: {err}") from err


def _rows(note: Any) -> list[tuple[str, str, str]]:
    wall = note["ended"] - note["started"]
    spans: dict[str, list[tuple[float, float]]] = {name: [] for name in _PROGRAMS.values()}
    for program, start, end in note["busy"]:
        if program in _PROGRAMS:
            spans[_PROGRAMS[program]].append((start, end))
    hosts: dict[str, list[tuple[float, float]]] = {}
    for name, start, end in note.get("hosts", []):
        hosts.setdefault(name, []).append((start, end))
        spans["QEMU"].append((start, end))
    for what, start, end in note["set_up"]:
        spans.setdefault(what, []).append((start, end))
    seconds = {name: _covered(those) for name, those in spans.items()}
    seconds["pipeline"] = wall - sum(seconds.values())
    seconds["wall"] = wall
    seconds |= {f"QEMU on {name}": _covered(those) for name, those in sorted(hosts.items())}
    return [(name, f"{value:.1f}", f"{value / wall:.1%}") for name, value in seconds.items()]


def _covered(spans: Sequence[tuple[float, float]]) -> float:
    """Return the length of the union of time spans."""
    covered, reached = 0.0, float("-inf")
    for start, end in sorted(spans):
        covered += max(0.0, end - max(start, reached))
        reached = max(reached, end)
    return covered
