# SPDX-License-Identifier: GPL-2.0-only
"""One page for people: the finding first, then plots, code, conditions and every sample.

The page is one file that loads nothing and runs nothing, and says so to the browser.
"""

from collections.abc import Sequence

from markupsafe import Markup

from patchbench import texts
from patchbench.model import Boot, Comparison
from patchbench.report import page, report, scaling, sentences


def render(told: Comparison, boots: Sequence[Boot]) -> str:
    """Return report.html; the same run gives the same bytes."""
    return texts.render(
        "report.html.j2",
        told=told,
        plan=told.plan,
        style=Markup((texts.FOLDER / "report.css").read_text()),  # noqa: S704  # our own
        verdicts=sentences.verdicts(told, boots),
        rooms=page.rooms(told, boots),
        scaling=scaling.section(told),
        flame_graphs=page.flame_graphs(told.profiles),
        functions=report.functions,
        functions_in_short=report.functions_in_short,
        other_constants=report.other_constants,
    )
