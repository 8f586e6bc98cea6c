# SPDX-License-Identifier: GPL-2.0-only
"""How a stage tells what it is doing, without knowing whether anybody looks."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol


class Meter(Protocol):
    """A running task's progress."""

    def at(self, done: float) -> None:
        """Say how much of the total is done."""


class Story(Protocol):
    """The listener: a terminal, a log, or nobody."""

    def say(self, text: str) -> None:
        """Tell one thing that happened."""

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
