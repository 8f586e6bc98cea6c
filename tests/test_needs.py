# SPDX-License-Identifier: GPL-2.0-only
"""What a verb says that it needs is what it needs: a stored text is read without an engine."""

from pathlib import Path

import pytest

import tasks
from patchbench.verbs.needs import needed
from tests import engine, recorded
from tests.command import in_checkout, invoke

STORED = recorded.RUN
#: Every verb, with words that make it go as far as it can in a checkout with one stored run.
COMMANDS = {
    "list": [],
    "fetch": [],
    "intake": [str(recorded.PROJECT / "patches/v0/7.3")],
    "apply": [],
    "range-diff": [],
    "build": [],
    "boot": [],
    "bench": ["--machine", "exact"],
    "profile": [],
    "report": ["--run", STORED],
    "coverage": [],
    "iterate": [],
    "compare": [f"{STORED}:none", STORED],
    "history": ["--metric", "exit_ns"],
    "study": [],
    "gate": [],
    "check": [],
    "calibrate": [],
    "publish": ["--run", STORED, "--name", "kept"],
    "verify": [STORED],
    "doctor": [],
    "clean": ["--results"],
    "work": ["job.json"],
    "worker": ["--scheduler", "tcp://127.0.0.1:1"],
    "cluster": ["down", "hosts.toml"],
    "dev.repeat": [],
    "dev.timings": ["--run", STORED],
    # These start other processes, or want more than an engine first.
    "test": ["--fast"],
    "lint": ["--help"],
    "harden": ["--help"],
}


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A checkout with one stored run, an empty cache, and an engine that does not answer."""
    for name in ("patches", "qemu", "workloads", "docs"):
        (tmp_path / name).symlink_to(recorded.PROJECT / name)
    in_checkout(monkeypatch, recorded.root(tmp_path))
    engine.draw_nothing(monkeypatch)
    monkeypatch.setenv("PATCHBENCH_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/none.sock")
    return tmp_path


def test_every_verb_is_among_those_that_are_tried() -> None:
    assert {*COMMANDS} == {*tasks.namespace.task_names}


@pytest.mark.usefixtures("checkout")
@pytest.mark.parametrize(
    "verb", sorted({*COMMANDS} - {"doctor", "test", "lint", "harden", "work", "worker"})
)
def test_a_verb_ends_for_lack_of_an_engine_exactly_if_it_says_that_it_needs_one(verb: str) -> None:
    command = [verb, *COMMANDS[verb]]
    lacks_engine = "no container engine answers" in invoke(*command).stderr
    assert lacks_engine == ("engine" in needed(tasks.namespace, command))


@pytest.mark.parametrize(
    ("command", "needs"),
    [
        ("test", ("engine", "browser", "hosts", "b4")),
        ("test --fast", ()),
        ("lint", ()),
        ("harden", ("engine", "browser")),
        ("doctor", ()),
        ("doctor --machine=exact8", ("engine",)),
        ("doctor -m exact8", ("engine",)),
        ("bench --help", ()),
        ("bench --hosts tcp://127.0.0.1:8786", ("engine", "hosts")),
        ("worker", ("engine", "hosts")),
        ("work job.json", ("engine",)),
        ("--help bench", ()),
        ("nosuch", ()),
    ],
)
def test_what_a_command_line_needs(command: str, needs: tuple[str, ...]) -> None:
    assert needed(tasks.namespace, command.split()) == needs
