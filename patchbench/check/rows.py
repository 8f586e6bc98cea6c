# SPDX-License-Identifier: GPL-2.0-only
"""What a row's builds and a patch's style come to, as Findings. Pure.

Only what the series adds counts: what the compilers print for the unpatched kernel is its own.
"""

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

from patchbench.check.matrix import Config
from patchbench.check.rowbuild import CHECK_FLAG, Compiled
from patchbench.findings import Finding, FindingKind, Target
from patchbench.model import Patch, Toolchain
from patchbench.stages import buildlog

#: Which tools' messages are judged together, and under what name, where W=1 and sparse ran.
_STRICT: Mapping[FindingKind, tuple[str, ...]] = {
    "W=1": ("compiler", "kernel-doc"),
    "sparse": ("sparse",),
}
_STYLE = re.compile(r"(?P<where>\S*): (?P<level>ERROR|WARNING|CHECK):(?P<type>\w+): (?P<text>.+)")
_SHOWN = 20  # lines of a kind
_ASKED = 12  # symbols of a row, the last ones: the row's own


@dataclass(frozen=True, slots=True)
class Built:
    """What became of one row with one series; None for what was not needed or had no file.

    compiled: as far as vmlinux. inspected: with W=1 and sparse. looked: the sources alone, for
    their warnings.
    """

    compiled: Compiled | None = None
    inspected: Compiled | None = None
    looked: Compiled | None = None


def undefined(built: Built) -> frozenset[str]:
    """Return the symbols that a build left undefined."""
    log = built.compiled.log if built.compiled else ""
    return frozenset(one.symbol for one in buildlog.undefined(log))


def undefined_in_part(compiled: Compiled) -> frozenset[str]:
    """Return the symbols that the link of a part left undefined, most of them elsewhere."""
    return frozenset(one.symbol for one in buildlog.undefined(compiled.linked))


def with_missing(compiled: Compiled, missing: Collection[str]) -> Compiled:
    """Return a part's build with its link judged: these symbols are in no other part either."""
    lines = buildlog.link_errors(compiled.linked, missing)
    log = "\n".join((compiled.log, *lines))
    return replace(compiled, good=compiled.good and not lines, log=log, linked="")


def wants_base(built: Built, files: Sequence[str], added: Collection[str]) -> bool:
    """Return whether a build can only be judged beside a whole build of the base.

    added: names that no source of the base has; to leave one undefined is the series' own fault.
    """
    good = built.compiled is not None and built.compiled.good
    if not good and not undefined(built) & {*added}:
        return True
    # Warnings in a header are printed for whichever file includes it.
    return any(message.file.endswith(".h") for message in _messages(built, files))


def wants_look(built: Built, files: Sequence[str]) -> bool:
    """Return whether a build printed anything about the files that has to be compared."""
    return bool(_messages(built, files))


def _messages(built: Built, files: Sequence[str]) -> list[buildlog.Message]:
    logs = [compiled.log for compiled in (built.compiled, built.inspected) if compiled]
    return [message for log in logs for message in buildlog.messages(log, files)]


@dataclass(frozen=True, slots=True)
class RowTarget:
    """One row with one series, which was built."""

    target: Target
    config: Config
    toolchain: Toolchain

    def untested(
        self, kind: FindingKind, inspected: Sequence[str] = (), afterwards: Sequence[str] = ()
    ) -> Finding:
        """Return a finding that is still open, with configuration, compiler and commands.

        inspected: sources that W=1 and sparse read. afterwards: commands to run after make.
        """
        config, tools = self.config, self.toolchain
        asked = " ".join(f"{name}={value}" for name, value in [*config.asked.items()][-_ASKED:])
        *by_hand, make = config.by_hand
        if inspected:
            objects = " ".join(name.removesuffix(".c") + ".o" for name in inspected)
            make = f"{make.partition(' vmlinux')[0]} W=1 C=2 CF={CHECK_FLAG} {objects}"
        return replace(
            self.target.untested(kind, config.name),
            context=(
                f"config: ARCH={config.compiler.arch} allnoconfig {asked}",
                f"compiler: {config.compiler.prefix}gcc {tools.gcc}, GNU ld {tools.binutils}",
            ),
            commands=(*by_hand, make, *afterwards, self.target.command),
        )


def judge_build(row: RowTarget, built: Built, base: Built | None) -> tuple[Finding, ...]:
    """Return whether the row builds; where the base does not either, also what errors are new.

    base: the same row with the series that this one is compared with; None if not needed.
    """
    if built.compiled is None:
        return ()
    log = built.compiled.log
    empty = row.untested("build", afterwards=buildlog.afterwards(log))
    if built.compiled.good:
        return (replace(empty, state="pass", says="it builds"),)
    found = buildlog.errors(log)
    several = found if len(found) > 1 else ()  # `says` has all of a single one
    shown = "\n".join([*several[:_SHOWN], *buildlog.evidence(log)[:_SHOWN]])
    broken = replace(empty, state="fail", says=_first(found, "does not build"), evidence=shown)
    if base is None or base.compiled is None or base.compiled.good:
        return (broken,)
    errors = replace(broken, kind="errors")
    if new := buildlog.new_errors(log, base.compiled.log):
        return (broken, replace(errors, says=_first(new, "")))
    return (broken, replace(errors, state="pass", says="only errors that the base has as well"))


