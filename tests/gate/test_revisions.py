# SPDX-License-Identifier: GPL-2.0-only
"""Which revisions a branch touches, and what each is judged against."""

import shutil
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

import pytest

from patchbench.catalog import Catalog
from patchbench.errors import BadInput
from patchbench.gate import revisions
from patchbench.gate.request import GateRequest
from patchbench.model import Source
from patchbench.pipeline import Pipeline
from tests.fakes import git
from tests.recorded import PROJECT

REQUEST = GateRequest("v0", "none", "mainline")


@dataclass
class Project:
    """A project's folder under git; its kernels are of the lines that its files are named for."""

    root: Path
    catalog: Catalog = field(init=False)

    def __post_init__(self) -> None:
        self.catalog = Catalog(self.root)

    def source(self, kernel: str) -> Source:
        line = {"mainline": "7.3", "lts": "6.12"}[kernel]
        return Source(kernel, f"{line}.4", "a test's", self.root, "c0", "")

    def write(self, series: str, line: str, text: str, name: str = "0001-a.patch") -> None:
        path = self.root / "patches" / series / line / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        note = path.parents[1] / "series.toml"
        if not note.exists():
            note.write_text('title = "t"\n')

    def commit(self) -> str:
        git(self.root, "add", "--all")
        git(self.root, "commit", "--quiet", "--message", "more")
        return git(self.root, "rev-parse", "HEAD")

    def changed(self, since: str) -> list[tuple[str, str, str]]:
        requests = revisions.changed(cast(Pipeline, self), REQUEST, since)
        return [(one.series, one.against, one.kernel) for one in requests]


@pytest.fixture
def project(tmp_path: Path) -> Project:
    # Of its kernels `next` is used by name alone: `source` above would not know it.
    shutil.copytree(PROJECT / "configs/kernels", tmp_path / "configs/kernels")
    git(tmp_path, "init", "--quiet")
    project = Project(tmp_path)
    project.write("v0", "7.3", "one")
    project.write("v0", "6.12", "one")
    project.commit()
    return project


def test_a_branch_that_touches_no_patch_gates_nothing(project: Project) -> None:
    (project.root / "README.md").write_text("more")
    (project.root / "patches/v0/README.md").write_text("more")
    assert project.changed("HEAD") == []


def test_an_edited_port_is_judged_against_itself_before_and_against_none(project: Project) -> None:
    before = git(project.root, "rev-parse", "HEAD")
    project.write("v0", "7.3", "two")
    expected = [("v0", f"v0~{before[:12]}", "mainline"), ("v0", "none", "mainline")]
    assert project.changed("HEAD") == expected
    project.commit()
    assert project.changed(before) == expected


def test_a_series_is_also_judged_by_what_it_promises(project: Project) -> None:
    (project.root / "patches/v0/gate.toml").write_text("")
    project.write("v0", "7.3", "two")
    requests = revisions.changed(cast(Pipeline, project), REQUEST, "HEAD")
    assert [(one.against, str(one.policy)) for one in requests[1:]] == [
        ("none", "configs/gate.toml"),
        ("none", "patches/v0/gate.toml"),
    ]


def test_a_new_revision_is_judged_against_the_one_before(project: Project) -> None:
    project.write("v2", "7.3", "two")  # there is no v1
    assert project.changed("HEAD") == [("v2", "v0", "mainline"), ("v2", "none", "mainline")]


def test_what_is_on_an_edited_series_is_judged_as_well(project: Project) -> None:
    project.write("helpers", "7.3", "one", "0002-b.patch")
    (project.root / "patches/helpers/series.toml").write_text('title = "t"\non = "v0"\n')
    project.commit()
    project.write("v0", "7.3", "two")
    assert {name for name, _, _ in project.changed("HEAD")} == {"helpers", "v0"}


def test_a_new_series_has_nothing_before_it_but_none(project: Project) -> None:
    project.write("zram-gc", "7.3", "one")
    assert project.changed("HEAD") == [("zram-gc", "none", "mainline")]


def test_each_touched_port_is_judged_on_its_own_kernel(project: Project) -> None:
    project.write("v1", "7.3", "one")
    project.write("v1", "6.12", "one")
    assert [(against, kernel) for _, against, kernel in project.changed("HEAD")] == [
        ("v0", "lts"), ("none", "lts"), ("v0", "mainline"), ("none", "mainline"),
    ]  # fmt: skip


def test_a_series_that_was_removed_is_not_judged(project: Project) -> None:
    (project.root / "patches/v0/7.3/0001-a.patch").unlink()
    (project.root / "patches/v0/7.3").rmdir()
    assert project.changed("HEAD") == []


def test_only_what_the_branch_changed_counts_and_not_what_the_other_did(project: Project) -> None:
    main = git(project.root, "rev-parse", "HEAD")
    git(project.root, "checkout", "--quiet", "-b", "theirs")
    project.write("theirs", "7.3", "one")
    project.commit()
    git(project.root, "checkout", "--quiet", "-b", "ours", main)
    project.write("ours", "7.3", "one")
    project.commit()
    assert project.changed("theirs") == [("ours", "none", "mainline")]


def test_a_port_without_a_kernel_is_refused_by_its_line(project: Project) -> None:
    project.write("v1", "5.10", "one")
    with pytest.raises(BadInput, match=r"no kernel in configs/kernels is of line 5\.10"):
        project.changed("HEAD")


def test_a_commit_that_does_not_exist_is_refused(project: Project) -> None:
    with pytest.raises(BadInput, match="has no commit 'nonsense'"):
        project.changed("nonsense")
