# SPDX-License-Identifier: GPL-2.0-only
"""What a profiled boot left and its kernel's symbols in, a Profile out. Pure.

The plugin's counts are exact, the stacks are samples; see qemu/plugins/profile for the
file. The kernel moves itself to a place that the seed decides: where to is worked out from
VBAR_EL1, which points to the exception vectors, and believed only if the code found there
is this kernel's.
"""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from patchbench.binaries.addresses import Symbols, base
from patchbench.errors import NoMarks, ToolFailed

FORMAT = "patchbench-profile 2"
USER = "[user space]"
#: Code of the kernel that lies in no symbol: the trampolines between it and user space.
UNNAMED = "[kernel, unnamed]"
_END = "end ok"
_NUMBER = re.compile(r"[0-9a-f]{1,20}", re.ASCII)
#: What the plugin has room for, and the longest translation block of QEMU (TCG_MAX_INSNS).
_MOST_ROWS, _MOST_FRAMES, _MOST_INSTRUCTIONS, _MOST_VCPUS = 1 << 19, 64, 512, 8
_KERNEL = 1 << 63
_WORD_BYTES = 4
_SPLIT_OFF = re.compile(r"\.(part|cold)\b")  # entered in the course of a call
#: What a return address may carry in its upper bits: a pointer authentication code.
_SIGNED = 0xFFFF << 48
#: The vectors, and those that Spectre-BHB's mitigations put in their place, 2 KiB each.
_VECTORS = (("vectors", 1), ("__bp_harden_el1_vectors", 4))
_VECTORS_BYTES = 2048
#: The kernel patches itself as it boots, but not one word in ten.
_MATCHING_AT_LEAST = 0.9


@dataclass(frozen=True, slots=True)
class OnCpu:
    """What one CPU did in a profiled boot, as the Profile has it of all.

    waited_ns: how long it waited with WFE or YIELD, which every spinning lock executes, by stack;
    exact, and of no instruction. Zero where CPUs share one clock.
    """

    instructions: Mapping[str, int]
    stacks: Mapping[tuple[str, ...], int]
    waited_ns: Mapping[tuple[str, ...], float]


@dataclass(frozen=True, slots=True)
class Profile:
    """What one boot did between its workload's marks, by function.

    `instructions` are exact and a function's own, `calls` are exact; `stacks` are samples,
    outermost function first. `functions` are all that the kernel has: one that is not among them
    is missing (inlined, renamed, not there yet), which is not the same as not called. `files` are
    those of the functions that ran, without their folders. `cpus`: the same by CPU. `whole`: the
    workload has no marks, and it is what ran since user space began.
    """

    series: str
    pages: int | None  # in swap when the storm began
    unfreed_pages: int  # and still there at its end
    moved_bytes: int  # by KASLR
    instructions: Mapping[str, int]
    stacks: Mapping[tuple[str, ...], int]
    functions: frozenset[str]
    calls: Mapping[str, int] = field(default_factory=dict)
    files: Mapping[str, str] = field(default_factory=dict)
    cpus: tuple[OnCpu, ...] = ()
    whole: bool = False

    @property
    def freed_pages(self) -> int | None:
        """Return how many pages the storm freed, or None if nobody counted them."""
        return None if self.pages is None else self.pages - self.unfreed_pages


@dataclass(frozen=True, slots=True)
class Run:
    """Straight-line code, and how often each vCPU began it; `word` is its first instruction."""

    address: int
    instructions: int
    word: int
    counts: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class RawStack:
    """A stack of one vCPU: the place, x30 and the return addresses; how long it waited there."""

    vcpu: int
    samples: int
    waited_ps: int
    frames: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Raw:
    """The plugin's file."""

    vbar: int
    vcpus: int
    runs: tuple[Run, ...]
    stacks: tuple[RawStack, ...]


def parse(text: str, workload: str) -> Raw:
    """Return what the plugin wrote.

    Raises NoMarks if the workload never reached its marks, ToolFailed if the file is not whole,
    damaged, or of another version.
    """
    lines = text.splitlines()
    if lines[:1] != [FORMAT]:
        raise ToolFailed(f"the profile does not begin with {FORMAT!r}; does its plugin fit?")
    fields: dict[str, str] = {}
    vbar: int | None = None
    runs: list[Run] = []
    stacks: list[RawStack] = []
    vcpus = 0
    for number, line in enumerate(lines[1:], start=2):
        try:
            match line.split():
                case ["run", *numbers] if len(runs) < _MOST_ROWS:
                    runs.append(_run(vcpus, *numbers))
                case ["stack", *numbers] if len(stacks) < _MOST_ROWS:
                    stacks.append(_stack(vcpus, *numbers))
                case ["vcpus", value]:
                    vcpus = _vcpus(value)
                case ["vbar", value]:
                    vbar = _number(value, 16)
                case [name, value] if name not in ("run", "stack"):
                    fields[name] = value
                case _:
                    raise ValueError("the plugin writes no such line")
        except (ValueError, TypeError) as err:
            raise ToolFailed(f"line {number} of the profile is damaged: {line[:80]!r}") from err
    _check_marks(fields.get("marks", ""), workload)
    if lines[-1] != _END or vbar is None:
        raise ToolFailed("the profile is incomplete: the plugin ran out of room, or was killed")
    return Raw(vbar, vcpus, tuple(runs), tuple(stacks))


def _check_marks(passed: str, workload: str) -> None:
    if passed == "0":
        raise NoMarks(
            f"workload {workload} has no marks, so there is nothing to profile\n"
            "  call profile_begin() and profile_end() of workloads/harness.h around what is timed"
        )
    if passed != "2":
        raise ToolFailed("the workload never reached its second mark")


