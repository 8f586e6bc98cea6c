# SPDX-License-Identifier: GPL-2.0-only
"""How a stage reports what it is doing, without knowing whether anybody looks."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

#: What a terminal obeys instead of showing it: controls, escapes, changes of direction. What is
#: half a character cannot be written at all.
_OBEYED = re.compile(
    r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069"
    r"\ud800-\udfff]|\r(?!\n)"
)


def shown(text: str) -> str:
    """Return a text as it may reach a terminal, whoever wrote it: a compiler's error, a mail."""
    return _OBEYED.sub("?", text)


class Meter(Protocol):
    """A running task's progress."""

    def at(self, done: float) -> None:
        """Say how much of the total is done."""


class Story(Protocol):
    """The listener: a terminal, a log, or nobody."""

    def say(self, text: str) -> None:
        """Report one thing that happened."""

    @contextmanager
    def meter(self, title: str, total: float, unit: str) -> Iterator[Meter]:
        """Show a task of known size while the block runs."""
        ...


class Silence:
    """A Story for nobody."""

    def say(self, text: str) -> None:
        """Say nothing."""

    @contextmanager
    def meter(self, title: str, total: float, unit: str) -> Iterator[Meter]:
        """Show nothing."""
        del title, total, unit
        yield _NoMeter()


class _NoMeter:
    def at(self, done: float) -> None:
        """Show nothing."""
