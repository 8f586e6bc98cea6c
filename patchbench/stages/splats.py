# SPDX-License-Identifier: GPL-2.0-only
"""Which console lines mean that the kernel is in trouble, by configs/splats.toml."""

import re
import warnings
from collections.abc import Callable, Container, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from functools import cache
from pathlib import Path

from pydantic import with_config

from patchbench.catalog import load_toml
from patchbench.errors import BadInput
from patchbench.model import STRICT

FILE = Path("configs/splats.toml")


@with_config(STRICT)
@dataclass(frozen=True, slots=True)
class SplatRule:
    """A pattern of console lines that are splats, of what kind, and what such a splat means.

    A group `what` in the pattern tells splats of one kind apart. questions: those of the answer
    sheet that such a splat answers; most answer none.
    """

    kind: str
    pattern: str
    why: str
    questions: tuple[str, ...] = ()


@with_config(STRICT)
@dataclass(frozen=True, slots=True)
class AllowedSplat:
    """A pattern of lines that are no splats: settled at `link`, or believed until `expires`.

    after: a pattern of a line that must have come before, or it is one all the same.
    """

    pattern: str
    why: str
    link: str = ""
    expires: date | None = None
    after: str = ""


@with_config(STRICT)
@dataclass(frozen=True, slots=True)
class ExpectedLine:
    """A line that a flavour's kernel prints when a detector is on; without it, silence is no pass.

    why: what is wrong when the line is not there.
    """

    flavour: str
    pattern: str
    why: str


@dataclass(frozen=True, slots=True)
class Splat:
    """A console line and the rule that it matches."""

    line: str
    rule: SplatRule
    what: str = ""

    @property
    def kind(self) -> str:
        """Return the rule's kind, with what tells this splat from others of it."""
        return f"{self.rule.kind}: {self.what}" if self.what else self.rule.kind


@with_config(STRICT)
@dataclass(frozen=True, slots=True)
class SplatPolicy:
    """configs/splats.toml: what `deny` matches is a splat, unless `allow` matches as well."""

    deny: tuple[SplatRule, ...]
    allow: tuple[AllowedSplat, ...] = ()
    expect: tuple[ExpectedLine, ...] = ()

    def find(self, console: str) -> Iterator[tuple[int, Splat]]:
        """Give each splat of a console with the index of its line; the first rule that matches."""
        suspect = _any_of(tuple(rule.pattern for rule in self.deny))
        deny = [(re.compile(rule.pattern), rule) for rule in self.deny]
        lines, looked, begun = console.splitlines(), 0, {""}
        for number, line in enumerate(lines):
            if not suspect(line):
                continue
            begun |= self._begun(lines[looked:number])
            looked = number
            if splat := self._match(line, deny, begun):
                yield number, splat

    def _begun(self, lines: Sequence[str]) -> set[str]:
        """Return after which of `allow` these lines come."""
        waited_for = {rule.after for rule in self.allow if rule.after}
        return {one for one in waited_for if any(re.search(one, line) for line in lines)}

    def missing(self, flavour: str, console: str) -> tuple[ExpectedLine, ...]:
        """Return the lines that a flavour's kernel should have printed and did not."""
        expected = [one for one in self.expect if one.flavour == flavour]
        return tuple(one for one in expected if not re.search(one.pattern, console))

    def provoked(self, patterns: tuple[str, ...]) -> "SplatPolicy":
        """Return a policy that allows what a workload provokes on purpose."""
        more = tuple(AllowedSplat(pattern, "provoked on purpose") for pattern in patterns)
        return replace(self, allow=(*self.allow, *more))

    def _match(
        self,
        line: str,
        deny: Sequence[tuple[re.Pattern[str], SplatRule]],
        begun: Container[str],
    ) -> Splat | None:
        for pattern, rule in deny:
            if found := pattern.search(line):
                allowed = (rule.pattern for rule in self.allow if rule.after in begun)
                if any(re.search(one, line) for one in allowed):
                    return None
                return Splat(line, rule, found.groupdict().get("what") or "")
        return None


@cache
def _any_of(patterns: tuple[str, ...]) -> Callable[[str], object]:
    """Return what asks at once whether any pattern matches: a console may have a million lines.

    A pattern with a flag, or whose groups refer to one another, cannot be one of many; then all
    lines are looked at one by one.
    """
    nameless = [re.sub(r"\(\?P<\w+>", "(", pattern) for pattern in patterns]
    if any(re.search(r"\\[1-9]|\(\?P=|\(\?[a-zA-Z]", pattern) for pattern in nameless):
        return lambda _: True
    return re.compile("|".join(f"(?:{pattern})" for pattern in nameless)).search


def _check_patterns(policy: SplatPolicy, path: Path) -> None:
    rules = [(rule.kind, rule.pattern) for rule in policy.deny]
    rules += [("allow", pattern) for rule in policy.allow for pattern in (rule.pattern, rule.after)]
    rules += [("expect", rule.pattern) for rule in policy.expect]
    for what, pattern in rules:
        try:
            with warnings.catch_warnings():
                # What Python may read otherwise one day, such as a set within a set.
                warnings.simplefilter("error", FutureWarning)
                re.compile(pattern)
        except (re.error, RecursionError, OverflowError, FutureWarning) as err:
            raise BadInput(
                f"{path}: {what}: {pattern!r} is not a regular expression: {err}"
            ) from err


def load(root: Path, today: date | None = None) -> SplatPolicy:
    """Return configs/splats.toml; BadInput if an `allow` has no ground, or has expired."""
    path = root / FILE
    policy = load_toml(path, SplatPolicy)
    _check_patterns(policy, path)
    for rule in policy.allow:
        if not (rule.link or rule.expires):
            raise BadInput(f"{path}: allow {rule.pattern!r} needs a `link` or an `expires`")
        if rule.expires and rule.expires < (today or datetime.now(UTC).date()):
            raise BadInput(
                f"{path}: allow {rule.pattern!r} expired on {rule.expires}\n"
                "  check whether the kernel still prints it: drop the rule, or renew it with a link"
            )
    return policy
