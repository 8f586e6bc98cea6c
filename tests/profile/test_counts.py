# SPDX-License-Identifier: GPL-2.0-only
"""A recorded profile (data/profile/exit-storm.raw, cut short) and made-up ones, by function."""

from dataclasses import replace
from pathlib import Path

import pytest

from patchbench.binaries.addresses import Symbol, Symbols
from patchbench.errors import BadInput, ToolFailed
from patchbench.profile import counts
from patchbench.profile.counts import OnCpu, Raw, RawStack, Run

DATA = Path(__file__).parents[1] / "data/profile"
RECORDED = (DATA / "exit-storm.raw").read_text()
MOVED = 0x435BB7C00000
TEXT = 0xFFFF800080000000
CODE_BYTES = 0x800000


def recorded_kernel() -> Symbols:
    """Return the recorded kernel's symbols, with the words that ran as all its code."""
    code = bytearray(CODE_BYTES)
    for run in counts.parse(RECORDED, "storm").runs:
        at = run.address - MOVED - TEXT
        if 0 <= at < CODE_BYTES:
            code[at : at + 4] = run.word.to_bytes(4, "little")
    lines = (DATA / "symbols.txt").read_text().splitlines()
    symbols = tuple(
        Symbol(int(address, 16), int(size), name, True)
        for address, size, name in (line.split() for line in lines)
    )
    return Symbols(symbols, {TEXT: bytes(code)})


def small_kernel() -> Symbols:
    """Return a kernel of three functions of 64 bytes: `outer` calls `middle` calls `leaf`."""
    names = ("vectors", "outer", "middle", "leaf")
    symbols = tuple(Symbol(TEXT + 64 * n, 64, name, True) for n, name in enumerate(names))
    return Symbols(symbols, {TEXT: bytes(64 * len(names))})


def at(function: str, instruction: int) -> int:
    """Return where an instruction of a function of small_kernel() runs."""
    return small_kernel().names[function] + 4 * instruction + MOVED


def stack_of(*frames: int) -> tuple[str, ...]:
    stack = RawStack(0, 1, 0, frames)
    raw = Raw(TEXT + MOVED, 1, (Run(at("leaf", 0), 1, 0, (1,)),), (stack,))
    (named,) = counts.profile(raw, small_kernel(), series="none", pages=None).stacks
    return named


def test_the_place_of_a_recorded_kernel_is_found() -> None:
    assert counts.place(counts.parse(RECORDED, "storm"), recorded_kernel()) == MOVED


def test_vectors_that_a_mitigation_put_in_place_are_known_too() -> None:
    raw = counts.parse(RECORDED, "storm")
    second = recorded_kernel().names["__bp_harden_el1_vectors"] + 2048 + MOVED
    assert counts.place(replace(raw, vbar=second), recorded_kernel()) == MOVED


@pytest.mark.parametrize("wrong", [0x10000, -0x800, 1 << 63])
def test_a_place_whose_code_is_another_is_refused(wrong: int) -> None:
    raw = counts.parse(RECORDED, "storm")
    with pytest.raises(ToolFailed, match="cannot tell where the kernel was"):
        counts.place(replace(raw, vbar=raw.vbar + wrong), recorded_kernel())


def test_another_kernel_than_the_one_that_ran_is_refused() -> None:
    other = Symbols(recorded_kernel().symbols, {TEXT: bytes(CODE_BYTES)})
    with pytest.raises(ToolFailed, match="0% of the code"):
        counts.place(counts.parse(RECORDED, "storm"), other)


def test_every_recorded_instruction_is_counted_once() -> None:
    raw = counts.parse(RECORDED, "storm")
    profile = counts.profile(raw, recorded_kernel(), series="none", pages=1)
    assert sum(profile.instructions.values()) == sum(
        sum(run.counts) * run.instructions for run in raw.runs
    )
    assert profile.instructions["zs_free"] > 900_000
    assert profile.instructions[counts.USER] > 0
    assert counts.UNNAMED not in profile.instructions


def test_recorded_stacks_reach_from_entry_to_zram_without_a_gap() -> None:
    raw = counts.parse(RECORDED, "storm")
    profile = counts.profile(raw, recorded_kernel(), series="none", pages=1)
    assert sum(profile.stacks.values()) == sum(stack.samples for stack in raw.stacks)
    for stack in profile.stacks:
        assert stack[0] == "el0t_64_sync"
        if "slot_free" in stack:
            assert stack[stack.index("slot_free") - 1] == "zram_slot_free_notify"
        if "zs_free" in stack:
            assert stack[stack.index("zs_free") - 1] == "slot_free"


