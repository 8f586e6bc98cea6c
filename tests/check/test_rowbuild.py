# SPDX-License-Identifier: GPL-2.0-only
"""How a row of the build matrix is built, whole or in part, and what is kept of it."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import pytest

from patchbench.check import buildlog
from patchbench.check.matrix import Row
from patchbench.check.rowbuild import Site
from patchbench.errors import BuildFailed, KconfigDropped, ToolFailed
from patchbench.stages.make import Lane
from patchbench.store import Store
from patchbench.tools.container import Engine, Finished
from tests.check.test_matrix import TOOLS, config, tree
from tests.fakes import Listener

FILES = ("mm/swapfile.c", "mm/memory.c", "include/linux/oom.h")
DRY_RUN = Finished(0, (Path(__file__).parents[1] / "data/builds/dry-run.log").read_text(), 0, 1)
PART = Row("sparc64", set=("SWAP=n",), part=True)
MISSING = """\
ld: /out/mm/memory.o: in function `unmap_page_range':
memory.c:(.text+0x4): undefined reference to `elsewhere'
ld: memory.c:(.text+0x8): undefined reference to `only_with_swap'
"""
QUIET = Finished(0, "", 0, 1)
BROKEN = Finished(2, "  CC      mm/memory.o\nld: undefined", 0, 1)
LINKED = Finished(1, MISSING, 0, 1)


def every(names: Collection[str]) -> Collection[str]:
    return names


def one_of_the_series(names: Collection[str]) -> Collection[str]:
    return {"only_with_swap"} & set(names)


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


def site(root: Path, make: FakeMake, row: Row = Row("sparc64", set=("SWAP=n",))) -> Site:  # noqa: B008
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
    told = config(row, source)
    return Site(
        cast(Engine, make), Store(root / "shelf"), tree(root), told, TOOLS, lane=lane,
        story=Listener(),
    )  # fmt: skip


@pytest.fixture
def make(tmp_path: Path) -> FakeMake:
    return FakeMake(tmp_path / "objects")


def test_a_row_is_built_for_its_architecture_as_far_as_it_goes(
    tmp_path: Path, make: FakeMake
) -> None:
    told = site(tmp_path, make).compile(FILES, every)
    assert (told.good, told.sources, told.cpu_seconds) == (False, ("mm/memory.c",), 10)
    assert {"ARCH=sparc64", "-k", "vmlinux"} <= set(make.calls[-1])


def lists(*undefined: str, weak: str = "may_be_missing") -> Finished:
    lines = [f"{name:<20}|                |   U  |            NOTYPE|" for name in undefined]
    lines.append(f"{weak:<20}|                |   w  |            NOTYPE|")
    lines.append("g5_register|                |   U  |<processor specific>: 13|")
    return Finished(0, "\n".join(lines), 0, 1)


def test_a_kernel_that_is_linked_as_a_library_is_may_miss_nothing_either(
    tmp_path: Path, make: FakeMake
) -> None:
    make.built = QUIET
    make.undefined = lists("only_with_swap", "a_name_of_more_than_twenty_letters")
    told = site(tmp_path, make).compile(FILES, every)
    assert not told.good
    assert buildlog.afterwards(told.log) == ("sparc64-linux-gnu-nm --undefined-only vmlinux",)
    assert make.calls[-1][-2:] == ["--whole-archive", "/out/vmlinux.a"]
    assert buildlog.errors(told.log) == (
        "undefined reference to `only_with_swap': unmap_page_range (mm/memory.o)",
        "undefined reference to `a_name_of_more_than_twenty_letters': vmlinux",
    )


def test_a_kernel_that_misses_nothing_is_built(tmp_path: Path, make: FakeMake) -> None:
    make.built, make.undefined = QUIET, lists()
    assert site(tmp_path, make).compile(FILES, every).good


def test_a_kernel_that_cannot_be_looked_into_is_not_built(tmp_path: Path, make: FakeMake) -> None:
    make.built, make.undefined = QUIET, Finished(1, "nm: file format not recognized", 0, 1)
    with pytest.raises(BuildFailed, match="not recognized"):
        site(tmp_path, make).compile(FILES, every)


def test_a_log_is_shelved_because_nothing_done_says_nothing(tmp_path: Path, make: FakeMake) -> None:
    first = site(tmp_path, make).compile(FILES, every)
    calls = len(make.calls)
    assert site(tmp_path, make).compile(FILES, every) == first
    assert len(make.calls) == calls


def test_the_files_are_looked_at_with_w1_and_sparse(tmp_path: Path, make: FakeMake) -> None:
    told = site(tmp_path, make).inspect(["mm/memory.c"])
    assert (told.good, told.checked) == (True, ("mm/memory.c",))
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


def test_what_sparse_did_not_look_at_is_not_among_what_it_checked(
    tmp_path: Path, make: FakeMake
) -> None:
    make.blind = True
    told = site(tmp_path, make).inspect(["mm/memory.c"])
    assert (told.good, told.checked) == (True, ())


