# SPDX-License-Identifier: GPL-2.0-only
"""Sampled stacks in; folded text, interactive SVG flame graphs and speedscope JSON out. Pure.

A stack is a tuple of functions, outermost first; its value is a number of samples. A flame
graph of two arms is as wide as both together, so that what only one of them does is visible
too; the colour is the change. The SVG needs nothing but a browser.
"""

import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from patchbench import texts
from patchbench.model import Json

SPEEDSCOPE_SCHEMA = "https://www.speedscope.app/file-format-schema.json"
_WIDTH = 1200
_ROW = 17
_TOP = 64
#: Narrower frames are skipped: nobody could see them, and most frames are.
_NARROWEST = 0.0003


@dataclass(frozen=True, slots=True)
class Sampled:
    """The stacks of one arm, and the instructions that all of them together stand for."""

    name: str
    stacks: Mapping[tuple[str, ...], int]
    instructions: int

    @property
    def per_sample(self) -> float:
        """Return how many instructions a sample stands for."""
        return self.instructions / max(1, sum(self.stacks.values()))


@dataclass(frozen=True, slots=True)
class Frame:
    """One box of a graph: shares of the graph's width, its row, its colour, its tooltip."""

    name: str
    left: float
    share: float
    depth: int
    fill: str
    details: str


@dataclass(slots=True)
class _Node:
    """A function as it was called: instructions of each arm, what it called."""

    instructions: list[float]
    below: dict[str, "_Node"] = field(default_factory=dict)


def folded(stacks: Mapping[tuple[str, ...], int]) -> str:
    """Return the stacks as `outermost;...;innermost SAMPLES` lines, sorted."""
    lines = sorted(f"{';'.join(stack)} {count}" for stack, count in stacks.items())
    return "".join(f"{line}\n" for line in lines)


def speedscope(title: str, arms: Sequence[Sampled]) -> dict[str, Json]:
    """Return the arms as one file for speedscope; weights are instructions."""
    names = sorted({name for arm in arms for stack in arm.stacks for name in stack})
    number: dict[str, Json] = {name: place for place, name in enumerate(names)}
    profiles: list[Json] = []
    for arm in arms:
        stacks = sorted(arm.stacks.items())
        samples: list[Json] = [[number[name] for name in stack] for stack, _ in stacks]
        weights: list[Json] = [round(count * arm.per_sample) for _, count in stacks]
        profiles.append(
            {
                "type": "sampled",
                "name": arm.name,
                "unit": "none",
                "startValue": 0,
                "endValue": sum(round(count * arm.per_sample) for _, count in stacks),
                "samples": samples,
                "weights": weights,
            }
        )
    frames: list[Json] = [{"name": name} for name in names]
    return {
        "$schema": SPEEDSCOPE_SCHEMA,
        "name": title,
        "exporter": "patchbench",
        "activeProfileIndex": 0,
        "shared": {"frames": frames},
        "profiles": profiles,
    }


def svg(title: str, note: str, arms: Sequence[Sampled]) -> str:
    """Return the flame graph of one arm, or of two, in the colours of their difference."""
    root = _Node([0.0] * len(arms))
    for number, arm in enumerate(arms):
        for stack, count in arm.stacks.items():
            node = root
            node.instructions[number] += count * arm.per_sample
            for name in stack:
                node = node.below.setdefault(name, _Node([0.0] * len(arms)))
                node.instructions[number] += count * arm.per_sample

    total = max(1.0, sum(root.instructions))
    describe = _describe(arms, root)
    frames = list(_frames("all", root, 0.0, 0, total, describe))
    return texts.render(
        "flame.svg.j2",
        title=title,
        note=note,
        frames=frames,
        width=_WIDTH,
        row=_ROW,
        height=_TOP + _ROW * (2 + max(frame.depth for frame in frames)),
        narrowest=f"{_NARROWEST:.2%}",
        two=len(arms) > 1,
    )


def _frames(
    name: str,
    node: _Node,
    left: float,
    depth: int,
    total: float,
    describe: Callable[[str, _Node], tuple[str, str]],
) -> Iterator[Frame]:
    share = sum(node.instructions) / total
    if share < _NARROWEST:
        return
    fill, details = describe(name, node)
    yield Frame(name, left, share, depth, fill, details)
    for below, child in sorted(node.below.items()):
        yield from _frames(below, child, left, depth + 1, total, describe)
        left += sum(child.instructions) / total


def _describe(arms: Sequence[Sampled], root: _Node) -> Callable[[str, _Node], tuple[str, str]]:
    """Return a function that gives a frame's colour and details."""
    totals = [max(1.0, instructions) for instructions in root.instructions]

    def one(name: str, node: _Node) -> tuple[str, str]:
        counts = [
            f"{arm.name} {instructions:,.0f} instructions ({instructions / whole:.2%})"
            for arm, instructions, whole in zip(arms, node.instructions, totals, strict=True)
        ]
        if len(arms) == 1:
            return _warm(name), f"{name}: {counts[0]}"
        base, test = node.instructions
        return _change(base, test), f"{name}: {', '.join(counts)}: {test - base:+,.0f}"

    return one


def _warm(name: str) -> str:
    """Return a colour between red and yellow that is a name's own."""
    dice = zlib.crc32(name.encode())
    return f"rgb({205 + dice % 50},{80 + dice // 64 % 130},{dice // 16384 % 55})"


def _change(base: float, test: float) -> str:
    """Return red for more, blue for less, pale for no change."""
    change = (test - base) / max(1.0, test + base)
    pale = round(235 - 145 * abs(change))  # dark enough to see, light enough to read on
    return f"rgb(235,{pale},{pale})" if change >= 0 else f"rgb({pale},{pale},235)"
