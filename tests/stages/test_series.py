# SPDX-License-Identifier: GPL-2.0-only
"""What may lie in patches/."""

from pathlib import Path

import pytest

from patchbench.errors import BadInput, UnknownName
from patchbench.stages import series

MAIL = """\
From 0000000000000000000000000000000000000000 Mon Sep 17 00:00:00 2001
From: A Hacker <hacker@example.org>
Subject: [PATCH 1/2] mm: say
 more

---
diff --git a/mm/swapfile.c b/mm/swapfile.c
--- a/mm/swapfile.c
+++ b/mm/swapfile.c
@@ -1 +1 @@
-a
+b
"""


@pytest.fixture
def port(tmp_path: Path) -> Path:
    folder = tmp_path / "patches/v0/7.3"
    folder.mkdir(parents=True)
    (folder.parent / "series.toml").write_text('title = "t"\nengaged_vmstat = "async"\n')
    (folder / "0001-a.patch").write_text(MAIL)
    (folder / "0002-b.patch").write_text(MAIL)
    return folder


def test_a_series_is_its_mails_in_order(port: Path) -> None:
    loaded = series.load(port.parents[2], "v0", "7.3")
    assert [patch.number for patch in loaded.patches] == [1, 2]
    assert loaded.patches[0].subject == "mm: say more"
    assert loaded.patches[0].files == ("mm/swapfile.c",)
    assert loaded.engaged_vmstat == "async"


def test_the_first_patches_of_a_series_are_a_series_of_their_own(port: Path) -> None:
    loaded = series.load(port.parents[2], "v0@1", "7.3")
    assert loaded.name == "v0@1"
    assert [patch.number for patch in loaded.patches] == [1]
    assert loaded.engaged_vmstat == "async"


@pytest.mark.parametrize("name", ["v0@0", "v0@3", "v0@", "v0@x", "none@1"])
def test_no_more_patches_can_be_asked_for_than_there_are(port: Path, name: str) -> None:
    with pytest.raises(BadInput, match="has"):
        series.load(port.parents[2], name, "7.3")


def test_none_is_the_series_without_patches(tmp_path: Path) -> None:
    assert series.load(tmp_path, "none", "7.3").patches == ()


def test_an_unknown_series_lists_the_known_ones(port: Path) -> None:
    with pytest.raises(UnknownName, match="none, v0"):
        series.load(port.parents[2], "v9", "7.3")


def test_a_name_with_a_slash_finds_nothing_outside(port: Path) -> None:
    with pytest.raises(UnknownName):
        series.load(port.parents[2], "../patches/v0", "7.3")


def test_a_line_without_a_port_lists_the_ports(port: Path) -> None:
    with pytest.raises(UnknownName, match=r"'6\.12'(.|\n)*7\.3"):
        series.load(port.parents[2], "v0", "6.12")


def test_a_gap_in_the_numbering_is_refused(port: Path) -> None:
    (port / "0002-b.patch").rename(port / "0003-b.patch")
    with pytest.raises(BadInput, match="patch 0002 is missing"):
        series.load(port.parents[2], "v0", "7.3")


def test_a_missing_first_patch_is_refused(port: Path) -> None:
    (port / "0001-a.patch").unlink()
    with pytest.raises(BadInput, match="patch 0001 is missing"):
        series.load(port.parents[2], "v0", "7.3")


def test_a_stray_file_is_refused_and_not_skipped(port: Path) -> None:
    (port / "0003-c.diff").write_text(MAIL)
    with pytest.raises(BadInput, match=r"0003-c\.diff is not named"):
        series.load(port.parents[2], "v0", "7.3")


def test_an_empty_port_is_refused(port: Path) -> None:
    for path in port.iterdir():
        path.unlink()
    with pytest.raises(BadInput, match="holds no patch"):
        series.load(port.parents[2], "v0", "7.3")


def test_a_dangling_link_is_a_missing_file(port: Path) -> None:
    (port / "0002-b.patch").unlink()
    (port / "0002-b.patch").symlink_to("nowhere")
    with pytest.raises(BadInput, match=r"0002-b\.patch is not a file"):
        series.load(port.parents[2], "v0", "7.3")


@pytest.mark.parametrize(
    "text", ["", "diff --git a/x b/x\n--- a/x\n+++ b/x\n", "Subject: x\n\nno\n"]
)
def test_a_file_that_is_no_mail_is_refused(port: Path, text: str) -> None:
    (port / "0001-a.patch").write_text(text)
    with pytest.raises(BadInput, match="not a patch as a mail"):
        series.load(port.parents[2], "v0", "7.3")


def put_on(port: Path, name: str, on: str, *files: str) -> None:
    """Write a series that is on another."""
    folder = port.parents[1] / name / port.name
    folder.mkdir(parents=True)
    (folder.parent / "series.toml").write_text(f'title = "t"\non = "{on}"\n')
    for file in files:
        (folder / file).write_text(MAIL)


def test_a_series_that_is_on_another_has_that_one_s_patches_first(port: Path) -> None:
    put_on(port, "v1", "v0", "0003-c.patch")
    put_on(port, "v2", "v1", "0004-d.patch")
    loaded = series.load(port.parents[2], "v2", "7.3")
    names = [patch.path.name for patch in loaded.patches]
    assert names == ["0001-a.patch", "0002-b.patch", "0003-c.patch", "0004-d.patch"]
    assert loaded.name == "v2"
    assert [one.number for one in series.load(port.parents[2], "v2@3", "7.3").patches] == [1, 2, 3]


def test_a_series_that_is_on_another_counts_on(port: Path) -> None:
    put_on(port, "v1", "v0", "0001-c.patch")
    with pytest.raises(BadInput, match=r"patch 0003 is missing, 0001-c\.patch comes instead"):
        series.load(port.parents[2], "v1", "7.3")


@pytest.mark.parametrize(
    ("on", "error", "says"),
    [
        ("v1", BadInput, "v1 is on v1"),
        ("v2", BadInput, "v1 is on v2 is on v1"),
        ("nobody", UnknownName, "nobody"),
        ("../v0", UnknownName, "v0"),
    ],
)
def test_what_a_series_cannot_be_on_is_named(
    port: Path, on: str, error: type[Exception], says: str
) -> None:
    put_on(port, "v1", on, "0003-c.patch")
    put_on(port, "v2", "v1", "0004-d.patch")
    with pytest.raises(error, match=says):
        series.load(port.parents[2], "v1", "7.3")
