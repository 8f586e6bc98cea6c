# SPDX-License-Identifier: GPL-2.0-only
"""A kernel's vmlinux in; which function an address lies in, and what its code is, out.

The addresses are the linker's: the caller subtracts what KASLR added. Several names may stand for
one address (`memcpy`, `__pi_memcpy`); one of them is chosen.
"""

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

from patchbench.binaries import elf
from patchbench.errors import BadInput

_WORD_BYTES = 4


class Symbol(NamedTuple):
    """A name in the code; `size_bytes` is 0 where assembly does not state it."""

    address: int
    size_bytes: int
    name: str
    is_global: bool


@dataclass(frozen=True)
class Symbols:
    """The code of a kernel: its symbols, the bytes of its sections, where each file's code begins.

    A file has no folder, which the symbol table does not tell; assembly's is an object: entry.o.
    """

    symbols: tuple[Symbol, ...]
    code: Mapping[int, bytes]  # by address
    files: tuple[tuple[int, str], ...] = ()  # in the order of their addresses

    @cached_property
    def names(self) -> Mapping[str, int]:
        """Return the address of every name, aliases included; the first if there are several."""
        return {symbol.name: symbol.address for symbol in reversed(self.symbols)}

    @cached_property
    def bases(self) -> frozenset[str]:
        """Return every name without what the compiler appended: `zs_free` for `zs_free.part.0`."""
        return frozenset(base(symbol.name) for symbol in self.symbols)

    def function(self, address: int) -> str | None:
        """Return the function that an address lies in; None between functions or outside."""
        place = bisect_right(self._starts, address) - 1
        if place < 0 or address >= self._chosen[place][0]:
            return None
        return self._chosen[place][1]

    def entry(self, address: int) -> str | None:
        """Return the function whose first instruction is at an address; None if none's is."""
        place = bisect_right(self._starts, address) - 1
        if place < 0 or self._starts[place] != address:
            return None
        return self._chosen[place][1]

    def file(self, address: int) -> str:
        """Return the source file that an address's code is from; empty if that is not known."""
        place = bisect_right(self.files, (address, "\uffff")) - 1
        return self.files[place][1] if place >= 0 else ""

    def word(self, address: int) -> int | None:
        """Return the instruction at an address, as it was before the kernel patched itself."""
        for start, data in self.code.items():
            if start <= address <= start + len(data) - _WORD_BYTES:
                place = address - start
                return int.from_bytes(data[place : place + _WORD_BYTES], "little")
        return None

    @cached_property
    def _starts(self) -> list[int]:
        return sorted({symbol.address for symbol in self.symbols})

    @cached_property
    def _chosen(self) -> list[tuple[int, str]]:
        """Return the end and the name of the function at each of `_starts`."""
        by_start: dict[int, list[Symbol]] = {}
        for symbol in self.symbols:
            by_start.setdefault(symbol.address, []).append(symbol)
        sections = sorted((start, start + len(data)) for start, data in self.code.items())
        chosen = []
        for start, following in zip(self._starts, [*self._starts[1:], 1 << 64], strict=True):
            best = min(by_start[start], key=_preference)
            _, section = sections[bisect_right(sections, (start, 1 << 64)) - 1]
            size = max(symbol.size_bytes for symbol in by_start[start])
            chosen.append((min(start + size if size else section, following, section), best.name))
        return chosen


def base(name: str) -> str:
    """Return a function's name as the source has it: without `.constprop.0`, `.isra.0` ..."""
    return name.split(".", 1)[0] or name


def load(vmlinux: Path) -> Symbols:
    """Return a kernel's code and symbols; BadInput if there are none."""
    try:
        with elf.opened(vmlinux) as kernel:
            code = {
                section.address: kernel.content(section)
                for section in kernel.sections
                if section.flags & elf.EXECUTABLE and section.address
            }
            everything = [*kernel.symbols()]
    except (OSError, elf.ElfError) as err:
        raise BadInput(
            f"{vmlinux} cannot be read: {err}\n"
            "  images built before vmlinux was kept lack it; `invoke clean --shelf`, then build"
        ) from err
    symbols = tuple(_inside(_symbols(everything), code))
    if not symbols:
        raise BadInput(f"{vmlinux} has no symbols of code, so no address has a name")
    return Symbols(symbols, code, tuple(sorted(_files(everything))))


def _symbols(everything: Iterable[elf.ElfSymbol]) -> Iterator[Symbol]:
    for one in everything:
        # Mapping symbols ($x, $d) and the compiler's own labels are no functions.
        if one.kind in (elf.NOTYPE, elf.FUNCTION) and one.name and one.name[0] not in "$.":
            yield Symbol(one.value, one.size_bytes, one.name, not one.is_local)


def _files(everything: Iterable[elf.ElfSymbol]) -> Iterator[tuple[int, str]]:
    """Give where a file's code begins, which the assembler marks $x, and the file's name."""
    file = ""
    for one in everything:
        if one.kind == elf.FILE:
            file = one.name
        elif one.name == "$x":
            yield one.value, file


def _inside(symbols: Iterable[Symbol], code: Mapping[int, bytes]) -> Iterator[Symbol]:
    starts = sorted(code)
    for one in symbols:
        place = bisect_right(starts, one.address) - 1
        if place >= 0 and one.address < starts[place] + len(code[starts[place]]):
            yield one


def _preference(symbol: Symbol) -> tuple[bool, bool, int, int, str]:
    """Order the names of one address: sized before not, global before local, plain before _."""
    name = symbol.name
    underscores = len(name) - len(name.lstrip("_"))
    return (not symbol.size_bytes, not symbol.is_global, underscores, len(name), name)
