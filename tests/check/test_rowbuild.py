# SPDX-License-Identifier: GPL-2.0-only
"""How a row of the build matrix is built, whole or in part, and what is shelved."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, cast

import pytest

from patchbench.check import rows
from patchbench.check.matrix import MatrixRow
from patchbench.check.rowbuild import RowBuilder
from patchbench.errors import BuildFailed, KconfigDropped, ToolFailed
from patchbench.stages import buildlog
from patchbench.stages.make import Lane
from patchbench.store import Store
from patchbench.tools.container import Engine, Finished
from tests.check.test_matrix import TOOLS, config, tree
from tests.fakes import Listener

FILES = ("mm/swapfile.c", "mm/memory.c", "include/linux/oom.h")
DRY_RUN = Finished(0, (Path(__file__).parents[1] / "data/builds/dry-run.log").read_text(), 0, 1)
NO_SWAP = MatrixRow("sparc64", set=("SWAP=n",))
PART = MatrixRow("sparc64", set=("SWAP=n",), part=True)
MISSING = """\
ld: /out/mm/memory.o: in function `unmap_page_range':
memory.c:(.text+0x4): undefined reference to `elsewhere'
ld: memory.c:(.text+0x8): undefined reference to `only_with_swap'
"""
QUIET = Finished(0, "", 0, 1)
BROKEN = Finished(2, "  CC      mm/memory.o\nld: undefined", 0, 1)
LINKED = Finished(1, MISSING, 0, 1)


@dataclass
class FakeMake:
    """Configures as it is told; "compiles" one of the files, and looks at what it is asked to."""

    objects: Path
    config: str = "# CONFIG_SWAP is not set\n"
    calls: list[Sequence[str]] = field(default_factory=list)
    cpu_seconds: float = 0
    blind: bool = False
    linked: Finished = LINKED
    dry_run: Finished = DRY_RUN
    built: Finished = BROKEN
    undefined: Finished = QUIET

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
            return self.built
        if argv[0].endswith("nm"):
            return self.undefined
        if argv[0].endswith("ld"):
            return self.linked
        if "-n" in argv:
            return self.dry_run
        said = "" if self.blind else "  CHECK   /src/mm/memory.c\n"
        return Finished(0, said, 0, 1)


def builder(root: Path, make: FakeMake, row: MatrixRow = NO_SWAP) -> RowBuilder:
    source = root / "source"
    source.mkdir(exist_ok=True)
    (source / "Kconfig").write_text('config SWAP\n\tbool "Swap"\n\tdepends on MMU\n')
    lane = Lane(
        name="mainline-v0",
        source=source,
        objects=make.objects,
        compiler_cache=root / "ccache",
        base_cache=root / "ccache-base",
        base=False,
        logs=root / "logs",
    )
    return RowBuilder(
        cast(Engine, make),
        Store(root / "shelf"),
        tree(root),
        config(row, source),
        TOOLS,
        lane=lane,
        story=Listener(),
    )


@pytest.fixture
def make(tmp_path: Path) -> FakeMake:
    return FakeMake(tmp_path / "objects")


def test_a_row_is_built_for_its_architecture_as_far_as_it_goes(
    tmp_path: Path, make: FakeMake
) -> None:
    compiled = builder(tmp_path, make).compile(FILES)
    assert (compiled.good, compiled.sources, compiled.cpu_seconds) == (False, ("mm/memory.c",), 10)
    assert {"ARCH=sparc64", "-k", "vmlinux"} <= set(make.calls[-1])


def test_w1_reads_the_comments_of_headers_as_well(tmp_path: Path, make: FakeMake) -> None:
    compiled = builder(tmp_path, make).inspect(FILES[:2], FILES[2:])
    assert make.calls[-1] == ["/src/scripts/kernel-doc", "-none", "/src/include/linux/oom.h"]
    assert compiled.headers == FILES[2:]


def lists(*undefined: str, weak: str = "may_be_missing") -> Finished:
    lines = [f"{name:<20}|                |   U  |            NOTYPE|" for name in undefined]
    lines.append(f"{weak:<20}|                |   w  |            NOTYPE|")
    lines.append("g5_register|                |   U  |<processor specific>: 13|")
    return Finished(0, "\n".join(lines), 0, 1)


def test_a_vmlinux_linked_as_a_library_may_leave_nothing_undefined_either(
    tmp_path: Path, make: FakeMake
) -> None:
    # Before 6ca9ad783862: v0 passed riscv without an MMU with two names undefined.
    make.built = QUIET
    make.undefined = lists("only_with_swap", "a_name_of_more_than_twenty_letters")
    compiled = builder(tmp_path, make).compile(FILES)
    assert not compiled.good
    assert buildlog.afterwards(compiled.log) == ("sparc64-linux-gnu-nm --undefined-only vmlinux",)
    assert make.calls[-1][-2:] == ["--whole-archive", "/out/vmlinux.a"]
    assert buildlog.errors(compiled.log) == (
        "undefined reference to `only_with_swap': unmap_page_range (mm/memory.o)",
        "undefined reference to `a_name_of_more_than_twenty_letters': vmlinux",
    )


