# SPDX-License-Identifier: GPL-2.0-only
"""Hostile series. Builds are real, and stopped as early as their attack shows; guests are not."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from patchbench import pipeline
from patchbench.pipeline import Pipeline
from tests.fakes import Listener

ROOT = Path(__file__).resolve().parents[2]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what is below this folder and needs a container engine."""
    for item in items:
        here = Path(__file__).parent in item.path.parents
        if here and "run" in getattr(item, "fixturenames", ()):
            item.add_marker("e2e")


@pytest.fixture(scope="module")
def run() -> Iterator[Pipeline]:
    """Return the pipeline of this checkout, on the user's cache, with its engine and image."""
    with pipeline.opened(ROOT, Listener()) as opened:
        yield opened
