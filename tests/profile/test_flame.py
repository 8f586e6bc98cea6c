# SPDX-License-Identifier: GPL-2.0-only
"""Flame graphs and speedscope files, by what their readers require of them."""

import json
from xml.etree import ElementTree

import pytest

from patchbench.profile import flame
from patchbench.profile.flame import Sampled

BASE = Sampled("none", {("exit", "zap", "free"): 6, ("exit", "zap"): 2, ("idle",): 2}, 10_000)
TEST = Sampled("v0", {("exit", "zap"): 2, ("worker", "free"): 5, ("idle",): 3}, 10_000)
SVG = "{http://www.w3.org/2000/svg}"


def frames(*arms: Sampled) -> list[ElementTree.Element]:
    """Return the frames of a graph, which must be well-formed XML."""
    root = ElementTree.fromstring(flame.svg("a title & <more>", "a note", arms))  # noqa: S314
    return [group for group in root.iter(f"{SVG}g") if "data-name" in group.attrib]


def frame(name: str, *arms: Sampled) -> ElementTree.Element:
    return next(one for one in frames(*arms) if one.get("data-name") == name)


def colour(name: str) -> list[int]:
    box = frame(name, BASE, TEST).find(f"{SVG}rect")
    assert box is not None
    return [int(part) for part in box.attrib["fill"].strip("rgb()").split(",")]


def test_a_folded_file_has_a_line_a_stack_outermost_first() -> None:
    assert flame.folded(BASE.stacks) == "exit;zap 2\nexit;zap;free 6\nidle 2\n"


def test_a_frame_is_as_wide_as_its_share_and_lies_within_its_caller() -> None:
    by_name = {one.attrib["data-name"]: one for one in frames(BASE)}
    assert float(by_name["all"].attrib["data-share"]) == 1
    assert float(by_name["free"].attrib["data-share"]) == pytest.approx(0.6)
    for below, above in (("exit", "all"), ("zap", "exit"), ("free", "zap")):
        inner, outer = by_name[below].attrib, by_name[above].attrib
        assert float(inner["data-left"]) >= float(outer["data-left"])
        assert int(inner["data-depth"]) == int(outer["data-depth"]) + 1
        ends = [float(one["data-left"]) + float(one["data-share"]) for one in (inner, outer)]
        assert ends[0] <= ends[1] + 1e-6


def test_a_tooltip_tells_instructions_and_share() -> None:
    assert frame("free", BASE).findtext(f"{SVG}title") == "free: none 6,000 instructions (60.00%)"


def test_a_graph_needs_nothing_from_elsewhere() -> None:
    text = flame.svg("title", "note", [BASE, TEST])
    assert text.replace("http://www.w3.org/2000/svg", "").count("http") == 0
    assert "<script><![CDATA[" in text


def test_a_difference_shows_what_only_one_arm_does_red_if_new_blue_if_gone() -> None:
    red, _, blue = colour("worker")
    assert red > blue
    red, _, blue = colour("exit")
    assert blue > red
    drawn = frame("worker", BASE, TEST).findtext(f"{SVG}title")
    assert drawn == "worker: none 0 instructions (0.00%), v0 5,000 instructions (50.00%): +5,000"


def test_a_graph_is_the_same_text_for_the_same_stacks_in_any_order() -> None:
    other = Sampled("none", dict(reversed(list(BASE.stacks.items()))), BASE.instructions)
    assert flame.svg("t", "n", [BASE]) == flame.svg("t", "n", [other])


def test_a_speedscope_file_is_what_its_schema_asks_for() -> None:
    drawn = json.loads(json.dumps(flame.speedscope("storm", [BASE, TEST])))
    assert drawn["$schema"] == "https://www.speedscope.app/file-format-schema.json"
    names = [one["name"] for one in drawn["shared"]["frames"]]
    assert len(set(names)) == len(names)
    assert [one["name"] for one in drawn["profiles"]] == ["none", "v0"]
    assert drawn["activeProfileIndex"] < len(drawn["profiles"])
    for one in drawn["profiles"]:
        assert one["type"] == "sampled"
        assert one["unit"] in {
            "none", "nanoseconds", "microseconds", "milliseconds", "seconds", "bytes",
        }  # fmt: skip
        assert len(one["samples"]) == len(one["weights"])
        assert all(0 <= place < len(names) for sample in one["samples"] for place in sample)
        assert one["endValue"] - one["startValue"] == sum(one["weights"])
    first = drawn["profiles"][0]
    assert [names[place] for place in first["samples"][1]] == ["exit", "zap", "free"]
    assert first["weights"][1] == 6000
