# SPDX-License-Identifier: GPL-2.0-only
"""A vmlinux.o in; its functions, their code, and what their relocations point to. Pure.

vmlinux.o is the whole kernel before it is linked: where an instruction needs an address there
is a relocation, and the instruction's own field is empty. What a relocation points to is told
as a symbol and an offset into it or, where no symbol is (strings), as the bytes up to the first
NUL. (ELF for the Arm 64-bit Architecture, 5.7.)
"""

import re
import struct
from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from elftools.common.exceptions import ELFError
from elftools.elf.constants import SH_FLAGS
from elftools.elf.elffile import ELFFile

from patchbench.errors import ToolFailed

#: The part of a release that build.py makes of an image's key.
KEY = re.compile(rb"-pb-[0-9a-f]{12}")
_NUMBERING = re.compile(r"\.\d+(?=\.|$)")
_STRING_BYTES = 256  # enough of a string to tell it from others
_FUNCTION, _FILE = 2, 4  # STT_FUNC, STT_FILE

#: What is at an address, under each of its names: a symbol, and the offset into it.
Places = frozenset[tuple[str, int]]


@dataclass(frozen=True, slots=True)
class Symbol:
    """A symbol of vmlinux.o; `start` is its offset in its section."""

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
        """Return the name as it is pointed to: variables of one name are told apart by file."""
        return self.stem if self.is_function or not self.file else f"{self.file}:{self.stem}"


class _Section:
    """What is known about one section: its bytes, relocations, and symbols by offset."""

    def __init__(self, name: str, data: bytes) -> None:
        self.name = name
        self.data = data
        self.relocations: list[tuple[int, int, int]] = []  # offset, info, addend
        self.symbols: dict[int, list[Symbol]] = defaultdict(list)
        self.files: list[tuple[int, str]] = []

    def seal(self) -> None:
        """Sort what was gathered, so that it can be searched."""
        self.relocations.sort()
        self.files.sort()
        self.starts = sorted(
            start for start, those in self.symbols.items() if any(one.size for one in those)
        )


class Objects:
    """A vmlinux.o: its functions, and what they are made of."""

    def __init__(self, path: Path) -> None:
        """Read the file; ToolFailed if it is no arm64 object with symbols."""
        with elf_file(path) as elf:
            self._sections = {
                index: _Section(one.name, b"" if one["sh_type"] == "SHT_NOBITS" else one.data())
                for index, one in enumerate(elf.iter_sections())
                if one["sh_flags"] & SH_FLAGS.SHF_ALLOC
            }
            for one in elf.iter_sections():
                target = self._sections.get(one["sh_info"])
                if one["sh_type"] == "SHT_RELA" and target:
                    target.relocations = [*struct.iter_unpack("<QQq", one.data())]
            self._symbols = [*_symbols(elf)]
            found = (one.relocations for one in self._sections.values())
            if any(info >> 32 >= len(self._symbols) for those in found for _, info, _ in those):
                raise ELFError("a relocation has no symbol")
        for symbol in self._symbols:
            if section := self._sections.get(symbol.section):
                if symbol.name == "$x":  # the assembler's mark where code of a file begins
                    section.files.append((symbol.start, symbol.file))
                elif symbol.name and not symbol.name.startswith("$"):
                    section.symbols[symbol.start].append(symbol)
        for section in self._sections.values():
            section.seal()

    def functions(self) -> Iterator[Symbol]:
        """Return the functions with a body; of several names for one, the first."""
        for section in self._sections.values():
            for start in section.starts:
                bodies = [one for one in section.symbols[start] if one.size]
                if bodies[0].is_function:
                    yield bodies[0]

    def code(self, function: Symbol) -> bytes:
        """Return a function's instructions, as they are before linking."""
        data = self._sections[function.section].data
        return data[function.start : function.start + function.size]

    def file(self, function: Symbol) -> str:
        """Return the file that a function is in, without its folder."""
        files = self._sections[function.section].files
        last = bisect_right(files, (function.start, "\uffff")) - 1
        return files[last][1] if last >= 0 else function.file

    def references(self, function: Symbol) -> Iterator[tuple[int, int, Places]]:
        """Return where a function's relocations are, of which type, and what they point to."""
        relocations = self._sections[function.section].relocations
        first = bisect_left(relocations, (function.start, 0, 0))
        last = bisect_left(relocations, (function.start + function.size, 0, 0))
        for offset, info, addend in relocations[first:last]:
            symbol = self._symbols[info >> 32]
            places = self.places(symbol.section, symbol.start + addend)
            if symbol.name:
                places |= {(symbol.label, addend)}
            yield offset - function.start, info & 0xFFFFFFFF, places

    @cache  # noqa: B019  # lives as long as the comparison
    def places(self, index: int, offset: int) -> Places:
        """Return all the names of what is at an offset of a section; its bytes if none."""
        section = self._sections.get(index)
        if section is None:
            return frozenset()
        found = {(one.label, 0) for one in section.symbols.get(offset, ())}
        last = bisect_right(section.starts, offset) - 1
        if last >= 0:
            start = section.starts[last]
            found |= {
                (one.label, offset - start)
                for one in section.symbols[start]
                if offset < start + one.size
            }
        if not found:
            string, _, _ = section.data[offset : offset + _STRING_BYTES].partition(b"\0")
            found = {(f"{section.name} {KEY.sub(b'', string).hex()}", 0)}
        return frozenset(found)


@contextmanager
def elf_file(path: Path) -> Iterator[ELFFile]:
    try:
        with path.open("rb") as stream:
            elf = ELFFile(stream)
            if elf["e_machine"] != "EM_AARCH64" or not elf.get_section_by_name(".symtab"):
                raise ELFError("it is not for arm64, or has no symbols")
            yield elf
    except (OSError, ELFError, ValueError, struct.error) as err:
        raise ToolFailed(
            f"{path} is no kernel: {err}\n  `invoke clean --shelf`, then run again"
        ) from err


def _symbols(elf: ELFFile) -> Iterator[Symbol]:
    """Return all symbols, in order; a local one's file is the last that was told before it."""
    table = elf.get_section_by_name(".symtab")
    assert table  # for mypy: elf_file has looked
    names = elf.get_section(table["sh_link"]).data()
    file = ""
    for at, info, _, section, start, size in struct.iter_unpack("<IBBHQQ", table.data()):
        name = names[at : names.index(b"\0", at)].decode(errors="replace")
        kind, is_local = info & 15, info >> 4 == 0
        if kind == _FILE:
            file, name = name, ""
        yield Symbol(name, section, start, size, file if is_local else "", kind == _FUNCTION)
