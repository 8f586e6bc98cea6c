# SPDX-License-Identifier: GPL-2.0-only
"""What a row's builds and checkpatch come to as findings, and as a robot's mail."""

from dataclasses import replace
from pathlib import Path

import pytest

from patchbench.check import checking, rows
from patchbench.check.matrix import Config
from patchbench.check.rowbuild import Compiled
from patchbench.check.rows import Built, RowTarget
from patchbench.errors import GateFailed, KconfigDropped
from patchbench.findings import Finding, FindingKind, Target
from patchbench.model import Patch, Toolchain
from patchbench.report import formats
from patchbench.stages.make import Compiler
from tests.fakes import check_result

LINK = (Path(__file__).parents[1] / "data/builds/link.log").read_text()
TOOLS = Toolchain("sha256:1", "digest", "registry", "14.2.0", "2.44", "10.0.13")
CONFIG = Config(
    "sparc64-noswap",
    Compiler("sparc64", "sparc64-linux-gnu-"),
    "CONFIG_SWAP=n\n",
    {"SWAP": "n"},
    ("make ARCH=sparc64 allnoconfig", "make ARCH=sparc64 vmlinux"),
)
FILES = ("mm/memory.c",)
GOOD = Compiled(good=True, log="", sources=FILES, cpu_seconds=1)
BROKEN = Compiled(good=False, log=LINK, sources=FILES, cpu_seconds=1)
PATCH = Patch(1, Path("patches/v0/7.3/0001-gather.patch"), "gather", "0", FILES)
UNUSED = "mm/memory.c:4:2: warning: unused variable 'x' [-Wunused-variable]\n"
STATIC = "mm/memory.c:9:5: sparse: warning: symbol 'g' was not declared. Should it be static?\n"


def target(series: str = "v0") -> Target:
    return Target("mainline", "7.3.4", series, f"./bootstrap check --series {series}")


def judge(built: Built, base: Built | None, series: str = "v0") -> tuple[Finding, ...]:
    return rows.judge_build(RowTarget(target(series), CONFIG, TOOLS), built, base)


def looked(log: str, *, good: bool = True, checked: tuple[str, ...] = FILES) -> Built:
    inspected = Compiled(good=good, log=log, sources=FILES, cpu_seconds=1, checked=checked)
    return Built(GOOD, inspected)


def messages(ours: Built, base: Built | None) -> dict[FindingKind, Finding]:
    found = rows.judge_messages(RowTarget(target(), CONFIG, TOOLS), ours, base, FILES)
    return {one.kind: one for one in found}


def test_a_row_that_only_the_series_breaks_is_a_regression_with_symbol_and_user() -> None:
    found = (*judge(Built(GOOD), None, "none"), *judge(Built(BROKEN), Built(GOOD)))
    (worse,) = check_result(*found).regressions()
    assert "`exiting_task_count': do_exit (kernel/exit.o)" in worse.says
    assert "add_to_swap_gather_cache" in worse.evidence
    assert isinstance(checking.verdict_error(check_result(*found)), GateFailed)


def test_the_commands_to_repeat_include_those_that_ran_after_make() -> None:
    silent = replace(BROKEN, log="$ sparc64-linux-gnu-nm --undefined-only vmlinux\n" + LINK)
    (finding,) = judge(Built(silent), None)
    assert finding.commands == (
        "make ARCH=sparc64 allnoconfig",
        "make ARCH=sparc64 vmlinux",
        "sparc64-linux-gnu-nm --undefined-only vmlinux",
        "./bootstrap check --series v0",
    )


def test_a_row_that_fails_unpatched_as_well_is_no_regression() -> None:
    found = (*judge(Built(BROKEN), None, "none"), *judge(Built(BROKEN), Built(BROKEN)))
    assert check_result(*found).regressions() == ()
    assert checking.verdict_error(check_result(*found)) is None


def test_a_new_error_beside_those_of_the_base_is_a_regression() -> None:
    more = Compiled(False, "mm/memory.c:7:1: error: no such thing\n" + LINK, FILES, 1)
    found = (*judge(Built(BROKEN), None, "none"), *judge(Built(more), Built(BROKEN)))
    (worse,) = check_result(*found).regressions()
    assert worse.says == "mm/memory.c:7: no such thing"


