# SPDX-License-Identifier: GPL-2.0-only
"""What is kept of a container's output, and that no output makes it slow or large."""

import time
import tracemalloc

import pytest

from patchbench.tools import output
from patchbench.tools.output import CUT, MOST_BYTES, MOST_LINE_BYTES, Output


def read(*chunks: bytes) -> Output:
    read = Output()
    for chunk in chunks:
        read.feed(chunk)
    read.close()
    return read


def test_lines_are_joined_from_chunks_and_a_last_one_needs_no_end() -> None:
    heard: list[str] = []
    lines = Output(heard.append)
    for chunk in (b"on", b"e\ntwo\n\nth", b"ree"):
        lines.feed(chunk)
    lines.close()
    assert heard == ["one", "two", "", "three"]
    assert lines.text() == "one\ntwo\n\nthree"


def test_a_line_without_end_is_cut() -> None:
    text = read(b"x" * 10 * MOST_LINE_BYTES, b"\nnext\n").text()
    assert text == "x" * MOST_LINE_BYTES + CUT + "\nnext"


def test_a_line_of_the_longest_length_is_whole() -> None:
    assert read(b"x" * MOST_LINE_BYTES + b"\n").text() == "x" * MOST_LINE_BYTES


def test_a_hundred_megabytes_of_long_lines_takes_no_more_memory_than_the_bound() -> None:
    line = b"x" * (1 << 20) + b"\n"
    lines = Output()
    tracemalloc.start()
    for _ in range(100):
        lines.feed(line)
    peak_bytes = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak_bytes < 2 * MOST_BYTES
    assert len(lines.text()) < 2 * MOST_BYTES


def test_output_without_a_line_end_takes_time_in_proportion() -> None:
    lines = Output()
    began = time.process_time()
    for _ in range(64 << 10):
        lines.feed(b"x" * 1024)
    assert time.process_time() - began < 2


def test_the_last_lines_are_kept_and_how_many_were_not_is_said(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(output, "MOST_LINES", 2)
    assert read(b"1\n2\n3\n4\n").text() == "[2 earlier lines dropped]\n3\n4"


@pytest.mark.parametrize(
    ("said", "rest", "seconds"),
    [
        ("one\n\ncpu seconds 1.5 0.25", "one", 1.75),
        ("no line end\ncpu seconds 1.0 0.0", "no line end", 1.0),
        ("one\n\ncpu seconds 1.5 0.25\nlate, on stderr", "one\nlate, on stderr", 1.75),
        ("\ncpu seconds 1.5 0.25" + "\nlate" * 90, "\n".join(["late"] * 90), 1.75),
        ("it was killed", "it was killed", None),
        ("", "", None),
        ("cpu seconds 1.2.3 .", "cpu seconds 1.2.3 .", None),
        (f"cpu seconds {'9' * 400}.0 0.0", f"cpu seconds {'9' * 400}.0 0.0", None),
    ],
)
def test_what_the_shell_measured_is_taken_out_of_the_output(
    said: str, rest: str, seconds: float | None
) -> None:
    lines = read(said.encode())
    assert lines.take_cpu_seconds() == seconds
    assert lines.text() == rest
