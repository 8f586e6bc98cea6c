# SPDX-License-Identifier: GPL-2.0-only
"""The README says what the command line does, and no more than a newcomer will read."""

import re
from pathlib import Path

import pytest

import tasks
from patchbench import errors
from tests.command import invoke

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text()
VERBS = sorted(tasks.namespace.task_names)
#: What these verbs take as words, without the flag.
POSITIONAL = {"compare": {"--base", "--test"}, "verify": {"--folder"}}
#: What a status may be besides those of errors.py: done, Invoke's own, interrupted.
OTHER_STATUSES = {0, 1, 130}


def table(heading: str) -> list[list[str]]:
    """Return the rows of the README's table whose first heading is this."""
    lines = README.partition(f"| {heading} |")[2].splitlines()[2:]
    rows = [re.split(r" ?\| ?", line)[1:-1] for line in lines if line.startswith("|")]
    end = next((at for at, line in enumerate(lines) if not line.startswith("|")), len(lines))
    return rows[:end]


def flags(text: str) -> set[str]:
    return set(re.findall(r"(?<![\w-])--[a-z][a-z-]*", text))


def verbs_of(cell: str) -> list[str]:
    """Return the verbs of a table's cell, each of which opens a piece of code."""
    return [code.split()[0] for code in re.findall(r"`([^`]+)`", cell) if code[0] != "-"]


def helped(verb: str) -> set[str]:
    """Return the flags that `invoke --help VERB` tells of, but for Invoke's own."""
    return flags(invoke("--help", verb).stdout.partition("Options:")[2])


def test_a_newcomer_can_read_it_in_one_go() -> None:
    lines = README.splitlines()
    assert len(lines) <= 120
    assert max(map(len, lines)) <= 100
    assert len(README.split()) <= 1200


def test_every_verb_stands_in_the_table_and_no_other() -> None:
    assert sorted(verb for row in table("verb") for verb in verbs_of(row[0])) == VERBS


@pytest.mark.parametrize("row", table("verb"), ids=lambda row: row[0].strip("`"))
def test_the_verbs_of_a_row_have_the_flags_that_the_row_names(row: list[str]) -> None:
    known = set().union(*(helped(verb) for verb in verbs_of(row[0])))
    assert flags(" ".join(row)) <= known


@pytest.mark.parametrize("verb", VERBS)
def test_no_flag_of_a_verb_is_missing_from_the_tables(verb: str) -> None:
    own = " ".join(" ".join(row) for row in table("verb") if verb in verbs_of(row[0]))
    shared = " ".join(row[0] for row in table("flag"))
    assert helped(verb) - flags(own) - flags(shared) <= POSITIONAL.get(verb, set())


def test_each_shared_flag_belongs_to_a_verb() -> None:
    known = set().union(*(helped(verb) for verb in VERBS))
    assert flags(" ".join(row[0] for row in table("flag"))) <= known


def test_the_statuses_are_those_that_errors_leave() -> None:
    left = {
        one.exit_code
        for one in vars(errors).values()
        if isinstance(one, type) and issubclass(one, errors.PipelineError)
    }
    assert {int(row[0]) for row in table("status")} == left | OTHER_STATUSES


@pytest.mark.parametrize("name", ["README.md", "results/README.md"])
def test_the_numbers_of_its_tables_are_those_of_the_logs(name: str) -> None:
    done = invoke("report", "--check-claims", str(ROOT / name))
    assert (done.status, done.stderr) == (0, "")
