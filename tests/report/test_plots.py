# SPDX-License-Identifier: GPL-2.0-only
"""Plots that read well on any page, to eyes and to ears."""

import math
from xml.etree import ElementTree

import pytest
from markupsafe import Markup

from patchbench.model import NEVER
from patchbench.report import plots as report_plots
from patchbench.report.plots import BothArms, Lines, Pairs

pytestmark = pytest.mark.slow

ARMS = BothArms([87.1, 88.0, 86.5], [51.0, NEVER, 52.5])
NAMES = ("none", "v0")
ROWS = [
    Pairs("one exit", [0.5, 0.6, 0.55], 0.55, 0.5, 0.6),
    Pairs("memory back", [1.4, NEVER, 1.3], NEVER, 1.3, NEVER),
    Pairs("swapoff", [1.0, 1.1], 1.05, None, None),
]
PANELS = {"exit $x$": ARMS, "swapoff": BothArms([math.nan, 1.0, 2.0], [NEVER] * 3)}
CURVES = [[(0.0, 1.0), (1.0, 5.0)]]
SVG = "{http://www.w3.org/2000/svg}"


KINDS = ("ecdf", "pairs", "strip", "curves", "scaling")


def plots() -> dict[str, Markup]:
    return {
        "ecdf": report_plots.ecdf(ARMS, NAMES, "exits", "ms"),
        "pairs": report_plots.pairs(ROWS, "pairs"),
        "strip": report_plots.strip(ARMS, NAMES, "CPU", "ms"),
        "curves": report_plots.curves(Lines(CURVES, CURVES), NAMES, "memory", ("ms", "MiB")),
        "scaling": report_plots.scaling([2, 4, 8], PANELS, NAMES, "scaling", ("victims", "ms")),
    }


@pytest.fixture(scope="module")
def drawn() -> dict[str, Markup]:
    return plots()


@pytest.mark.parametrize("name", KINDS)
def test_a_plot_is_one_svg_that_names_itself(drawn: dict[str, Markup], name: str) -> None:
    root = ElementTree.fromstring(drawn[name])  # noqa: S314  # our own
    assert root.tag == f"{SVG}svg"
    assert root.get("role") == "img"
    title, description = root.find(f"{SVG}title"), root.find(f"{SVG}desc")
    assert title is not None
    assert title.text
    assert description is not None
    assert description.text


@pytest.mark.parametrize("name", KINDS)
def test_a_plot_takes_its_colours_from_the_page(drawn: dict[str, Markup], name: str) -> None:
    text = drawn[name]
    assert "currentColor" in text
    assert "#0" not in text.replace("#000000", "")  # none of the stand-ins is left
    assert "<style" not in text  # it would apply to the whole page


def test_the_same_numbers_give_the_same_bytes_whatever_the_reader_has_set(
    drawn: dict[str, Markup],
) -> None:
    import matplotlib as mpl  # takes half a second, and most tests draw nothing

    with mpl.rc_context({"font.size": 30, "svg.hashsalt": "another", "lines.linewidth": 9}):
        assert plots() == drawn


def test_a_clock_that_never_stopped_is_in_the_plot_and_in_its_words(
    drawn: dict[str, Markup],
) -> None:
    assert ">never<" in drawn["pairs"]
    assert "never in 1 pairs" in drawn["pairs"]
    assert "51 ms to 52.5 ms to never" in drawn["ecdf"]
    assert drawn["scaling"].count(">never<") == 2
    assert "victims 4: exit $x$: none 88 ms, exit $x$: v0 never" in drawn["scaling"]
    assert "swapoff: none not measured" in drawn["scaling"]


def test_words_of_a_guest_are_text_and_neither_markup_nor_formulas() -> None:
    rows = [Pairs("<script>$x^2$ & co", [0.5, 0.6], 0.55, None, None)]
    text = report_plots.pairs(rows, "<b>title</b>")
    assert "<script" not in text
    assert "&lt;script&gt;$x^2$ &amp; co" in text
    assert "<title>&lt;b&gt;title&lt;/b&gt;</title>" in text


@pytest.mark.parametrize(
    "arms", [BothArms([], []), BothArms([NEVER], [1.0]), BothArms([0.0], [0.0])]
)
def test_an_arm_without_a_number_is_still_a_plot(arms: BothArms) -> None:
    assert "<svg" in report_plots.ecdf(arms, NAMES, "exits", "ms")
    assert "<svg" in report_plots.strip(arms, NAMES, "CPU", "ms")


@pytest.mark.parametrize("ratios", [[0.0, NEVER, 1.0], [NEVER], [0.0, NEVER]])
def test_pairs_from_nothing_to_never_have_a_place(ratios: list[float]) -> None:
    rows = [Pairs("odd", ratios, ratios[0], 0.0, NEVER)]
    assert "never in 1 pairs" in report_plots.pairs(rows, "odd")
