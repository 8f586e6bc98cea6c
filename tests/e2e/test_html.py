# SPDX-License-Identifier: GPL-2.0-only
"""The HTML report in a browser: on a phone and on a desk, by day and by night."""

from dataclasses import replace
from pathlib import Path

import pytest

from patchbench.report.formats import html
from tests.e2e.browser import look
from tests.storms import beside, scaled, storms

LONG = "a_name_as_long_as_only_a_machine_would_make_it_" * 3
GRAPH = '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 2000 40"><text>do_exit</text></svg>'


def page() -> str:
    comparison, boots = storms(curve=True)
    comparison = scaled(
        comparison, *(beside(comparison, number, command=LONG) for number in (4, 6, 8))
    )
    plan = replace(comparison.plan, command=f"./bootstrap bench --tree /{LONG}", provenance=LONG)
    return html.render(replace(comparison, plan=plan, profiles={"v0": GRAPH}), boots)


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("width", [360, 1280])
def test_the_page_fits_and_is_quiet(tmp_path: Path, width: int, dark: bool) -> None:
    seen = look(page(), tmp_path, width=width, dark=dark)
    assert seen.console == []
    assert seen.measures["loaded"] == []
    assert seen.measures["needed"] == seen.measures["visible"] == width
    assert seen.measures["spilling"] == []
    assert seen.measures["links"] > 0
    assert seen.measures["broken"] == 0
    assert seen.measures["smallest"] >= 9  # px; the height of a line of text in a plot


def test_the_page_follows_the_readers_colour_scheme(tmp_path: Path) -> None:
    light, dark = (look(page(), tmp_path, width=1280, dark=dark).measures for dark in (False, True))
    for what in ("background", "ink", "base"):
        assert light[what] != dark[what]


def test_what_a_page_does_wrong_is_seen(tmp_path: Path) -> None:
    wrong = "<img src='https://example.org/x.png'><p style='width: 2000px'>wide</p>"
    wrong += "<script>alert(1)</script><a href='#nowhere'>link</a>"
    seen = look(page().replace("<main>", f"<main>{wrong}"), tmp_path, width=360, dark=False)
    assert seen.measures["needed"] > 360
    assert [one for one in seen.measures["spilling"] if "wide" in one]
    assert seen.measures["loaded"] == ["https://example.org/x.png"]
    assert seen.measures["broken"] == 1
    assert any("Content Security Policy" in line for line in seen.console)
