# SPDX-License-Identifier: GPL-2.0-only
"""Capacities in a device tree, read back with the smallest reader that can."""

import struct

import pytest

from patchbench.errors import ToolFailed
from patchbench.stages.devicetree import with_capacities

Nodes = list[tuple[str, dict[str, int]]]


def blob(nodes: Nodes) -> bytes:
    """Return a tree of nodes with whole numbers as properties, below a nameless root."""
    strings, structure = b"", node("")
    for name, properties in nodes:
        structure += node(name)
        for key, value in properties.items():
            structure += struct.pack(">4I", 3, 4, len(strings), value)
            strings += key.encode() + b"\0"
        structure += struct.pack(">I", 2)
    structure += struct.pack(">2I", 2, 9)
    at = 40 + 16
    header = (0xD00DFEED, at + len(structure) + len(strings), at, at + len(structure), 40)
    sizes = (17, 16, 0, len(strings), len(structure))
    return struct.pack(">10I", *header, *sizes) + bytes(16) + structure + strings


def node(name: str) -> bytes:
    text = name.encode() + b"\0"
    return struct.pack(">I", 1) + text + bytes(-len(text) % 4)


def read(tree: bytes) -> Nodes:
    at, strings = struct.unpack_from(">2I", tree, 8)
    nodes: Nodes = []
    while (token := struct.unpack_from(">I", tree, at)[0]) != 9:
        at += 4
        if token == 1:
            end = tree.index(b"\0", at)
            nodes.append((tree[at:end].decode(), {}))
            at = (end + 4) & ~3
        elif token == 3:
            _, name, value = struct.unpack_from(">3I", tree, at)
            start = strings + name
            nodes[-1][1][tree[start : tree.index(b"\0", start)].decode()] = value
            at += 12
    return nodes[1:]


TWO: Nodes = [("cpu@0", {"reg": 0}), ("cpu@1", {"reg": 1}), ("chosen", {"rng-seed": 7})]


def test_each_cpu_gets_its_capacity_and_nothing_else_changes() -> None:
    assert read(blob(TWO)) == TWO
    assert read(with_capacities(blob(TWO), [1024, 512])) == [
        ("cpu@0", {"reg": 0, "capacity-dmips-mhz": 1024}),
        ("cpu@1", {"reg": 1, "capacity-dmips-mhz": 512}),
        ("chosen", {"rng-seed": 7}),
    ]


@pytest.mark.parametrize(("capacities", "complaint"), [([1024], "more CPUs"), ([1, 2, 3], "fewer")])
def test_another_number_of_cpus_is_refused(capacities: list[int], complaint: str) -> None:
    with pytest.raises(ToolFailed, match=complaint):
        with_capacities(blob(TWO), capacities)


def test_what_is_no_device_tree_is_refused() -> None:
    with pytest.raises(ToolFailed, match="is not a device tree"):
        with_capacities(b"\x7fELF" + bytes(100), [1024])