def test_a_vmlinux_without_undefined_symbols_is_built(tmp_path: Path, make: FakeMake) -> None:
    make.built, make.undefined = QUIET, lists()
    assert builder(tmp_path, make).compile(FILES).good


def test_a_vmlinux_that_nm_cannot_read_is_not_built(tmp_path: Path, make: FakeMake) -> None:
    make.built, make.undefined = QUIET, Finished(1, "nm: file format not recognized", 0, 1)
    with pytest.raises(BuildFailed, match="not recognized"):
        builder(tmp_path, make).compile(FILES)


def test_a_log_is_shelved_because_a_build_with_nothing_to_do_prints_nothing(
    tmp_path: Path, make: FakeMake
) -> None:
    first = builder(tmp_path, make).compile(FILES)
    calls = len(make.calls)
    assert builder(tmp_path, make).compile(FILES) == first
    assert len(make.calls) == calls


@pytest.mark.parametrize(
    ("row", "key"),
    [
        (NO_SWAP, "ffe2bcf3b1e9a5ff3a912c2544b556b8c155543aa141480b655affdeceda73b0"),
        (PART, "6ca7a516ea74624bc4d90b256729fa8878946a5169eab1b93f3c555bcaf60c4a"),
    ],
)
def test_rows_that_were_shelved_before_are_found_under_the_same_key(
    tmp_path: Path, make: FakeMake, row: MatrixRow, key: str
) -> None:
    builder(tmp_path, make, row).compile(FILES)
    assert (tmp_path / "shelf/rows" / key).is_dir()


def test_an_inspection_compiles_the_files_with_w1_and_sparse(
    tmp_path: Path, make: FakeMake
) -> None:
    compiled = builder(tmp_path, make).inspect(["mm/memory.c"])
    assert (compiled.good, compiled.checked) == (True, ("mm/memory.c",))
    assert {"W=1", "C=2", "CHECK=sparse", "mm/memory.o"} <= set(make.calls[-1])


def test_a_look_compiles_the_sources_alone_and_without_any_makes_nothing(
    tmp_path: Path, make: FakeMake
) -> None:
    assert builder(tmp_path, make).look(["mm/memory.c"]).good
    assert make.calls[-1][-2:][0] == "mm/memory.o"
    assert not {"W=1", "vmlinux"} & set(make.calls[-1])
    calls = len(make.calls)
    assert builder(tmp_path, make).look([]).good
    assert ["allnoconfig" in call for call in make.calls[calls:]] == [True]


def test_a_file_that_sparse_did_not_read_is_not_among_the_checked(
    tmp_path: Path, make: FakeMake
) -> None:
    make.blind = True
    compiled = builder(tmp_path, make).inspect(["mm/memory.c"])
    assert (compiled.good, compiled.checked) == (True, ())


def test_an_unknown_symbol_is_named_even_where_it_is_turned_off(
    tmp_path: Path, make: FakeMake
) -> None:
    row = MatrixRow("sparc64", set=("SWAP=n", "NO_SUCH=n"))
    with pytest.raises(KconfigDropped, match=r"NO_SUCH: no Kconfig file of this kernel defines it"):
        builder(tmp_path, make, row).compile(FILES)


def test_a_dropped_symbol_is_reported_with_its_reason(tmp_path: Path, make: FakeMake) -> None:
    with pytest.raises(KconfigDropped, match=r"SWAP: asked y, got n\n.*depends on MMU \(MMU=n\)"):
        builder(tmp_path, make, MatrixRow("sparc64", set=("SWAP=y",))).compile(FILES)


