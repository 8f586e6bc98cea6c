# SPDX-License-Identifier: GPL-2.0-only
"""Runs on disk, and what they end with."""

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from patchbench.binaries import codemap
from patchbench.catalog import adapter
from patchbench.errors import BadInput, KernelSplat, LostGuest, NotEngaged
from patchbench.model import ArmNote, CodeMap, FunctionChange, FunctionProof, Plan
from patchbench.profile import proof
from patchbench.report import tables
from patchbench.runs import folder as runs
from patchbench.runs import reading, times
from tests.fakes import CLEAN_CONSOLE, plan, results

ROOT = Path(__file__).resolve().parents[2]


def write_run(results_folder: Path, planned: Plan, console: str = CLEAN_CONSOLE) -> Path:
    folder = results_folder / "runs" / planned.run
    folder.mkdir(parents=True)
    (folder / "plan.json").write_bytes(adapter(Plan).dump_json(planned))
    for arm in planned.arms:
        for seed in (1, 2):
            boot = folder / "boots/exact" / arm.series / f"seed-{seed}"
            boot.mkdir(parents=True)
            counter = 3 if arm is planned.test else 0
            (boot / "results.log").write_text(results(release=arm.release, counter=counter))
            (boot / "console.log").write_text(console)
    runs.seal(folder)
    return folder


def test_a_run_is_read_from_its_folder_alone(tmp_path: Path) -> None:
    compared = reading.comparison(ROOT, write_run(tmp_path, plan(engaged="async_swap_count")))
    assert compared.invalid == ()
    assert compared.engaged == {"exact": True}
    assert reading.verdict_error(compared) is None


def test_a_run_that_was_cut_off_counts_its_missing_boots_as_lost(tmp_path: Path) -> None:
    folder = write_run(tmp_path, plan())
    shutil.rmtree(folder / "boots/exact/v0/seed-2")
    (folder / "SHA256SUMS").unlink()
    error = reading.verdict_error(reading.comparison(ROOT, folder))
    assert isinstance(error, LostGuest)
    assert error.exit_code == 23


def test_a_run_without_its_seal_is_invalid(tmp_path: Path) -> None:
    folder = write_run(tmp_path, plan())
    (folder / "SHA256SUMS").unlink()
    assert reading.comparison(ROOT, folder).invalid == (
        "the run did not finish: it has no SHA256SUMS",
    )


def test_the_boots_of_a_run_that_is_not_finished_can_be_compared(tmp_path: Path) -> None:
    folder = write_run(tmp_path, plan())
    boots = runs.read_boots(ROOT, folder, plan())
    (folder / "SHA256SUMS").unlink()
    assert reading.compare(ROOT, folder, plan(), boots).invalid == ()


@pytest.mark.parametrize("name", ["results.log", "console.log"])
def test_a_sample_edited_by_hand_is_refused_by_name(tmp_path: Path, name: str) -> None:
    folder = write_run(tmp_path, plan())
    edited = folder / "boots/exact/v0/seed-2" / name
    edited.write_text(edited.read_text().replace("100", "99") + "\n")
    with pytest.raises(BadInput, match=rf"v0/seed-2/{name} is not what was measured"):
        reading.comparison(ROOT, folder)


def test_a_sealed_sample_that_is_gone_is_refused_by_name(tmp_path: Path) -> None:
    folder = write_run(tmp_path, plan())
    (folder / "boots/exact/v0/seed-2/results.log").unlink()
    with pytest.raises(BadInput, match=r"results\.log is missing"):
        reading.comparison(ROOT, folder)


def test_a_run_with_a_splat_ends_with_its_own_status(tmp_path: Path) -> None:
    folder = write_run(tmp_path, plan(), CLEAN_CONSOLE + "WARNING: CPU: 0 at mm/x.c:1\n")
    error = reading.verdict_error(reading.comparison(ROOT, folder))
    assert isinstance(error, KernelSplat)
    assert error.exit_code == 24


def test_a_series_that_was_not_at_work_is_not_comparable(tmp_path: Path) -> None:
    folder = write_run(tmp_path, plan(engaged="another_counter"))
    error = reading.verdict_error(reading.comparison(ROOT, folder))
    assert isinstance(error, NotEngaged)
    assert error.exit_code == 25


@pytest.mark.parametrize("text", ["", "{}", '{"schema": 1, "unknown": 2}'])
def test_a_broken_plan_is_bad_input(tmp_path: Path, text: str) -> None:
    folder = write_run(tmp_path, plan())
    (folder / "plan.json").write_text(text)
    with pytest.raises(BadInput, match=r"plan\.json is not a plan"):
        reading.comparison(ROOT, folder)


@pytest.mark.parametrize("text", ['{"schema": 3}', '{"schema": 3, "unheard_of": [1]}'])
def test_a_plan_of_a_newer_schema_asks_for_an_update(tmp_path: Path, text: str) -> None:
    folder = write_run(tmp_path, plan())
    (folder / "plan.json").write_text(text)
    with pytest.raises(BadInput, match="update patchbench"):
        runs.read_plan(folder)


