# SPDX-License-Identifier: GPL-2.0-only
"""Hazards on a real kernel: what v0 leaves behind is found, and what it does not is not."""

import subprocess
import sys
from pathlib import Path

import pytest
from pydantic import TypeAdapter

from patchbench.check import checking
from patchbench.check.request import CheckRequest
from patchbench.findings import CheckResult, Finding
from patchbench.pipeline import Pipeline
from patchbench.tools.git import Repository
from tests.e2e.conftest import KERNEL, ROOT

FILE = "mm/swapfile.c"
CACHE = "static struct kmem_cache *swap_gather_cachep;\n"
TAKE = "record = kmem_cache_alloc(swap_gather_cachep, GFP_ATOMIC);"
PUT = "\t\tswap_put_entries_direct(record->entry, record->nr);\n"
FREE = "kmem_cache_free(swap_gather_cachep, record);\n\t\tfreed++;"
SET_UP = "static int __init async_swap_free_init(void)\n{\n"
#: v0 as it was posted, and with one more patch, which has the bugs.
POSTED, PLANTED = "v0@2", "v0"
#: Small victims, one record a page: some hundred each above the knee.
SMALL = {
    "mib = 32": "mib = 14",
    "extent_pages = 0": "extent_pages = 1",
}


def check(*arguments: str) -> tuple[int, list[Finding]]:
    done = subprocess.run(
        [sys.executable, "-m", "invoke", "check", "--json", *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout, done.stderr
    return done.returncode, [*TypeAdapter(CheckResult).validate_json(done.stdout).findings]


def states(findings: list[Finding], title: str) -> dict[str, str]:
    return {one.series: one.state for one in findings if one.title == title}


def test_v0_leaves_records_above_its_knee_and_fails_for_it() -> None:
    status, findings = check("--hazards", "knee-above", "--flavour", "bench")
    assert status == 10
    left = {"none": "pass", "v0@1": "fail", "v0": "fail"}
    assert states(findings, "knee-above: left_pages") == left
    assert states(findings, "knee-above: swapoff") == left
    assert set(states(findings, "knee-above: console").values()) == {"pass"}


def test_below_its_knee_v0_passes() -> None:
    status, findings = check("--hazards", "knee-below", "--flavour", "bench")
    assert status == 0
    assert {one.state for one in findings} == {"pass"}
    assert states(findings, "knee-below: gathered_records") == {"v0@1": "pass", "v0": "pass"}


def test_a_kernel_that_lacks_failslab_is_untested_and_no_pass() -> None:
    status, findings = check("--hazards", "gather-fails", "--flavour", "bench")
    assert status == 11
    assert set(states(findings, "gather-fails").values()) == {"untested"}


@pytest.mark.nightly
def test_each_planted_bug_is_caught_by_the_check_that_is_for_it(
    copied: Pipeline, tmp_path: Path
) -> None:
    plant_on_v0(
        copied,
        tmp_path,
        {
            TAKE: TAKE.replace("GFP_ATOMIC", "GFP_KERNEL"),  # below the page table's lock
            PUT: f"\t\tif (freed % 3 == 2) {{\n\t\t\tfreed++;\n\t\t\tcontinue;\n\t\t}}\n{PUT}",
            FREE: FREE.replace("freed++", "freed += !!record->nr"),
        },
    )
    plant_small_storm(copied, victims=2)
    found = beside_v0(copied, "small", flavour="debug", machine="debug")

    assert found["small: console"][POSTED].state == "pass"
    kasan = found["small: console, KASAN"][PLANTED]
    assert "slab-use-after-free in async_swap_free_workfn" in kasan.says
    assert "Workqueue: async_swap_free" in kasan.evidence
    asleep = found["small: console, sleep in atomic context"][PLANTED]
    assert "add_to_swap_gather_cache" in asleep.evidence
    for leaked in ("small: left_pages", "small: leaked_records", "small: leaks"):
        assert {name: one.state for name, one in found[leaked].items()} == {
            POSTED: "pass",
            PLANTED: "fail",
        }


@pytest.mark.nightly
def test_a_planted_race_is_found_and_none_of_v0_s_own_in_so_small_a_storm(
    copied: Pipeline, tmp_path: Path
) -> None:
    """One access in some thousand is watched: the race runs often, or a small storm shows none."""
    counters = f"{CACHE}\nunsigned long swap_gathered[64];\n"
    count = f"{TAKE}\n\tfor (int i = 0; i < 64; i++)\n\t\tswap_gathered[i]++;"
    plant_on_v0(copied, tmp_path, {CACHE: counters, TAKE: count})
    plant_small_storm(copied, victims=4)  # with two nothing is seen
    found = beside_v0(copied, "small", flavour="kcsan", machine="debug")
    assert found["small: console"][POSTED].state == "pass"
    gather = "add_to_swap_gather_cache"
    race = found[f"small: console, KCSAN: data-race in {gather} / {gather}"][PLANTED]
    assert race.state == "fail"


@pytest.mark.nightly
def test_if_setting_up_fails_the_first_large_exit_oopses(copied: Pipeline, tmp_path: Path) -> None:
    plant_on_v0(copied, tmp_path, {SET_UP: f"{SET_UP}\treturn -ENOMEM;\n\n"})
    found = beside_v0(copied, "knee-above", flavour="bench")
    assert found["knee-above: console"][POSTED].state == "pass"
    oops = found["knee-above: console, oops"][PLANTED]
    assert "add_to_swap_gather_cache" in oops.evidence


@pytest.mark.nightly
@pytest.mark.parametrize(
    ("fault", "title"),
    [
        ("v1+loses-an-object", "residue: left_pool_bytes"),
        ("v1+unlocks-early", "residue: console, oops"),
        ("v1+frees-twice", "residue: console, oops"),
        ("v2+loses-a-batch", "residue: left_pool_bytes"),
        ("v2+takes-and-leaves", "residue: console, oops"),
        ("v2+wakes-nobody", "residue: left_pool_bytes"),
    ],
)
def test_each_fault_that_is_planted_into_v1_and_v2_is_caught(fault: str, title: str) -> None:
    status, findings = check("--series", fault, "--whole", "--hazards", "residue")
    assert status == 10
    assert states(findings, title)[fault] == "fail"
    assert states(findings, "residue: left_pool_bytes")["none"] == "pass"
    unharmed = fault.partition("+")[0]
    status, findings = check("--series", unharmed, "--whole", "--hazards", "residue")
    assert status == 0
    assert {one.state for one in findings} == {"pass"}


def plant_small_storm(run: Pipeline, victims: int) -> None:
    storm = (run.root / "workloads/residue.toml").read_text()
    for old, new in (SMALL | {"victims = 10": f"victims = {victims}"}).items():
        storm = storm.replace(old, new)
    (run.root / "workloads/small.toml").write_text(storm)


def plant_on_v0(run: Pipeline, tmp_path: Path, changes: dict[str, str]) -> None:
    """Add a third patch with the bugs to v0; what was posted is then v0@2, in the same lane."""
    source = run.source(KERNEL)
    author, port = tmp_path / "author", run.root / "patches/v0" / source.line
    repository = Repository(source.repository)
    tree = repository.scratch(run.apply(source, "v0").commit, author, [FILE])
    text = (author / FILE).read_text()
    for old, new in changes.items():
        assert text.count(old) == 1, old
        text = text.replace(old, new)
    (author / FILE).write_text(text)
    (port / "0003-planted.patch").write_text(tree.mail("mm/swap: planted bugs") + "\n")
    repository.discard(author)


def beside_v0(
    run: Pipeline, hazard: str, flavour: str = "", machine: str = ""
) -> dict[str, dict[str, Finding]]:
    """Return what a hazard found of v0 as posted and with the bugs, by title and series."""
    request = CheckRequest(
        "v0", (KERNEL,), (hazard,), flavour, machine,
        parts=("hazards",), against=POSTED, first_patches=False,
    )  # fmt: skip
    findings = checking.check(run, request).result.findings
    found: dict[str, dict[str, Finding]] = {}
    for one in findings:
        found.setdefault(one.title, {})[one.series] = one
    return found
