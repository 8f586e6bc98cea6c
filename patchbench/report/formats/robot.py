# SPDX-License-Identifier: GPL-2.0-only
"""What a check found broken, as a build robot would write it: for a mail to the author.

At most 72 columns, except for the tools' own lines and for commands. Only what the series broke
comes with its evidence; what fails without it as well, and what was not tested, gets a line.
"""

import textwrap
from collections.abc import Iterable, Iterator, Sequence

from patchbench.findings import CheckResult, Finding
from patchbench.texts import printable

WIDTH = 72


def render_findings(run: str, result: CheckResult) -> str:
    """Return the mail's text: what was built, each thing that broke, what is untested."""
    worse = result.regressions()
    known = [one for one in result.findings if one.state == "fail" and one not in worse]
    untested = [one for one in result.findings if one.state == "untested"]
    summary = f"patchbench found {_count(worse)} of series {result.series}, run {run}."
    blocks = [
        _wrapped(summary),
        *([*_broken(alike)] for alike in _alike(worse)),
        [*_named(f"Fails {result.baseline} as well", known)],
        [*_named("Not tested", untested)],
        [*_passed(result.findings)],
    ]
    return printable("\n\n".join("\n".join(block) for block in blocks if block)) + "\n"


def _alike(findings: Sequence[Finding]) -> Iterable[list[Finding]]:
    """Group the findings that differ in the series alone."""
    groups: dict[tuple[str, ...], list[Finding]] = {}
    for one in findings:
        groups.setdefault((*one.question, one.says), []).append(one)
    return groups.values()


def _broken(alike: Sequence[Finding]) -> Iterator[str]:
    finding = alike[0]
    names = ", ".join(one.series for one in alike)
    yield from _wrapped(f"{names} on {finding.kernel} {finding.version}: {finding.title}")
    yield from _wrapped(finding.says, "  ")
    for line in finding.context:
        yield from _wrapped(line, "  ")
    if finding.evidence:
        yield from ("", *(f"    {line}" for line in finding.evidence.splitlines()))
    if finding.commands:
        yield from ("", "  reproduce:", *(f"    {line}" for line in finding.commands))


def _named(title: str, those: Sequence[Finding]) -> Iterator[str]:
    if those:
        yield f"{title}:"
        for one in those:
            yield from _wrapped(f"{one.kernel} {one.series}, {one.title}: {one.says}", "  ")


def _passed(findings: Sequence[Finding]) -> Iterator[str]:
    good = [f"{one.kernel} {one.series} {one.title}" for one in findings if one.state == "pass"]
    if good:
        yield from _wrapped(f"Passed, {len(good)}: {', '.join(good)}")


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