def test_only_warnings_that_the_base_lacks_are_new() -> None:
    moved = UNUSED.replace(":4:", ":40:")
    found = messages(looked(moved + STATIC), looked(UNUSED))
    assert (found["W=1"].state, found["sparse"].state) == ("pass", "fail")
    assert found["W=1"].says == "nothing new in 1 files, 1 messages that the base has as well"
    assert "symbol 'g' was not declared" in found["sparse"].says


def test_warnings_without_a_base_to_compare_with_are_untested() -> None:
    assert messages(looked(UNUSED), None)["W=1"].state == "untested"
    assert messages(looked(""), None)["W=1"].state == "pass"


def test_a_warning_of_the_plain_build_counts_without_w1() -> None:
    warned = Built(replace(GOOD, log=UNUSED))
    assert rows.wants_look(warned, FILES)
    assert messages(warned, None)["warnings"].state == "untested"
    assert messages(warned, Built(GOOD))["warnings"].state == "fail"
    assert messages(warned, warned)["warnings"].state == "pass"


def test_a_warning_is_compared_with_a_look_at_its_file_alone_if_that_compiles() -> None:
    warned = Built(replace(GOOD, log=UNUSED))
    assert messages(warned, Built(looked=GOOD))["warnings"].state == "fail"
    assert messages(warned, Built(looked=warned.compiled))["warnings"].state == "pass"
    assert messages(warned, Built(looked=BROKEN))["warnings"].state == "untested"


def test_an_inspection_that_stopped_early_is_no_pass() -> None:
    found = messages(looked("", good=False), None)
    assert {found[name].state for name in ("W=1", "sparse")} == {"untested"}


def test_headers_alone_are_judged_by_their_comments_and_not_by_sparse() -> None:
    header = "include/linux/swap.h"
    log = f"Warning: {header}:7 function parameter 'nr' not described in 'swap_free_run'\n"
    read = Compiled(good=True, log=log, sources=(), cpu_seconds=1, headers=(header,))
    row = RowTarget(target(), CONFIG, TOOLS)
    (found,) = rows.judge_messages(
        row, Built(inspected=read), Built(inspected=replace(read, log="")), (header,)
    )
    assert (found.kind, found.state) == ("W=1", "fail")
    assert f"scripts/kernel-doc -none {header}" in found.commands


def test_where_sparse_did_not_run_w1_is_judged_and_sparse_untested() -> None:
    # Before 713010713c99: 7.3 refused sparse 0.6.4, and W=1 went untested.
    found = messages(looked("", checked=()), None)
    assert found["W=1"].state == "pass"
    assert found["sparse"].state == "untested"
    assert found["sparse"].says == "sparse did not run on mm/memory.c"
    by_hand = "W=1 C=2 CF=-D__typeof_unqual__=__typeof__ mm/memory.o"
    assert by_hand in found["sparse"].commands[-2]


def test_a_base_that_sparse_did_not_read_is_no_base_to_compare_with() -> None:
    # Before 0fda85d9ccae: its silence made all of sparse's words look new.
    found = messages(looked(STATIC), looked("", checked=()))
    assert found["sparse"].state == "untested"
    assert "no base to compare with" in found["sparse"].says


def test_a_kernel_that_refuses_the_sparse_says_so() -> None:
    log = "/src/Makefile:1311: C=2 specified, but sparse is not available or not up to date\n"
    found = messages(looked(log, checked=()), None)
    assert found["sparse"].says == "this kernel requires a newer sparse than the toolchain has"


def test_the_base_is_built_unless_an_undefined_name_is_the_series_own() -> None:
    assert rows.wants_base(Built(BROKEN), FILES, ())
    assert rows.wants_base(Built(BROKEN), FILES, {"another_name"})
    assert not rows.wants_base(Built(BROKEN), FILES, {"add_to_swap_gather_cache"})
    assert not rows.wants_base(Built(GOOD), FILES, ())


def test_the_base_is_compiled_for_warnings_in_a_file_and_built_for_those_in_a_header() -> None:
    assert rows.wants_look(looked(UNUSED), FILES)
    assert not rows.wants_base(looked(UNUSED), FILES, ())
    assert not rows.wants_look(looked("mm/slub.c:1:1: warning: not ours\n"), FILES)
    header = "include/linux/oom.h"
    warned = looked(UNUSED.replace("mm/memory.c", header))
    assert rows.wants_base(warned, (*FILES, header), ())


