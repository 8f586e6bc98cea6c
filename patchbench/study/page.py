# SPDX-License-Identifier: GPL-2.0-only
"""The one page of a study, as Markdown and as HTML. Pure."""

from collections.abc import Mapping, Sequence

from markupsafe import Markup

from patchbench import texts
from patchbench.study import report
from patchbench.study.evidence import Told


def files(told: Told) -> Mapping[str, str]:
    """Return every file of the report by its name."""
    return {"report.md": markdown(told), "report.html": html(told)}


def markdown(told: Told) -> str:
    """Return the page as Markdown; plots are in the HTML alone."""
    lines = [f"# {told.note.plan.title}", ""]
    lines += [*(f"> **{line}**\n>" for line in report.headline(told)), ""]
    lines += [about(told), ""]
    for section in report.sections(told):
        lines += [f"## {section.title}", "", section.says, ""]
        if section.rows:
            lines += [_line(section.headings), "|" + "---|" * len(section.headings)]
            lines += [_line(row) for row in section.rows] + [""]
    lines += ["## What this cannot show", ""]
    lines += [f"- {machine.name}: {machine.cannot_show}" for machine in told.machines]
    return "\n".join(lines) + "\n"


def html(told: Told) -> str:
    """Return the page as HTML: one file that loads nothing and runs nothing."""
    return texts.render(
        "study.html.j2",
        title=told.note.plan.title,
        style=Markup((texts.FOLDER / "report.css").read_text()),  # noqa: S704  # our own
        headline=report.headline(told),
        about=about(told),
        sections=report.sections(told),
        machines=told.machines,
    )


def about(told: Told) -> str:
    """Return which study it is, of what, and the command that repeats it."""
    kernels = ", ".join(f"{name} {version}" for name, version in told.note.versions.items())
    return (
        f"Study {told.note.study}, scale {told.note.scale}, on {kernels}. Every number is of an "
        "emulated machine (TCG) and no device's: only ratios mean something. "
        f"Repeat it: {told.note.command}"
    )


def _line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|").replace("\n", " ") for cell in cells) + " |"
