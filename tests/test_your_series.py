# SPDX-License-Identifier: GPL-2.0-only
"""docs/your-series.md, its commands run one after the other on a small repository."""

import json
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import engine
from tests.command import ROOT, Done, invoke
from tests.fakes import git

pytestmark = pytest.mark.slow

TEXT = (ROOT / "docs/your-series.md").read_text()
COMMANDS = [
    line.removeprefix("./bootstrap ")
    for block in re.findall(r"```\n(.*?)```", TEXT, re.DOTALL)
    for line in block.splitlines()
    if line.startswith("./bootstrap ")
]


@pytest.fixture(scope="module")
def newcomer(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Return a checkout, with a mail of a series that has no counter and a branch of the same."""
    with pytest.MonkeyPatch.context() as patch:
        checkout = engine.checkout(tmp_path_factory.mktemp("newcomer"), patch)
        engine.draw_nothing(patch)
        patch.setattr(engine, "COUNTER", "another_count")  # no series here names it
        (checkout / "patches/v0/series.toml").write_text('title = "for a test"\n')
        patch.setenv("HOME", str(checkout))
        linux = checkout / "origins/mainline"
        (checkout / "linux").symlink_to(linux)
        (mail,) = (checkout / "patches/v1/7.3").iterdir()
        git(linux, "checkout", "-b", "mine", "base")
        git(linux, "am", str(mail))
        raw = mail.read_bytes().replace(b"Subject:", b"Message-ID: <1@example.org>\nSubject:", 1)
        (checkout / "posted.mbox").write_bytes(raw)
        patch.chdir(checkout)
        yield checkout


def run(command: str) -> Done:
    return invoke(*shlex.split(command.replace("~", str(Path.cwd()))))


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_of_the_page_runs(command: str, newcomer: Path) -> None:
    done = run(command)
    assert done.status == 0, f"{newcomer}\n{done.stderr}"


def test_the_report_says_which_function_ran_and_what_the_author_saw(newcomer: Path) -> None:
    run(COMMANDS[1])
    newest = max((newcomer / "results/reports").glob("*/comparison.json"))
    compared = json.loads(newest.read_text())
    assert compared["proof"]["ran"] == {"swapfile.c:first": 14}
    assert compared["test"]["base"].startswith("mainline 7.3.4 has 1 of 1 files")