def test_straight_line_code_across_two_functions_is_split_between_them() -> None:
    raw = Raw(TEXT + MOVED, 1, (Run(at("middle", 14), 5, 0, (10,)),), ())
    profile = counts.profile(raw, small_kernel(), series="none", pages=None)
    assert profile.instructions == {"middle": 20, "leaf": 30}


def test_a_call_is_counted_where_the_first_instruction_runs() -> None:
    runs = (
        Run(at("middle", 0), 3, 0, (7,)),
        Run(at("middle", 3), 2, 0, (9,)),
        Run(at("leaf", 0), 1, 0, (2,)),
    )
    profiled = counts.profile(
        Raw(TEXT + MOVED, 1, runs, ()), small_kernel(), series="none", pages=None
    )
    assert profiled.calls == {"middle": 7, "leaf": 2}


def test_instructions_and_waits_are_told_by_cpu() -> None:
    runs = (Run(at("leaf", 0), 4, 0, (5, 2)),)
    waiting = RawStack(1, 3, 7_000, (at("leaf", 5), at("leaf", 5), at("outer", 3)))
    raw = Raw(TEXT + MOVED, 2, runs, (waiting,))
    profiled = counts.profile(raw, small_kernel(), series="none", pages=None)
    assert profiled.instructions == {"leaf": 28}
    assert profiled.cpus == (
        OnCpu({"leaf": 20}, {}, {}),
        OnCpu({"leaf": 8}, {("outer", "leaf"): 3}, {("outer", "leaf"): 7.0}),
    )


@pytest.mark.parametrize("damaged", ["stack 1 1 0 400000", "run 400000 1 0 1 1"])
def test_a_line_about_a_cpu_that_is_not_there_is_damaged(damaged: str) -> None:
    with pytest.raises(ToolFailed, match="damaged"):
        counts.parse(RECORDED.replace("end ok", f"{damaged}\nend ok"), "storm")


def test_a_function_s_file_is_where_its_code_is() -> None:
    files = ((TEXT, "entry.o"), (TEXT + 128, "swapfile.c"))
    kernel = replace(small_kernel(), files=files)
    raw = Raw(
        TEXT + MOVED, 1, (Run(at("outer", 0), 1, 0, (1,)), Run(at("leaf", 1), 1, 0, (1,))), ()
    )
    profiled = counts.profile(raw, kernel, series="none", pages=None)
    assert profiled.files == {"outer": "entry.o", "leaf": "swapfile.c"}


def test_a_leaf_without_a_frame_has_its_caller_from_the_link_register() -> None:
    assert stack_of(at("leaf", 1), at("middle", 3), at("outer", 3)) == ("outer", "middle", "leaf")


def test_a_function_that_has_called_needs_no_link_register() -> None:
    inside = at("middle", 5)
    assert stack_of(at("middle", 5), inside, at("outer", 3)) == ("outer", "middle")


def test_a_frame_that_repeats_the_link_register_is_counted_once() -> None:
    caller = at("outer", 3)
    assert stack_of(at("middle", 4), caller, caller) == ("outer", "middle")


def test_a_signed_return_address_is_read_without_its_signature() -> None:
    signed = at("outer", 3) & ~(0x7FFF << 48) | 0x2B << 48
    assert stack_of(at("middle", 5), at("middle", 5), signed) == ("outer", "middle")


def test_a_call_as_a_function_s_last_instruction_is_not_the_next_function_s() -> None:
    after = at("leaf", 0)  # returns to where `middle` has ended
    assert stack_of(at("outer", 1), at("outer", 1), after) == ("middle", "outer")


def test_user_space_is_one_place() -> None:
    assert stack_of(0x400123) == (counts.USER,)


def test_a_workload_without_marks_is_bad_input_that_names_the_remedy() -> None:
    text = f"{counts.FORMAT}\nevery 2000\nmarks 0\nvbar ffffffffffffffff\nend ok\n"
    with pytest.raises(BadInput, match=r"storm has no marks(.|\n)*profile_begin") as caught:
        counts.parse(text, "storm")
    assert caught.value.exit_code == 20


@pytest.mark.parametrize(
    "text",
    [
        "",
        "patchbench-profile 1\nend ok\n",
        RECORDED.replace("marks 2", "marks 1"),
        RECORDED.removesuffix("end ok\n"),
    ],
)
def test_a_profile_that_is_not_whole_is_no_profile(text: str) -> None:
    with pytest.raises(ToolFailed) as caught:
        counts.parse(text, "storm")
    assert caught.value.exit_code == 30
