# SPDX-License-Identifier: GPL-2.0-only
"""Which port applies where, and how two of them differ."""

import re
from pathlib import Path

import pytest

from patchbench import porting
from patchbench.errors import BadInput
from patchbench.pipeline import Pipeline
from tests.fakes import Listener, git, small_repository, write_patch

pytestmark = pytest.mark.slow


def kernel(project: Path, name: str, version: str, line_20: str) -> Path:
    """Drop in a kernel of a version, whose line 20 of mm/swapfile.c is its own."""
    repository = small_repository(project / f"kernels-of-a-test/{name}")
    major, minor = version.split(".")
    makefile = f"VERSION = {major}\nPATCHLEVEL = {minor}\nSUBLEVEL = 4\nEXTRAVERSION =\n"
    (repository / "Makefile").write_text(makefile)
    source = repository / "mm/swapfile.c"
    source.write_text(source.read_text().replace("line 20\n", f"{line_20}\n"))
    git(repository, "commit", "--quiet", "--all", "--allow-empty", "--message", "its own")
    path = project / f"configs/kernels/{name}.toml"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(
        f'summary = "a test\'s"\n[origin]\nkind = "git"\nurl = "{repository}"\nref = "base"\n'
    )
    git(repository, "branch", "base")
    return repository


@pytest.fixture
def project(tmp_path: Path) -> Path:
    root = tmp_path / "project"
    new = kernel(root, "new", "7.3", "line 20")
    old = kernel(root, "old", "6.12", "an old line 20")
    write_patch(root / "patches/v0/7.3", 1, "line 20", "a new line 20", new)
    write_patch(root / "patches/v0/6.12", 1, "an old line 20", "a new line 20", old)
    (root / "patches/v0/series.toml").write_text('title = "for a test"\n')
    return root


def test_every_port_is_tried_on_every_kernel(project: Path, tmp_path: Path) -> None:
    with Pipeline(project, tmp_path / "cache", Listener()) as run:
        fits = porting.fits(run)
    assert [(fit.port, fit.kernel, fit.state) for fit in fits] == [
        ("6.12", "new", "stopped"),
        ("6.12", "old", "applies"),
        ("7.3", "new", "applies"),
        ("7.3", "old", "stopped"),
    ]
    assert fits[3].stopped_by == "0001-mm-say.patch"
    assert fits[3].hunks.startswith("mm/swapfile.c, hunk @@ -17,7 +17,7 @@")
    table = porting.markdown(fits).splitlines()
    assert len(table) == 6
    assert all(line.startswith("| ") for line in table)
    assert porting.verdict_error(fits) is None


def test_a_port_that_does_not_apply_to_its_own_line_is_an_error(
    project: Path, tmp_path: Path
) -> None:
    # Before 57c0fe9cbfba: it was in the table, and the status was 0.
    own = project / "patches/v0/7.3/0001-mm-say.patch"
    own.write_text((project / "patches/v0/6.12/0001-mm-say.patch").read_text())
    with Pipeline(project, tmp_path / "cache", Listener()) as run:
        error = porting.verdict_error(porting.fits(run))
    assert error
    assert error.exit_code == 21
    assert "v0's port to 7.3 does not apply to new 7.3.4: 0001-mm-say.patch" in str(error)


@pytest.mark.parametrize(
    "author", ["<", '"A Hacker <a@example.org>', "=?x?q?y?=", "a@b@c <@>, ;:", "\x80\xff", ""]
)
def test_a_mail_that_cannot_be_read_stops_its_own_series_alone(
    project: Path, tmp_path: Path, author: str
) -> None:
    # Before 343894081fbc: one malformed From: ended the table of all ports.
    """A malformed From: once ended the table of all series with a traceback."""
    bad = project / "patches/v9/7.3/0001-mm-say.patch"
    bad.parent.mkdir(parents=True)
    (bad.parents[1] / "series.toml").write_text('title = "t"\n')
    good = (project / "patches/v0/7.3/0001-mm-say.patch").read_text()
    bad.write_text(re.sub(r"^From: .*$", f"From: {author}", good, flags=re.MULTILINE))
    with Pipeline(project, tmp_path / "cache", Listener()) as run:
        fits = porting.fits(run)
    assert {fit.state for fit in fits if fit.series == "v0" and fit.own} == {"applies"}
    assert {fit.state for fit in fits if fit.series == "v9" and fit.own} <= {"refused", "applies"}
    (bad).write_text("no mail\n")
    with Pipeline(project, tmp_path / "cache", Listener()) as run:
        error = porting.verdict_error(porting.fits(run))
    assert error
    assert error.exit_code == 20


def test_two_ports_differ_in_what_they_replace(project: Path, tmp_path: Path) -> None:
    with Pipeline(project, tmp_path / "cache", Listener()) as run:
        diff = porting.range_diff(run, ("v0", "6.12"), ("v0", "7.3"))
        assert "an old line 20" in diff
        assert porting.range_diff(run, ("v0", "7.3"), ("v0", "7.3")).count("\n") == 0


def test_a_line_without_a_kernel_is_refused(project: Path, tmp_path: Path) -> None:
    with (
        Pipeline(project, tmp_path / "cache", Listener()) as run,
        pytest.raises(BadInput, match=r"no kernel in configs/kernels is of line 6\.6"),
    ):
        porting.range_diff(run, ("v0", "7.3"), ("v0", "6.6"))


def test_none_has_no_patches_to_compare(project: Path, tmp_path: Path) -> None:
    with (
        Pipeline(project, tmp_path / "cache", Listener()) as run,
        pytest.raises(BadInput, match="no patches to compare"),
    ):
        porting.range_diff(run, ("none", "7.3"), ("v0", "7.3"))
