# SPDX-License-Identifier: GPL-2.0-only
"""An arm64 ELF file in; its sections and symbols out, within bounds.

A patch can make the linker write any file. Each number in it is checked against the file's size
before it is used, and nothing is read that a header alone claims. (System V ABI, chapter 4.)
"""

import mmap
import struct
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

ALLOCATED, EXECUTABLE = 0x2, 0x4  # SHF_ALLOC, SHF_EXECINSTR
NOTYPE, FUNCTION, FILE = 0, 2, 4  # STT_...
RELA = 4  # SHT_RELA
_COMPRESSED = 0x800  # SHF_COMPRESSED
_NULL, _SYMTAB, _NOBITS = 0, 2, 8  # SHT_...
_ARM64 = 183  # EM_AARCH64
_HEADER = struct.Struct("<16sHHIQQQIHHHHHH")
_SECTION = struct.Struct("<IIQQQQIIQQ")
_SYMBOL = struct.Struct("<IBBHQQ")
_RELOCATION = struct.Struct("<QQq")
_IDENT = b"\x7fELF\x02\x01\x01"  # 64 bits, little-endian
#: KSYM_NAME_LEN is 512; a section of -ffunction-sections is named after a symbol.
_NAME_BYTES = 1024


class ElfError(Exception):
    """The file is not an ELF file for arm64, or contradicts itself."""


@dataclass(frozen=True, slots=True)
class Section:
    """A section header. `size_bytes` is what it takes in memory; the file may hold none of it."""

    name: str
    kind: int
    flags: int
    address: int
    offset: int
    size_bytes: int
    link: int
    info: int


@dataclass(frozen=True, slots=True)
class ElfSymbol:
    """An entry of the symbol table; `value` is an address, or an offset before linking."""

    name: str
    kind: int
    is_local: bool
    section: int
    value: int
    size_bytes: int


class Elf:
    """An open ELF file: its sections, and what they hold."""

    def __init__(self, data: mmap.mmap) -> None:
        self._data = data
        if len(data) < _HEADER.size or data[: len(_IDENT)] != _IDENT:
            raise ElfError("it is not a 64-bit ELF file")
        fields = _HEADER.unpack_from(data)
        machine, table, (header_bytes, count, names) = fields[2], fields[6], fields[11:]
        if machine != _ARM64:
            raise ElfError("it is not for arm64")
        if header_bytes != _SECTION.size or table + count * _SECTION.size > len(data):
            raise ElfError("it does not hold its section headers")
        headers = [
            _SECTION.unpack_from(data, table + number * _SECTION.size) for number in range(count)
        ]
        unnamed = [Section("", *header[1:8]) for header in headers]
        self._check_sizes(unnamed)
        name = self._strings(unnamed, names)
        self.sections = [
            replace(section, name=name(header[0]))
            for section, header in zip(unnamed, headers, strict=True)
        ]

    def content(self, section: Section) -> bytes:
        """Return what the file holds of a section: nothing if it is all zeros in memory."""
        if section.flags & _COMPRESSED:
            raise ElfError(f"section {section.name} is compressed")
        if section.kind == _NOBITS:
            return b""
        return self._data[section.offset : section.offset + section.size_bytes]

    def symbols(self) -> Iterator[ElfSymbol]:
        """Give the entries of the symbol table in order; ElfError if there is none."""
        table = next((one for one in self.sections if one.kind == _SYMTAB), None)
        if table is None:
            raise ElfError("it has no symbols")
        name = self._strings(self.sections, table.link)
        for at, info, _, section, value, size in self._entries(table, _SYMBOL):
            yield ElfSymbol(name(at), info & 15, info >> 4 == 0, section, value, size)

    def relocations(self, section: Section) -> list[tuple[int, int, int]]:
        """Return the offset, info and addend of each entry of a relocation section."""
        return list(self._entries(section, _RELOCATION))

    def _check_sizes(self, sections: Sequence[Section]) -> None:
        """Refuse sections that are not in the file, or that share their bytes."""
        held = [one for one in sections if one.kind not in (_NULL, _NOBITS)]
        if any(one.offset + one.size_bytes > len(self._data) for one in held):
            raise ElfError("a section is larger than it")
        if sum(one.size_bytes for one in held) > len(self._data):
            raise ElfError("its sections overlap")

    def _entries(self, section: Section, entry: struct.Struct) -> Iterator[tuple[Any, ...]]:
        data = self.content(section)
        if len(data) % entry.size:
            raise ElfError(f"section {section.name} ends within an entry")
        return entry.iter_unpack(data)

    def _strings(self, sections: Sequence[Section], number: int) -> Callable[[int], str]:
        """Return what looks up the name at an offset of a string table."""
        if number >= len(sections):
            raise ElfError("it has no string table")
        table = self.content(sections[number])

        def name(at: int) -> str:
            end = table.find(b"\0", at, at + _NAME_BYTES)
            if end < 0:
                raise ElfError(f"no name ends within {_NAME_BYTES} bytes of {at:#x}")
            text = table[at:end].decode("ascii", errors="replace")
            return text if text.isprintable() else ascii(text)[1:-1]  # it goes to a terminal

        return name


@contextmanager
def opened(path: Path) -> Iterator[Elf]:
    """Open an ELF file; ElfError if it is none, OSError if it cannot be read."""
    with path.open("rb") as stream:
        try:
            data = mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ)
        except ValueError as err:  # what mmap says of an empty file
            raise ElfError("it is empty") from err
        with data:
            yield Elf(data)
