# SPDX-License-Identifier: GPL-2.0-only
"""Arms of two stored runs: when they may be compared, and what is said when they may not."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from patchbench.errors import BadInput, NotComparable
from patchbench.runs import archive, reading
from patchbench.runs import folder as runs
from tests import recorded
from tests.fakes import machine

OTHER = "20261124T090000-v1-against-none-mainline"


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    return recorded.root(tmp_path)


def refusal(checkout: Path, **changes: Any) -> str:
    """Store another run with these changes in its plan, and return why it is not compared."""
    recorded.add_run(checkout, OTHER, **changes)
    with pytest.raises(NotComparable) as caught:
        reading.compare_arms(checkout, recorded.RUN, OTHER, ["exact"])
    assert caught.value.exit_code == 25
    return str(caught.value)


def test_the_test_arms_of_two_like_runs_are_compared_seed_by_seed(checkout: Path) -> None:
    recorded.add_run(checkout, OTHER)
    compared = reading.compare_arms(checkout, recorded.RUN, OTHER, ["exact"])
    assert (compared.plan.base.series, compared.plan.test.series) == (
        "v0@20261123T115314",
        "v0@20261124T090000",
    )
    assert [delta.change_pct for delta in compared.deltas] == [0] * 6
    assert {delta.pairs for delta in compared.deltas} == {3}
    assert compared.engaged == {"exact": True}
    assert compared.invalid == ()


def test_another_arm_is_named_behind_the_run(checkout: Path) -> None:
    recorded.add_run(checkout, OTHER)
    compared = reading.compare_arms(checkout, "20261123:none", OTHER, ["exact"])
    assert (compared.plan.base.series, compared.plan.test.series) == ("none", "v0")
    assert round(compared.deltas[0].change_pct or 0, 2) == -6.1
    assert compared.plan.command == (
        f"./bootstrap compare {recorded.RUN}:none {OTHER}:v0 --machine exact"
    )


def test_the_arms_of_one_run_come_out_as_its_bench_said(checkout: Path) -> None:
    ours = reading.compare_arms(checkout, f"{recorded.RUN}:none", recorded.RUN, ["exact"])
    theirs = reading.comparison(checkout, checkout / "results/runs" / recorded.RUN)
    assert ours.deltas == theirs.deltas


def test_another_kernel_is_refused_and_both_are_named(checkout: Path) -> None:
    words = refusal(checkout, version="7.3.5", provenance="linux-source-7.3 7.3.5-1")
    assert "kernel: 7.3.4 (linux-source-7.3 7.3.4-1~bpo13+1) against 7.3.5" in words


def test_other_parameters_of_the_workload_are_refused(checkout: Path) -> None:
    workload = runs.read_plan(archive.find_bench(checkout / "results", recorded.RUN)).workload
    other = replace(workload, parameters={**workload.parameters, "mib": 64})
    assert "workload mib: 32 against 64" in refusal(checkout, workload=other)


def test_another_machine_file_is_refused(checkout: Path) -> None:
    one = runs.read_plan(archive.find_bench(checkout / "results", recorded.RUN)).machines[0]
    words = refusal(checkout, machines=(replace(one, memory_mib=2048, summary="new words"),))
    assert "machine exact memory_mib: 1024 against 2048" in words
    assert "summary" not in words


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"guest": "another"}, "guest: 32ab171bc06b"),
        ({"flavour": "debug"}, "flavour: bench against debug"),
        ({"toolchain": {"qemu": "11.0.0"}}, r"qemu: 10.0.13 (Debian 1:10.0.13+ds-0+deb13u1) ag"),
        ({"toolchain": {}}, "toolchain: 094452af6944"),
        ({"seeds": {"exact": (1, 2)}}, "seeds on exact: [1, 2, 3] against [1, 2]"),
    ],
)
def test_every_other_condition_is_refused_by_name(
    checkout: Path, changes: dict[str, object], words: str
) -> None:
    assert words in refusal(checkout, **changes)


def test_a_noisy_machine_is_refused_because_the_arms_did_not_alternate(tmp_path: Path) -> None:
    noisy = machine("parallel", accel="tcg", icount_shift=None)
    recorded.root(tmp_path)
    for name in ("20270101T000000-v0", "20270102T000000-v0"):
        recorded.add_run(tmp_path, name, machines=(noisy,), seeds={"parallel": (1,)})
    with pytest.raises(NotComparable, match="parallel is noisy and the arms did not alternate"):
        reading.compare_arms(tmp_path, "20270101", "20270102", ["parallel"])
    within = reading.compare_arms(tmp_path, "20270101:none", "20270101", ["parallel"])
    assert within.plan.machines == (noisy,)  # there they did


@pytest.mark.parametrize(
    ("base", "test", "machines", "words"),
    [
        (recorded.RUN, f"{recorded.RUN}:v0", ["exact"], "against itself compares nothing"),
        (f"{recorded.RUN}:v9", recorded.RUN, ["exact"], "no arm 'v9'\n  its arms: none, v0"),
        (f"{recorded.RUN}:none", recorded.RUN, ["kvm"], "not made on machine 'kvm'"),
        ("2027", recorded.RUN, ["exact"], "no run is called '2027'"),
    ],
)
def test_what_is_not_there_is_bad_input(
    checkout: Path, base: str, test: str, machines: list[str], words: str
) -> None:
    with pytest.raises(BadInput) as caught:
        reading.compare_arms(checkout, base, test, machines)
    assert words in str(caught.value)


def test_a_lost_boot_of_the_arm_that_is_not_compared_does_not_matter(checkout: Path) -> None:
    folder = recorded.add_run(checkout, OTHER)
    recorded.lose(folder, "exact/none/seed-2")
    assert reading.compare_arms(checkout, recorded.RUN, OTHER, ["exact"]).invalid == ()
    recorded.lose(folder, "exact/v0/seed-2")
    compared = reading.compare_arms(checkout, recorded.RUN, OTHER, ["exact"])
    assert compared.invalid == ("1 boots gave no usable samples",)


def test_a_series_with_another_name_keeps_it(checkout: Path) -> None:
    folder = recorded.add_run(checkout, OTHER)
    read = runs.read_plan(folder)
    (folder / "boots/exact/v0").rename(folder / "boots/exact/v1")
    renamed = replace(read.test, series="v1")
    recorded.write_plan(folder, replace(read, test=renamed))
    compared = reading.compare_arms(checkout, recorded.RUN, OTHER, ["exact"])
    assert (compared.plan.base.series, compared.plan.test.series) == ("v0", "v1")
