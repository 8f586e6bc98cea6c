# SPDX-License-Identifier: GPL-2.0-only
"""The whole line, from `bench` and `gate` to their reports, on an engine that starts nothing."""

import json
import shutil
from pathlib import Path

import pytest

from patchbench.runs import folder
from patchbench.tools import process
from patchbench.tools.container import Engine
from tests import engine
from tests.command import Done, invoke
from tests.fakes import git

OTHER_WAY_ROUND = ("--series", "none", "--against", "v0")


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    return engine.checkout(tmp_path, monkeypatch)


@pytest.fixture
def undrawn(checkout: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A checkout whose reports have no plots."""
    engine.draw_nothing(monkeypatch)
    return checkout


def bench(*flags: str) -> Done:
    return invoke("bench", "--machine", "exact", "--seeds", "6", *flags)


def test_a_bench_reports_what_a_series_makes_faster(undrawn: Path) -> None:
    done = bench()
    assert done.status == 0, done.stderr
    (report,) = (undrawn / "results/reports").iterdir()
    compared = json.loads((report / "comparison.json").read_text())
    (exits,) = (one for one in compared["metrics"] if one["name"] == "exit_ns")
    assert (exits["base"], exits["test"]) == (100_003_500, 90_003_150)
    assert exits["change_pct"] == pytest.approx(-10)
    assert "10.0 % less time" in (report / "report.html").read_text()


@pytest.mark.slow
@pytest.mark.usefixtures("undrawn")
def test_a_first_bench_gives_a_number_before_the_second_kernel_is_built() -> None:
    first, again = bench().stderr, bench().stderr
    number = first.index("none on exact, one boot: exit latency 100.001 ms, ")
    assert first.index("building mainline-none") < number < first.index("building mainline-v0")
    assert "one boot" not in again


@pytest.mark.slow
def test_a_bench_finds_the_function_that_a_series_changed(undrawn: Path) -> None:
    bench()
    (run,) = (undrawn / "results/runs").iterdir()
    (change,) = json.loads((run / "functions.json").read_text())["functions"]
    assert (change["name"], change["base_bytes"], change["test_bytes"]) == ("first", 40, 36)


@pytest.mark.slow
@pytest.mark.usefixtures("undrawn")
def test_the_other_way_round_nothing_is_built_one_boot_repeated_and_one_counted(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    bench()
    commands = engine.recorded(monkeypatch)
    assert bench(*OTHER_WAY_ROUND).status == 0
    assert [argv[0] for argv in commands] == ["timeout", "timeout"]


@pytest.mark.slow
@pytest.mark.usefixtures("undrawn")
def test_a_boot_that_does_not_repeat_stops_the_bench(monkeypatch: pytest.MonkeyPatch) -> None:
    bench()
    monkeypatch.setattr(engine, "BASE_NS", engine.BASE_NS + 1000)
    done = bench(*OTHER_WAY_ROUND)
    assert done.status == 30
    assert "did not repeat" in done.stderr


@pytest.mark.slow
@pytest.mark.usefixtures("undrawn")
def test_a_series_whose_counter_rests_is_not_judged(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "COUNTER", "another_count")
    done = bench()
    assert done.status == 25
    assert "async_swap_count" in done.stderr


@pytest.mark.slow
@pytest.mark.usefixtures("undrawn")
def test_a_revision_that_takes_nothing_back_passes_the_gate() -> None:
    done = invoke("gate", "--series", "v1", "--against", "v0", "--seeds", "8")
    assert done.status == 0, done.stderr
    assert "PASS" in done.stdout


@pytest.mark.slow
def test_a_revision_that_loses_what_the_last_one_gained_fails_the_gate(undrawn: Path) -> None:
    (undrawn / "patches/v1/series.toml").write_text('title = "without a counter"\n')
    port = undrawn / "patches/v1/7.3/0001-mm-say.patch"
    port.write_text(port.read_text().replace("+fast line 10", "+slow line 10"))
    done = invoke("gate", "--series", "v1", "--against", "v0", "--seeds", "8")
    assert done.status == 10
    assert "FAIL" in done.stdout


@pytest.mark.slow
def test_two_equal_kernels_are_not_booted_and_not_published(undrawn: Path) -> None:
    port = undrawn / "patches/v1/7.3/0001-mm-say.patch"
    port.write_text(port.read_text().replace("+fast line 10, too", "+slow line 10, too"))
    assert bench("--series", "v1", "--against", "v0").status == 0
    done = invoke("publish", "--name", "kept")
    assert done.status == 20
    assert "its two kernels are the same" in done.stderr


def published(checkout: Path) -> str:
    """Bench, publish the run, and return its name."""
    bench()
    assert invoke("publish", "--name", "kept").status == 0
    return "published/kept"


@pytest.mark.slow
def test_a_published_run_is_repeated(undrawn: Path) -> None:
    done = invoke("verify", published(undrawn), "--all")
    assert done.status == 0, done.stderr
    boots = [line for line in done.stdout.splitlines() if "seed" in line]
    assert ["identical" in line for line in boots] == [True] * 12


@pytest.mark.slow
def test_a_published_run_is_repeated_with_its_own_images_when_nothing_else_is_left(
    undrawn: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench()
    assert invoke("publish", "--name", "kept", "--images").status == 0
    shutil.rmtree(undrawn / "origins")
    shutil.rmtree(undrawn.parent / "cache/kernels")
    shutil.rmtree(undrawn.parent / "cache/shelf/images")
    done = invoke("verify", "published/kept", "--images", "--all")
    assert done.status == 0, done.stderr
    assert done.stdout.count("boot exact") == done.stdout.count("seed") == 12
    assert "DIFFERENT" not in done.stdout
    monkeypatch.setattr(engine, "BASE_NS", engine.BASE_NS + 1000)
    done = invoke("verify", "published/kept", "--images")
    assert done.status == 30, "or it did not boot"


@pytest.mark.slow
def test_images_that_were_not_published_or_were_changed_are_refused(undrawn: Path) -> None:
    name = published(undrawn)
    done = invoke("verify", name, "--images")
    assert done.status == 20
    assert "has no images: verify it without --images" in done.stderr
    assert invoke("publish", "--name", "whole", "--images").status == 0
    with (undrawn / "results/published/whole/images/v0.xz").open("ab") as image:
        image.write(b"more")
    done = invoke("verify", "published/whole", "--images")
    assert done.status == 20
    assert "v0.xz is not what was measured" in done.stderr


@pytest.mark.slow
def test_a_run_whose_images_left_the_shelf_is_published_without_them_or_not_at_all(
    undrawn: Path,
) -> None:
    bench()
    shutil.rmtree(undrawn.parent / "cache/shelf/images")
    done = invoke("publish", "--name", "kept", "--images")
    assert done.status == 20
    assert "is not there any more: bench again" in done.stderr
    assert not (undrawn / "results/published/kept").exists()


@pytest.mark.slow
def test_a_plan_names_every_package_of_its_toolchain(undrawn: Path) -> None:
    bench()
    (plan,) = (undrawn / "results/runs").glob("*/plan.json")
    assert json.loads(plan.read_text())["packages"] == ["gcc 14.2.0"]


@pytest.mark.slow
def test_a_run_of_several_series_is_published_whole_and_repeated(undrawn: Path) -> None:
    assert bench("--series", "v0,v1").status == 0
    assert invoke("publish", "--name", "kept", "--images").status == 0
    kept = undrawn / "results/published/kept"
    assert len([*kept.glob("boots/exact/*/seed-*.log")]) == 3 * 6
    assert "v1 against none" in (kept / "report.md").read_text()
    done = invoke("verify", "published/kept", "--images", "--all")
    assert done.status == 0, done.stderr
    assert done.stdout.count("boot exact") == 3 * 6
    report = kept / "comparison.json"
    report.write_text(report.read_text().replace('"change_pct": -1', '"change_pct": -2', 1))
    folder.seal(kept)
    done = invoke("verify", "published/kept", "--images")
    assert done.status == 10
    assert "is reported, and the logs say" in done.stderr


@pytest.mark.slow
def test_a_signed_run_says_by_which_key(undrawn: Path, tmp_path: Path) -> None:
    key = tmp_path / "key"
    process.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(key)])
    bench()
    assert invoke("publish", "--name", "kept", "--sign", str(key)).status == 0
    fingerprint = process.run(["ssh-keygen", "-l", "-f", str(key)]).split()[1]
    assert f"signed by {fingerprint}" in invoke("verify", "published/kept").stdout


@pytest.mark.slow
def test_a_published_run_is_repeated_from_a_tree_with_the_same_files(undrawn: Path) -> None:
    name, tree = published(undrawn), undrawn / "origins/mainline"
    done = invoke("verify", name, "--tree", str(tree))
    assert done.status == 0, done.stderr
    assert done.stdout.count("identical") == 12  # the plugin, no package, the numbers, two boots


@pytest.mark.slow
def test_a_tree_with_other_files_is_refused_before_anything_is_built(undrawn: Path) -> None:
    name, tree = published(undrawn), undrawn / "origins/mainline"
    (tree / "Makefile").write_text((tree / "Makefile").read_text() + "# mine\n")
    git(tree, "commit", "--quiet", "--all", "--message", "mine")
    done = invoke("verify", name, "--tree", str(tree))
    assert done.status == 25
    assert "and the run built" in done.stderr


@pytest.mark.slow
def test_a_published_run_that_does_not_repeat_says_so(
    undrawn: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = published(undrawn)
    monkeypatch.setattr(engine, "BASE_NS", engine.BASE_NS + 1000)
    done = invoke("verify", name)
    assert done.status == 30
    assert "2 of 2 boots differ, with the same ingredients" in done.stderr


@pytest.mark.slow
def test_a_published_run_made_with_another_compiler_is_not_comparable(
    undrawn: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = published(undrawn)
    monkeypatch.setattr(engine, "BASE_NS", engine.BASE_NS + 1000)
    monkeypatch.setattr(engine, "TOOLCHAIN", engine.TOOLCHAIN.replace("14.2", "15.1"))
    shutil.rmtree(undrawn.parent / "cache/shelf/toolchain")
    done = invoke("verify", name)
    assert done.status == 25
    assert "toolchain" in done.stderr


@pytest.mark.slow
@pytest.mark.usefixtures("undrawn")
def test_the_workload_that_runs_what_a_series_changes_is_found_and_the_reason_told() -> None:
    done = bench("--workload", "auto")
    assert done.status == 0, done.stderr
    assert "runs 1 of the functions that the series changes" in done.stderr
    covered = invoke("coverage", "--function", "first")
    assert "exit-storm" in covered.stdout


@pytest.mark.slow
def test_several_series_share_one_run_and_one_report(undrawn: Path) -> None:
    done = bench("--series", "v0,v1", "--all-pairs")
    assert done.status == 0, done.stderr
    (report,) = (undrawn / "results/reports").iterdir()
    assert (report / "v1-against-v0/report.md").is_file()
    assert "v0 against none" in done.stdout


PLAN = """
title = "a test"
series = "v0"

[[cells]]
name = "storm"
value = 10
kernels = ["mainline"]
seeds = { small = 2, full = 2 }

[[statements]]
id = "a"
by = "cover letter"
says = "exits are shorter"
rules = [{ cell = "storm", metric = "exit_ns", at_most_pct = -5 }]
"""


def plan_study(checkout: Path) -> None:
    """Give v0 this study, in a folder of its own: the checkout's is the project's."""
    studies = checkout / "configs/studies"
    studies.unlink()
    studies.mkdir()
    (studies / "v0.toml").write_text(PLAN)


@pytest.mark.slow
def test_a_study_boots_more_until_its_statement_is_decided(undrawn: Path) -> None:
    """Two pairs and four have no interval of 98.75 %, and eight have one."""
    plan_study(undrawn)
    done = invoke("study", "--series", "v0", "--scale", "small", "--until-decided")
    assert done.status == 0, done.stderr
    assert done.stderr.count("legs stay undecided; each gets twice its seeds") == 2
    (found,) = (undrawn / "results/studies").glob("*/study.json")
    (leg,) = json.loads(found.read_text())["legs"]
    assert (leg["leg"]["seeds"], leg["looked"], leg["state"]) == (8, 3, "done")
    assert "confirmed" in done.stdout


@pytest.mark.slow
def test_a_study_that_looks_once_leaves_undecided_what_is(undrawn: Path) -> None:
    plan_study(undrawn)
    done = invoke("study", "--series", "v0", "--scale", "small")
    assert "confirmed" not in done.stdout
    assert "undecided" in done.stdout


# Before "runs: begin anew where a start was killed": one that was missing hid a fault of the study.
def test_the_engine_that_starts_nothing_lacks_only_what_makes_images() -> None:
    real = {name for name in dir(Engine) if not name.startswith("_")}
    assert real - set(dir(engine.FakeEngine)) == {"build", "import_root", "pull"}
