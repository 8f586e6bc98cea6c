# SPDX-License-Identifier: GPL-2.0-only
"""What a build's log reports."""

import time
from pathlib import Path

import pytest

from patchbench.stages import buildlog
from patchbench.stages.buildlog import Message, Undefined

LOGS = Path(__file__).parents[1] / "data/builds"
LINK = (LOGS / "link.log").read_text()  # has a user that is data
V0 = (LOGS / "v0-noswap.log").read_text()  # of v0 on 7.3.4, row sparc64-noswap
FILES = ("mm/memory.c", "include/linux/oom.h")


def test_an_undefined_symbol_is_reported_once_with_every_user_function_and_object() -> None:
    count, gather = buildlog.undefined(LINK)
    assert gather == Undefined("add_to_swap_gather_cache", (("mm/memory.o", "unmap_page_range"),))
    assert count.symbol == "exiting_task_count"
    assert count.users == (
        ("kernel/exit.o", "do_exit"),
        ("kernel/fork.o", "copy_process"),
        ("mm/vmstat.o", ""),  # data has no function
    )


def test_the_three_symbols_that_v0_lacks_without_swap_are_found_in_its_log() -> None:
    assert buildlog.undefined(V0) == (
        Undefined("exiting_task_count", (("kernel/exit.o", "do_exit"),)),
        Undefined(
            "flush_cache_if_needed",
            (("mm/page_alloc.o", "__alloc_pages_slowpath.constprop.0"),),
        ),
        Undefined("add_to_swap_gather_cache", (("mm/memory.o", "__zap_vma_range"),)),
    )


def test_a_symbol_defined_twice_is_an_error_and_its_line_the_evidence() -> None:
    # Before f0455f6392c5: it passed unheard.
    log = (
        "ld: mm/rmap.o: in function `helper':\n"
        "rmap.c:(.text+0x0): multiple definition of `helper'; "
        "mm/memory.o:memory.c:(.text+0x0): first defined here\n"
    )
    assert buildlog.errors(log) == (
        "multiple definition of `helper': rmap.c, mm/memory.o:memory.c",
    )
    assert len(buildlog.evidence(log)) == 2


def test_the_linkers_lines_are_the_evidence_and_make_s_are_not() -> None:
    assert len(buildlog.evidence(LINK)) == 8
    assert not any("make" in line for line in buildlog.evidence(LINK))


def test_compile_errors_come_before_undefined_symbols() -> None:
    log = "/src/mm/memory.c:12:5: error: expected ';' before 'x'\n" + LINK
    first, *others = buildlog.errors(log)
    assert first == "mm/memory.c:12: expected ';' before 'x'"
    assert others == [str(one) for one in buildlog.undefined(LINK)]


def test_a_build_that_only_make_fails_is_reported_in_make_s_words() -> None:
    log = "  CC      mm/memory.o\nmake[3]: *** No rule to make target 'mm/gather.o'.  Stop.\n"
    assert buildlog.errors(log) == ("make[3]: *** No rule to make target 'mm/gather.o'.  Stop.",)


def test_a_log_without_an_error_has_none() -> None:
    assert buildlog.errors("  CC mm/swap.o\n  LD vmlinux\n") == ()


def test_a_link_error_names_the_symbol() -> None:
    log = "aarch64-linux-gnu-ld: kernel/exit.o: undefined reference to `exiting_task_count'\n"
    assert buildlog.errors(log) == ("undefined reference to `exiting_task_count': kernel/exit.o",)


def test_an_error_that_only_moved_is_not_new() -> None:
    before = "mm/memory.c:12:5: error: expected ';' before 'x'\n"
    after = before.replace(":12:", ":40:") + "mm/memory.c:7:1: error: no such thing\n"
    assert buildlog.new_errors(after, before) == ("mm/memory.c:7: no such thing",)


@pytest.mark.parametrize(
    "says", ['"swap_gather" [mm/zsmalloc.ko]', "mm/zsmalloc.ko: symbol 'swap_gather'"]
)
def test_a_module_s_undefined_symbol_names_the_module(says: str) -> None:
    log = f"ERROR: modpost: {says} undefined!\n"
    assert buildlog.undefined(log) == (Undefined("swap_gather", (("mm/zsmalloc.ko", ""),)),)
    assert buildlog.errors(log) == ("undefined reference to `swap_gather': mm/zsmalloc.ko",)
    assert buildlog.evidence(log) == (log.strip(),)


def test_a_module_that_takes_what_is_not_exported_for_it_is_an_error() -> None:
    says = "mm/zsmalloc.ko: module uses symbol 'f' from namespace 'N', but does not import it."
    assert buildlog.errors(f"ERROR: modpost: {says}\nmake[1]: *** [x] Error 1\n") == (says,)


def test_three_tools_are_told_apart() -> None:
    log = (
        "/src/mm/memory.c:4:2: warning: unused variable 'x' [-Wunused-variable]\n"
        "/src/mm/memory.c:5:3: sparse: warning: symbol 'g' was not declared. Should it be static?\n"
        "Warning: /src/mm/memory.c:9 function parameter 'nr' not described in 'swap_free'\n"
    )
    assert [one.tool for one in buildlog.messages(log, FILES)] == [
        "compiler",
        "sparse",
        "kernel-doc",
    ]


def test_warnings_that_only_moved_are_not_new() -> None:
    before = "/src/mm/memory.c:4:2: warning: unused variable 'x' [-Wunused-variable]\n"
    after = before.replace(":4:2:", ":40:2:")
    ours, theirs = (buildlog.messages(log, FILES) for log in (after, before))
    assert buildlog.new(ours, theirs) == ()


def test_a_second_warning_with_the_same_words_is_new() -> None:
    before = "mm/memory.c:4:2: warning: unused variable 'x' [-Wunused-variable]\n"
    after = before + before.replace(":4:", ":9:")
    ours, theirs = (buildlog.messages(log, FILES) for log in (after, before))
    assert [str(one) for one in buildlog.new(ours, theirs)] == [
        "mm/memory.c: unused variable 'x' [-Wunused-variable]"
    ]


def test_a_header_s_warning_counts_once_for_all_who_include_it() -> None:
    line = "../include/linux/oom.h:7:1: warning: 'f' defined but not used [-Wunused-function]\n"
    assert buildlog.messages(line * 3, FILES) == (
        Message("compiler", "include/linux/oom.h", "'f' defined but not used [-Wunused-function]"),
    )


def test_warnings_in_other_files_and_notes_are_skipped() -> None:
    log = (
        "mm/slub.c:4:2: warning: unused variable 'x' [-Wunused-variable]\n"
        "mm/memory.c:4:2: note: declared here\n"
    )
    assert buildlog.messages(log, FILES) == ()


def test_a_line_number_within_a_message_does_not_make_it_new() -> None:
    text = "mm/memory.c:{}:2: sparse: warning: symbol 'f' redeclared (originally at mm/a.h:{})\n"
    ours, theirs = (buildlog.messages(text.format(line, line), FILES) for line in (1, 30))
    assert ours == theirs


@pytest.mark.parametrize("part", ["x:(", "x: (", "ld: ", "a|", "`", ":1: "])
def test_a_line_without_end_is_read_once(part: str) -> None:
    began_s = time.process_time()
    log = part * (64_000 // len(part))
    buildlog.undefined(log)
    buildlog.errors(log)
    buildlog.link_errors(log)
    assert time.process_time() - began_s < 1
