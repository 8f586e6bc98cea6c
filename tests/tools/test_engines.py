# SPDX-License-Identifier: GPL-2.0-only
"""Finding an engine, and saying so when there is none."""

import socket
from pathlib import Path

import pytest

from patchbench.tools.engines import EngineMissing, find_engine


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
