# SPDX-License-Identifier: GPL-2.0-only
"""The terminal: the story and its progress bars on stderr, tables on stdout."""

import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from rich.console import Console
from rich.measure import Measurement
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.table import Table

from patchbench.story import Meter

#: How often a log file, which shows no moving bar, is told how far a task has come.
_LOG_EVERY_S = 15.0


class Terminal:
    """A Story for a person, or for the log of a CI job."""

    def __init__(self) -> None:
        self._console = Console(stderr=True, highlight=False, soft_wrap=True)

    def say(self, text: str) -> None:
        """Write one line, or several."""
        self._console.print(text, markup=False)

    @contextmanager
    def meter(self, title: str, total: float, unit: str) -> Iterator[Meter]:
        """Show a bar with the time left; in a log, a line now and then."""
        if not self._console.is_terminal:
            line = _LogMeter(self, title, total, unit)
            yield line
            line.done()
            return
        columns = (
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn()
            if total > 1 and unit != "bytes"
            else TextColumn("{task.percentage:.0f} %"),
            TextColumn(unit if unit != "bytes" else ""),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(),
        )
        with Progress(*columns, console=self._console) as progress:
            yield _Bar(progress, progress.add_task(title, total=total))


#: Headings of columns that hold sentences.
_PROSE = ("why", "detail", "what it is", "says", "asked")
_PROSE_WIDTH = 24


class _Bar:
    def __init__(self, progress: Progress, task: TaskID) -> None:
        self._progress = progress
        self._task = task

    def at(self, done: float) -> None:
        """Move the bar; one that proves too short grows."""
        total = self._progress.tasks[0].total or 0
        self._progress.update(self._task, completed=done, total=max(total, done))


class _LogMeter:
    def __init__(self, terminal: Terminal, title: str, total: float, unit: str) -> None:
        self._terminal, self._title, self._total, self._unit = terminal, title, total, unit
        self._started = self._told = time.monotonic()
        terminal.say(f"{title} ...")

    def at(self, done: float) -> None:
        """Tell where the task is, if that was not told just now."""
        now = time.monotonic()
        if now - self._told < _LOG_EVERY_S or not done:
            return
        self._told = now
        left = (now - self._started) * max(self._total - done, 0) / done
        self._terminal.say(f"{self._title}: {done / self._total:.0%}, about {left:.0f} s left")

    def done(self) -> None:
        """Tell how long it took."""
        self._terminal.say(f"{self._title}: done in {time.monotonic() - self._started:.1f} s")


def print_table(
    headings: Sequence[str], rows: Sequence[Sequence[str]], title: str = "", *, words: int = 2
) -> None:
    """Print a table on stdout, as wide as it needs to be.

    The first `words` columns hold no numbers; a last column of prose may take several lines.
    """
    table = Table(title=title or None, title_justify="left")
    for number, heading in enumerate(headings):
        prose = heading in _PROSE
        left = number < words or prose
        table.add_column(
            heading,
            justify="left" if left else "right",
            no_wrap=not prose,
            # Or rich takes a cell for as wide as its longest word, and cuts it off.
            min_width=_PROSE_WIDTH if prose else max(len(row[number]) for row in [headings, *rows]),
        )
    for row in rows:
        table.add_row(*row)
    # A log or a pipe has no width of its own; nothing may be cut off there.
    # Without markup: an interval in its brackets is no style.
    width = None if sys.stdout.isatty() else 160
    console = Console(highlight=False, markup=False, width=width)
    # Nor on a narrow terminal, which wraps lines and so loses no number.
    console.width = max(console.width, Measurement.get(console, console.options, table).minimum)
    console.print(table, soft_wrap=True)
