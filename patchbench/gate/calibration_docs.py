# SPDX-License-Identifier: GPL-2.0-only
"""Where calibrations are kept and shown: docs/calibration.json, its page and its plots."""

import io
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from pydantic import ValidationError

from patchbench import texts
from patchbench.catalog import adapter
from patchbench.errors import BadInput
from patchbench.gate import alarms
from patchbench.gate import policy as policies
from patchbench.gate.calibration import (
    COST,
    GATE,
    POWER,
    Calibration,
    Findings,
    judge,
    out_of_bounds,
)
from patchbench.noise import DATA
from patchbench.store import write_whole

TEXT = Path("docs/calibration.md")
HEADINGS = ("measured with", "rule", "false alarms", "95% interval", "finds at 80 %")


def save(root: Path, new: Calibration) -> dict[str, Findings]:
    """Write docs/calibration.json, its page and its plots, and return what it says.

    What was measured elsewhere stays in it.
    """
    with suppress(BadInput):  # of another version: replaced, as its boots cannot be read here
        new = _with_others(load(root), new)
    (root / DATA.parent).mkdir(parents=True, exist_ok=True)
    findings = judge(new)
    cells = tuple(
        replace(one, floors=replace(one.floors, pct=findings[one.place].floors))
        for one in new.cells
    )
    new = replace(new, cells=cells)
    write_whole(root / DATA, adapter(Calibration).dump_json(new).decode() + "\n")
    for one in cells:
        write_whole(root / DATA.parent / one.plot_name, power_plot(findings[one.place]))
    write_whole(root / TEXT, markdown(new, findings))
    return findings


def _with_others(old: Calibration | None, new: Calibration) -> Calibration:
    places = {one.place for one in new.cells}
    others = [one for one in old.cells if one.place not in places] if old else []
    cells = sorted((*others, *new.cells), key=lambda cell: cell.place)
    return replace(new, cells=tuple(cells))


def load(root: Path) -> Calibration | None:
    """Return docs/calibration.json, or None if nothing was calibrated; BadInput if it is broken."""
    path = root / DATA
    if not path.is_file():
        return None
    try:
        return adapter(Calibration).validate_json(path.read_bytes())
    except ValidationError as err:
        raise BadInput(
            f"{path} is not a calibration of this version; `invoke calibrate` makes one\n  {err}"
        ) from err


def rows(findings: Mapping[str, Findings]) -> list[tuple[str, ...]]:
    """Return how each rule does on each machine, as text under HEADINGS."""
    return [
        (
            place,
            rule,
            f"{false.share:.1%}",
            f"[{false.low:.1%}, {false.high:.1%}]",
            found.finds(rule),
        )
        for place, found in findings.items()
        for rule, false in found.false_alarms.items()
    ]


def markdown(calibrated: Calibration, findings: Mapping[str, Findings]) -> str:
    """Return docs/calibration.md."""
    return texts.render(
        "calibration.md.j2",
        calibrated=calibrated,
        findings=findings,
        rules=[GATE, *alarms.RULES],
        gate=GATE,
        cost=COST,
        describe=policies.describe,
        wrong=out_of_bounds(findings),
    )


def power_plot(found: Findings) -> str:
    """Return an SVG of the share of slow-downs that each rule finds, by their size."""
    import matplotlib as mpl
    from matplotlib.figure import Figure

    with mpl.rc_context({"svg.hashsalt": "patchbench", "svg.fonttype": "none", "font.size": 9}):
        figure = Figure(figsize=(7, 3.6), layout="constrained")
        axes = figure.add_subplot()
        for rule, by_size in found.power.items():
            sizes = sorted(by_size)
            style = {"linewidth": 2.5, "marker": "o"} if rule == GATE else {"marker": "."}
            axes.plot([100 * by_size[size] for size in sizes], label=rule, **style)
        axes.axhline(100 * POWER, color="gray", linewidth=0.5)
        sizes = sorted(found.slower_pct)
        cost = [f"{size}\n{found.slower_pct[size][COST]:+.1f} %" for size in sizes]
        axes.set_xticks(range(len(sizes)), cost)
        axes.set_xlabel(f"extra instructions per freed entry, and their cost in {COST}")
        axes.set_ylabel("found, % of comparisons")
        axes.set_ylim(-3, 103)
        axes.grid(alpha=0.3)
        axes.legend(fontsize=8, frameon=False, loc="center left", bbox_to_anchor=(1, 0.5))
        buffer = io.StringIO()
        figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": "patchbench"})
    return buffer.getvalue()
