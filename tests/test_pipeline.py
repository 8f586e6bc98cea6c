# SPDX-License-Identifier: GPL-2.0-only
"""What the verbs share: the cache's lock, runs on disk, and what they end with."""

import fcntl
import threading
from dataclasses import replace
from pathlib import Path

import pytest

from patchbench import pipeline
from patchbench.errors import BadInput
from patchbench.model import Source
from patchbench.pipeline import Pipeline
from patchbench.runs import benching
from patchbench.runs.benching import BenchRequest
from patchbench.stages import series
from tests.fakes import Listener, git, small_repository, write_patch

ROOT = Path(__file__).resolve().parents[1]


def request(**changes: object) -> BenchRequest:
    usual: dict[str, object] = {
        "series": "v0", "against": "none", "kernel": "mainline", "tree": "",
        "workload": "exit-storm", "machines": ("exact",), "flavour": "bench", "seeds": None,
        "fresh": False, "parameters": {},
    }  # fmt: skip
    return BenchRequest(**{**usual, **changes})  # type: ignore[arg-type]


def test_the_cache_is_where_the_user_says(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATCHBENCH_CACHE", str(tmp_path))
    assert pipeline.default_cache() == tmp_path
    monkeypatch.delenv("PATCHBENCH_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert pipeline.default_cache() == tmp_path / "patchbench"


def test_a_second_run_waits_for_the_first_and_says_so(tmp_path: Path) -> None:
    order: list[str] = []
    waits = threading.Event()

    class Waiting(Listener):
        def say(self, text: str) -> None:
            assert "another run is using" in text
            waits.set()

    def second() -> None:
        with Pipeline(ROOT, tmp_path, Waiting()):
            order.append("second")

    with Pipeline(ROOT, tmp_path, Listener()):
        thread = threading.Thread(target=second)
        thread.start()
        assert waits.wait(60), "it does not say that it waits"
        order.append("first")
    thread.join()
    assert order == ["first", "second"]


def test_a_run_within_a_run_works_under_its_lock_and_clears_nothing(tmp_path: Path) -> None:
    listener = Listener()
    with Pipeline(ROOT, tmp_path, listener):
        half = tmp_path / "shelf/images/.new-half"
        half.mkdir(parents=True)
        with Pipeline(ROOT, tmp_path, listener):
            assert half.exists()
    assert not listener.heard


def test_the_lock_of_a_run_is_kept_when_one_within_it_ends(tmp_path: Path) -> None:
    with Pipeline(ROOT, tmp_path, Listener()):
        with Pipeline(ROOT, tmp_path, Listener()):
            pass
        with (tmp_path / "lock").open("w") as lock, pytest.raises(BlockingIOError):
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)


def test_a_run_clears_what_a_killed_one_left_on_the_shelf(tmp_path: Path) -> None:
    left = tmp_path / "shelf/images/.new-half"
    left.mkdir(parents=True)
    with Pipeline(ROOT, tmp_path, Listener()):
        assert not left.exists()


@pytest.mark.slow
def test_a_series_of_the_past_has_the_patches_that_it_was_on_then(tmp_path: Path) -> None:
    root = tmp_path / "project"
    author = small_repository(tmp_path / "author")
    write_patch(root / "patches/v1/7.3", 1, "line 3", "line three", author)
    write_patch(root / "patches/v2/7.3", 2, "line 20", "line twenty", author)
    (root / "patches/v1/series.toml").write_text('title = "t"\n')
    (root / "patches/v2/series.toml").write_text('title = "t"\non = "v1"\n')
    git(root, "init", "--quiet")
    git(root, "add", "--all")
    git(root, "commit", "--quiet", "--message", "then")
    then = git(root, "rev-parse", "HEAD")[:12]
    below = [one.sha256 for one in series.load(root, "v1", "7.3").patches]
    write_patch(root / "patches/v1/7.3", 1, "line 5", "line five", author)
    with Pipeline(root, tmp_path / "cache", Listener()) as run:
        past = run.series(f"v2~{then}", "7.3")
    assert [one.sha256 for one in past.patches][:1] == below
    assert past.name == f"v2~{then}"
    assert len(past.patches) == 2


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"series": "none"}, "nothing to compare"),
        ({"machines": ("exact", "exact")}, "each machine once"),
        ({"parameters": {"nosuch": 1}}, "no parameter nosuch"),
        ({"seeds": -1}, "at least 1"),
        ({"machines": ("nosuch",)}, "known in .*machines: debug, .*exact8"),
        ({"workload": "nosuch"}, "exit-storm"),
        ({"kernel": "nosuch"}, "lts, mainline"),
        ({"flavour": "debug"}, "timings of flavour debug mean nothing"),
    ],
)
def test_a_bench_that_cannot_be_is_refused_before_anything_is_built(
    tmp_path: Path, changes: dict[str, object], why: str
) -> None:
    with Pipeline(ROOT, tmp_path, Listener()) as run, pytest.raises(BadInput, match=why):
        benching.bench(run, request(**changes))
    assert not (tmp_path / "work").exists()


def test_the_command_of_a_run_repeats_it() -> None:
    command = request(machines=("exact", "parallel"), seeds=2, parameters={"mib": 8}).command()
    assert command == (
        "./bootstrap bench --kernel mainline --series v0 --against none --workload exit-storm "
        "--machine exact,parallel --seeds 2 --set mib=8"
    )


def test_another_host_can_fetch_what_came_as_the_tarball_of_a_file_here(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ours = Source("mainline", "7.3.4", "linux-source-7.3", tmp_path, "a" * 40, "b" * 40)
    from_git = replace(ours, kernel="next")
    with Pipeline(ROOT, tmp_path, Listener()) as run:
        monkeypatch.setattr(run, "known", {"mainline": ours, "next": from_git}.get)
        assert run.is_packaged(ours)
        assert not run.is_packaged(replace(ours, commit="c" * 40)), "the file means another now"
        assert not run.is_packaged(replace(ours, kernel="/home/me/linux")), "a user's own tree"
        assert not run.is_packaged(from_git), "what a branch is now is none that others find"
