# SPDX-License-Identifier: GPL-2.0-only
"""Drop-ins and sources that a stranger's branch may hold: refused in words, and at once."""

import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from patchbench import ctables, parameters
from patchbench.catalog import Catalog
from patchbench.errors import BadInput

DIGITS = "9" * 5000


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for folder in ("configs/kernels", "configs/kconfig", "workloads", "qemu/machines"):
        (tmp_path / folder).mkdir(parents=True)
    return tmp_path


def digits(path: Path) -> None:
    path.write_text(f"summary = {DIGITS}\n")


def deep(path: Path) -> None:
    path.write_text("x = " + "[" * 100_000)


def no_text(path: Path) -> None:
    path.write_bytes(b"\xff\xfe")


def huge(path: Path) -> None:
    path.write_text("# x\n" * 1_000_000)


def fifo(path: Path) -> None:
    os.mkfifo(path)


def device(path: Path) -> None:
    path.symlink_to("/dev/zero")


def link_to_itself(path: Path) -> None:
    path.symlink_to(path.name)


def folder(path: Path) -> None:
    path.mkdir()


LEFT = [digits, deep, no_text, huge, fifo, device, link_to_itself, folder]


@pytest.mark.parametrize("leave", LEFT)
def test_whatever_lies_in_place_of_a_drop_in_is_bad_input(
    root: Path, leave: Callable[[Path], None]
) -> None:
    leave(root / "configs/kernels/k.toml")
    leave(root / "workloads/w.toml")
    leave(root / "qemu/machines/m.toml")
    for load, name in ((Catalog(root).kernel, "k"), (Catalog(root).workload, "w")):
        with pytest.raises(BadInput):
            load(name)
    with pytest.raises(BadInput):
        Catalog(root).machine("m")


@pytest.mark.parametrize("leave", [no_text, huge, fifo, device, link_to_itself, folder])
def test_whatever_lies_in_place_of_a_program_is_bad_input(
    root: Path, leave: Callable[[Path], None]
) -> None:
    leave(root / "workloads/storm.c")
    with pytest.raises(BadInput):
        Catalog(root).parameters("storm")


@pytest.mark.parametrize("key", ["C." * 40_000, '"C" . ' * 20_000, f"[{'C.' * 40_000}C]"])
def test_a_key_of_endless_parts_is_refused_before_it_is_read(root: Path, key: str) -> None:
    # tomllib took 1.3 s for 65,000 parts, and the square of that for more.
    (root / "configs/kernels/k.toml").write_text(f"{key} = 1\n")
    began = time.process_time()
    with pytest.raises(BadInput, match=r"more than 1000 dots"):
        Catalog(root).kernel("k")
    assert time.process_time() - began < 0.5


@pytest.mark.parametrize(
    "name", ["", ".", "..", "../k", "a/b", "x" * 300, "a\x00b", "a\nb", "\x1b[2J", "-k", "tree-x"]
)
def test_a_name_that_names_no_file_is_bad_input(root: Path, name: str) -> None:
    with pytest.raises(BadInput):
        Catalog(root).kernel(name)


def test_a_workload_that_builds_on_itself_is_refused(root: Path) -> None:
    (root / "workloads/w.toml").write_text(
        'summary = "s"\nprogram = "p"\nalso = "w"\n[parameters]\n'
    )
    with pytest.raises(BadInput, match="never ends"):
        Catalog(root).workload("w")


def test_flavours_that_extend_one_another_are_refused(root: Path) -> None:
    for name, other in (("a", "b"), ("b", "a")):
        (root / f"configs/kconfig/{name}.config").write_text(f"# extends: {other}\n")
    with pytest.raises(BadInput, match="never ends"):
        Catalog(root).flavour("a", "7.3")


@pytest.mark.parametrize(
    "bound",
    [
        DIGITS, "0x", "a/0", "A", "1 << 1000000000", "1 << -1", "((((", "9 << 9 << 9 << 9", "²",
        " * ".join(["9"] * 90), "<<" * 5000, "*" * 5000, "1 << 64",
    ],
)  # fmt: skip
def test_a_bound_that_is_no_number_is_bad_input(bound: str) -> None:
    source = f'#define A B\n#define B A\n\t{{ "mib", {bound}, &mib, 1, 2, "x" }},\n'
    with pytest.raises(BadInput, match="bound"):
        ctables.parameters(source)


@pytest.mark.parametrize(
    "source",
    [
        "/*" * 400_000,
        "enum {" * 150_000,
        "enum" + " " * 800_000,
        "#define A" + " " * 800_000 + "x x",
    ],
)
def test_a_source_of_a_megabyte_is_read_in_a_second_whatever_it_holds(source: str) -> None:
    began = time.process_time()
    ctables.parameters(source)
    assert time.process_time() - began < 1


@pytest.mark.parametrize(
    "formula", ["0x", "²", "mib / 0", "mib / zero", "nosuch", f"mib * {DIGITS}"]
)
def test_a_formula_that_is_no_amount_is_bad_input(formula: str) -> None:
    with pytest.raises(BadInput, match="is not a formula"):
        parameters.amount(formula, {"mib": 8, "zero": 0})


def test_an_amount_beyond_every_number_is_bad_input() -> None:
    with pytest.raises(BadInput, match="is not a formula"):
        parameters.amount("mib * mib", {"mib": 10**200})
