# SPDX-License-Identifier: GPL-2.0-only
"""What a row's builds and a patch's style come to, as Findings. Pure.

Only what the series brings counts: what the kernel says without it as well is the kernel's own.
"""

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

from patchbench.check import buildlog
from patchbench.check.matrix import Config
from patchbench.check.rowbuild import CHECK_FLAG, Compiled
from patchbench.findings import Finding, FindingKind, Target
from patchbench.model import Patch, Toolchain

#: Which tools' messages are judged together, and under what name, where W=1 and sparse looked.
_STRICT: Mapping[FindingKind, tuple[str, ...]] = {
    "W=1": ("compiler", "kernel-doc"),
    "sparse": ("sparse",),
}
_STYLE = re.compile(r"(?P<place>\S*): (?P<level>ERROR|WARNING|CHECK):(?P<type>\w+): (?P<text>.+)")
_SHOWN = 20


@dataclass(frozen=True, slots=True)
class Built:
    """What became of one row on one arm; None for what was not needed or had no file.

    compiled: as far as vmlinux. looked: the files with a message alone, to compare with.
    """

    compiled: Compiled | None = None
    inspected: Compiled | None = None
    looked: Compiled | None = None


def undefined(built: Built) -> frozenset[str]:
    """Return the symbols that an arm's build missed."""
    log = built.compiled.log if built.compiled else ""
    return frozenset(one.symbol for one in buildlog.undefined(log))


def wants_base(built: Built, files: Sequence[str], brought: Collection[str]) -> bool:
    """Return whether an arm can only be judged beside a whole build without the series.

    brought: names that no source has without the series; a build that misses one is its fault.
    """
    good = built.compiled is not None and built.compiled.good
    if not good and not undefined(built) & {*brought}:
        return True
    # A header's are told by whoever includes it.
    return any(message.file.endswith(".h") for message in _messages(built, files))


def wants_look(built: Built, files: Sequence[str]) -> bool:
    """Return whether an arm says anything of the files that has to be compared."""
    return bool(_messages(built, files))


def _messages(built: Built, files: Sequence[str]) -> list[buildlog.Message]:
    logs = [told.log for told in (built.compiled, built.inspected) if told]
    return [message for log in logs for message in buildlog.messages(log, files)]


def judge_build(
    target: Target, config: Config, toolchain: Toolchain, built: Built, base: Built | None
) -> tuple[Finding, ...]:
    """Return whether the row builds; where the kernel does not either, what is new as well.

    base: the same row without the series; None where it was not needed.
    """
    if built.compiled is None:
        return ()
    empty = target.untested("build", config.name)
    log = built.compiled.log
    context = _context(target, config, toolchain, afterwards=buildlog.afterwards(log))
    if built.compiled.good:
        return (replace(empty, state="pass", says="it builds", evidence=context("")),)
    found = buildlog.errors(log)
    several = found if len(found) > 1 else ()  # one is told in full by `says`
    shown = "\n".join([*several[:_SHOWN], *buildlog.evidence(log)[:_SHOWN]])
    broken = replace(
        empty, state="fail", says=_first(found, "does not build"), evidence=context(shown)
    )
    if base is None or base.compiled is None or base.compiled.good:
        return (broken,)
    own = {_unplaced(error) for error in buildlog.errors(base.compiled.log)}
    fresh = [error for error in found if _unplaced(error) not in own]
    if not fresh:
        says = "no error that the kernel does not have without the series"
        return (broken, replace(broken, kind="errors", state="pass", says=says))
    return (broken, replace(broken, kind="errors", says=_first(fresh, "does not build")))


def judge_messages(
    target: Target,
    config: Config,
    toolchain: Toolchain,
    built: Built,
    base: Built | None,
    files: Sequence[str],
) -> tuple[Finding, ...]:
    """Return what the compiler, W=1 and sparse say of the files only with the series."""
    base = base or Built()
    told: list[tuple[FindingKind, tuple[str, ...], Compiled, Compiled | None]] = []
    if built.compiled:
        looked = base.looked if base.looked and base.looked.good else None
        beside = base.compiled or looked
        told.append(("warnings", ("compiler",), built.compiled, beside))
    if built.inspected:
        for kind, tools in _STRICT.items():
            told.append((kind, tools, built.inspected, base.inspected))
    return tuple(
        _judge_messages(target, config, toolchain, kind, ours, theirs, _Heard(files, tools))
        for kind, tools, ours, theirs in told
    )


@dataclass(frozen=True, slots=True)
class _Heard:
    """Which messages count: those of some tools on some files."""

    files: Sequence[str]
    tools: Sequence[str]

    def __call__(self, told: Compiled | None) -> tuple[buildlog.Message, ...]:
        every = buildlog.messages(told.log, self.files) if told else ()
        return tuple(message for message in every if message.tool in self.tools)