def test_a_folder_with_another_run_s_plan_is_bad_input(tmp_path: Path) -> None:
    folder = write_run(tmp_path, plan())
    moved = folder.rename(folder.with_name("20260202T000000-renamed"))
    with pytest.raises(BadInput, match="is the plan of run 20260101T000000"):
        runs.read_plan(moved)


def test_a_plan_whose_command_no_shell_would_take_is_bad_input(tmp_path: Path) -> None:
    folder = write_run(tmp_path, replace(plan(), command="./bootstrap bench --series v'0"))
    with pytest.raises(BadInput, match="No closing quotation"):
        runs.read_plan(folder)


@pytest.mark.parametrize("field", ["icount_shift", "vcpus"])
def test_a_plan_with_a_machine_that_no_file_could_describe_is_bad_input(
    tmp_path: Path, field: str
) -> None:
    (machine,) = plan().machines
    other = replace(machine, **{field: 1 << 64})  # type: ignore[arg-type]  # any field
    folder = write_run(tmp_path, replace(plan(), machines=(other,)))
    with pytest.raises(BadInput, match=rf"machine exact: .*{field}"):
        runs.read_plan(folder)


@pytest.mark.parametrize("machines", ["null", "7", "[[7]]"])
def test_a_plan_of_schema_1_whose_machines_are_none_is_bad_input(
    tmp_path: Path, machines: str
) -> None:
    folder = write_run(tmp_path, plan())
    (folder / "plan.json").write_text(f'{{"machines": {machines}}}')
    with pytest.raises(BadInput, match="is not a plan this version reads"):
        runs.read_plan(folder)


def test_a_plan_that_lacks_a_machine_s_seeds_is_bad_input(tmp_path: Path) -> None:
    folder = write_run(tmp_path, replace(plan(), seeds={}))
    with pytest.raises(BadInput, match="no seeds for machine exact"):
        runs.read_plan(folder)


def test_a_run_without_its_boots_was_cut_off_and_tells_how_to_make_it_again(
    tmp_path: Path,
) -> None:
    folder = write_run(tmp_path, plan())
    shutil.rmtree(folder / "boots")
    (folder / "SHA256SUMS").unlink()
    error = reading.verdict_error(reading.comparison(ROOT, folder))
    assert isinstance(error, LostGuest)
    assert "cut off: 4 boots were never made\n  make it again: ./bootstrap bench" in str(error)


# Before "runs: begin anew where a start was killed": a study killed just there could not be carried
# on, "is not a plan this version reads".
def test_a_start_that_was_killed_before_its_plan_is_replaced(tmp_path: Path) -> None:
    folder = tmp_path / "runs" / plan().run
    runs.start(folder, plan(), [CodeMap(equal=True, functions=())])
    (folder / "plan.json").unlink()
    (folder / "left.json").write_text("of another start")
    assert not runs.is_begun(folder)
    runs.start(folder, plan(), [CodeMap(equal=False, functions=(GREW,))])
    assert runs.is_begun(folder)
    assert sorted(path.name for path in folder.iterdir()) == ["functions.json", "plan.json"]


def test_a_run_that_was_begun_is_not_begun_again(tmp_path: Path) -> None:
    folder = write_run(tmp_path, plan())
    with pytest.raises(FileExistsError):
        runs.start(folder, plan(), [CodeMap(equal=True, functions=())])
    assert reading.verdict_error(reading.comparison(ROOT, folder)) is None


def test_half_a_file_of_a_killed_writer_is_no_part_of_a_run(tmp_path: Path) -> None:
    folder = write_run(tmp_path, plan())
    (folder / ".plan.json.x8z").write_text("{")
    runs.seal(folder)
    assert not (folder / ".plan.json.x8z").exists()
    assert ".plan.json" not in (folder / "SHA256SUMS").read_text()


def test_side_by_side_containers_count_once_in_the_timings(tmp_path: Path) -> None:
    (tmp_path / "timings.json").write_text(
        '{"started": 0, "ended": 10, "set_up": [["sources", 0, 0.5]],'
        ' "busy": [["make", 0.5, 4], ["timeout", 4, 8], ["timeout", 5, 9], ["sh", 0, 0.1]]}'
    )
    spent = {what: seconds for what, seconds, _ in times.rows(tmp_path)}
    assert spent == {
        "make": "3.5",
        "QEMU": "5.0",
        "sources": "0.5",
        "pipeline": "1.0",
        "wall": "10.0",
    }


def test_the_timings_tell_other_hosts_apart_and_count_them_once(tmp_path: Path) -> None:
    (tmp_path / "timings.json").write_text(
        '{"started": 0, "ended": 10, "busy": [], "set_up": [],'
        ' "hosts": [["beta", 1, 5], ["alpha", 2, 6], ["alpha", 3, 4]]}'
    )
    assert times.rows(tmp_path) == [
        ("make", "0.0", "0.0%"),
        ("QEMU", "5.0", "50.0%"),
        ("pipeline", "5.0", "50.0%"),
        ("wall", "10.0", "100.0%"),
        ("QEMU on alpha", "4.0", "40.0%"),
        ("QEMU on beta", "4.0", "40.0%"),
    ]