def _vcpus(value: str) -> int:
    if not 1 <= (vcpus := _number(value)) <= _MOST_VCPUS:
        raise ValueError("none, or more than the plugin counts")
    return vcpus


def _run(vcpus: int, address: str, instructions: str, word: str, *counts: str) -> Run:
    each = tuple(map(_number, counts))
    run = Run(_number(address, 16), _number(instructions), _number(word, 16), each)
    if run.instructions > _MOST_INSTRUCTIONS:
        raise ValueError("no translation block is as long")
    if len(each) != vcpus:
        raise ValueError("a count for each vCPU")
    return run


def _stack(vcpus: int, vcpu: str, samples: str, waited: str, where: str, *back: str) -> RawStack:
    frames = (_number(where, 16), *(_number(one, 16) for one in back))
    if len(frames) > 2 + _MOST_FRAMES or (frames[0] & _KERNEL and not back):
        raise ValueError("too few frames, or too many")
    if _number(vcpu) >= vcpus:
        raise ValueError("there is no such vCPU")
    return RawStack(_number(vcpu), _number(samples), _number(waited), frames)


def _number(text: str, radix: int = 10) -> int:
    if not _NUMBER.fullmatch(text):
        raise ValueError("not a number of 64 bits")
    return int(text, radix)


def place(raw: Raw, symbols: Symbols) -> int:
    """Return how far the kernel was moved, in bytes; ToolFailed unless its code is there."""
    shares = {offset: _matching(raw, symbols, offset) for offset in _candidates(raw, symbols)}
    best = max(shares, key=lambda offset: shares[offset], default=0)
    if shares.get(best, 0.0) < _MATCHING_AT_LEAST:
        raise ToolFailed(
            f"cannot tell where the kernel was in memory: VBAR_EL1 is {raw.vbar:#x}, and there "
            f"{shares.get(best, 0.0):.0%} of the code that ran is what vmlinux has"
        )
    return best


def profile(
    raw: Raw, symbols: Symbols, *, series: str, pages: int | None, unfreed_pages: int = 0
) -> Profile:
    """Return the counts, samples and waits by function and CPU; ToolFailed as in `place`.

    What the compiler split off a function (`.part.0`, `.cold` ...) counts as the function. It is
    called as often as its first instruction runs.
    """
    offset = place(raw, symbols)
    own: list[Counter[str]] = [Counter() for _ in range(raw.vcpus)]
    calls: Counter[str] = Counter()
    files: dict[str, str] = {}
    for run in raw.runs:
        if not run.address & _KERNEL:
            _add(own, USER, run.counts, run.instructions)
            continue
        for number in range(run.instructions):
            at = run.address - offset + number * _WORD_BYTES
            name = base(symbols.function(at) or UNNAMED)
            _add(own, name, run.counts)
            files.setdefault(name, symbols.file(at))
            if (entered := symbols.entry(at)) and not _SPLIT_OFF.search(entered):
                calls[name] += sum(run.counts)
    stacks: list[Counter[tuple[str, ...]]] = [Counter() for _ in range(raw.vcpus)]
    waited_ps: list[Counter[tuple[str, ...]]] = [Counter() for _ in range(raw.vcpus)]
    for one in raw.stacks:
        named = _named(one.frames, symbols, offset)
        stacks[one.vcpu][named] += one.samples
        waited_ps[one.vcpu][named] += one.waited_ps
    files.pop(UNNAMED, None)
    return Profile(
        series=series,
        pages=pages,
        unfreed_pages=unfreed_pages,
        moved_bytes=offset,
        instructions=dict(sum(own, Counter())),
        stacks=dict(sum(stacks, Counter())),
        functions=symbols.bases,
        calls=dict(calls),
        files=files,
        cpus=tuple(
            OnCpu(dict(+counts), dict(+sampled), {name: ps / 1000 for name, ps in (+waits).items()})
            for counts, sampled, waits in zip(own, stacks, waited_ps, strict=True)
        ),
    )


def _add(own: list[Counter[str]], name: str, counts: Sequence[int], times: int = 1) -> None:
    for counted, count in zip(own, counts, strict=True):
        if count:
            counted[name] += count * times


def _candidates(raw: Raw, symbols: Symbols) -> set[int]:
    return {
        raw.vbar - symbols.names[name] - number * _VECTORS_BYTES
        for name, many in _VECTORS
        for number in range(many)
        if name in symbols.names
    }


def _matching(raw: Raw, symbols: Symbols, offset: int) -> float:
    """Return the share of the kernel's runs whose first instruction is vmlinux's."""
    kernel = [run for run in raw.runs if run.address & _KERNEL]
    same = sum(symbols.word(run.address - offset) == run.word for run in kernel)
    return same / len(kernel) if kernel else 0.0


def _named(frames: Sequence[int], symbols: Symbols, offset: int) -> tuple[str, ...]:
    """Return a stack's functions, outermost first.

    A function that has not made its frame, or never does, is missing from the chain of
    frames, and its caller with it: x29 is still the caller's, whose record has the
    caller's caller. The caller is then in x30. It is not needed where x30 lies in the function
    itself, which has called by then, or repeats what the innermost record says.
    """
    where, *rest = frames
    if not where & _KERNEL:
        return (USER,)
    innermost = symbols.function(where - offset)
    link, *returns = [(frame | _SIGNED) - offset - _WORD_BYTES for frame in rest]
    callers = [symbols.function(address) for address in returns]
    caller = symbols.function(link)
    if caller and caller != innermost and returns[:1] != [link]:
        callers.insert(0, caller)
    names: list[str] = []
    for raw_name in [*reversed(callers), innermost]:
        name = base(raw_name or UNNAMED)
        # A function and what was split off it are one; so is a function that calls itself.
        if names[-1:] != [name]:
            names.append(name)
    return tuple(names)