def judge_messages(
    row: RowTarget, built: Built, base: Built | None, files: Sequence[str]
) -> tuple[Finding, ...]:
    """Return what the compiler, W=1 and sparse print about the files only with the series."""
    base = base or Built()
    pairs: list[tuple[FindingKind, tuple[str, ...], Compiled, Compiled | None]] = []
    if built.compiled:
        looked = base.looked if base.looked and base.looked.good else None
        before = base.compiled or looked
        pairs.append(("warnings", ("compiler",), built.compiled, before))
    if built.inspected:
        for kind, tools in _STRICT.items():
            if kind == "sparse" and not built.inspected.sources:
                continue  # it reads headers with the files that include them
            pairs.append((kind, tools, built.inspected, base.inspected))
    return tuple(
        _judge_messages(row, kind, ours, theirs, _Counted(files, tools))
        for kind, tools, ours, theirs in pairs
    )


@dataclass(frozen=True, slots=True)
class _Counted:
    """Which messages count: those of some tools on some files."""

    files: Sequence[str]
    tools: Sequence[str]

    def __call__(self, compiled: Compiled | None) -> tuple[buildlog.Message, ...]:
        every = buildlog.messages(compiled.log, self.files) if compiled else ()
        return tuple(message for message in every if message.tool in self.tools)


def _judge_messages(
    row: RowTarget,
    kind: FindingKind,
    built: Compiled,
    base: Compiled | None,
    counted: _Counted,
) -> Finding:
    ours = counted(built)
    new = buildlog.new(ours, counted(base))
    documented = built.headers if kind == "W=1" else ()
    kernel_doc = (f"scripts/kernel-doc -none {' '.join(documented)}",) if documented else ()
    empty = row.untested(kind, built.sources if kind in _STRICT else (), kernel_doc)
    finding = replace(empty, evidence="\n".join(map(str, new[:_SHOWN])))
    if kind in _STRICT and not built.good:
        return replace(
            finding, says="make or kernel-doc stopped before it had read all of the files"
        )
    if kind == "sparse" and (unseen := [one for one in built.sources if one not in built.checked]):
        return replace(finding, says=_unseen(built.log, unseen))
    if ours and (base is None or not _covers(kind, base)):
        return replace(finding, says=f"{len(ours)} messages, and no base to compare with")
    if new:
        return replace(finding, state="fail", says=_first([str(one) for one in new], ""))
    known = f", {len(ours)} messages that the base has as well" if ours else ""
    count = len(built.sources) + len(documented)
    return replace(finding, state="pass", says=f"nothing new in {count} files{known}")


def _covers(kind: FindingKind, base: Compiled) -> bool:
    """Return whether silence about the base means anything: what no tool read is silent as well."""
    looked = kind != "sparse" or {*base.sources} <= {*base.checked}
    return looked and (base.good or kind not in _STRICT)


def _unseen(log: str, sources: Sequence[str]) -> str:
    if buildlog.refuses_sparse(log):
        return "this kernel requires a newer sparse than the toolchain has"
    return f"sparse did not run on {', '.join(sources)}"


def judge_error(target: Target, kind: FindingKind, subject: str, error: Exception) -> Finding:
    """Return that something could not even be started: untested, and why.

    The second line of an error has the name that the first one is about.
    """
    says = "; ".join(line.strip() for line in str(error).splitlines()[:2])
    empty = target.untested(kind, subject)
    return replace(empty, says=says, evidence=str(error))


def judge_style(target: Target, patch: Patch, log: str, status: int | None) -> Finding:
    """Return what checkpatch finds in a patch: errors and warnings fail it, checks are counted.

    log: of `checkpatch.pl --strict --terse --show-types`; its last line has the totals, but it
    prints nothing for a clean patch.
    """
    finding = target.untested("checkpatch", patch.path.name)
    matches = [match for line in log.splitlines() if (match := _STYLE.fullmatch(line.strip()))]
    shown = "\n".join(match[0] for match in matches)
    if status != 0 and not re.search(r"^total: \d+ errors", log, re.MULTILINE):
        return replace(finding, says=f"checkpatch failed, status {status}", evidence=log)
    grave = [match for match in matches if match["level"] != "CHECK"]
    checks = len(matches) - len(grave)
    also = f", and {checks} checks" if checks else ""
    if not grave:
        says = f"no error and no warning{also}"
        return replace(finding, state="pass", says=says, evidence=shown)
    says = f"{len(grave)} errors and warnings{also}: {grave[0]['type']}: {grave[0]['text']}"
    return replace(finding, state="fail", says=says, evidence=shown)


def _first(found: Sequence[str], otherwise: str) -> str:
    if not found:
        return otherwise
    more = f" (and {len(found) - 1} more)" if len(found) > 1 else ""
    return f"{found[0]}{more}"
