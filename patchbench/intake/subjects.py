# SPDX-License-Identifier: GPL-2.0-only
"""A mail's subject, taken apart: `[RFC PATCH mm-unstable v3 02/10] mm: do this`. Pure."""

import re
from dataclasses import dataclass

_REPLY = re.compile(r"^\s*(?:(?:re|aw|sv|fwd?|antw|回复|答复)\s*[::]\s*)+", re.IGNORECASE)
_BRACKETS = re.compile(r"^\s*\[([^\]]*)\]\s*")
_COUNT = re.compile(r"(\d{1,4})/(\d{1,4})")
_REVISION = re.compile(r"v(\d{1,3})", re.IGNORECASE)
#: `PATCH1/8`, `PATCHv6`: what people write without the blank.
_GLUED = re.compile(r"(PATCH)(?=v?\d)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Subject:
    """`number` of `total` in `revision`; 0 is the cover letter, None a patch without numbers."""

    title: str
    tags: tuple[str, ...] = ()  # RFC, RESEND, mm-unstable: what is left of the brackets
    revision: int = 1
    number: int | None = None
    total: int | None = None
    is_patch: bool = False  # the brackets say PATCH or RFC
    is_reply: bool = False
    is_pull: bool = False

    @property
    def is_cover(self) -> bool:
        """Return whether it is the mail before the first patch."""
        return self.number == 0


def parse(text: str) -> Subject:
    """Return a subject's parts. Any text has some; what is in no bracket is the title."""
    rest = " ".join(text.split())
    reply = _REPLY.match(rest)
    if reply:
        rest = rest[reply.end() :]
    words: list[str] = []
    while found := _BRACKETS.match(rest):
        words += re.split(r"[\s,]+", _GLUED.sub(r"\1 ", found[1]).strip())
        rest = rest[found.end() :]

    revision, number, total = 1, None, None
    tags = []
    for word in words:
        if count := _COUNT.fullmatch(word):
            number, total = int(count[1]), int(count[2])
        elif version := _REVISION.fullmatch(word):
            revision = int(version[1])
        elif word:
            tags.append(word)
    upper = {tag.upper() for tag in tags}
    return Subject(
        title=rest.strip(),
        tags=tuple(tag for tag in tags if tag.upper() != "PATCH"),
        revision=revision,
        number=number,
        total=total,
        is_patch=bool(upper & {"PATCH", "RFC"}),
        is_reply=bool(reply),
        is_pull=bool({"GIT", "PULL"} <= upper or "PULL" in upper),
    )
