# SPDX-License-Identifier: GPL-2.0-only
"""What is printed."""

import pytest

from patchbench.tools.terminal import print_table


def test_an_interval_in_words_is_printed_with_its_brackets(
    capsys: pytest.CaptureFixture[str],
) -> None:
    print_table(("metric", "interval"), [("drain_ns", "[to never, to never]")], "of [bold]a run")
    told = capsys.readouterr().out
    assert "[to never, to never]" in told
    assert "of [bold]a run" in told