def _judge_messages(
    target: Target,
    config: Config,
    toolchain: Toolchain,
    kind: FindingKind,
    built: Compiled,
    base: Compiled | None,
    heard: _Heard,
) -> Finding:
    ours = heard(built)
    fresh = buildlog.new(ours, heard(base))
    inspected = built.sources if kind in _STRICT else ()
    context = _context(target, config, toolchain, inspected)
    shown = context("\n".join(map(str, fresh[:_SHOWN])))
    finding = replace(target.untested(kind, config.name), evidence=shown)
    if kind in _STRICT and not built.good:
        return replace(finding, says="make ended before it had looked at all of the files")
    if kind == "sparse" and (unseen := [one for one in built.sources if one not in built.checked]):
        return replace(finding, says=_unseen(built.log, unseen))
    if ours and (base is None or not _covers(kind, base)):
        return replace(finding, says=f"{len(ours)} messages, and none to compare with")
    if fresh:
        return replace(finding, state="fail", says=_first([str(one) for one in fresh], "new"))
    own = f", {len(ours)} of the kernel's own" if ours else ""
    return replace(finding, state="pass", says=f"nothing new in {len(built.sources)} files{own}")


def _covers(kind: FindingKind, base: Compiled) -> bool:
    """Return whether a base's silence means anything: what nobody looked at is silent as well."""
    looked = kind != "sparse" or {*base.sources} <= {*base.checked}
    return looked and (base.good or kind not in _STRICT)


def _unseen(log: str, sources: Sequence[str]) -> str:
    # The kernel's own words, when sparse does not understand what its headers are written in.
    if "sparse is not available or not up to date" in log:
        return "this kernel wants a newer sparse than the toolchain has"
    return f"sparse did not look at {', '.join(sources)}"


def judge_error(target: Target, kind: FindingKind, subject: str, error: Exception) -> Finding:
    """Return the finding of what could not even begin: untested, and why.

    An error's second line has the name that the first one is about.
    """
    says = "; ".join(line.strip() for line in str(error).splitlines()[:2])
    empty = target.untested(kind, subject)
    return replace(empty, says=says, evidence=f"{error}\n$ {target.command}")


def judge_style(target: Target, patch: Patch, log: str, status: int | None) -> Finding:
    """Return what checkpatch says of a patch: errors and warnings fail it, checks are shown.

    log: of `checkpatch.pl --strict --terse --show-types`; its last line is the sum,
    but of a clean patch it says nothing.
    """
    told = target.untested("checkpatch", patch.path.name)
    matches = [match for line in log.splitlines() if (match := _STYLE.fullmatch(line.strip()))]
    told = replace(
        told, evidence="\n".join([*(match[0] for match in matches), f"$ {target.command}"])
    )
    if status != 0 and not re.search(r"^total: \d+ errors", log, re.MULTILINE):
        return replace(told, says=f"checkpatch did not end well, status {status}", evidence=log)
    grave = [match for match in matches if match["level"] != "CHECK"]
    checks = len(matches) - len(grave)
    also = f", and {checks} checks" if checks else ""
    if not grave:
        return replace(told, state="pass", says=f"no error and no warning{also}")
    first = f"{grave[0]['type']}: {grave[0]['text']}"
    return replace(told, state="fail", says=f"{len(grave)} errors and warnings{also}: {first}")


@dataclass(frozen=True, slots=True)
class _Context:
    above: str
    below: str

    def __call__(self, shown: str) -> str:
        return "\n".join(part for part in (self.above, shown, self.below) if part)


def _context(
    target: Target,
    config: Config,
    toolchain: Toolchain,
    inspected: Sequence[str] = (),
    afterwards: Sequence[str] = (),
) -> _Context:
    """Return what frames a log's lines: configuration and compiler, and how to see it again."""
    asked = " ".join(f"{symbol}={value}" for symbol, value in [*config.asked.items()][-12:])
    compiler = f"{config.compiler.prefix}gcc {toolchain.gcc}, GNU ld {toolchain.binutils}"
    *by_hand, last = config.by_hand
    if inspected:
        objects = " ".join(name.removesuffix(".c") + ".o" for name in inspected)
        last = last.removesuffix("vmlinux") + f"W=1 C=2 CF={CHECK_FLAG} {objects}"
    commands = (*by_hand, last, *afterwards, target.command)
    return _Context(
        f"config: ARCH={config.compiler.arch} allnoconfig {asked}\ncompiler: {compiler}",
        "\n".join(f"$ {command}" for command in commands),
    )


def _first(found: Sequence[str], otherwise: str) -> str:
    if not found:
        return otherwise
    more = f" (and {len(found) - 1} more)" if len(found) > 1 else ""
    return f"{found[0]}{more}"


def _unplaced(error: str) -> str:
    return re.sub(r":\d+: ", ": ", error)
