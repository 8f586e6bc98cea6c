# SPDX-License-Identifier: GPL-2.0-only
"""Fills in the templates beside this file, so that no value can be taken for markup. Pure."""

import base64
import re
from collections.abc import Iterable
from functools import cache
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape
from markupsafe import Markup

FOLDER = Path(__file__).parent / "templates"
#: Controls, escapes, changes of direction, and what is half a character and cannot be written.
_CONTROL = re.compile(
    r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]"
)
_LINE_END = re.compile(r"[\t\n]")
_TAG = re.compile(r"<(?=[A-Za-z/!?])")  # not `exit_ns <= +2 %`


def render(template: str, **values: object) -> str:
    """Return a template with its values in place; a missing value is an error.

    Values are escaped as the template's format needs it: HTML and SVG by Jinja, Markdown by
    `markdown`. A Markdown table's row is written with the filter `cells`.
    """
    environment = _environment(is_markdown=template.endswith(".md.j2"))
    return environment.get_template(template).render(**values)


@cache
def _environment(*, is_markdown: bool) -> Environment:
    environment = Environment(
        loader=FileSystemLoader(FOLDER),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=select_autoescape(("html.j2", "svg.j2"), default=False),
        finalize=markdown if is_markdown else _for_html,
    )
    environment.filters["cells"] = _cells
    return environment


def one_line(value: object) -> str:
    """Return a value as text without control characters, line ends and escapes among them."""
    return _LINE_END.sub("?", printable(str(value)))


def markdown(value: object) -> str:
    """Return a value as one line of Markdown that holds no HTML and no link."""
    return _TAG.sub("&lt;", one_line(value)).replace("](", "]\\(")


def printable(text: str) -> str:
    """Return a text of any number of lines without escapes and other control characters."""
    return _CONTROL.sub("?", text)


def as_image(svg: str) -> str:
    """Return an SVG as a data URL: an image can neither run scripts nor load anything."""
    return f"data:image/svg+xml;base64,{base64.b64encode(svg.encode()).decode()}"


def _for_html(value: object) -> object:
    """Return a value for HTML; Markup is what our own code has drawn."""
    return value if isinstance(value, Markup) else printable(str(value))


def _cells(row: Iterable[object]) -> str:
    """Return the cells of a row, separated; a bar in a cell does not begin another one."""
    return " | ".join(str(cell).replace("|", "\\|") for cell in row)
