# SPDX-License-Identifier: GPL-2.0-only
"""matplotlib's figures as inline SVG: always the same bytes, in the colours of the page. Pure.

matplotlib draws with stand-in colours that become CSS variables of the page, so a plot follows
the reader's light or dark scheme. Text stays text. Every plot carries a title and a description
for those who cannot see it.
"""

import io
import re
from collections.abc import Iterator
from contextlib import contextmanager
from html import escape
from typing import TYPE_CHECKING, Any

from markupsafe import Markup

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

INK, BASE, TEST, RULE = "#010101", "#020202", "#030303", "#040404"
_VARIABLES = {
    INK: "currentColor",
    BASE: "var(--base)",
    TEST: "var(--test)",
    RULE: "var(--rule)",
}
_WIDTH_IN = 3.6  # at 100 dots an inch, a phone's width
_SETTINGS: Any = {  # a dict; matplotlib's stubs want its keys one by one
    "svg.hashsalt": "patchbench",
    "svg.fonttype": "none",
    "font.family": "sans-serif",
    "font.size": 8,
    "text.color": INK,
    "axes.edgecolor": RULE,
    "axes.labelcolor": INK,
    "axes.grid": True,
    "axes.axisbelow": True,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "grid.color": RULE,
    "grid.linewidth": 0.5,
    "xtick.color": RULE,
    "ytick.color": RULE,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "figure.dpi": 100,
    "path.simplify": False,
    "text.parse_math": False,  # a label may hold a $
}
_UNWANTED = re.compile(
    r"<\?xml.*?\?>|<!DOCTYPE.*?>|<metadata>.*?</metadata>|<style.*?</style>"
    r'| id="[a-zA-Z0-9_.]+_\d+"',
    re.DOTALL,
)


@contextmanager
def figure(height_in: float, *, panels: int = 1) -> Iterator[tuple["Figure", "Axes"]]:
    """Give an empty plot in our style, whatever the user's own settings are.

    With more panels, one above the other on the same x, it comes with the uppermost.
    """
    import matplotlib as mpl  # takes half a second, and most verbs draw nothing
    from matplotlib.figure import Figure

    with mpl.rc_context():
        mpl.rcdefaults()
        mpl.rcParams.update(_SETTINGS)
        figure = Figure(figsize=(_WIDTH_IN, height_in), layout="constrained")
        yield figure, figure.subplots(panels, sharex=True, squeeze=False)[0, 0]


def svg(figure: "Figure", title: str, description: str) -> Markup:
    """Return a figure as an SVG element with a title and description for screen readers."""
    out = io.StringIO()
    nobody = dict.fromkeys(("Date", "Creator", "Format", "Type"))
    figure.savefig(out, format="svg", transparent=True, metadata=nobody)
    text = _UNWANTED.sub("", out.getvalue()).strip()
    for colour, variable in _VARIABLES.items():
        text = text.replace(colour, variable)
    box = re.search(r'viewBox="[^"]*"', text)
    assert box  # matplotlib always writes it
    body = text[text.index(">", text.index("<svg")) + 1 :]
    return Markup(  # noqa: S704  # matplotlib escapes the text in its drawings
        f'<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" '
        f'{box[0]} role="img"><title>{escape(title)}</title>'
        f"<desc>{escape(description)}</desc>{body}"
    )