def test_the_timings_of_a_run_that_was_cut_off_say_so(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="the run did not finish"):
        times.rows(tmp_path)


GREW = FunctionChange("folio_free_swap", "swapfile.c", "changed", 100, 132)


def test_equal_kernels_leave_nothing_to_measure_and_end_well(tmp_path: Path) -> None:
    folder = tmp_path / "runs" / plan().run
    runs.start(folder, plan(engaged="async_swap_count"), [CodeMap(equal=True, functions=())])
    runs.seal(folder)
    compared = reading.comparison(ROOT, folder)
    assert compared.nothing_to_measure.startswith("both kernels are the same")
    assert (compared.invalid, compared.failures, compared.deltas) == ((), (), ())
    assert reading.verdict_error(compared) is None


def test_equal_kernels_that_were_booted_all_the_same_are_compared(tmp_path: Path) -> None:
    folder = write_run(tmp_path, plan())
    codemap.write(folder, CodeMap(equal=True, functions=()))
    compared = reading.comparison(ROOT, folder)
    assert compared.nothing_to_measure == ""
    assert compared.deltas


def test_kernels_that_differ_and_were_not_booted_are_lost_boots(tmp_path: Path) -> None:
    folder = tmp_path / "runs" / plan().run
    runs.start(folder, plan(), [CodeMap(equal=False, functions=(GREW,))])
    assert isinstance(reading.verdict_error(reading.comparison(ROOT, folder)), LostGuest)


def test_what_the_kernels_differ_in_is_kept_with_the_run(tmp_path: Path) -> None:
    folder = write_run(tmp_path, plan())
    assert reading.comparison(ROOT, folder).code is None
    code = CodeMap(equal=False, functions=(GREW,))
    codemap.write(folder, code)
    assert reading.comparison(ROOT, folder).code == code


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("{", "not what this version reads"),
        ('{"equal": false, "functions": [], "schema": 3}', "update patchbench"),
    ],
)
def test_a_broken_or_newer_map_of_functions_is_bad_input(
    tmp_path: Path, text: str, why: str
) -> None:
    folder = write_run(tmp_path, plan())
    (folder / "functions.json").write_text(text)
    with pytest.raises(BadInput, match=why):
        reading.comparison(ROOT, folder)


def test_flame_graphs_are_part_of_what_a_run_says(tmp_path: Path) -> None:
    folder = write_run(tmp_path, plan())
    (folder / "profile").mkdir()
    (folder / "profile/v0.svg").write_text("<svg/>")
    assert reading.comparison(ROOT, folder).profiles == {"v0": "<svg/>"}


def test_flame_graphs_are_added_to_a_run_that_stays_sealed(tmp_path: Path) -> None:
    folder = write_run(tmp_path, plan())
    runs.add_profile(folder, "exact", {"v0.svg": "<svg/>"})
    assert reading.comparison(ROOT, folder).profiles == {"exact-v0": "<svg/>"}
    (folder / "profile/exact-v0.svg").write_text("<svg>edited</svg>")
    with pytest.raises(BadInput, match=r"v0\.svg is not what was measured"):
        runs.add_profile(folder, "exact", {})


NOTHING_RAN = FunctionProof("exact", 1, {}, ("vmscan.c:kswapd",))


def test_a_series_without_a_counter_of_which_no_function_ran_is_not_comparable(
    tmp_path: Path,
) -> None:
    folder = write_run(tmp_path, plan())
    proof.write(folder, NOTHING_RAN)
    error = reading.verdict_error(reading.comparison(ROOT, folder))
    assert isinstance(error, NotEngaged)
    assert "none of the 1 functions" in str(error)
    assert "vmscan.c:kswapd" in str(error)


def test_a_counter_that_moved_is_proof_enough(tmp_path: Path) -> None:
    folder = write_run(tmp_path, plan(engaged="async_swap_count"))
    proof.write(folder, NOTHING_RAN)
    compared = reading.comparison(ROOT, folder)
    assert compared.invalid == ()
    assert "NONE of 1 ran" in tables.at_work(compared)[-1]


def three_arms(folder: Path) -> Path:
    """Store a run of v0 and v1 against none, of which v1 lost a boot."""
    third = ArmNote("v1", "tree-v1", "key-v1", "7.3.4-pb-v1")
    made = write_run(folder, replace(plan(), others=(third,)))
    (made / "boots/exact/v1/seed-2/results.log").unlink()
    runs.seal(made)
    return made


def test_a_run_of_several_series_says_something_of_each(tmp_path: Path) -> None:
    compared = reading.read_all(ROOT, three_arms(tmp_path))
    assert [one.plan.test.series for one, _ in compared] == ["v0", "v1"]
    assert [len(one.failures) for one, _ in compared] == [0, 1]


def test_on_request_the_series_are_compared_with_each_other(tmp_path: Path) -> None:
    compared = reading.read_all(ROOT, three_arms(tmp_path), pairs=True)
    pairs = [(one.plan.base.series, one.plan.test.series) for one, _ in compared]
    assert pairs == [("none", "v0"), ("none", "v1"), ("v0", "v1")]
