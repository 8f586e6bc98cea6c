# SPDX-License-Identifier: GPL-2.0-only
"""Programs side by side."""

import sys

import pytest

from patchbench.tools import process


def python(code: str) -> list[str]:
    return [sys.executable, "-c", code]


def test_programs_run_side_by_side_and_only_the_first_has_the_terminal(
    capfd: pytest.CaptureFixture[str],
) -> None:
    commands = [python("print('first')"), python("print('second')"), python("raise SystemExit(3)")]
    statuses, others = process.call_beside(commands)
    assert statuses == [0, 0, 3]
    assert others == "second\n"
    assert capfd.readouterr().out == "first\n"
