# SPDX-License-Identifier: GPL-2.0-only
"""Two builds of a kernel in; which functions differ, and whether anything at all does. Pure.

A function is its bytes before linking and, by offset, what its relocations point to: see
objects.py. The only distances that the assembler fills in by itself are branches within a
section; those that leave the function are told by their target, too. So a function that moved,
or that calls one which moved, is the same, and nothing is masked or guessed. (Arm Architecture
Reference Manual, C4.1.)

Names are compared without the compiler's numbering (foo.constprop.1, __key.7). Its clones
(isra, constprop, part) and unlikely halves (cold) are functions like any other. A function may
reach a variable of its own file by its distance from another one, and may hold an array's size:
if it differs in such numbers alone, it is told as differing in `constants`.

What is not seen as part of a function: jump tables and other constants without a symbol, and
code that the kernel patches in at boot (alternatives). `equal` sees them.
"""

import re
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from itertools import chain
from pathlib import Path

from elftools.elf.constants import SH_FLAGS

from patchbench.binaries.objects import KEY, Objects, Symbol, elf_file
from patchbench.model import FunctionChange, FunctionState

_BUILD_ID = re.compile(rb"(?<=\x04\0\0\0\x14\0\0\0\x03\0\0\0GNU\0).{20}", re.DOTALL)
_BUG_ENTRY_BYTES, _BUG_LINE_AT = 12, 8  # struct bug_entry: two offsets, line, flags
_BRANCH, _BRANCH_VALUE, _DISTANCE = 0x7C000000, 0x14000000, 0x03FFFFFF  # b, bl
_CONSTANTS = (  # mask, value, field
    (0x1F000000, 0x11000000, 0x003FFC00),  # add, sub, cmp with an immediate
    (0x3B000000, 0x39000000, 0x003FFC00),  # load, store at an offset
    (0x1F800000, 0x12800000, 0x001FFFE0),  # movz, movn, movk
)


def equal(base: Path, test: Path) -> bool:
    """Return whether two builds are the same kernel under two names; folders, Image in them.

    True if what is booted is the same byte for byte, but for the key in the release, the build
    id and the line numbers in the bug table, which a comment moves; vmlinux tells where that is.
    Raises ToolFailed for a folder without a kernel.
    """
    return _essence(base) == _essence(test)


def compare(base: Path, test: Path) -> tuple[FunctionChange, ...]:
    """Return the functions that differ between two vmlinux.o, by file; ToolFailed if it is none."""
    ours, theirs = Objects(base), Objects(test)
    changes = _changes(ours, theirs)
    return tuple(sorted(changes, key=lambda one: (one.file, one.name)))


def _changes(base: Objects, test: Objects) -> Iterator[FunctionChange]:
    """Match functions by name, those of one name by code, then by file; tell what is left."""
    ours, theirs = _by_stem(base), _by_stem(test)
    gone: list[Symbol] = []
    new: list[Symbol] = []
    for stem in ours.keys() | theirs.keys():
        left, right = ours.get(stem, []), theirs.get(stem, [])
        _take(left, right, lambda one, other: _same(base, test, one, other))
        for one, other in chain(
            _take(left, right, lambda one, other: one.file == other.file),
            _take(left, right, lambda *_: True),
        ):
            yield _told(test, other, _state(base, test, one, other), one.size, other.size)
        gone += left
        new += right

    # The compiler may clone today what it kept whole yesterday: foo, then foo.isra.0.
    for one, other in _take(gone, new, lambda one, other: _source_name(one) == _source_name(other)):
        yield _told(test, other, "changed", one.size, other.size)
    for one in gone:
        yield _told(base, one, "disappeared", one.size, 0)
    for other in new:
        yield _told(test, other, "appeared", 0, other.size)


def _take(
    ours: list[Symbol], theirs: list[Symbol], alike: Callable[[Symbol, Symbol], bool]
) -> list[tuple[Symbol, Symbol]]:
    """Take the pairs that are alike out of both lists, and return them."""
    pairs = []
    for one in [*ours]:
        other = next((other for other in theirs if alike(one, other)), None)
        if other:
            ours.remove(one)
            theirs.remove(other)
            pairs.append((one, other))
    return pairs


