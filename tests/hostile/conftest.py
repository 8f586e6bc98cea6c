# SPDX-License-Identifier: GPL-2.0-only
"""Hostile series on the real engine. Each build is stopped as early as its attack shows."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from patchbench import pipeline
from patchbench.pipeline import Pipeline
from tests.fakes import Listener

ROOT = Path(__file__).resolve().parents[2]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what is below this folder: it needs a container engine."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker("e2e")


@pytest.fixture(scope="module")
def run() -> Iterator[Pipeline]:
    """Return the pipeline of this checkout, on the user's cache, with its engine and image."""
    with pipeline.opened(ROOT, Listener()) as opened:
        yield opened
