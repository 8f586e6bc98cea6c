# SPDX-License-Identifier: GPL-2.0-only
"""The terminal: the story and its progress bars on stderr, tables on stdout.

Nothing that a patch, a guest or a compiler wrote is obeyed there: all text goes through `shown`.
"""

import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, TextIO, cast

from rich.console import Console
from rich.markup import escape
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

from patchbench.story import Meter, shown

#: How often a log file, which shows no moving bar, gets a line on how far a task has come.
_LOG_EVERY_S = 15.0


@contextmanager
def plain_output() -> Iterator[None]:
    """Let nothing that is printed while the block runs be obeyed by the terminal."""
    before = sys.stdout, sys.stderr
    sys.stdout, sys.stderr = (cast(TextIO, _Plain(_unfiltered(stream))) for stream in before)
    try:
        yield
    finally:
        sys.stdout, sys.stderr = before


class _Plain:
    """A stream that shows text and never obeys it; whatever else is asked of it, another does."""

    def __init__(self, stream: TextIO) -> None:
        self.stream = stream

    def write(self, text: str) -> int:
        self.stream.write(shown(text))
        return len(text)

    def writelines(self, lines: Sequence[str]) -> None:
        for line in lines:
            self.write(line)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.stream, name)


def _unfiltered(stream: TextIO) -> TextIO:
    """Return the stream itself: what draws bars and tables has escapes of its own."""
    return stream.stream if isinstance(stream, _Plain) else stream


class Terminal:
    """A Story for a person, or for the log of a CI job."""

    def __init__(self) -> None:
        self._console = Console(
            file=_unfiltered(sys.stderr), stderr=True, highlight=False, soft_wrap=True
        )

    def say(self, text: str) -> None:
        """Write one line, or several."""
        self._console.print(shown(text), markup=False)

    @contextmanager
    def meter(self, title: str, total: float, unit: str) -> Iterator[Meter]:
        """Show a bar with the time left; in a log, a line now and then."""
        title = shown(title)
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
            yield _Bar(progress, progress.add_task(escape(title), total=total))


#: Headings of columns that hold sentences.
_PROSE = ("why", "detail", "what it is", "says", "asked")
_PROSE_WIDTH = 24
_ANY_WIDTH = 10_000


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
        self._started = self._reported = time.monotonic()
        terminal.say(f"{title} ...")

    def at(self, done: float) -> None:
        """Report where the task is, unless that was done just now."""
        now = time.monotonic()
        if now - self._reported < _LOG_EVERY_S or not done:
            return
        self._reported = now
        left = (now - self._started) * max(self._total - done, 0) / done
        self._terminal.say(f"{self._title}: {done / self._total:.0%}, about {left:.0f} s left")

    def done(self) -> None:
        """Report how long it took."""
        self._terminal.say(f"{self._title}: done in {time.monotonic() - self._started:.1f} s")


def print_table(
    headings: Sequence[str], rows: Sequence[Sequence[str]], title: str = "", *, words: int = 2
) -> None:
    """Print a table on stdout, as wide as it needs to be.

    The first `words` columns hold no numbers; a last column of prose may take several lines.
    """
    headings, *rows = [[shown(cell) for cell in row] for row in (headings, *rows)]
    table = Table(title=shown(title) or None, title_justify="left")
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
    stream = _unfiltered(sys.stdout)
    console = Console(file=stream, highlight=False, markup=False, width=width)
    # Nor on a narrow terminal, which wraps lines and so loses no number. A measurement is never
    # wider than what it is taken for.
    wide = console.options.update(max_width=_ANY_WIDTH)
    console.width = max(console.width, Measurement.get(console, wide, table).minimum)
    console.print(table, soft_wrap=True)
