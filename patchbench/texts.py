# SPDX-License-Identifier: GPL-2.0-only
"""Texts made from the templates beside this file. Pure."""

from functools import cache
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape

FOLDER = Path(__file__).parent / "templates"


def render(template: str, **values: object) -> str:
    """Return a template with its values in place; one that it lacks is an error.

    HTML and SVG are escaped. Markdown is not: its templates escape what a guest may say.
    """
    return _environment().get_template(template).render(**values)


@cache
def _environment() -> Environment:
    return Environment(
        loader=FileSystemLoader(FOLDER),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=select_autoescape(("html.j2", "svg.j2"), default=False),
    )