def _same(base: Objects, test: Objects, one: Symbol, other: Symbol) -> bool:
    """Return whether two functions do the same to the same things."""
    return _pointing_alike(base, test, one, other) and not any(
        True for _ in _differing_words(base, test, one, other)
    )


def _state(base: Objects, test: Objects, one: Symbol, other: Symbol) -> FunctionState:
    """Return how two functions differ that do."""
    only_constants = _pointing_alike(base, test, one, other) and all(
        any(
            word & mask == value and (word ^ their_word) & ~field == 0
            for mask, value, field in _CONSTANTS
        )
        for word, their_word in _differing_words(base, test, one, other)
    )
    return "constants" if only_constants else "changed"


def _pointing_alike(base: Objects, test: Objects, one: Symbol, other: Symbol) -> bool:
    """Return whether two functions are as long, and their relocations to the same places."""
    if one.size != other.size:
        return False
    references, their_references = [*base.references(one)], [*test.references(other)]
    return len(references) == len(their_references) and all(
        (at, kind) == (their_at, their_kind) and places & their_places
        for (at, kind, places), (their_at, their_kind, their_places) in zip(
            references, their_references, strict=True
        )
    )


def _differing_words(
    base: Objects, test: Objects, one: Symbol, other: Symbol
) -> Iterator[tuple[int, int]]:
    """Give the instructions of two functions of one length that are not alike."""
    words = zip(_words(base.code(one)), _words(test.code(other)), strict=True)
    for index, (word, their_word) in enumerate(words):
        if word & _BRANCH == _BRANCH_VALUE:
            alike = _same_branch(base, test, one, other, 4 * index, word, their_word)
        else:
            alike = word == their_word
        if not alike:
            yield word, their_word


def _same_branch(
    base: Objects,
    test: Objects,
    one: Symbol,
    other: Symbol,
    at: int,
    word: int,
    their_word: int,
) -> bool:
    """Return whether two branches that the assembler resolved are to the same place."""
    distance, their_distance = _distance(word), _distance(their_word)
    if 0 <= at + distance < one.size:  # an empty field, with its relocation, is to itself
        return word == their_word
    if word & ~_DISTANCE != their_word & ~_DISTANCE:
        return False
    return bool(
        base.places(one.section, one.start + at + distance)
        & test.places(other.section, other.start + at + their_distance)
    )


def _distance(word: int) -> int:
    field = word & _DISTANCE
    return 4 * (field - (1 << 26) if field >> 25 else field)


def _words(code: bytes) -> memoryview:
    return memoryview(code[: len(code) & ~3]).cast("I")


def _told(
    side: Objects,
    named: Symbol,
    state: FunctionState,
    base_bytes: int,
    test_bytes: int,
) -> FunctionChange:
    return FunctionChange(named.name, side.file(named), state, base_bytes, test_bytes)


def _by_stem(side: Objects) -> Mapping[str, list[Symbol]]:
    found: dict[str, list[Symbol]] = defaultdict(list)
    for one in side.functions():
        found[one.stem].append(one)
    return found


def _source_name(function: Symbol) -> tuple[str, bool]:
    return function.name.partition(".")[0], ".cold" in function.name


def _essence(build: Path) -> tuple[list[tuple[str, int, int]], bytes]:
    """Return what is loaded where, without what differs between two builds of one source."""
    with elf_file(build / "vmlinux") as elf:
        sections = [
            (one.name, one["sh_addr"], one["sh_size"])
            for one in elf.iter_sections()
            if one["sh_flags"] & SH_FLAGS.SHF_ALLOC and one["sh_size"]
        ]
        image = KEY.sub(bytes(16), (build / "Image").read_bytes())
    data = bytearray(_BUILD_ID.sub(bytes(20), image))
    first = min((address for _, address, _ in sections), default=0)
    for name, address, size in sections:
        if name == "__bug_table":
            for start in range(address - first, address - first + size, _BUG_ENTRY_BYTES):
                line = slice(start + _BUG_LINE_AT, start + _BUG_LINE_AT + 2)
                data[line] = bytes(len(data[line]))
    return sections, bytes(data)
