# SPDX-License-Identifier: GPL-2.0-only
"""Rows as jobs for other hosts: what is asked, what may come back, and what is taken in."""

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from patchbench.check import rowjobs, rowmaking, rowplacing
from patchbench.check.onerow import Needed
from patchbench.check.rowjobs import RowDelivery, RowEntry, RowJob
from patchbench.errors import BadInput
from patchbench.model import Patch, Series
from patchbench.store import Store, file_sha256
from tests.check.test_matrix import tree
from tests.fakes import Listener

PATCH = Patch(1, Path("0001-mm-x.patch"), "mm: x", "a" * 64, ("mm/swapfile.c",))
JOB = RowJob(
    kernel="mainline",
    commit="c0",
    series=Series("v0", "7.3", (PATCH,)),
    tree="t1",
    author="abc123",
    row="arm64-noswap",
    needed=Needed(whole=True),
    touched=("mm/swapfile.c",),
    toolchain="tools",
    code="code",
)
ENTRIES = (RowEntry({"tree": "t1", "what": "compile"}, {"compiled.json": b"{}"}),)
GOOD = RowDelivery(JOB.key, ENTRIES, rowjobs.checksum(ENTRIES))


def test_a_row_is_the_same_job_after_it_was_a_text() -> None:
    assert rowjobs.loads(JOB.dumps(), "a job") == JOB
    assert JOB.title == "row arm64-noswap with v0"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{", "not a job that this version reads"),
        (JOB.dumps().replace('"schema": 1', '"schema": 9'), "has schema 9"),
        (JOB.dumps().replace("0001-mm-x.patch", "../0001-mm-x.patch"), "not the name of a file"),
        (JOB.dumps().replace("abc123", "../abc"), "not the hash of an author"),
    ],
)
def test_a_text_that_is_no_row_of_this_version_is_refused(text: str, words: str) -> None:
    with pytest.raises(BadInput, match=words):
        rowjobs.loads(text, "job.json")


def other(**what: Any) -> RowDelivery:
    entries = (replace(ENTRIES[0], **what),)
    return RowDelivery(JOB.key, entries, rowjobs.checksum(entries))


@pytest.mark.parametrize(
    ("told", "words"),
    [
        ("a text", "it is a str"),
        (replace(GOOD, key="0" * 64), "it is of job 000000000000"),
        (replace(GOOD, sha256="0"), "another checksum"),
        (other(made_of={"tree": "t2"}), "of another tree"),
        (other(files={"../../escaped": b""}), "it has a file '../../escaped'"),
    ],
)
def test_a_delivery_of_something_else_is_no_row(told: object, words: str) -> None:
    assert words in JOB.fault(told)


def test_a_delivery_of_just_that_row_has_no_fault() -> None:
    assert JOB.fault(GOOD) == ""


def test_what_work_left_is_taken_in_unless_it_is_damaged(tmp_path: Path) -> None:
    done, shelf = Store(tmp_path / "jobs/done"), Store(tmp_path / "shelf")
    for entry in (ENTRIES[0], RowEntry({"tree": "t1", "what": "look"}, {"compiled.json": b"1"})):
        rowjobs.shelve(done, entry)
    (done.entry("rows", ENTRIES[0].made_of) / "compiled.json").write_bytes(b"forged")
    rowplacing.take_in(shelf, tmp_path / "jobs")
    assert shelf.get("rows", ENTRIES[0].made_of) is None
    taken = shelf.get("rows", {"tree": "t1", "what": "look"})
    assert taken
    assert (taken / "compiled.json").read_bytes() == b"1"


def test_jobs_are_written_with_the_patches_that_they_need(tmp_path: Path) -> None:
    patch = tmp_path / "0001-mm-x.patch"
    patch.write_text("a patch")
    named = replace(PATCH, path=patch, sha256=file_sha256(patch))
    applied = replace(tree(tmp_path), series=Series("v0", "7.3", (named,)))
    (file,) = rowplacing.write([(JOB, applied)], tmp_path / "jobs")
    assert rowmaking.holds_row(file)
    assert (tmp_path / "jobs/artefacts" / named.sha256).read_text() == "a patch"
    assert not rowmaking.holds_row(tmp_path / "0001-mm-x.patch")
    file.write_text(json.dumps({"boots": []}))
    assert not rowmaking.holds_row(file)


class OneHost:
    """Another host that makes any row at once; it remembers which, and with which patches."""

    def __init__(self) -> None:
        self.asked: list[tuple[RowJob, Mapping[str, Path]]] = []

    def usable(self) -> list[str]:
        return ["alpha"]

    def deliver(
        self, job: RowJob, files: Mapping[str, Path], do: Callable[[str], Any], avoid: str = ""
    ) -> RowDelivery:
        self.asked.append((job, files))
        entries = (RowEntry({"tree": job.tree, "row": job.row}, {"compiled.json": b"{}"}),)
        return RowDelivery(job.key, entries, rowjobs.checksum(entries))


@pytest.fixture
def hosts() -> OneHost:
    return OneHost()


def ask(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, hosts: OneHost, *, packaged: bool
) -> tuple[Store, list[str]]:
    """Ask for three rows, one of which is made already and one of which is not built whole."""
    patch = tmp_path / "patches/v0/7.3/0001-mm-x.patch"
    patch.parent.mkdir(parents=True)
    patch.touch()
    applied = tree(tmp_path)
    applied = replace(
        applied,
        series=Series("v0", "7.3", (replace(PATCH, path=patch),)),
    )
    shelf, story = Store(tmp_path / "shelf"), Listener()
    run = SimpleNamespace(
        store=shelf,
        story=story,
        cross_toolchain=SimpleNamespace(digest="tools"),
        is_packaged=lambda _: packaged,
    )
    monkeypatch.setattr(rowplacing, "_is_made", lambda _run, _applied, row, _files: row == "made")
    needed = {
        "made": Needed(whole=True),
        "lacking": Needed(whole=True),
        "looked at": Needed(whole=False, sources=("mm/swapfile.c",)),
    }
    rowplacing.ahead(run, hosts, applied, needed, PATCH.files)  # type: ignore[arg-type]
    return shelf, story.heard


def test_other_hosts_make_the_whole_rows_that_are_lacking_and_the_run_shelves_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, hosts: OneHost
) -> None:
    shelf, _ = ask(tmp_path, monkeypatch, hosts, packaged=True)
    ((job, files),) = hosts.asked
    assert (job.row, job.series.patches[0].path) == ("lacking", Path("0001-mm-x.patch"))
    assert files == {"a" * 64: tmp_path / "patches/v0/7.3/0001-mm-x.patch"}
    assert shelf.get("rows", {"tree": "t1", "row": "lacking"})


def test_a_kernel_that_is_on_this_host_alone_is_built_here(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, hosts: OneHost
) -> None:
    _, heard = ask(tmp_path, monkeypatch, hosts, packaged=False)
    assert hosts.asked == []
    assert heard == ["rows of mainline are built here: no other host has it"]
