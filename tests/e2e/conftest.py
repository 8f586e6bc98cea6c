# SPDX-License-Identifier: GPL-2.0-only
"""The real thing: the user's own cache, engine and kernel. Nothing here is skipped."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from patchbench import pipeline
from patchbench.model import Source
from patchbench.pipeline import Pipeline
from patchbench.stages import planted
from tests.fakes import Listener

ROOT = Path(__file__).resolve().parents[2]
KERNEL = "mainline"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what is below this folder, and run it after what takes seconds."""
    real = [item for item in items if Path(__file__).parent in item.path.parents]
    for item in real:
        item.add_marker("e2e")
    items.sort(key=lambda item: item in real)


@pytest.fixture
def run() -> Iterator[Pipeline]:
    """Return the pipeline of this checkout, on the user's cache."""
    with pipeline.opened(ROOT, Listener()) as opened:
        yield opened


@pytest.fixture
def project() -> Path:
    """Return a copy of the project's drop-ins, free to be changed.

    It has one place, whichever test or clone asks: a series builds in a lane that the folder of
    its patches is part of, and a new place would be a kernel from nothing each time.
    """
    folder = pipeline.default_cache() / "work/e2e-project"
    shutil.rmtree(folder, ignore_errors=True)
    for name in ("configs", "patches", "qemu", "workloads"):
        shutil.copytree(ROOT / name, folder / name)
    return folder


@pytest.fixture
def copied(project: Path) -> Iterator[Pipeline]:
    """Return a pipeline of the copied project, on the user's cache."""
    with Pipeline(project, pipeline.default_cache(), Listener()) as opened:
        yield opened


@pytest.fixture
def write_series(project: Path, tmp_path: Path) -> Callable[[Source, str, str, str, str], None]:
    """Return a way to write a series of one patch that replaces text in one file."""

    def write(source: Source, name: str, file: str, old: str, new: str) -> None:
        plant = planted.Plant("for a test", file, old, new)
        planted.write(plant, source, project, name, tmp_path / f"author-{name}")

    return write
