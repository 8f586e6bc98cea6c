# SPDX-License-Identifier: GPL-2.0-only
"""The README says what the command line does, and no more than a newcomer will read."""

import re
import shutil
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

import tasks
from patchbench import errors
from patchbench.cache import parts
from patchbench.model import Boot, Comparison
from patchbench.report import claims
from patchbench.runs import archive, reading
from tests import engine
from tests.command import invoke

ROOT = Path(__file__).resolve().parents[1]
STORM = ROOT / "results/published/v0-exit-storm-7.3"
STUDY = "results/published/v0-study/README.md"
README = (ROOT / "README.md").read_text()
VERBS = sorted(tasks.namespace.task_names)
#: What these verbs take as words, without the flag.
POSITIONAL = {
    "cluster": {"--action", "--hosts"},
    "compare": {"--base", "--test"},
    "intake": {"--source"},
    "verify": {"--folder"},
    "work": {"--job"},
}
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


@cache
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


@cache
def run(name: str) -> tuple[Comparison, list[Boot]]:
    return reading.read(ROOT, archive.find_bench(ROOT / "results", name))


@pytest.mark.slow
@pytest.mark.parametrize(
    "path",
    [
        ROOT / "README.md",
        ROOT / "CHANGELOG.md",
        *sorted((ROOT / "results").rglob("README.md")),
        *sorted((ROOT / "patches").glob("*/cover.md")),
    ],
    ids=lambda path: str(path.relative_to(ROOT)),
)
def test_every_marked_number_of_a_text_is_that_of_the_logs(path: Path) -> None:
    checked = claims.check(claims.parse(path.read_text()), run)
    assert [one.row() for one in checked if one.state != "holds"] == []


@pytest.mark.parametrize("name", ["README.md", "CHANGELOG.md", "results/README.md", STUDY])
def test_the_texts_with_numbers_of_runs_mark_some(name: str) -> None:
    assert claims.parse((ROOT / name).read_text())


#: Seconds each, so that `test --fast` leaves them to `test`.
SLOW = {"calibrate", "study --series v0 --only Q3"}
#: These would start the tests in themselves; `.ci/run` runs the first, which lints as well. The
#: last two run until they are stopped; tests/work starts them.
NOT_RUN_HERE = {"test", "test --fast", "lint", "harden", "worker", "cluster up HOSTS"}


def commands() -> list[str]:
    """Return every command of the README, in its order, each once."""
    code = r"`(?:\./bootstrap |invoke )?([^`\n]+)`|^\./bootstrap ([^#\n]+)"
    found = [(one or other).strip() for one, other in re.findall(code, README, re.MULTILINE)]
    return [*dict.fromkeys(text for text in found if text.split()[0] in VERBS)]


def with_a_run(command: str, checkout: Path) -> str:
    """Return a command with a run of `bench` for RUN, made if there is none, and NAME filled in."""
    if "RUN" in command or "latest" in command:
        runs = checkout / "results/runs"
        if not (stored := sorted(runs.glob("*-v0-against-none-mainline"))):
            invoke("bench", "--machine", "exact")
            stored = sorted(runs.glob("*-v0-against-none-mainline"))
        command = command.replace("RUN", stored[0].name)
    if "JOB" in command:
        planned = invoke("bench", "--machine", "exact", "--seeds", "20", "--plan-only").stdout
        command = command.replace("JOB", planned.split()[0])
    return command.replace("NAME", "kept")


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A small project in which the README's commands are run one after the other."""
    with pytest.MonkeyPatch.context() as patch:
        checkout = engine.checkout(tmp_path_factory.mktemp("readme"), patch)
        engine.draw_nothing(patch)
        patch.setattr(parts, "ROOM_BYTES", 0)  # `doctor` asks the disk of whoever tests
        shutil.copy(ROOT / "README.md", checkout)
        (mail,) = (checkout / "patches/v0/7.3").iterdir()
        shutil.copy(mail, checkout / "posted.mbox")
        (checkout / "results/published").mkdir(parents=True)
        (checkout / "results/published/v0-exit-storm-7.3").symlink_to(STORM)
        patch.chdir(checkout)
        yield checkout


@pytest.mark.slow
@pytest.mark.parametrize(
    "command",
    [
        pytest.param(command, marks=[pytest.mark.e2e] if command in SLOW else [])
        for command in commands()
    ],
)
def test_a_command_of_the_readme_runs_on_an_engine_that_starts_nothing(
    command: str, small: Path
) -> None:
    if command in NOT_RUN_HERE:
        assert "./bootstrap test" in (ROOT / ".ci/run").read_text()
        return
    done = invoke(*with_a_run(command, small).split())
    assert done.status == 0, done.stderr