def test_a_row_that_cannot_be_configured_is_untested_and_keeps_its_status() -> None:
    error = KconfigDropped("mainline has no such symbol\n  CONFIG_NOSUCH: nothing defines it")
    finding = rows.judge_error(target(), "build", "arm64-noswap", error)
    assert finding.state == "untested"
    assert finding.says.endswith("no such symbol; CONFIG_NOSUCH: nothing defines it")
    ended = checking.verdict_error(check_result(finding), (error,))
    assert ended is error
    assert ended.exit_code == 22


@pytest.mark.parametrize(
    ("said", "state"),
    [
        ("mm/a.c:3: WARNING:LONG_LINE: line over 100 characters\n", "fail"),
        ("mm/a.c:3: CHECK:SPACING: No space is necessary\n", "pass"),
    ],
)
def test_checkpatch_fails_a_patch_by_errors_and_warnings_only(said: str, state: str) -> None:
    log = f"{said}total: 0 errors, 1 warnings, 0 checks, 9 lines checked\n"
    assert rows.judge_style(target(), PATCH, log, 1).state == state
    assert rows.judge_style(target(), PATCH, "", 0).state == "pass"  # all it says of a clean one


def test_a_checkpatch_without_its_totals_is_no_pass() -> None:
    assert rows.judge_style(target(), PATCH, "Can't open perl script\n", 2).state == "untested"


def test_the_robot_s_mail_has_config_compiler_symbol_user_and_commands() -> None:
    found = (*judge(Built(GOOD), None, "none"), *judge(Built(BROKEN), Built(GOOD)))
    text = formats.find_for_findings("robot")("20260101T000000-check-v0", check_result(*found))
    for part in (
        "1 regression of series v0",
        "config: ARCH=sparc64 allnoconfig SWAP=n",
        "sparc64-linux-gnu-gcc 14.2.0",
        "in function `unmap_page_range'",
        "    make ARCH=sparc64 vmlinux",
        "    ./bootstrap check --series v0",
    ):
        assert part in text, part
    ours = [line for line in text.splitlines() if not line.startswith("    ")]
    assert max(map(len, ours)) <= 72


def test_the_robot_reports_once_what_is_the_same_with_one_patch_and_with_all() -> None:
    ours = [judge(Built(BROKEN), Built(GOOD), series) for series in ("v0@1", "v0")]
    found = (*judge(Built(GOOD), None, "none"), *ours[0], *ours[1])
    text = formats.find_for_findings("robot")("run", check_result(*found))
    assert "v0@1, v0 on mainline 7.3.4: sparc64-noswap: build" in text
    assert text.count("reproduce:") == 1


def test_what_a_tool_prints_is_never_taken_for_a_command_to_run() -> None:
    # Before 640d32d3957a: a patch's #warning could add a command to the robot's mail.
    """A finding was one text, and a patch's own #warning could add a line that starts with `$ `."""
    forged = replace(judge(Built(BROKEN), None)[0], evidence="$ rm -rf linux")
    text = formats.find_for_findings("robot")("run", check_result(forged))
    reproduce = text.partition("reproduce:\n")[2]
    assert "    $ rm -rf linux\n" in text
    assert "rm -rf" not in reproduce


def test_the_robot_names_what_was_not_tested_and_what_fails_unpatched_as_well() -> None:
    own = (*judge(Built(BROKEN), None, "none"), *judge(Built(BROKEN), Built(BROKEN)))
    text = formats.find_for_findings("robot")(
        "run", check_result(*own, *messages(looked(UNUSED), None).values())
    )
    assert "found 0 regressions" in text
    assert "Fails unpatched as well:\n  mainline none" in text
    assert "Not tested:\n  mainline v0, sparc64-noswap: W=1" in text


def test_the_robot_s_mail_is_about_the_judged_series_and_not_the_older_revision() -> None:
    # Before 26201f18983b: the longest name was taken for the judged series.
    """The longest name was taken for the judged series, and its failure for a regression."""
    older = "v0~0123456789ab"
    found = (*judge(Built(BROKEN), None, older), *judge(Built(GOOD), Built(BROKEN)))
    text = formats.find_for_findings("robot")("run", check_result(*found, against=older))
    assert "0 regressions of series v0, run run" in text
    assert f"Fails with {older} as well:\n  mainline {older}" in text


def test_no_escape_that_a_tool_prints_reaches_the_robot_s_mail() -> None:
    forged = replace(judge(Built(BROKEN), None)[0], evidence="error: \x1b]0;title\x07")
    text = formats.find_for_findings("robot")("run", check_result(forged))
    assert "    error: ?]0;title?\n" in text
