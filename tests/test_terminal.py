# SPDX-License-Identifier: GPL-2.0-only
"""What is printed, and that no compiler, mail or guest commands the terminal."""

import io
import sys

import pytest
from invoke.exceptions import Exit

from patchbench.errors import BadInput
from patchbench.story import shown
from patchbench.tools.terminal import Terminal, plain_output, print_table
from patchbench.verbs.common import exits


def test_an_interval_in_words_is_printed_with_its_brackets(
    capsys: pytest.CaptureFixture[str],
) -> None:
    # Before 4315d5e31e8d: rich took [to never, to never] for markup.
    print_table(("metric", "interval"), [("drain_ns", "[to never, to never]")], "of [bold]a run")
    printed = capsys.readouterr().out
    assert "[to never, to never]" in printed
    assert "of [bold]a run" in printed


HOSTILE = "a\x1b[2J\x1b]0;title\x07b\x9b31m\rc\u202ed\x00\ud800"


def harmless(text: str) -> bool:
    return not {*text} & {*"\x1b\x07\x9b\r\u202e\x00\ud800"}


def test_a_text_for_a_terminal_holds_nothing_that_it_obeys() -> None:
    assert shown(HOSTILE) == "a?[2J?]0;title?b?31m?c?d??"
    assert shown("two\tcolumns\r\nand a line, \u00e9") == "two\tcolumns\r\nand a line, \u00e9"


def test_neither_story_nor_table_hands_escapes_on(capsys: pytest.CaptureFixture[str]) -> None:
    story = Terminal()
    story.say(HOSTILE)
    with story.meter(HOSTILE, 1, "bytes"):
        pass
    print_table((HOSTILE,), [(HOSTILE,)], HOSTILE)
    printed = capsys.readouterr()
    assert harmless(printed.out + printed.err)
    assert "title" in printed.out
    assert "title" in printed.err


def test_what_is_printed_by_hand_holds_no_escapes_either(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with plain_output():
        sys.stdout.write(HOSTILE)
        sys.stderr.write(HOSTILE)
    printed = capsys.readouterr()
    assert harmless(printed.out + printed.err)
    assert "title" in printed.out
    assert "title" in printed.err


def test_bars_and_tables_keep_their_own_escapes(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = io.StringIO()
    terminal.isatty = lambda: True  # type: ignore[method-assign]
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setenv("TERM", "xterm")
    with plain_output(), Terminal().meter("building", 2, "steps") as meter:
        meter.at(1)
    assert "\x1b[" in terminal.getvalue()


def test_an_error_s_message_holds_no_escapes() -> None:
    with pytest.raises(Exit) as caught, exits():
        raise BadInput(HOSTILE)
    assert caught.value.message is not None
    assert harmless(caught.value.message)


def test_a_table_wider_than_a_log_keeps_its_last_column(capsys: pytest.CaptureFixture[str]) -> None:
    # Before 2f1bc645a057: verify lost its verdicts where a kernel has a long name.
    print_table(("what", "published", "here", "says"), [("tree", 90 * "a", 90 * "b", "identical")])
    assert "identical" in capsys.readouterr().out
