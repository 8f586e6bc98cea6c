# SPDX-License-Identifier: GPL-2.0-only
"""Rows of the build matrix: those that are here, those that are wrong, and how one is built."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, cast

import pytest

from patchbench import matrix
from patchbench.catalog import Catalog
from patchbench.errors import BadInput, KconfigDropped, UnknownName
from patchbench.make import Bench
from patchbench.matrix import Config, Matrix, Row, Site
from patchbench.model import Series, Source, Toolchain, Tree
from patchbench.store import Store
from patchbench.tools.container import Engine, Finished
from tests.fakes import Listener

ROOT = Path(__file__).resolve().parents[1]
TOOLS = Toolchain("sha256:1", "digest", "registry", "14.2.0", "2.44", "10.0.13")
COMPILERS = {"arm64": "aarch64-linux-gnu-", "sparc64": "sparc64-linux-gnu-"}
FILES = ("mm/swapfile.c", "mm/memory.c", "include/linux/oom.h")


def tree(root: Path) -> Tree:
    return Tree(
        Source("mainline", "7.3.4", "a test's", root, "c0"), Series("v0", "7.3"), "c1", "t1"
    )


def config(row: Row, root: Path = ROOT, **sets: tuple[str, ...]) -> Config:
    told = Matrix(COMPILERS, {"mine": row}, sets)
    return matrix.config(told, "mine", tree(root), Catalog(ROOT), root)


def test_every_row_that_is_dropped_in_has_a_compiler_and_words_that_are_symbols() -> None:
    told = matrix.load(ROOT)
    assert {"arm64", "sparc64", "x86_64", "riscv"} == {row.arch for row in told.rows.values()}
    for name, row in told.rows.items():
        plain = Matrix(told.compilers, {name: replace(row, files=())}, told.sets)
        told_config = matrix.config(plain, name, tree(ROOT), Catalog(ROOT), ROOT)
        assert told_config.asked.keys() >= {word.partition("=")[0] for word in row.set}, name


def test_quick_rows_are_some_and_not_all() -> None:
    told = matrix.load(ROOT)
    quick = matrix.choose(told, (), quick=True)
    assert 0 < len(quick) < len(matrix.choose(told, (), quick=False))


def test_an_unknown_row_lists_the_known_ones() -> None:
    with pytest.raises(UnknownName, match=r"'mips'(.|\n)*sparc64-noswap") as caught:
        matrix.choose(matrix.load(ROOT), ["mips"], quick=False)
    assert caught.value.exit_code == 20


def test_an_architecture_without_a_compiler_is_named_with_those_that_have_one() -> None:
    with pytest.raises(UnknownName, match=r"'alpha'(.|\n)*arm64, sparc64") as caught:
        config(Row("alpha"))
    assert caught.value.exit_code == 20


def test_a_word_that_is_no_symbol_with_a_value_is_refused() -> None:
    with pytest.raises(BadInput, match=r"mine: 'swap off' is not SYMBOL=value"):
        config(Row("arm64", set=("swap off",)))


def test_a_file_that_the_kernel_lacks_is_named(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"mainline has no file kernel/configs/tiny\.config"):
        config(Row("arm64", files=("kernel/configs/tiny.config",)), tmp_path)


def test_a_row_s_own_words_win_over_its_set() -> None:
    told = config(Row("arm64", on="mm", set=("SWAP=n",)), mm=("SWAP=y", "MEMCG=y"))
    assert told.asked == {"SWAP": "n", "MEMCG": "y"}
    assert "CONFIG_%s" in told.by_hand[1]


@dataclass
class FakeMake:
    """Configures as it is told; "compiles" one of the files, and looks at what it is asked to."""

    objects: Path
    config: str = "# CONFIG_SWAP is not set\n"
    calls: list[Sequence[str]] = field(default_factory=list)
    cpu_seconds: float = 0
    blind: bool = False

    def run(
        self,
        image: str,
        argv: Sequence[str],
        limits: object,
        *,
        environment: Mapping[str, str] | None = None,
        on_line: Callable[[str], None] = lambda _: None,
        **other: Any,
    ) -> Finished:
        self.calls.append(argv)
        self.cpu_seconds += 5
        if "allnoconfig" in argv:
            (self.objects / ".config.new").write_text(self.config)
            return Finished(0, "", 0, 1)
        if "vmlinux" in argv:
            (self.objects / "mm").mkdir(exist_ok=True)
            (self.objects / "mm/memory.o").touch()
            return Finished(2, "  CC      mm/memory.o\nld: undefined", 0, 1)
        said = "" if self.blind else "  CHECK   /src/mm/memory.c\n"
        return Finished(0, said, 0, 1)


def site(root: Path, make: FakeMake, row: Row = Row("sparc64", set=("SWAP=n",))) -> Site:  # noqa: B008
    source = root / "source"
    source.mkdir(exist_ok=True)
    (source / "Kconfig").write_text('config SWAP\n\tbool "Swap"\n\tdepends on MMU\n')
    bench = Bench(
        lane="mainline-v0",
        source=source,
        objects=make.objects,
        compiler_cache=root / "ccache",
        base_cache=root / "ccache-base",
        base=False,
        logs=root / "logs",
    )
    told = config(row, source)
    return Site(
        cast(Engine, make), Store(root / "shelf"), tree(root), told, TOOLS, bench=bench,
        story=Listener(),
    )  # fmt: skip


@pytest.fixture
def make(tmp_path: Path) -> FakeMake:
    return FakeMake(tmp_path / "objects")


def test_a_row_is_built_for_its_architecture_as_far_as_it_goes(
    tmp_path: Path, make: FakeMake
) -> None:
    told = site(tmp_path, make).compile(FILES)
    assert (told.good, told.sources, told.cpu_seconds) == (False, ("mm/memory.c",), 10)
    assert {"ARCH=sparc64", "-k", "vmlinux"} <= set(make.calls[-1])


def test_a_log_is_shelved_because_nothing_done_says_nothing(tmp_path: Path, make: FakeMake) -> None:
    first = site(tmp_path, make).compile(FILES)
    calls = len(make.calls)
    assert site(tmp_path, make).compile(FILES) == first
    assert len(make.calls) == calls


def test_the_files_are_looked_at_with_w1_and_sparse(tmp_path: Path, make: FakeMake) -> None:
    assert site(tmp_path, make).inspect(["mm/memory.c"]).good
    assert {"W=1", "C=2", "CHECK=sparse", "mm/memory.o"} <= set(make.calls[-1])


def test_a_look_compiles_the_sources_alone_and_without_any_makes_nothing(
    tmp_path: Path, make: FakeMake
) -> None:
    assert site(tmp_path, make).look(["mm/memory.c"]).good
    assert make.calls[-1][-2:][0] == "mm/memory.o"
    assert not {"W=1", "vmlinux"} & set(make.calls[-1])
    calls = len(make.calls)
    assert site(tmp_path, make).look([]).good
    assert ["allnoconfig" in call for call in make.calls[calls:]] == [True]


def test_a_file_that_sparse_did_not_look_at_is_no_good(tmp_path: Path, make: FakeMake) -> None:
    make.blind = True
    assert not site(tmp_path, make).inspect(["mm/memory.c"]).good


def test_a_symbol_that_the_kernel_does_not_have_is_named_even_if_asked_off(
    tmp_path: Path, make: FakeMake
) -> None:
    row = Row("sparc64", set=("SWAP=n", "NO_SUCH=n"))
    with pytest.raises(KconfigDropped, match=r"NO_SUCH: no Kconfig file of this kernel defines it"):
        site(tmp_path, make, row).compile(FILES)


def test_a_dropped_symbol_is_told_with_its_reason(tmp_path: Path, make: FakeMake) -> None:
    with pytest.raises(KconfigDropped, match=r"SWAP: asked y, got n\n.*depends on MMU \(MMU=n\)"):
        site(tmp_path, make, Row("sparc64", set=("SWAP=y",))).compile(FILES)


def test_what_a_killed_make_left_is_not_built_upon(tmp_path: Path, make: FakeMake) -> None:
    (tmp_path / "logs").mkdir()
    (tmp_path / "logs/under-way-mainline-v0-mine").touch()
    make.objects.mkdir()
    (make.objects / "half.o").touch()
    site(tmp_path, make).compile(FILES)
    assert not (make.objects / "half.o").exists()
