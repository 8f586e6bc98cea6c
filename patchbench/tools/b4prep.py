# SPDX-License-Identifier: GPL-2.0-only
"""The cover letter that `b4 prep` keeps as an empty commit: its text, and what it tracks. Pure.

Behind a marker the commit's message holds JSON with the revision, the change-id and the
prerequisites, as b4 itself writes them below a cover letter that it sends.
"""

import json
from email.header import Header
from typing import Any

MARKER = "--- b4-submit-tracking ---"
#: More is no title, and takes the square of its length to encode.
_MOST_TITLE_CHARS = 300


def is_cover(message: str) -> bool:
    """Return whether a commit's message is a cover letter of `b4 prep`."""
    return MARKER in message


def revision(message: str) -> int:
    """Return which revision of the series the branch holds; 1 if it does not say."""
    number = _tracked(message).get("revision", 1)
    return number if isinstance(number, int) and 0 < number < 1000 else 1


def mail(message: str, total: int, base: str) -> str:
    """Return the cover letter as the mail before the first of `total` patches on a base commit."""
    title, _, text = message.partition(MARKER)[0].strip().partition("\n")
    tracked, number = _tracked(message), revision(message)
    version = f" v{number}" if number > 1 else ""
    prerequisites = tracked.get("prerequisites")
    footers = [
        f"base-commit: {base}",
        *([f"change-id: {tracked['change-id']}"] if tracked.get("change-id") else []),
        *(f"prerequisite-{one}" for one in prerequisites or () if isinstance(prerequisites, list)),
    ]
    shown = title[:_MOST_TITLE_CHARS]
    subject = Header(f"[PATCH{version} 0/{total}] {shown}", "utf-8", maxlinelen=500).encode()
    return f"From: b4 prep <>\nSubject: {subject}\n\n{text.strip()}\n\n---\n" + "".join(
        f"{' '.join(str(line).split())}\n" for line in footers
    )


def _tracked(message: str) -> dict[str, Any]:
    lines = message.partition(MARKER)[2].splitlines()
    try:
        read = json.loads("\n".join(line for line in lines if not line.startswith("#")))
    except (ValueError, RecursionError):
        return {}
    series = read.get("series") if isinstance(read, dict) else None
    return series if isinstance(series, dict) else {}
