# SPDX-License-Identifier: GPL-2.0-only
"""The one page of a study, as Markdown and as HTML."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from patchbench import texts
from patchbench.study import designs, drawing, report, tables
from patchbench.study.evidence import Study
from patchbench.study.weigh import Conclusion


@dataclass(frozen=True, slots=True)
class Chapter:
    """Statements of one kind, under a heading."""

    title: str
    says: str
    conclusions: Sequence[Conclusion]


def files(study: Study) -> Mapping[str, str]:
    """Return every file of the report by its name."""
    return {"report.md": markdown(study), "report.html": html(study)}


def markdown(study: Study) -> str:
    """Return the page as Markdown; drawings and plots are in the HTML alone."""
    return texts.render("study.md.j2", **_common(study))


def html(study: Study) -> str:
    """Return the page as HTML: one file that loads nothing and runs nothing."""
    style = "".join((texts.FOLDER / name).read_text() for name in ("report.css", "study.css"))
    return texts.render(
        "study.html.j2",
        **_common(study),
        style=Markup(style),  # noqa: S704  # our own
        counts=report.counts(study),
        draw=drawing.interval,
        legend=drawing.legend(),
        plots=tables.plots(study),
    )


def _common(study: Study) -> dict[str, object]:
    logbook = study.logbook
    return {
        "title": logbook.plan.title,
        "headline": report.headline(study),
        "multiplicity": report.multiplicity(study),
        "about": about(study),
        "command": logbook.command,
        "chapters": chapters(study),
        "outcome": lambda one: report.outcome(one, study),
        "controls": study.controls,
        "designs": designs.tables(study),
        "about_designs": designs.about(study),
        "tables": tables.tables(study),
        "machines": study.machines,
    }


def chapters(study: Study) -> tuple[Chapter, ...]:
    """Return the statements of which a leg was to be run: claims first, then questions."""
    asked = report.asked(study)
    return (
        Chapter(
            "Claims",
            "What the cover letter and its author's later mails say. An emulator cannot have a "
            "phone's figures; what is judged is whether the change has that sign and size.",
            [one for one in asked if one.statement.claimed],
        ),
        Chapter(
            "Questions",
            "What reviewers asked, each as a sentence that is true or not.",
            [one for one in asked if not one.statement.claimed],
        ),
    )


def about(study: Study) -> str:
    """Return which study it is, and of what."""
    logbook = study.logbook
    kernels = ", ".join(f"{name} {version}" for name, version in logbook.versions.items())
    return (
        f"Study {logbook.study}, scale {logbook.scale}, on {kernels}. Every number is an emulated "
        "machine's (TCG), not a device's: only ratios mean something."
    )