def test_a_symbol_that_the_kernel_does_not_have_is_named_even_if_asked_off(
    tmp_path: Path, make: FakeMake
) -> None:
    row = Row("sparc64", set=("SWAP=n", "NO_SUCH=n"))
    with pytest.raises(KconfigDropped, match=r"NO_SUCH: no Kconfig file of this kernel defines it"):
        site(tmp_path, make, row).compile(FILES, every)


def test_a_dropped_symbol_is_told_with_its_reason(tmp_path: Path, make: FakeMake) -> None:
    with pytest.raises(KconfigDropped, match=r"SWAP: asked y, got n\n.*depends on MMU \(MMU=n\)"):
        site(tmp_path, make, Row("sparc64", set=("SWAP=y",))).compile(FILES, every)


def test_what_a_killed_make_left_is_not_built_upon(tmp_path: Path, make: FakeMake) -> None:
    (tmp_path / "logs").mkdir()
    (tmp_path / "logs/under-way-mainline-v0-mine").touch()
    make.objects.mkdir()
    (make.objects / "half.o").touch()
    site(tmp_path, make).compile(FILES, every)
    assert not (make.objects / "half.o").exists()


def test_of_a_part_only_the_objects_beside_the_files_are_made(
    tmp_path: Path, make: FakeMake
) -> None:
    told = site(tmp_path, make, PART).compile(FILES, one_of_the_series)
    made = next(call for call in make.calls if "mm/memory.o" in call and call[0] == "make")
    assert "mm/rmap.o" in made
    assert not {"vmlinux", "kernel/exit.o", "kernel/sched/built-in.a"} & set(made)
    assert not told.good
    assert told.log.endswith(
        "ld: mm/memory.o: in function `unmap_page_range':\n"
        "ld: memory.c:(.text+0x8): undefined reference to `only_with_swap'"
    )


def test_a_part_that_misses_only_what_is_elsewhere_in_the_kernel_is_good(
    tmp_path: Path, make: FakeMake
) -> None:
    told = site(tmp_path, make, PART).compile(FILES, lambda _: ())
    assert told.good
    assert "undefined" not in told.log


def test_a_symbol_that_a_part_has_twice_is_a_fault_whoever_counts(
    tmp_path: Path, make: FakeMake
) -> None:
    twice = (
        "ld: /out/mm/rmap.o:(.bss+0x0): multiple definition of `g'; "
        "/out/mm/memory.o:(.bss+0x0): first defined here"
    )
    make.linked = Finished(1, MISSING + twice, 0, 1)
    told = site(tmp_path, make, PART).compile(FILES, lambda _: ())
    assert not told.good
    assert told.log.endswith(twice.replace("/out/", ""))


def test_a_linker_that_says_nothing_of_symbols_is_no_part_without_faults(
    tmp_path: Path, make: FakeMake
) -> None:
    make.linked = Finished(1, "ld: cannot find it", 0, 1)
    with pytest.raises(BuildFailed, match="does not say what is missing"):
        site(tmp_path, make, PART).compile(FILES, lambda _: ())


@pytest.mark.parametrize("status", [137, None])
def test_a_linker_that_was_ended_is_the_hosts_fault(
    tmp_path: Path, make: FakeMake, status: int | None
) -> None:
    make.linked = Finished(status, MISSING, 0, 1)
    with pytest.raises(ToolFailed):
        site(tmp_path, make, PART).compile(FILES, lambda _: ())


def test_a_folder_without_objects_is_built_whole_with_all_the_rest(
    tmp_path: Path, make: FakeMake
) -> None:
    site(tmp_path, make, PART).compile([*FILES, "virt/kvm/eventfd.c"], every)
    assert "vmlinux" in make.calls[-1]


def test_a_makefile_that_names_a_file_that_is_not_there_fails_its_part(
    tmp_path: Path, make: FakeMake
) -> None:
    said = "make[3]: *** No rule to make target 'mm/gone.o', needed by 'mm/built-in.a'."
    make.dry_run = Finished(2, said, 0, 1)
    told = site(tmp_path, make, PART).compile(FILES, every)
    assert (told.good, told.log) == (False, said)


@pytest.mark.parametrize(
    "files",
    [
        ["include/linux/oom.h"],
        ["mm/memory.c", "arch/arm64/lib/copy_page.S"],
        ["mm/memory.c", "include/asm-generic/vmlinux.lds.h"],
        ["tools/testing/selftests/mm/madv_populate.c", "include/linux/oom.h"],
    ],
)
def test_what_c_files_alone_cannot_tell_is_built_whole(
    tmp_path: Path, make: FakeMake, files: list[str]
) -> None:
    site(tmp_path, make, PART).compile(files, every)
    assert "vmlinux" in make.calls[-1]
