# SPDX-License-Identifier: GPL-2.0-only
"""One page for people: the result first, then plots, code, conditions and every sample.

The page is one file that loads nothing and runs nothing, and tells the browser so.
"""

from collections.abc import Sequence

from markupsafe import Markup

from patchbench import texts
from patchbench.model import Boot, Comparison
from patchbench.report import cpus, nevers, page, scaling, sentences, tables


def render(comparison: Comparison, boots: Sequence[Boot]) -> str:
    """Return report.html; the same run gives the same bytes."""
    return texts.render(
        "report.html.j2",
        comparison=comparison,
        plan=comparison.plan,
        style=Markup((texts.FOLDER / "report.css").read_text()),  # noqa: S704  # our own
        summaries=sentences.summaries(comparison, boots),
        machines=page.machines(comparison, boots),
        never=tuple(nevers.lines(comparison)),
        plotted=page.plotted(comparison, boots),
        glossary=page.glossary(comparison),
        curves=scaling.curves(comparison),
        by_cpus=cpus.by_cpus(comparison),
        flame_graphs=page.flame_graphs(comparison.profiles),
        at_work=tables.at_work(comparison),
        functions=tables.functions,
        functions_in_short=tables.functions_in_short,
        other_constants=tables.other_constants,
    )
