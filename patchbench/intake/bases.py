# SPDX-License-Identifier: GPL-2.0-only
"""Which known kernel a series was made on, by the blobs that its diffs name. Pure.

`index 0cc2e13..a8ede32` says which content the author saw. A kernel that has it in k of n files
is the author's to that degree; new files have none and do not count.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from patchbench.intake.mails import Mail

_FILE = re.compile(
    r"^diff --git a/(?P<old>\S+) b/\S+\n(?:(?!diff --git ).*\n)*?"
    r"index (?P<blob>[0-9a-f]{7,64})\.\.[0-9a-f]{7,64}",
    re.MULTILINE,
)


@dataclass(frozen=True, slots=True)
class Score:
    """How much of what the author saw a kernel has: `seen` of `files` files."""

    kernel: str
    version: str
    seen: int
    files: int
    has_base: bool  # the commit that the series names as its base

    def row(self) -> tuple[str, str, str]:
        """Return it as a row of the table of kernels."""
        seen = f"{self.seen} of {self.files} files as the author saw them"
        files = seen if self.files else "the series only adds files"
        return self.kernel, self.version, "has the base commit" if self.has_base else files


def blobs(patches: Sequence[Mail]) -> dict[str, str]:
    """Return the abbreviated blob of each file as it was before the series.

    A path that leaves the tree is none that a kernel can have; git refuses it when it applies.
    """
    found: dict[str, str] = {}
    for mail in patches:
        for match in _FILE.finditer(mail.body):
            found.setdefault(match["old"], match["blob"])
    return {
        path: blob
        for path, blob in found.items()
        if set(blob) != {"0"} and ".." not in path.split("/")
    }


def score(
    wanted: Mapping[str, str],
    there: Mapping[str, str],
    *,
    kernel: str,
    version: str,
    has_base: bool,
) -> Score:
    """Return a kernel's score, from the blobs that the series names and those it has."""
    seen = sum(there.get(path, "").startswith(short) for path, short in wanted.items())
    return Score(kernel, version, seen, len(wanted), has_base)


def in_order(scores: Sequence[Score]) -> list[Score]:
    """Return the kernels in the order to try them: the base commit's, then by files as seen."""
    return sorted(scores, key=lambda one: (one.has_base, one.seen), reverse=True)


def fit(base_commit: str, score: Score) -> str:
    """Return how a kernel fits what the author saw, in a sentence for the report's conditions."""
    where = f"{score.kernel} {score.version}".strip()
    if not score.files:
        seen = f"the series only adds files to {where}"
    else:
        seen = f"{where} has {score.seen} of {score.files} files as the author saw them"
    if not base_commit:
        return seen
    known = "is in its tree" if score.has_base else "is not in its tree"
    return f"{seen}; base-commit {base_commit[:12]} {known}"
