# SPDX-License-Identifier: GPL-2.0-only
"""A writer of small arm64 ELF files: what a linker would make, in fifty lines."""

import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

CALL26, ADR_PREL_PG_HI21 = 283, 275  # relocations of ELF for the Arm 64-bit Architecture
RET, NOP, BL, ADRP_X0 = 0xD65F03C0, 0xD503201F, 0x94000000, 0x90000000
_LOCAL, _GLOBAL = 0, 1
_NOTYPE, _OBJECT, _FUNC, _FILE = 0, 1, 2, 4
_PROGBITS, _SYMTAB, _STRTAB, _RELA = 1, 2, 3, 4
_ALLOC, _EXECUTE = 2, 4
_TEXT, _RODATA = 1, 2  # where object() puts them


@dataclass(frozen=True)
class Function:
    """A function: its instructions, and the symbols its relocations point to, by index."""

    words: Sequence[int]
    references: Mapping[int, tuple[int, str]] = field(default_factory=dict)  # (type, symbol)
    file: str = ""  # of a static function


@dataclass(frozen=True)
class _Section:
    name: str
    kind: int
    data: bytes
    flags: int = 0
    address: int = 0
    link: int = 0
    info: int = 0
    entry: int = 0


def words(*numbers: int) -> bytes:
    """Return instructions as bytes."""
    return struct.pack(f"<{len(numbers)}I", *numbers)


def relocatable(functions: Mapping[str, Function], strings: Mapping[str, bytes]) -> bytes:
    """Return an object with functions, in this order, and strings that have no symbol.

    A name of `strings` is a way to refer to it; the reference is to its place in .rodata.
    """
    starts, text = _lay_out({name: words(*one.words) for name, one in functions.items()})
    places, rodata = _lay_out(strings)
    symbols = [("", _NOTYPE, 0, 0, 0), ("", 3, _RODATA, 0, 0)]
    for file in dict.fromkeys(one.file for one in functions.values() if one.file):
        symbols.append((file, _FILE, 0xFFF1, 0, 0))
        mine = [(name, one) for name, one in functions.items() if one.file == file]
        symbols.append(("$x", _NOTYPE, _TEXT, min(starts[name] for name, _ in mine), 0))
        symbols += [(name, _FUNC, _TEXT, starts[name], 4 * len(one.words)) for name, one in mine]
    locals_ = len(symbols)
    symbols += [
        (name, _FUNC, _TEXT, starts[name], 4 * len(one.words))
        for name, one in functions.items()
        if not one.file
    ]
    numbers = {name: number for number, (name, *_) in enumerate(symbols) if name}
    relocations = b"".join(
        struct.pack(
            "<QQq",
            starts[name] + 4 * index,
            (1 if target in places else numbers[target]) << 32 | kind,
            places.get(target, 0),
        )
        for name, one in functions.items()
        for index, (kind, target) in one.references.items()
    )
    names, table = b"\0", b""
    for number, (name, kind, section, start, size) in enumerate(symbols):
        bind = _LOCAL if number < locals_ else _GLOBAL
        table += struct.pack("<IBBHQQ", len(names), bind << 4 | kind, 0, section, start, size)
        names += name.encode() + b"\0"
    return file_of(
        _Section(".text", _PROGBITS, text, _ALLOC | _EXECUTE),
        _Section(".rodata", _PROGBITS, rodata, _ALLOC),
        _Section(".rela.text", _RELA, relocations, link=4, info=_TEXT, entry=24),
        _Section(".symtab", _SYMTAB, table, link=5, info=locals_, entry=24),
        _Section(".strtab", _STRTAB, names),
    )


def linked(sections: Mapping[str, bytes]) -> bytes:
    """Return a file with these sections loaded one after the other."""
    starts, _ = _lay_out(sections)
    return file_of(
        *(
            _Section(name, _PROGBITS, data, _ALLOC, address=0x1000 + starts[name])
            for name, data in sections.items()
        ),
        _Section(".symtab", _SYMTAB, bytes(24), link=len(sections) + 2, info=1, entry=24),
        _Section(".strtab", _STRTAB, b"\0"),
    )


def file_of(*sections: _Section, machine: int = 183) -> bytes:
    """Return an ELF file with these sections from number 1 on; 183 is arm64."""
    names = b"\0" + b"".join(one.name.encode() + b"\0" for one in sections) + b".shstrtab\0"
    everything = [*sections, _Section(".shstrtab", _STRTAB, names)]
    body, headers = b"", bytes(64)
    for one in everything:
        name = names.index(b"\0" + one.name.encode() + b"\0") + 1
        headers += struct.pack(
            "<IIQQQQIIQQ", name, one.kind, one.flags, one.address, 64 + len(body), len(one.data),
            one.link, one.info, 1, one.entry,
        )  # fmt: skip
        body += one.data
    head = b"\x7fELF\x02\x01\x01" + bytes(9)
    head += struct.pack(
        "<HHIQQQIHHHHHH", 1, machine, 1, 0, 0, 64 + len(body), 0, 64, 0, 0, 64,
        len(everything) + 1, len(everything),
    )  # fmt: skip
    return head + body + headers


def _lay_out(parts: Mapping[str, bytes]) -> tuple[dict[str, int], bytes]:
    starts, laid = {}, b""
    for name, data in parts.items():
        starts[name] = len(laid)
        laid += data
    return starts, laid
