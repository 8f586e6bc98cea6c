# SPDX-License-Identifier: GPL-2.0-only
"""A flattened device tree, with the capacity of each CPU added. Pure.

Format: chapter 5 of the Devicetree Specification, version 17 of the blob. The CPUs' nodes come in
the order of their numbers, as QEMU writes them.
"""

import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from patchbench.errors import ToolFailed

#: Goes up with every change of what is made of the same blob.
VERSION = 1
_MAGIC = 0xD00DFEED
_BEGIN_NODE, _END_NODE, _PROPERTY, _NOP, _END = 1, 2, 3, 4, 9
_CAPACITY = b"capacity-dmips-mhz"
_HEADER = struct.Struct(">10I")


@dataclass(frozen=True, slots=True)
class _Blob:
    """The parts of a blob; `structure` and `strings` are without what follows them."""

    reservations: bytes
    structure: bytes
    strings: bytes
    boot_cpu: int


def with_capacities(blob: bytes, capacities_dmips_mhz: Sequence[int]) -> bytes:
    """Return the blob with one capacity for each node cpu@N.

    Raises ToolFailed for what is no device tree, or one with another number of CPUs.
    """
    try:
        return _changed(_split(blob), capacities_dmips_mhz)
    except (struct.error, ValueError) as err:  # an offset beyond its end, a name that has none
        raise ToolFailed(f"QEMU's device tree is damaged: {err}") from err


def _changed(parts: _Blob, capacities_dmips_mhz: Sequence[int]) -> bytes:
    name = len(parts.strings)
    left = list(capacities_dmips_mhz)
    structure = b""
    for token, data, node in _tokens(parts.structure):
        structure += data
        if token == _BEGIN_NODE and node.startswith("cpu@"):
            if not left:
                raise ToolFailed("the device tree has more CPUs than capacities")
            structure += struct.pack(">4I", _PROPERTY, 4, name, left.pop(0))
    if left:
        raise ToolFailed(f"the device tree has {len(left)} CPUs fewer than capacities")
    strings = parts.strings + _CAPACITY + b"\0"
    return _join(_Blob(parts.reservations, structure, strings, parts.boot_cpu))


def _split(blob: bytes) -> _Blob:
    if len(blob) < _HEADER.size or _HEADER.unpack_from(blob)[0] != _MAGIC:
        raise ToolFailed("what QEMU wrote is not a device tree")
    header = _HEADER.unpack_from(blob)
    structure_at, strings_at, reservations_at = header[2:5]
    boot_cpu, strings_bytes, structure_bytes = header[7:10]
    end = blob.index(bytes(16), reservations_at) + 16
    return _Blob(
        blob[reservations_at:end],
        blob[structure_at : structure_at + structure_bytes],
        blob[strings_at : strings_at + strings_bytes],
        boot_cpu,
    )


def _join(parts: _Blob) -> bytes:
    reservations_at = _HEADER.size
    structure_at = _aligned(reservations_at + len(parts.reservations))
    strings_at = structure_at + len(parts.structure)
    total = strings_at + len(parts.strings)
    header = _HEADER.pack(
        *(_MAGIC, total, structure_at, strings_at, reservations_at),
        *(17, 16, parts.boot_cpu, len(parts.strings), len(parts.structure)),
    )
    return header + parts.reservations + parts.structure + parts.strings


def _tokens(structure: bytes) -> Iterator[tuple[int, bytes, str]]:
    """Give each token with its bytes, padding included, and a node's name."""
    at = 0
    while at < len(structure):
        (token,) = struct.unpack_from(">I", structure, at)
        end, node = at + 4, ""
        if token == _BEGIN_NODE:
            close = structure.index(b"\0", end)
            node = structure[end:close].decode()
            end = _aligned(close + 1, 4)
        elif token == _PROPERTY:
            (length,) = struct.unpack_from(">I", structure, end)
            end = _aligned(end + 8 + length, 4)
        elif token not in (_END_NODE, _NOP, _END):
            raise ToolFailed(f"QEMU's device tree has an unknown token {token}")
        yield token, structure[at:end], node
        at = end


def _aligned(offset: int, to: int = 8) -> int:
    return -(-offset // to) * to