def test_objects_that_a_killed_make_left_are_not_reused(tmp_path: Path, make: FakeMake) -> None:
    (tmp_path / "logs").mkdir()
    (tmp_path / "logs/under-way-mainline-v0-mine").touch()
    make.objects.mkdir()
    (make.objects / "half.o").touch()
    builder(tmp_path, make).compile(FILES)
    assert not (make.objects / "half.o").exists()


def test_of_a_part_only_the_objects_beside_the_files_are_made(
    tmp_path: Path, make: FakeMake
) -> None:
    compiled = builder(tmp_path, make, PART).compile(FILES)
    made = next(call for call in make.calls if "mm/memory.o" in call and call[0] == "make")
    assert "mm/rmap.o" in made
    assert not {"vmlinux", "kernel/exit.o", "kernel/sched/built-in.a"} & set(made)
    assert compiled.good
    assert "undefined" not in compiled.log
    assert compiled.linked == MISSING.replace("/out/", "").rstrip()


def test_a_part_that_lacks_a_name_of_the_series_does_not_build_and_the_rest_is_elsewhere(
    tmp_path: Path, make: FakeMake
) -> None:
    compiled = builder(tmp_path, make, PART).compile(FILES)
    assert rows.undefined_in_part(compiled) == {"elsewhere", "only_with_swap"}
    judged = rows.with_missing(compiled, {"only_with_swap"})
    assert not judged.good
    assert judged.log.endswith(
        "ld: mm/memory.o: in function `unmap_page_range':\n"
        "ld: memory.c:(.text+0x8): undefined reference to `only_with_swap'"
    )
    assert rows.with_missing(compiled, ()).good


def test_a_symbol_that_a_part_defines_twice_is_an_error_whatever_is_missing(
    tmp_path: Path, make: FakeMake
) -> None:
    twice = (
        "ld: /out/mm/rmap.o:(.bss+0x0): multiple definition of `g'; "
        "/out/mm/memory.o:(.bss+0x0): first defined here"
    )
    make.linked = Finished(1, MISSING + twice, 0, 1)
    judged = rows.with_missing(builder(tmp_path, make, PART).compile(FILES), ())
    assert not judged.good
    assert judged.log.endswith(twice.replace("/out/", ""))


def test_a_part_that_was_shelved_with_its_judgement_keeps_it(
    tmp_path: Path, make: FakeMake
) -> None:
    """Until the row builder returned undefined names, the shelf held what became of them."""
    shelved = replace(builder(tmp_path, make, PART).compile(FILES), linked="", good=False)
    assert rows.with_missing(shelved, {"only_with_swap"}) == shelved


def test_a_part_whose_link_fails_for_another_reason_is_not_taken_for_good(
    tmp_path: Path, make: FakeMake
) -> None:
    make.linked = Finished(1, "ld: cannot find it", 0, 1)
    with pytest.raises(BuildFailed, match="not for a symbol"):
        builder(tmp_path, make, PART).compile(FILES)


@pytest.mark.parametrize("status", [137, None])
def test_a_killed_linker_is_the_host_s_fault(
    tmp_path: Path, make: FakeMake, status: int | None
) -> None:
    make.linked = Finished(status, MISSING, 0, 1)
    with pytest.raises(ToolFailed):
        builder(tmp_path, make, PART).compile(FILES)


def test_a_folder_without_objects_is_built_whole_with_all_the_rest(
    tmp_path: Path, make: FakeMake
) -> None:
    builder(tmp_path, make, PART).compile([*FILES, "virt/kvm/eventfd.c"])
    assert "vmlinux" in make.calls[-1]


def test_a_makefile_that_names_a_missing_file_fails_its_part(
    tmp_path: Path, make: FakeMake
) -> None:
    said = "make[3]: *** No rule to make target 'mm/gone.o', needed by 'mm/built-in.a'."
    make.dry_run = Finished(2, said, 0, 1)
    compiled = builder(tmp_path, make, PART).compile(FILES)
    assert (compiled.good, compiled.log) == (False, said)


@pytest.mark.parametrize(
    "files",
    [
        ["include/linux/oom.h"],
        ["mm/memory.c", "arch/arm64/lib/copy_page.S"],
        ["mm/memory.c", "include/asm-generic/vmlinux.lds.h"],
        ["tools/testing/selftests/mm/madv_populate.c", "include/linux/oom.h"],
    ],
)
def test_a_series_beyond_c_files_is_built_whole(
    tmp_path: Path, make: FakeMake, files: list[str]
) -> None:
    builder(tmp_path, make, PART).compile(files)
    assert "vmlinux" in make.calls[-1]
