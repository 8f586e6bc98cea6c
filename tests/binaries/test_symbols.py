# SPDX-License-Identifier: GPL-2.0-only
"""Which functions differ between two kernels, and whether anything does."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from patchbench.binaries import symbols
from patchbench.errors import ToolFailed
from patchbench.model import FunctionChange
from tests.elf import (
    ADR_PREL_PG_HI21,
    ADRP_X0,
    BL,
    CALL26,
    NOP,
    RET,
    Function,
    file_of,
    linked,
    relocatable,
)

PUT = Function([NOP, RET])
CALLER = Function([NOP, BL, RET], {1: (CALL26, "put")})
ADD_8, ADD_16 = 0x91002000, 0x91004000  # add x0, x0, #8
LOG = Function([ADRP_X0, RET], {0: (ADR_PREL_PG_HI21, "text")})


def changes(
    tmp_path: Path,
    base: Mapping[str, Function],
    test: Mapping[str, Function],
    texts: tuple[bytes, bytes] = (b"", b""),
) -> list[tuple[str, str, int, int]]:
    paths = []
    for name, functions, text in (("base", base, texts[0]), ("test", test, texts[1])):
        paths.append(tmp_path / name)
        paths[-1].write_bytes(relocatable(functions, {"text": text}))
    found = symbols.compare(*paths)
    return [(one.name, one.state, one.base_bytes, one.test_bytes) for one in found]


def test_a_function_that_moved_has_not_changed_nor_has_its_caller(tmp_path: Path) -> None:
    base = {"put": PUT, "caller": CALLER}
    assert changes(tmp_path, base, {"new": PUT, **base}) == [("new", "appeared", 0, 8)]


def test_a_function_that_grew_has_both_sizes(tmp_path: Path) -> None:
    grown = Function([NOP, NOP, RET])
    assert changes(tmp_path, {"put": PUT}, {"put": grown}) == [("put", "changed", 8, 12)]


def test_a_call_to_another_function_is_a_change_though_the_bytes_are_the_same(
    tmp_path: Path,
) -> None:
    both = {"put": PUT, "get": PUT}
    other = Function([NOP, BL, RET], {1: (CALL26, "get")})
    found = changes(tmp_path, {**both, "caller": CALLER}, {**both, "caller": other})
    assert found == [("caller", "changed", 12, 12)]


def test_a_call_that_the_assembler_resolved_counts_by_its_target(tmp_path: Path) -> None:
    near = Function([BL | 2, RET], file="a.c")  # to what follows it
    far = Function([BL | 4, RET], file="a.c")
    static = Function([NOP, RET], file="a.c")
    base = {"caller": near, "put": static}
    assert changes(tmp_path, base, {"caller": far, "get": static, "put": static}) == [
        ("get", "appeared", 0, 8)
    ]
    renamed = changes(tmp_path, base, {"caller": near, "get": static})
    assert [name for name, *_ in renamed] == ["caller", "get", "put"]


def test_another_string_is_a_change_and_a_moved_one_is_not(tmp_path: Path) -> None:
    base = {"log": LOG}
    assert changes(tmp_path, base, base, (b"one\0", b"two\0")) == [("log", "changed", 8, 8)]
    assert changes(tmp_path, base, base, (b"one\0two\0", b"one\0")) == []


def test_the_images_own_key_is_no_change(tmp_path: Path) -> None:
    texts = (b"7.3.4-pb-0123456789ab\0", b"7.3.4-pb-ba9876543210\0")
    assert changes(tmp_path, {"log": LOG}, {"log": LOG}, texts) == []


def test_other_numbers_in_the_same_instructions_are_counted_apart(tmp_path: Path) -> None:
    base, test = {"put": Function([ADD_8, RET])}, {"put": Function([ADD_16, RET])}
    assert changes(tmp_path, base, test) == [("put", "constants", 8, 8)]
    assert changes(tmp_path, base, {"put": Function([NOP, RET])}) == [("put", "changed", 8, 8)]


def test_functions_of_one_name_are_matched_by_code_then_by_file(tmp_path: Path) -> None:
    one, two = Function([NOP, RET], file="a.c"), Function([NOP, NOP, RET], file="b.c")
    grown = Function([NOP, NOP, NOP, RET], file="b.c")
    base = {"init": one, "init.2": two}
    assert changes(tmp_path, base, {"init.7": one, "init": two}) == []
    assert changes(tmp_path, base, {"init": one, "init.2": grown}) == [
        ("init.2", "changed", 12, 16)
    ]


def test_a_clone_is_the_function_that_it_was_made_of(tmp_path: Path) -> None:
    base = {"put": Function([NOP, NOP, RET], file="a.c")}
    test = {"put.isra.0": Function([NOP, RET], file="a.c")}
    assert changes(tmp_path, base, test) == [("put.isra.0", "changed", 12, 8)]


def test_the_unlikely_half_has_a_line_of_its_own(tmp_path: Path) -> None:
    static = Function([NOP, RET], file="a.c")
    found = changes(tmp_path, {"put": static}, {"put": static, "put.cold": static})
    assert found == [("put.cold", "appeared", 0, 8)]


def test_a_function_that_is_gone_has_disappeared(tmp_path: Path) -> None:
    found = changes(tmp_path, {"put": PUT, "get": PUT}, {"put": PUT})
    assert found == [("get", "disappeared", 8, 0)]


def test_the_file_of_a_static_function_is_known(tmp_path: Path) -> None:
    for name, body in (("base", [NOP, RET]), ("test", [RET, NOP])):
        functions = {"put": Function(body, file="swapfile.c")}
        (tmp_path / name).write_bytes(relocatable(functions, {}))
    found = symbols.compare(tmp_path / "base", tmp_path / "test")
    assert found == (FunctionChange("put", "swapfile.c", "changed", 8, 8),)


def build(
    folder: Path,
    key: bytes = b"0" * 12,
    text: bytes = b"code",
    *,
    build_id: bytes = bytes(20),
    bug: bytes = bytes(12),
) -> Path:
    sections = {
        ".text": text,
        ".rodata": b"Linux version 7.3.4-pb-" + key + b" (gcc)\0",
        ".notes": b"\x04\0\0\0\x14\0\0\0\x03\0\0\0GNU\0" + build_id,
        "__bug_table": bug,
    }
    folder.mkdir()
    (folder / "vmlinux").write_bytes(linked(sections))
    (folder / "Image").write_bytes(b"".join(sections.values()))
    return folder


@pytest.mark.parametrize(
    ("changed", "same"),
    [
        ({}, True),
        ({"key": b"a" * 12}, True),
        ({"build_id": b"x" * 20}, True),
        ({"bug": b"\0" * 8 + b"\x07\x01" + b"\0\0"}, True),  # another line
        ({"bug": b"\0" * 8 + b"\x07\x01" + b"\x01\0"}, False),  # other flags
        ({"text": b"edoc"}, False),
        ({"text": b"code "}, False),
    ],
)
def test_kernels_are_equal_but_for_name_build_id_and_line_numbers(
    tmp_path: Path, changed: dict[str, bytes], same: bool
) -> None:
    base, test = build(tmp_path / "base"), build(tmp_path / "test", **changed)
    assert symbols.equal(base, test) is same


def test_an_image_that_is_not_its_vmlinux_is_not_equal(tmp_path: Path) -> None:
    base, test = build(tmp_path / "base"), build(tmp_path / "test")
    (test / "Image").write_bytes(b"edoc" + (test / "Image").read_bytes()[4:])
    assert not symbols.equal(base, test)


@pytest.mark.parametrize("content", [b"", b"\x7fELF", file_of(machine=62), linked({})[:200]])
def test_what_is_no_kernel_is_named_and_never_equal(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "vmlinux"
    path.write_bytes(content)
    with pytest.raises(ToolFailed, match=r"vmlinux is not a kernel"):
        symbols.equal(tmp_path, tmp_path)
    with pytest.raises(ToolFailed, match=r"vmlinux is not a kernel"):
        symbols.compare(path, path)


def test_a_build_without_its_image_is_an_error(tmp_path: Path) -> None:
    folder = build(tmp_path / "base")
    (folder / "Image").unlink()
    with pytest.raises(ToolFailed, match="Image"):
        symbols.equal(folder, folder)


def test_functions_of_one_name_without_end_are_compared_in_their_number(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    compared: list[object] = []
    same = symbols._same

    def counted(*pair: Any) -> bool:
        compared.append(pair)
        return same(*pair)

    monkeypatch.setattr(symbols, "_same", counted)
    base, test = (
        {f"put.{number}": Function([ADD_8 + (number << 10), RET]) for number in range(first, last)}
        for first, last in ((0, 500), (500, 1000))
    )
    assert len(changes(tmp_path, base, test)) == 500
    assert len(compared) <= 64 * 500
