# SPDX-License-Identifier: GPL-2.0-only
"""What a check found broken, as a build robot would write it: for a mail to the author.

At most 72 columns, but for what the tools said and for commands. Only what the series broke is
told in full; what fails without it as well, and what was not tested, is named.
"""

import textwrap
from collections.abc import Iterable, Iterator, Sequence

from patchbench.check import hazards
from patchbench.model import Finding

WIDTH = 72
#: How the lines of a finding's evidence begin that are not the tools' own; see rows.py.
_CONTEXT = ("config: ", "compiler: ")


def render_findings(run: str, findings: Sequence[Finding]) -> str:
    """Return the mail's text: what was built and found, each thing that broke, what is open."""
    worse = hazards.regressions(findings)
    series = hazards.arms(findings)[-1] if findings else "no series"
    blocks = [
        _wrapped(f"patchbench found {_count(worse)} of series {series}, run {run}."),
        *([*_broken(alike)] for alike in _alike(worse)),
        [*_named("Fails without the series as well", _own(findings, worse))],
        [*_named("Not tested", [one for one in findings if one.state == "untested"])],
        [*_passed(findings)],
    ]
    return "\n\n".join("\n".join(block) for block in blocks if block) + "\n"


def _alike(findings: Sequence[Finding]) -> Iterable[list[Finding]]:
    """Group what is said in the same words of several arms."""
    groups: dict[tuple[str, str, str], list[Finding]] = {}
    for one in findings:
        groups.setdefault((one.kernel, one.subject, one.says), []).append(one)
    return groups.values()


def _broken(alike: Sequence[Finding]) -> Iterator[str]:
    finding = alike[0]
    arms = ", ".join(one.series for one in alike)
    yield from _wrapped(f"{arms} on {finding.kernel} {finding.version}: {finding.subject}")
    yield from _wrapped(finding.says, "  ")
    context, said, commands = _parts(finding.evidence)
    for line in context:
        yield from _wrapped(line, "  ")
    if said:
        yield from ("", *(f"    {line}" for line in said))
    if commands:
        yield from ("", "  reproduce:", *(f"    {line}" for line in commands))


def _parts(evidence: str) -> tuple[list[str], list[str], list[str]]:
    """Return a finding's context, what the tools said, and the commands that show it again."""
    lines = evidence.splitlines()
    context = [line for line in lines if line.startswith(_CONTEXT)]
    commands = [line.removeprefix("$ ") for line in lines if line.startswith("$ ")]
    said = [line for line in lines if not line.startswith((*_CONTEXT, "$ "))]
    return context, said, commands


def _own(findings: Sequence[Finding], worse: Sequence[Finding]) -> list[Finding]:
    return [one for one in findings if one.state == "fail" and one not in worse]


def _named(title: str, those: Sequence[Finding]) -> Iterator[str]:
    if those:
        yield f"{title}:"
        for one in those:
            yield from _wrapped(f"{one.kernel} {one.series}, {one.subject}: {one.says}", "  ")


def _passed(findings: Sequence[Finding]) -> Iterator[str]:
    good = [f"{one.kernel} {one.series} {one.subject}" for one in findings if one.state == "pass"]
    if good:
        yield from _wrapped(f"Nothing to complain of, {len(good)}: {', '.join(good)}")


def _count(worse: Sequence[Finding]) -> str:
    return f"{len(worse)} regressions" if len(worse) != 1 else "1 regression"


def _wrapped(text: str, indent: str = "") -> list[str]:
    return textwrap.wrap(
        text,
        WIDTH,
        initial_indent=indent,
        subsequent_indent=f"{indent}  ",
        break_long_words=False,
        break_on_hyphens=False,
    )
