# SPDX-License-Identifier: GPL-2.0-only
"""What the verbs share: the cache's lock, runs on disk, and what they end with."""

import shutil
import threading
from pathlib import Path

import pytest
from pydantic import TypeAdapter

from patchbench import pipeline
from patchbench.errors import BadInput, KernelSplat, LostGuest, NotEngaged
from patchbench.model import Plan
from patchbench.pipeline import BenchRequest, Pipeline
from tests.fakes import CLEAN_CONSOLE, Listener, plan, results

ROOT = Path(__file__).resolve().parents[1]


def request(**changes: object) -> BenchRequest:
    told: dict[str, object] = {
        "series": "v0", "against": "none", "kernel": "mainline", "tree": "",
        "workload": "exit-storm", "machines": ("exact",), "flavour": "bench", "seeds": None,
        "fresh": False, "parameters": {},
    }  # fmt: skip
    return BenchRequest(**{**told, **changes})  # type: ignore[arg-type]


def write_run(results_folder: Path, told: Plan, console: str = CLEAN_CONSOLE) -> Path:
    folder = results_folder / "runs" / told.run
    folder.mkdir(parents=True)
    (folder / "plan.json").write_bytes(TypeAdapter(Plan).dump_json(told))
    for arm in (told.base, told.test):
        for seed in (1, 2):
            boot = folder / "boots/exact" / arm.series / f"seed-{seed}"
            boot.mkdir(parents=True)
            counter = 3 if arm is told.test else 0
            (boot / "results.log").write_text(results(release=arm.release, counter=counter))
            (boot / "console.log").write_text(console)
    return folder


def test_the_cache_is_where_the_user_says(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATCHBENCH_CACHE", str(tmp_path))
    assert pipeline.default_cache() == tmp_path
    monkeypatch.delenv("PATCHBENCH_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert pipeline.default_cache() == tmp_path / "patchbench"


def test_a_second_run_waits_for_the_first_and_says_so(tmp_path: Path) -> None:
    story, order = Listener(), []

    def second() -> None:
        with Pipeline(ROOT, tmp_path, story):
            order.append("second")

    with Pipeline(ROOT, tmp_path, Listener()):
        thread = threading.Thread(target=second)
        thread.start()
        thread.join(0.3)
        order.append("first")
    thread.join()
    assert order == ["first", "second"]
    assert "another run is using" in story.told[0]


def test_a_run_clears_what_a_killed_one_left_on_the_shelf(tmp_path: Path) -> None:
    left = tmp_path / "shelf/images/.new-half"
    left.mkdir(parents=True)
    with Pipeline(ROOT, tmp_path, Listener()):
        assert not left.exists()


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"series": "none"}, "against itself"),
        ({"machines": ("exact", "exact")}, "each machine once"),
        ({"parameters": {"nosuch": 1}}, "no parameter nosuch"),
        ({"seeds": -1}, "at least 1"),
        ({"machines": ("nosuch",)}, "known in .*machines: exact"),
        ({"workload": "nosuch"}, "exit-storm"),
        ({"kernel": "nosuch"}, "lts, mainline"),
    ],
)
def test_a_bench_that_cannot_be_is_refused_before_anything_is_built(
    tmp_path: Path, changes: dict[str, object], why: str
) -> None:
    with Pipeline(ROOT, tmp_path, Listener()) as run, pytest.raises(BadInput, match=why):
        run.bench(request(**changes))
    assert not (tmp_path / "work").exists()


def test_the_command_of_a_run_repeats_it() -> None:
    told = request(machines=("exact", "parallel"), seeds=2, parameters={"mib": 8}).command()
    assert told == (
        "./bootstrap bench --kernel mainline --series v0 --against none --workload exit-storm "
        "--machine exact,parallel --seeds 2 --set mib=8"
    )


def test_a_run_is_read_from_its_folder_alone(tmp_path: Path) -> None:
    told = pipeline.comparison(ROOT, write_run(tmp_path, plan(engaged="async_swap_count")))
    assert told.invalid == ()
    assert told.engaged == {"exact": True}
    assert pipeline.verdict_error(told) is None


def test_a_run_that_was_cut_off_counts_its_missing_boots_as_lost(tmp_path: Path) -> None:
    folder = write_run(tmp_path, plan())
    shutil.rmtree(folder / "boots/exact/v0/seed-2")
    error = pipeline.verdict_error(pipeline.comparison(ROOT, folder))
    assert isinstance(error, LostGuest)
    assert error.exit_code == 23


def test_a_run_with_a_splat_ends_with_its_own_status(tmp_path: Path) -> None:
    folder = write_run(tmp_path, plan(), CLEAN_CONSOLE + "WARNING: CPU: 0 at mm/x.c:1\n")
    error = pipeline.verdict_error(pipeline.comparison(ROOT, folder))
    assert isinstance(error, KernelSplat)
    assert error.exit_code == 24


def test_a_series_that_was_not_at_work_is_not_comparable(tmp_path: Path) -> None:
    folder = write_run(tmp_path, plan(engaged="another_counter"))
    error = pipeline.verdict_error(pipeline.comparison(ROOT, folder))
    assert isinstance(error, NotEngaged)
    assert error.exit_code == 25


def test_the_latest_run_is_the_newest(tmp_path: Path) -> None:
    folder = write_run(tmp_path, plan())
    assert pipeline.find_run(tmp_path, "latest") == folder
    with pytest.raises(BadInput, match=f"newest: {folder.name}"):
        pipeline.find_run(tmp_path, "nosuch")


def test_without_any_run_the_way_to_make_one_is_told(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="invoke bench"):
        pipeline.find_run(tmp_path, "latest")


@pytest.mark.parametrize("text", ["", "{}", '{"schema": 1, "unknown": 2}'])
def test_a_broken_plan_is_bad_input(tmp_path: Path, text: str) -> None:
    folder = write_run(tmp_path, plan())
    (folder / "plan.json").write_text(text)
    with pytest.raises(BadInput, match=r"plan\.json is not a plan"):
        pipeline.comparison(ROOT, folder)


def test_a_plan_of_a_newer_schema_asks_for_an_update(tmp_path: Path) -> None:
    folder = write_run(tmp_path, plan())
    text = (folder / "plan.json").read_text()
    (folder / "plan.json").write_text(text.replace('"schema":1', '"schema":2'))
    with pytest.raises(BadInput, match="update patchbench"):
        pipeline.comparison(ROOT, folder)


def test_side_by_side_containers_count_once_in_the_timings(tmp_path: Path) -> None:
    (tmp_path / "timings.json").write_text(
        '{"started": 0, "ended": 10, "set_up": [["sources", 0, 0.5]],'
        ' "busy": [["make", 0.5, 4], ["timeout", 4, 8], ["timeout", 5, 9], ["sh", 0, 0.1]]}'
    )
    told = {what: seconds for what, seconds, _ in pipeline.timings(tmp_path)}
    assert told == {
        "make": "3.5",
        "QEMU": "5.0",
        "sources": "0.5",
        "pipeline": "1.0",
        "wall": "10.0",
    }


def test_the_timings_of_a_run_that_was_cut_off_say_so(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="did not come to its end"):
        pipeline.timings(tmp_path)
