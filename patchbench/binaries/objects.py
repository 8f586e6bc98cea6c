# SPDX-License-Identifier: GPL-2.0-only
"""A vmlinux.o in; its functions, their code, and what their relocations point to.

vmlinux.o is the whole kernel before it is linked: where an instruction needs an address there
is a relocation, and the instruction's own field is empty. A relocation's target is a symbol and
an offset into it or, where there is no symbol (strings), the bytes up to the first NUL. (ELF for
the Arm 64-bit Architecture, 5.7.)
"""

import re
from bisect import bisect_left, bisect_right
from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from patchbench.binaries import elf
from patchbench.errors import ToolFailed

#: The part of a release that build.py makes of an image's key.
KEY = re.compile(rb"-pb-[0-9a-f]{12}")
_NUMBERING = re.compile(r"\.\d+(?=\.|$)")
_STRING_BYTES = 256  # enough of a string to tell it from others
#: Functions of one section may overlap in assembly, but not without end.
_MOST_OVERLAP = 4

#: The names of what is at an address: of symbols, and the offset into them.
Places = tuple[tuple[frozenset[str], int], ...]


@dataclass(frozen=True, slots=True)
class Definition:
    """What vmlinux.o has under a symbol's name; `start` is its offset in its section."""

    name: str
    section: int
    start: int
    size: int
    file: str
    is_function: bool

    @property
    def stem(self) -> str:
        """Return the name without the compiler's numbering."""
        return _NUMBERING.sub("", self.name)

    @property
    def label(self) -> str:
        """Return the name as references see it: the file distinguishes variables of one name."""
        return self.stem if self.is_function or not self.file else f"{self.file}:{self.stem}"


class _Section:
    """What is known about one section: its bytes, relocations, and symbols by offset."""

    def __init__(self, name: str, data: bytes) -> None:
        self.name = name
        self.data = data
        self.relocations: list[tuple[int, int, int]] = []  # offset, info, addend
        self.defined: dict[int, list[Definition]] = defaultdict(list)
        self.files: list[tuple[int, str]] = []

    def seal(self) -> None:
        """Sort what was gathered, so that it can be searched."""
        self.relocations.sort()
        self.files.sort()
        self.starts = sorted(
            start for start, those in self.defined.items() if any(one.size for one in those)
        )
        self.labels = {
            start: frozenset(one.label for one in those) for start, those in self.defined.items()
        }
        self.ends = {
            start: start + max(one.size for one in self.defined[start]) for start in self.starts
        }


class Objects:
    """A vmlinux.o: its functions, and what they are made of."""

    def __init__(self, path: Path) -> None:
        """Read the file; ToolFailed if it is no arm64 object with symbols."""
        with opened(path) as file:
            self._sections = {
                number: _Section(one.name, file.content(one))
                for number, one in enumerate(file.sections)
                if one.flags & elf.ALLOCATED
            }
            self._defined = [*_definitions(file)]
            for one in file.sections:
                target = self._sections.get(one.info)
                if one.kind == elf.RELA and target:
                    target.relocations = file.relocations(one)
                    if any(info >> 32 >= len(self._defined) for _, info, _ in target.relocations):
                        raise elf.ElfError("a relocation has no symbol")
            self._gather()
            self._check_functions()
        self._labels = [frozenset((one.label,)) if one.name else None for one in self._defined]

    def functions(self) -> Iterator[Definition]:
        """Give the functions with a body; of several names for one, the first."""
        for section in self._sections.values():
            for start in section.starts:
                bodies = [one for one in section.defined[start] if one.size]
                if bodies[0].is_function:
                    yield bodies[0]

    def code(self, function: Definition) -> bytes:
        """Return a function's instructions, as they are before linking."""
        data = self._sections[function.section].data
        return data[function.start : function.start + function.size]

    def file(self, function: Definition) -> str:
        """Return the file that a function is in, without its folder."""
        files = self._sections[function.section].files
        last = bisect_right(files, (function.start, "\uffff")) - 1
        return files[last][1] if last >= 0 else function.file

    def references(self, function: Definition) -> Iterator[tuple[int, int, Places]]:
        """Give where a function's relocations are, of which type, and what they point to."""
        relocations = self._sections[function.section].relocations
        first = bisect_left(relocations, (function.start, 0, 0))
        last = bisect_left(relocations, (function.start + function.size, 0, 0))
        for offset, info, addend in relocations[first:last]:
            target, labels = self._defined[info >> 32], self._labels[info >> 32]
            places = self.places(target.section, target.start + addend)
            if labels:
                places = (*places, (labels, addend))
            yield offset - function.start, info & 0xFFFFFFFF, places

    @cache  # noqa: B019  # lives as long as the comparison
    def places(self, number: int, offset: int) -> Places:
        """Return all the names of what is at an offset of a section; its bytes if none."""
        section = self._sections.get(number)
        if section is None or offset < 0:
            return ()
        found = [(section.labels[offset], 0)] if offset in section.labels else []
        last = bisect_right(section.starts, offset) - 1
        if last >= 0 and offset < section.ends[start := section.starts[last]]:
            found.append((section.labels[start], offset - start))
        if not found:
            string, _, _ = section.data[offset : offset + _STRING_BYTES].partition(b"\0")
            found = [(frozenset((f"{section.name} {KEY.sub(b'', string).hex()}",)), 0)]
        return tuple(found)

    def _gather(self) -> None:
        """Sort what is defined into its sections."""
        for one in self._defined:
            if section := self._sections.get(one.section):
                if one.name == "$x":  # the assembler's mark where a file's code begins
                    section.files.append((one.start, one.file))
                elif one.name and not one.name.startswith("$"):
                    section.defined[one.start].append(one)
        for section in self._sections.values():
            section.seal()

    def _check_functions(self) -> None:
        """Refuse functions that are not in their section, or overlap as none do."""
        sizes: Counter[int] = Counter()
        for one in self.functions():
            data = self._sections[one.section].data
            sizes[one.section] += one.size
            if one.start + one.size > len(data):
                raise elf.ElfError(f"function {one.name} ends outside of its section")
            if sizes[one.section] > _MOST_OVERLAP * len(data):
                raise elf.ElfError(f"functions overlap, {one.name} among them")


@contextmanager
def opened(path: Path) -> Iterator[elf.Elf]:
    """Open a kernel; ToolFailed if what is read of it is not for arm64 or contradicts itself."""
    try:
        with elf.opened(path) as file:
            yield file
    except (OSError, elf.ElfError) as err:
        raise ToolFailed(
            f"{path} is not a kernel: {err}\n  `invoke clean --shelf`, then run again"
        ) from err


def _definitions(file: elf.Elf) -> Iterator[Definition]:
    """Give all symbols in order; a local one's file is the last that is named before it."""
    source = ""
    for one in file.symbols():
        name = one.name
        if one.kind == elf.FILE:
            source, name = name, ""
        where = source if one.is_local else ""
        is_function = one.kind == elf.FUNCTION
        yield Definition(name, one.section, one.value, one.size_bytes, where, is_function)
