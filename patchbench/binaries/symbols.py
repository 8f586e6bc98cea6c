# SPDX-License-Identifier: GPL-2.0-only
"""Two builds of a kernel in; which functions differ, and whether anything at all does.

A function is its bytes before linking and, by offset, what its relocations point to: see
objects.py. The only distances that the assembler fills in itself are branches within a section;
one that leaves the function counts by its target as well. So a function that moved, or that calls
one that moved, is the same, and nothing is masked or guessed. (Arm Architecture Reference Manual,
C4.1.)

Names are compared without the compiler's numbering (foo.constprop.1, __key.7). Its clones
(isra, constprop, part) and unlikely halves (cold) are functions like any other. A function may
reach a variable of its own file by the distance from another one, and may hold an array's size:
if it differs in such numbers alone, it differs in `constants`.

What is not seen as part of a function: jump tables and other constants without a symbol, and
code that the kernel patches in at boot (alternatives). `equal` sees them.
"""

import re
from collections import defaultdict
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import TypeAlias

from patchbench.binaries import elf
from patchbench.binaries.objects import KEY, Definition, Objects, Places, opened
from patchbench.model import FunctionChange, FunctionState

_BUILD_ID = re.compile(rb"(?<=\x04\0\0\0\x14\0\0\0\x03\0\0\0GNU\0).{20}", re.DOTALL)
#: Among so many functions of one name and shape, the right one is looked for.
_MOST_TRIED = 64
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
    id and the line numbers in the bug table, which a comment moves; vmlinux says where that is.
    Raises ToolFailed for a folder without a kernel.
    """
    return _essence(base) == _essence(test)


def compare(base: Path, test: Path) -> tuple[FunctionChange, ...]:
    """Return the functions that differ between two vmlinux.o, by file; ToolFailed if it is none."""
    ours, theirs = Objects(base), Objects(test)
    changes = _changes(ours, theirs)
    return tuple(sorted(changes, key=lambda one: (one.file, one.name)))


def _changes(base: Objects, test: Objects) -> Iterator[FunctionChange]:
    """Match functions by name, those of one name by code, then by file; give what is left."""
    ours, theirs = _by_stem(base), _by_stem(test)
    gone: list[Definition] = []
    new: list[Definition] = []
    for stem in ours.keys() | theirs.keys():
        left, right = ours.get(stem, []), theirs.get(stem, [])
        if len(left) == len(right) == 1 and _same(base, test, *left, *right):
            continue
        shapes = [_shape(base, one) for one in left], [_shape(test, one) for one in right]
        _, left, right = _match(left, right, shapes, lambda *pair: _same(base, test, *pair))
        by_file, left, right = _match(left, right, _keys(left, right, lambda one: one.file))
        by_name, left, right = _match(left, right, _keys(left, right, lambda _: ""))
        for one, other in (*by_file, *by_name):
            yield _change(test, other, _state(base, test, one, other), one.size, other.size)
        gone += left
        new += right

    # The compiler may clone today what it kept whole yesterday: foo, then foo.isra.0.
    cloned, gone, new = _match(gone, new, _keys(gone, new, _source_name))
    for one, other in cloned:
        yield _change(test, other, "changed", one.size, other.size)
    for one in gone:
        yield _change(base, one, "disappeared", one.size, 0)
    for other in new:
        yield _change(test, other, "appeared", 0, other.size)


_Keys: TypeAlias = tuple[Sequence[Hashable], Sequence[Hashable]]


def _keys(
    ours: Sequence[Definition],
    theirs: Sequence[Definition],
    key: Callable[[Definition], Hashable],
) -> _Keys:
    return [key(one) for one in ours], [key(other) for other in theirs]


def _match(
    ours: Sequence[Definition],
    theirs: Sequence[Definition],
    keys: _Keys,
    alike: Callable[[Definition, Definition], bool] = lambda *_: True,
) -> tuple[list[tuple[Definition, Definition]], list[Definition], list[Definition]]:
    """Return the pairs that have one key and are alike, and what is left on either side.

    A function is tried with the first _MOST_TRIED of its key: a kernel has fewer, and a file that
    was made to be slow has no end of them.
    """
    waiting: dict[Hashable, list[Definition]] = defaultdict(list)
    for other, key in zip(theirs, keys[1], strict=True):
        waiting[key].append(other)
    pairs: list[tuple[Definition, Definition]] = []
    left = []
    for one, key in zip(ours, keys[0], strict=True):
        tried = enumerate(waiting[key][:_MOST_TRIED])
        if (at := next((at for at, other in tried if alike(one, other)), None)) is None:
            left.append(one)
        else:
            pairs.append((one, waiting[key].pop(at)))
    taken = {id(other) for _, other in pairs}
    return pairs, left, [other for other in theirs if id(other) not in taken]


def _shape(side: Objects, function: Definition) -> int:
    """Return a number that two functions share if they are the same, but for what they call."""
    words = _words(side.code(function))
    return hash(
        tuple(word & ~_DISTANCE if word & _BRANCH == _BRANCH_VALUE else word for word in words)
    )


def _same(base: Objects, test: Objects, one: Definition, other: Definition) -> bool:
    """Return whether two functions do the same to the same things."""
    return _pointing_alike(base, test, one, other) and not any(
        True for _ in _differing_words(base, test, one, other)
    )


def _state(base: Objects, test: Objects, one: Definition, other: Definition) -> FunctionState:
    """Return how two functions differ that do."""
    only_constants = _pointing_alike(base, test, one, other) and all(
        any(
            word & mask == value and (word ^ their_word) & ~field == 0
            for mask, value, field in _CONSTANTS
        )
        for word, their_word in _differing_words(base, test, one, other)
    )
    return "constants" if only_constants else "changed"


def _pointing_alike(base: Objects, test: Objects, one: Definition, other: Definition) -> bool:
    """Return whether two functions are as long, and their relocations to the same places."""
    if one.size != other.size:
        return False
    references, their_references = [*base.references(one)], [*test.references(other)]
    return len(references) == len(their_references) and all(
        (at, kind) == (their_at, their_kind) and _meet(places, their_places)
        for (at, kind, places), (their_at, their_kind, their_places) in zip(
            references, their_references, strict=True
        )
    )


def _differing_words(
    base: Objects, test: Objects, one: Definition, other: Definition
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
    one: Definition,
    other: Definition,
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
    return _meet(
        base.places(one.section, one.start + at + distance),
        test.places(other.section, other.start + at + their_distance),
    )


def _meet(places: Places, their_places: Places) -> bool:
    """Return whether some name stands for both."""
    return any(
        offset == their_offset and _share(labels, their_labels)
        for labels, offset in places
        for their_labels, their_offset in their_places
    )


@lru_cache(1 << 16)  # sets of thousands of names, each met from thousands of places
def _share(labels: frozenset[str], their_labels: frozenset[str]) -> bool:
    return not labels.isdisjoint(their_labels)


def _distance(word: int) -> int:
    field = word & _DISTANCE
    return 4 * (field - (1 << 26) if field >> 25 else field)


def _words(code: bytes) -> memoryview:
    return memoryview(code[: len(code) & ~3]).cast("I")


def _change(
    side: Objects,
    named: Definition,
    state: FunctionState,
    base_bytes: int,
    test_bytes: int,
) -> FunctionChange:
    return FunctionChange(named.name, side.file(named), state, base_bytes, test_bytes)


def _by_stem(side: Objects) -> Mapping[str, list[Definition]]:
    found: dict[str, list[Definition]] = defaultdict(list)
    for one in side.functions():
        found[one.stem].append(one)
    return found


def _source_name(function: Definition) -> tuple[str, bool]:
    return function.name.partition(".")[0], ".cold" in function.name


def _essence(build: Path) -> tuple[list[tuple[str, int, int]], bytes]:
    """Return what is loaded where, without what differs between two builds of one source."""
    with opened(build / "vmlinux") as file:
        next(file.symbols(), None)
        sections = [
            (one.name, one.address, one.size_bytes)
            for one in file.sections
            if one.flags & elf.ALLOCATED and one.size_bytes
        ]
        image = KEY.sub(bytes(16), (build / "Image").read_bytes())
    data = bytearray(_BUILD_ID.sub(bytes(20), image))
    first = min((address for _, address, _ in sections), default=0)
    for name, address, size in sections:
        if name == "__bug_table":
            begin = address - first
            for start in range(begin, min(begin + size, len(data)), _BUG_ENTRY_BYTES):
                line = slice(start + _BUG_LINE_AT, start + _BUG_LINE_AT + 2)
                data[line] = bytes(len(data[line]))
    return sections, bytes(data)
