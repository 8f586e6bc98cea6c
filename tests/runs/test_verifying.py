# SPDX-License-Identifier: GPL-2.0-only
"""What a run is made again of, where Debian's archive has moved on since."""

from dataclasses import replace
from typing import Any

import pytest

from patchbench.errors import BadInput, NotComparable, ToolFailed
from patchbench.model import Plan, Source, Toolchain
from patchbench.runs import verifying
from tests import fakes
from tests.gate.named import SOURCE

PUBLISHED = "linux-source-7.3 7.3.4-1~bpo13+1"
PLAN = replace(
    fakes.plan(),
    provenance=PUBLISHED,
    fetched="2026-11-26T19:10:41+02:00",
    packages=("gcc=14.2.0-19", "qemu=10.0.13", "make=4.4"),
)
SNAPSHOT = "20261126T171041Z"


class Moved:
    """A pipeline whose archive has newer packages, and snapshots unless it is told otherwise."""

    def __init__(self, provenance: str, *, snapshots: bool = True) -> None:
        self.story = fakes.Listener()
        self.asked: list[tuple[str, ...]] = []
        self.toolchain = tools("gcc=14.2.0-20", "qemu=10.0.13")
        self._provenance, self._snapshots = provenance, snapshots

    def source(self, kernel: str) -> Source:
        return replace(SOURCE, kernel=kernel, provenance=self._provenance)

    def source_at(self, kernel: str, package: str, snapshot: str) -> Source:
        self._ask("source", kernel, package, snapshot)
        return replace(SOURCE, kernel=kernel, provenance=PUBLISHED)

    def toolchain_at(self, snapshot: str) -> Toolchain:
        self._ask("toolchain", snapshot)
        return tools(*PLAN.packages)

    def _ask(self, *what: str) -> None:
        self.asked.append(what)
        if not self._snapshots:
            raise ToolFailed("no image\n  Could not resolve the archive")


def tools(*packages: str) -> Toolchain:
    return Toolchain("image", "digest", "registry", "14", "2.44", "10.0.13", packages)


def packaged(pipeline: Any, plan: Plan = PLAN) -> Source:
    return verifying._packaged(pipeline, plan)


def test_a_kernel_that_has_left_the_archive_is_read_as_of_when_it_was_fetched() -> None:
    moved = Moved("linux-source-7.4 7.4.1-1~bpo13+1")
    assert packaged(moved).provenance == PUBLISHED
    assert moved.asked == [("source", "mainline", "linux-source-7.3", SNAPSHOT)]
    assert f"as of {SNAPSHOT}" in "\n".join(moved.story.heard)


def test_the_package_that_was_built_is_taken_from_the_cache() -> None:
    here = Moved(PUBLISHED)
    assert packaged(here).provenance == PUBLISHED
    assert here.asked == []


def test_a_run_that_does_not_say_when_it_fetched_takes_what_there_is() -> None:
    here = Moved("linux-source-7.3 7.3.9-1")
    assert packaged(here, replace(PLAN, fetched="")).provenance == "linux-source-7.3 7.3.9-1"


def test_a_run_whose_time_is_none_is_refused() -> None:
    with pytest.raises(BadInput, match="'last week' is no time"):
        packaged(Moved("linux-source-7.3 7.3.9-1"), replace(PLAN, fetched="last week"))


def test_without_snapshots_nothing_is_built_and_what_helps_is_said() -> None:
    with pytest.raises(NotComparable, match=r"7\.3\.9(.|\n)*resolve(.|\n)*--tree(.|\n)*--images"):
        packaged(Moved("linux-source-7.3 7.3.9-1", snapshots=False))


def test_a_toolchain_whose_packages_changed_is_built_of_those_of_its_time() -> None:
    moved: Any = Moved(PUBLISHED)
    verifying._go_back(moved, PLAN)
    assert moved.toolchain.packages == PLAN.packages
    assert moved.asked == [("toolchain", SNAPSHOT)]


def test_without_snapshots_todays_toolchain_is_taken_and_that_is_said() -> None:
    moved: Any = Moved(PUBLISHED, snapshots=False)
    verifying._go_back(moved, PLAN)
    assert "gcc=14.2.0-20" in moved.toolchain.packages
    assert "Could not resolve the archive); today's" in "\n".join(moved.story.heard)


def test_a_toolchain_with_all_packages_of_a_run_stays() -> None:
    same: Any = Moved(PUBLISHED)
    same.toolchain = tools(*PLAN.packages, "one-more=1")
    verifying._go_back(same, PLAN)
    assert same.asked == []


def test_packages_that_differ_are_named_and_many_are_counted() -> None:
    rows = [*verifying._packages(PLAN, tools("gcc=14.2.0-20", "qemu=10.0.13"))]
    assert [(one.name, one.published, one.here) for one in rows] == [
        ("package gcc", "14.2.0-19", "14.2.0-20"),
        ("package make", "4.4", "none"),
    ]
    many = replace(PLAN, packages=tuple(f"p{number}=1" for number in range(9)))
    *_, last = verifying._packages(many, tools())
    assert (last.name, last.here, last.same) == ("more such packages", "4", False)
