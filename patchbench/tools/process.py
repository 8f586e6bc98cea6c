# SPDX-License-Identifier: GPL-2.0-only
"""Host programs, the few there are: the only user of subprocess, but for git's own library."""

import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path

from patchbench.errors import ToolFailed


def run(argv: Sequence[str], *, cwd: Path | None = None) -> str:
    """Return what a program prints; ToolFailed if it is missing or says no."""
    try:
        done = subprocess.run(
            argv, cwd=cwd, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
        )
    except FileNotFoundError as err:
        raise _missing(argv) from err
    if done.returncode:
        raise _refused(argv, done.returncode, done.stderr)
    return done.stdout


def call(argv: Sequence[str], *, cwd: Path | None = None) -> int:
    """Run a program on the user's own terminal and return its status."""
    try:
        return subprocess.call(argv, cwd=cwd)
    except FileNotFoundError as err:
        raise _missing(argv) from err


def lines(argv: Sequence[str]) -> Iterator[str]:
    """Give what a program prints, line by line, as it runs; ToolFailed if it says no."""
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
    said = []
    with process:
        for line in process.stdout:
            said.append(line)
            yield line
    if process.returncode:
        raise _refused(argv, process.returncode, "".join(said))


def stream(argv: Sequence[str]) -> "subprocess.Popen[bytes]":
    """Return a started program whose stdout is a pipe."""
    try:
        return subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
    except FileNotFoundError as err:
        raise _missing(argv) from err


def _missing(argv: Sequence[str]) -> ToolFailed:
    return ToolFailed(f"{argv[0]} is not installed; `./bootstrap doctor` says how")


def _refused(argv: Sequence[str], status: int, said: str) -> ToolFailed:
    tail = "\n".join(f"  {line}" for line in said.strip().splitlines()[-15:])
    return ToolFailed(f"`{' '.join(argv)}` left status {status}\n{tail}")
