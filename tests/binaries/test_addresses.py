# SPDX-License-Identifier: GPL-2.0-only
"""Symbols of tests/data/profile/tiny.elf, which tiny.s says all about."""

from pathlib import Path

import pytest

from patchbench.binaries import addresses
from patchbench.errors import BadInput
from tests.elf import file_of

DATA = Path(__file__).parents[1] / "data/profile"
START = 0x80010000


def test_an_address_belongs_to_the_function_around_it() -> None:
    tiny = addresses.load(DATA / "tiny.elf")
    assert [tiny.function(START + at) for at in (0, 4, 0xC, 0x10)] == [
        "first",
        "first",
        "second.part.0",
        "second.part.0",
    ]


def test_between_and_outside_functions_there_is_none() -> None:
    tiny = addresses.load(DATA / "tiny.elf")
    assert [tiny.function(START + at) for at in (-4, 8, 0x18)] == [None, None, None]


def test_what_the_assembler_gave_no_size_reaches_to_the_next_or_to_the_end() -> None:
    assert addresses.load(DATA / "tiny.elf").function(START + 0x14) == "vectors"


def test_an_alias_is_known_but_the_plain_name_is_used() -> None:
    tiny = addresses.load(DATA / "tiny.elf")
    assert tiny.names["__pi_first"] == tiny.names["first"] == START
    assert tiny.function(START) == "first"


def test_parts_of_a_function_count_as_the_function() -> None:
    assert "second" in addresses.load(DATA / "tiny.elf").bases
    assert addresses.base("zs_free.constprop.0.cold") == "zs_free"


def test_code_is_read_and_data_is_not() -> None:
    tiny = addresses.load(DATA / "tiny.elf")
    assert tiny.word(START + 4) == 0xD65F03C0  # ret
    assert tiny.word(START + 0x100000) is None
    assert "value" not in tiny.names


def test_a_kernel_without_symbols_is_bad_input(tmp_path: Path) -> None:
    stripped = tmp_path / "vmlinux"
    stripped.write_bytes(file_of())
    with pytest.raises(BadInput, match="has no symbols") as caught:
        addresses.load(stripped)
    assert caught.value.exit_code == 20


@pytest.mark.parametrize("content", [None, b"", b"not an ELF"])
def test_a_vmlinux_that_is_absent_or_broken_says_what_to_do(
    tmp_path: Path, content: bytes | None
) -> None:
    if content is not None:
        (tmp_path / "vmlinux").write_bytes(content)
    with pytest.raises(BadInput, match=r"cannot be read(.|\n)*then build"):
        addresses.load(tmp_path / "vmlinux")
