# SPDX-License-Identifier: GPL-2.0-only
"""The few programs of the host: the only user of subprocess besides git's own library."""

import os
import subprocess
import tempfile
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from patchbench.errors import ToolFailed

_TAIL_LINES = 15
#: Descriptors that git inherits, so that the cache stays locked while one is alive.
_held: list[int] = []


def hold(descriptor: int) -> None:
    """Let every git that is started from now on keep this file open: a lock, until it ends."""
    _held.append(descriptor)


def let_go(descriptor: int) -> None:
    """Undo `hold`; what was started meanwhile keeps what it has."""
    _held.remove(descriptor)


def held() -> tuple[int, ...]:
    """Return the descriptors that are inherited."""
    return tuple(_held)


def run(argv: Sequence[str], *, cwd: Path | None = None, stdin: Path = Path(os.devnull)) -> str:
    """Return what a program prints; ToolFailed if it is missing or fails.

    stdin: the file that it reads as its input; by default it has none.
    """
    with stdin.open("rb") as given:
        try:
            done = subprocess.run(
                argv, cwd=cwd, stdin=given, capture_output=True, text=True, check=False
            )
        except FileNotFoundError as err:
            raise _missing(argv) from err
    if done.returncode:
        raise _failed(argv, done.returncode, done.stderr)
    return done.stdout


def call(argv: Sequence[str], *, cwd: Path | None = None) -> int:
    """Run a program on the user's own terminal and return its status."""
    try:
        return subprocess.call(argv, cwd=cwd)
    except FileNotFoundError as err:
        raise _missing(argv) from err


def call_beside(
    commands: Sequence[Sequence[str]], *, cwd: Path | None = None
) -> tuple[list[int], str]:
    """Run programs side by side, and return their statuses in order.

    The first has the user's own terminal; what the others print is returned as well.
    """
    first, *others = commands
    with ExitStack() as kept:
        printed = [kept.enter_context(tempfile.TemporaryFile()) for _ in others]
        started = [
            kept.enter_context(subprocess.Popen(argv, cwd=cwd, stdout=log, stderr=log))
            for argv, log in zip(others, printed, strict=True)
        ]
        statuses = [call(first, cwd=cwd), *(one.wait() for one in started)]
        for log in printed:
            log.seek(0)
        return statuses, "".join(log.read().decode(errors="replace") for log in printed)


def lines(argv: Sequence[str]) -> Iterator[str]:
    """Give what a program prints, line by line, as it runs; ToolFailed if it fails."""
    try:
        process = subprocess.Popen(
            argv,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
    except FileNotFoundError as err:
        raise _missing(argv) from err
    assert process.stdout is not None  # for mypy
    last = deque[str](maxlen=_TAIL_LINES)
    with process:
        for line in process.stdout:
            last.append(line)
            yield line
    if process.returncode:
        raise _failed(argv, process.returncode, "".join(last))


def stream(argv: Sequence[str]) -> "subprocess.Popen[bytes]":
    """Return a started program whose stdout is a pipe."""
    try:
        return subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
    except FileNotFoundError as err:
        raise _missing(argv) from err


@contextmanager
def beside(commands: Sequence[Sequence[str]]) -> Iterator[None]:
    """Keep programs running while the block does, what they print on stderr; then end them."""
    started = []
    try:
        for argv in commands:
            try:
                started.append(subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=2))
            except FileNotFoundError as err:
                raise _missing(argv) from err
        yield
    finally:
        for one in started:
            one.terminate()
        for one in started:
            one.wait()


def _missing(argv: Sequence[str]) -> ToolFailed:
    return ToolFailed(f"{argv[0]} is not installed; `./bootstrap doctor` says how")


def _failed(argv: Sequence[str], status: int, printed: str) -> ToolFailed:
    tail = "\n".join(f"  {line}" for line in printed.strip().splitlines()[-_TAIL_LINES:])
    return ToolFailed(f"`{' '.join(argv)}` left status {status}\n{tail}")
