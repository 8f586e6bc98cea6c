# SPDX-License-Identifier: GPL-2.0-only
"""Inputs that differ from good ones: what disks, guests, mailers and malice make of files."""

import random
from collections.abc import Callable, Sequence

#: No input is larger: what takes the square of this shows.
MOST_BYTES = 128 << 10
_HOSTILE = (
    *(b"\0", b"\xff", b"\x1b[2J", b"\r", b"\n", b"\n\n", b"\xc2\xb2", b"\xef\xbb\xbf"),
    *(b"\xe2\x80\xae", b"-1", b"0", b"1e999", b"nan", b"-inf", b"9" * 5000, b"0x", b"1/0"),
    *(b"18446744073709551616", b"[" * 1000, b"(" * 1000, b'{"a":' * 300, b"../" * 50),
    *(b"\\" * 3, b'"', b"'", b"`", b"$(x)", b"null", b"true", b"[]", b"{}", b'""'),
    *(b"<script>", b"=1+1", b"|", b",", b":", b";", b"#"),
)


def mutated(draw: random.Random, seeds: Sequence[bytes]) -> bytes:
    """Return a seed that was changed in one to eight ways."""
    data = bytearray(draw.choice(seeds))
    for _ in range(draw.choice((1, 1, 1, 2, 3, 5, 8))):
        draw.choice(_WAYS)(draw, data, seeds)
    return bytes(data[:MOST_BYTES])


def _flip(draw: random.Random, data: bytearray, _: Sequence[bytes]) -> None:
    if data:
        data[draw.randrange(len(data))] ^= 1 << draw.randrange(8)


def _overwrite(draw: random.Random, data: bytearray, _: Sequence[bytes]) -> None:
    at = draw.randrange(len(data) + 1)
    new = bytes(draw.choice((0, 1, 0x7F, 0x80, 0xFF)) for _ in range(draw.choice((1, 2, 4, 8))))
    data[at : at + len(new)] = new


def _cut(draw: random.Random, data: bytearray, _: Sequence[bytes]) -> None:
    at = draw.randrange(len(data) + 1)
    del data[at : at + draw.choice((1, 2, 10, 100, len(data)))]


def _repeat(draw: random.Random, data: bytearray, _: Sequence[bytes]) -> None:
    at = draw.randrange(len(data) + 1)
    part = bytes(data[at : at + draw.choice((1, 2, 16, 200))])
    times = draw.choice((1, 2, 10, MOST_BYTES // max(len(part), 1)))
    data[at:at] = (part * times)[:MOST_BYTES]


def _insert(draw: random.Random, data: bytearray, _: Sequence[bytes]) -> None:
    at = draw.randrange(len(data) + 1)
    data[at:at] = draw.choice(_HOSTILE)


def _splice(draw: random.Random, data: bytearray, seeds: Sequence[bytes]) -> None:
    other = draw.choice(seeds)
    begin = draw.randrange(len(other) + 1)
    at = draw.randrange(len(data) + 1)
    data[at:at] = other[begin : begin + draw.choice((8, 64, 1000))]


def _change_word(draw: random.Random, data: bytearray, seeds: Sequence[bytes]) -> None:
    """Put a hostile word, or one from elsewhere, where a word of the text is."""
    words = data.split()
    if words:
        old = draw.choice(words)
        new = draw.choice((draw.choice(_HOSTILE), draw.choice(words)))
        at = data.find(old)
        data[at : at + len(old)] = new


def _swap_lines(draw: random.Random, data: bytearray, _: Sequence[bytes]) -> None:
    lines = data.split(b"\n")
    one, other = draw.randrange(len(lines)), draw.randrange(len(lines))
    lines[one], lines[other] = lines[other], lines[one]
    data[:] = b"\n".join(lines)


_WAYS: Sequence[Callable[[random.Random, bytearray, Sequence[bytes]], None]] = (
    *(_flip, _overwrite, _cut, _repeat, _insert, _splice, _change_word, _change_word, _swap_lines),
)
