# SPDX-License-Identifier: GPL-2.0-only
"""The command line as a user meets it: words and exit statuses."""

import csv
import subprocess
import sys
from pathlib import Path

import pytest

from tests import recorded
from tests.command import in_checkout, invoke

ROOT = Path(__file__).resolve().parents[1]
STORM = "published/v0-exit-storm-7.3"


def process(*arguments: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "invoke", *arguments],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip


def test_the_list_of_verbs_says_what_each_does() -> None:
    listed = [line.split() for line in invoke("--list").stdout.splitlines()]
    for verb in ("list", "fetch", "apply", "build", "boot", "bench", "gate", "profile", "check"):
        assert any(line[:1] == [verb] and len(line) > 3 for line in listed), verb


@pytest.mark.slow
def test_a_process_ends_with_the_status_of_its_verb_and_says_why_on_stderr() -> None:
    done = process("clean")
    assert (done.returncode, done.stdout) == (20, "")
    assert "clean what?" in done.stderr


def test_list_names_what_is_dropped_in() -> None:
    listed = invoke("list").stdout
    for name in ("v0", "mainline", "exact", "parallel", "exit-storm", "bench"):
        assert name in listed


@pytest.mark.parametrize(
    ("arguments", "status", "words"),
    [
        (("bench", "--machine", "nosuch"), 20, "no machine is called 'nosuch'"),
        (("bench", "--set", "mib"), 20, "expected name=NUMBER"),
        (("profile", "--machine", "parallel"), 20, "is not exact"),
        (("build", "--kernel", "nosuch"), 20, "no kernel is called 'nosuch'"),
        (("build", "--tree", "/"), 20, "no Makefile"),
        (("check", "--hazards", "exit-storm"), 20, "exit-storm has no conditions"),
        (("check", "--tree", "/"), 20, "no Makefile"),
        (("check", "--machine", "parallel"), 20, "exact machines only"),
        (("check", "--seeds", "0"), 20, "at least 1"),
        (("doctor", "--sweep"), 20, "name one with --machine"),
        (("doctor", "--machine", "nosuch"), 20, "no machine is called 'nosuch'"),
        (("doctor", "--machine", "parallel", "--sweep"), 20, "has no [timelines]"),
        (("test", "--fast", "--nightly"), 20, "choose one"),
        (("verify", STORM, "--images", "--tree", "/"), 20, "choose one"),
        (("clean",), 20, "clean what?"),
        (("report", "--run", "nosuch"), 20, "run"),
        (("report", "--run", STORM, "--format", "xls"), 20, "csv, gobench"),
        (("report", "--check-claims", "nosuch"), 20, "No such file"),
        (("report", "--check-claims", "pyproject.toml"), 20, "claims nothing"),
        (("compare", "nosuch", "nosuch"), 20, "no run"),
        (("nosuch",), 1, "nosuch"),
    ],
)
def test_a_mistake_says_what_and_leaves_its_own_status(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    arguments: tuple[str, ...],
    status: int,
    words: str,
) -> None:
    monkeypatch.setenv("PATCHBENCH_CACHE", str(tmp_path))
    done = invoke(*arguments)
    assert (done.status, done.stdout) == (status, "")
    assert words in done.stderr
    assert "Traceback" not in done.stderr


def test_without_an_engine_a_build_ends_with_thirty(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATCHBENCH_CACHE", str(tmp_path))
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/none.sock")
    done = invoke("build")
    assert done.status == 30
    assert "no container engine answers" in done.stderr


def test_doctor_names_the_lack_and_the_remedy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/none.sock")
    done = invoke("doctor")
    assert done.status == 30
    assert "MISSING" in done.stdout
    assert "./bootstrap" in done.stderr
    assert "install Python" not in done.stderr, "a remedy for what is there"


def test_a_damaged_cache_is_mended_and_kept_small_by_one_command_each(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATCHBENCH_CACHE", str(tmp_path))
    (tmp_path / "shelf/images" / ("0" * 64)).mkdir(parents=True)
    done = invoke("doctor", "--cache")
    assert (done.status, "shelf: images" in done.stdout, "mended" in done.stdout) == (0, True, True)
    (tmp_path / "work/scratch").mkdir(parents=True)
    assert invoke("clean", "--keep", "0M").stdout == f"removed {tmp_path / 'work/scratch'}\n"
    assert invoke("clean", "--keep", "20").status == 20


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A checkout with one stored run, in which the verbs work."""
    in_checkout(monkeypatch, tmp_path)
    return recorded.root(tmp_path)


def test_a_format_is_all_there_is_on_stdout(checkout: Path) -> None:
    done = invoke("report", "--format", "csv")
    assert (done.status, done.stderr) == (0, "")
    assert len(list(csv.reader(done.stdout.splitlines()))) == 1 + 6 * 15


def test_the_format_of_a_run_that_lost_boots_is_printed_and_the_status_tells(
    checkout: Path,
) -> None:
    recorded.lose(checkout / "results/runs" / recorded.RUN, "exact/v0/seed-2")
    done = invoke("report", "--format", "mail")
    assert done.status == 23
    assert "INVALID: 1 boots gave no usable samples" in done.stdout


@pytest.mark.slow
def test_the_page_on_stdout_is_the_file_with_its_curves(checkout: Path) -> None:
    for victims in (4, 8):
        recorded.add_victims(checkout, f"2026112{victims}T000000-v0", victims)
    assert invoke("report", "--run", recorded.RUN).status == 0
    done = invoke("report", "--run", recorded.RUN, "--format", "html")
    page = checkout / "results/reports" / recorded.RUN / "report.html"
    assert done.stdout == page.read_text()
    assert "<title>exact: times by victims</title>" in done.stdout


def test_a_mail_is_believed_until_a_number_of_it_is_changed(checkout: Path) -> None:
    mail = checkout / "cover.txt"
    mail.write_text(invoke("report", "--format", "mail").stdout)
    done = invoke("report", "--check-claims", str(mail))
    assert (done.status, "all 19 claims hold" in done.stdout) == (0, True)
    mail.write_text(mail.read_text().replace("117.826", "107.826"))
    done = invoke("report", "--check-claims", str(mail))
    assert done.status == 10
    assert "FAILS" in done.stdout
    assert "1 of 19 claims do not hold" in done.stderr


@pytest.mark.usefixtures("checkout")
def test_a_metric_that_no_run_measured_has_no_history() -> None:
    done = invoke("history", "--metric", "nosuch")
    assert (done.status, done.stdout) == (20, "")
    assert "no run measured 'nosuch'" in done.stderr


@pytest.mark.slow
def test_history_draws_its_plot_beside_the_reports(checkout: Path) -> None:
    done = invoke("history", "--metric", "exit_ns")
    assert done.status == 0
    assert "126.332 ms" in done.stdout
    assert (checkout / "results/reports/history-exit_ns.svg").is_file()


def test_two_stored_arms_are_compared_or_refused_by_name(checkout: Path) -> None:
    recorded.add_run(checkout, "20261124T090000-x", flavour="debug")
    done = invoke("compare", f"{recorded.RUN}:none", recorded.RUN)
    assert (done.status, "-6.10 %" in done.stdout) == (0, True)
    done = invoke("compare", recorded.RUN, "20261124")
    assert (done.status, done.stdout) == (25, "")
    assert "flavour: bench against debug" in done.stderr
