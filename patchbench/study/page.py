# SPDX-License-Identifier: GPL-2.0-only
"""The one page of a study, as Markdown and as HTML."""

from collections.abc import Mapping, Sequence

from markupsafe import Markup

from patchbench import texts
from patchbench.study import report
from patchbench.study.evidence import Study


def files(study: Study) -> Mapping[str, str]:
    """Return every file of the report by its name."""
    return {"report.md": markdown(study), "report.html": html(study)}


def markdown(study: Study) -> str:
    """Return the page as Markdown; plots are in the HTML alone."""
    lines = [f"# {study.logbook.plan.title}", ""]
    lines += [*(f"> **{line}**\n>" for line in report.headline(study)), ""]
    lines += [about(study), ""]
    for section in report.sections(study):
        lines += [f"## {section.title}", "", section.says, ""]
        if section.rows:
            lines += [_line(section.headings), "|" + "---|" * len(section.headings)]
            lines += [_line(row) for row in section.rows] + [""]
    lines += ["## What this cannot show", ""]
    lines += [f"- {machine.name}: {machine.cannot_show}" for machine in study.machines]
    return "\n".join(lines) + "\n"


def html(study: Study) -> str:
    """Return the page as HTML: one file that loads nothing and runs nothing."""
    return texts.render(
        "study.html.j2",
        title=study.logbook.plan.title,
        style=Markup((texts.FOLDER / "report.css").read_text()),  # noqa: S704  # our own
        headline=report.headline(study),
        about=about(study),
        sections=report.sections(study),
        machines=study.machines,
    )


def about(study: Study) -> str:
    """Return which study it is, of what, and the command that repeats it."""
    kernels = ", ".join(f"{name} {version}" for name, version in study.logbook.versions.items())
    return (
        f"Study {study.logbook.study}, scale {study.logbook.scale}, on {kernels}. Every number is "
        "an emulated machine's (TCG), not a device's: only ratios mean something. "
        f"Repeat it: {study.logbook.command}"
    )


def _line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|").replace("\n", " ") for cell in cells) + " |"
