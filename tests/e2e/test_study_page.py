# SPDX-License-Identifier: GPL-2.0-only
"""The page of the published study in a browser: a phone and a desk, by day and by night."""

from pathlib import Path

import pytest

from tests.e2e.browser import look
from tests.e2e.conftest import ROOT

PAGE = ROOT / "results/published/v0-study/report.html"


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("width", [360, 1280])
def test_nothing_of_the_page_is_cut_with_all_of_it_opened(
    tmp_path: Path, width: int, dark: bool
) -> None:
    page = PAGE.read_text().replace("<details>", "<details open>")
    assert page.count("<details open>") > 30
    seen = look(page, tmp_path, width=width, dark=dark)
    assert seen.console == []
    assert seen.measures["loaded"] == []
    assert seen.measures["needed"] == seen.measures["visible"] == width
    assert seen.measures["spilling"] == seen.measures["cut"] == []
    assert seen.measures["broken"] == 0
    assert seen.measures["smallest"] >= 9  # px; the height of a line of text in a plot


def test_the_page_follows_the_readers_colour_scheme(tmp_path: Path) -> None:
    light, dark = (
        look(PAGE.read_text(), tmp_path, width=1280, dark=dark).measures for dark in (False, True)
    )
    assert light["background"] != dark["background"]
    assert light["ink"] != dark["ink"]


def test_a_column_that_is_cut_is_seen(tmp_path: Path) -> None:
    wide = "<div style='overflow-x: auto'><p style='width: 2000px'>wide</p></div>"
    page = PAGE.read_text().replace("<main>", f"<main>{wide}")
    assert look(page, tmp_path, width=360, dark=False).measures["cut"]
