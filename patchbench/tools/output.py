# SPDX-License-Identifier: GPL-2.0-only
"""What a container prints, kept within bounds: it may print without end, or without a line end."""

import re
from collections import deque
from collections.abc import Callable

#: What is kept of all that a container prints: its last lines, each cut where it is too long.
MOST_BYTES = 32 << 20
MOST_LINES = 200_000
MOST_LINE_BYTES = 64 << 10
CUT = " ... [cut]"
_CPU_SECONDS = re.compile(r"cpu seconds (\d{1,9}\.\d{1,6}) (\d{1,9}\.\d{1,6})")


class Output:
    """Lines, as they arrive in chunks; `on_line` hears each of them, cut or not."""

    def __init__(self, on_line: Callable[[str], None] = lambda _: None) -> None:
        self._on_line = on_line
        self._lines: deque[str] = deque()
        self._kept_bytes = 0
        self._dropped_lines = 0
        self._open = bytearray()  # the line that has no end yet
        self._cut = False

    def feed(self, chunk: bytes) -> None:
        """Take what was printed next."""
        *whole, rest = chunk.split(b"\n")
        for part in whole:
            self._append(part)
            self._end_line()
        self._append(rest)

    def close(self) -> None:
        """Take a last line that has no end for a line."""
        if self._open or self._cut:
            self._end_line()

    def take_cpu_seconds(self) -> float | None:
        """Take out the line that the shell printed about CPU time, and the line end before it.

        None if there is no such line. What a program wrote on stderr may come after it, as the
        engine merges two streams.
        """
        lines = self._lines
        for place in range(len(lines) - 1, -1, -1):
            if match := _CPU_SECONDS.fullmatch(lines[place]):
                del lines[place]
                if place and not lines[place - 1]:
                    del lines[place - 1]
                return float(match[1]) + float(match[2])
        return None

    def text(self) -> str:
        """Return what was kept, and first how much was not."""
        lost = [f"[{self._dropped_lines} earlier lines dropped]"] if self._dropped_lines else []
        return "\n".join([*lost, *self._lines])

    def _append(self, part: bytes) -> None:
        room = MOST_LINE_BYTES - len(self._open)
        self._cut = self._cut or len(part) > room
        self._open += part[:room]

    def _end_line(self) -> None:
        line = self._open.decode(errors="replace") + (CUT if self._cut else "")
        self._open.clear()
        self._cut = False
        self._lines.append(line)
        self._kept_bytes += len(line)
        while self._kept_bytes > MOST_BYTES or len(self._lines) > MOST_LINES:
            self._kept_bytes -= len(self._lines.popleft())
            self._dropped_lines += 1
        self._on_line(line)
