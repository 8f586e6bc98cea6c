# SPDX-License-Identifier: GPL-2.0-only
"""The rows of the build matrix, and rows that are wrong."""

from dataclasses import replace
from pathlib import Path

import pytest

from patchbench.catalog import Catalog
from patchbench.check import matrix
from patchbench.check.matrix import Config, Matrix, MatrixRow
from patchbench.errors import BadInput, UnknownName
from patchbench.model import Series, Source, Toolchain, Tree

ROOT = Path(__file__).resolve().parents[2]
TOOLS = Toolchain("sha256:1", "digest", "registry", "14.2.0", "2.44", "10.0.13")
COMPILERS = {"arm64": "aarch64-linux-gnu-", "sparc64": "sparc64-linux-gnu-"}
FILES = ("mm/swapfile.c", "mm/memory.c", "include/linux/oom.h")


def tree(root: Path) -> Tree:
    return Tree(
        Source("mainline", "7.3.4", "a test's", root, "c0", ""), Series("v0", "7.3"), "c1", "t1"
    )


def config(row: MatrixRow, root: Path = ROOT, **sets: tuple[str, ...]) -> Config:
    known = Matrix(COMPILERS, {"mine": row}, sets)
    return matrix.config(known, "mine", tree(root), Catalog(ROOT), root)


def test_a_row_with_modules_is_linked_whole_and_its_modules_with_it() -> None:
    """Only modpost knows that a module calls what the kernel does not export."""
    mine = config(MatrixRow("arm64", set=("MODULES=y", "ZRAM=m"), part=True))
    assert (mine.part, mine.targets) == (False, ("vmlinux", "modules"))
    assert mine.by_hand[-1].endswith(" vmlinux modules")
    assert config(MatrixRow("arm64", set=("SWAP=n",), part=True)).part


def test_every_row_has_a_compiler_and_sets_symbols() -> None:
    known = matrix.load(ROOT)
    assert {"arm64", "sparc64", "x86_64", "riscv"} == {row.arch for row in known.rows.values()}
    for name, row in known.rows.items():
        plain = Matrix(known.compilers, {name: replace(row, files=())}, known.sets)
        configured = matrix.config(plain, name, tree(ROOT), Catalog(ROOT), ROOT)
        assert configured.asked.keys() >= {word.partition("=")[0] for word in row.set}, name


def test_quick_rows_are_some_and_not_all() -> None:
    known = matrix.load(ROOT)
    quick = matrix.choose(known, (), quick=True)
    assert 0 < len(quick) < len(matrix.choose(known, (), quick=False))


def test_style_is_looked_at_where_w1_and_sparse_run_and_nothing_is_linked_whole() -> None:
    known = matrix.load(ROOT)
    chosen = matrix.choose(known, (), quick=False, style=True)
    assert chosen
    assert all(known.rows[name].strict and known.rows[name].part for name in chosen)


def test_an_unknown_row_lists_the_known_ones() -> None:
    with pytest.raises(UnknownName, match=r"'mips'(.|\n)*sparc64-noswap") as caught:
        matrix.choose(matrix.load(ROOT), ["mips"], quick=False)
    assert caught.value.exit_code == 20


def test_an_architecture_without_a_compiler_is_named_with_those_that_have_one() -> None:
    with pytest.raises(UnknownName, match=r"'alpha'(.|\n)*arm64, sparc64") as caught:
        config(MatrixRow("alpha"))
    assert caught.value.exit_code == 20


def test_a_setting_that_is_not_symbol_and_value_is_refused() -> None:
    with pytest.raises(BadInput, match=r"mine: 'swap off' is not SYMBOL=value"):
        config(MatrixRow("arm64", set=("swap off",)))


def test_a_file_that_the_kernel_lacks_is_named(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"mainline has no file kernel/configs/tiny\.config"):
        config(MatrixRow("arm64", files=("kernel/configs/tiny.config",)), tmp_path)


def test_a_row_s_own_settings_override_its_list() -> None:
    merged = config(MatrixRow("arm64", on="mm", set=("SWAP=n",)), mm=("SWAP=y", "MEMCG=y"))
    assert merged.asked == {"SWAP": "n", "MEMCG": "y"}
    assert "CONFIG_%s" in merged.by_hand[1]
