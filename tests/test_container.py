# SPDX-License-Identifier: GPL-2.0-only
"""Finding an engine, and saying so when there is none."""

import socket
from collections import deque
from pathlib import Path

import pytest

from patchbench.tools import container
from patchbench.tools.container import EngineMissing, find_engine


def test_a_dead_docker_host_is_named_and_nothing_else_is_tried(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/none.sock")
    with pytest.raises(EngineMissing, match=r"none\.sock: not there(.|\n)*doctor") as caught:
        find_engine()
    assert caught.value.exit_code == 30


def test_a_socket_that_nobody_serves_is_not_an_engine(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    path = tmp_path / "dead.sock"
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
    monkeypatch.setenv("DOCKER_HOST", f"unix://{path}")
    with pytest.raises(EngineMissing, match=r"dead\.sock"):
        find_engine()


@pytest.mark.parametrize(
    ("said", "rest", "seconds"),
    [
        (["one", "", "cpu seconds 1.5 0.25"], ["one"], 1.75),
        (["no line end", "cpu seconds 1.0 0.0"], ["no line end"], 1.0),
        (["one", "", "cpu seconds 1.5 0.25", "late, on stderr"], ["one", "late, on stderr"], 1.75),
        (["it was killed"], ["it was killed"], 0.0),
        ([], [], 0.0),
    ],
)
def test_what_the_shell_measured_is_taken_out_of_what_was_said(
    said: list[str], rest: list[str], seconds: float
) -> None:
    lines = deque(said)
    assert container._take_cpu_seconds(lines) == seconds
    assert list(lines) == rest
