# SPDX-License-Identifier: GPL-2.0-only
"""What a policy may ask, and what is refused before anything is built."""

import math
from pathlib import Path

import pytest

from patchbench.catalog import Catalog
from patchbench.errors import BadInput, UnknownName
from patchbench.gate import policy
from patchbench.gate.limits import Limit, Policy

ROOT = Path(__file__).resolve().parents[2]
LIMIT = """
[[limits]]
workload = "exit-storm"
machine = "exact"
metric = "exit_ns"
better = "lower"
max_regression_pct = 1.0
"""


def load(folder: Path, text: str, seeds: int | None = None) -> Policy:
    path = folder / "gate.toml"
    path.write_text(text)
    return policy.load(Catalog(ROOT), path, seeds)


def written(limits: str, looks: str = "[10, 20]", error_rate: float = 0.05) -> str:
    return f"error_rate = {error_rate}\nlooks = {looks}\n{limits}"


@pytest.mark.parametrize("name", ["gate.toml", "gate-storm.toml"])
def test_the_policies_that_are_dropped_in_load(name: str) -> None:
    assert policy.load(Catalog(ROOT), ROOT / "configs" / name).limits


def test_a_metric_may_have_a_limit_of_its_own_and_one_per_freed_page(tmp_path: Path) -> None:
    cpu = LIMIT.replace("exit_ns", "cpu_ns")
    read = load(tmp_path, written(cpu + cpu + "per_page = true\n"))
    assert [limit.quantity for limit in read.limits] == ["cpu_ns", "cpu_ns per freed page"]


def test_a_policy_is_read_as_it_stands(tmp_path: Path) -> None:
    read = load(tmp_path, written(LIMIT))
    assert read.looks == (10, 20)
    assert policy.describe(read.limits[0]) == "<= +1 %"


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ('"exit_ns"', '"exit_us"', r"no metric is called 'exit_us'(.|\n)*makespan_ns"),
        ('"exact"', '"exat"', r"no machine is called 'exat'(.|\n)*parallel"),
        ('"exit-storm"', '"storm"', r"no workload is called 'storm'(.|\n)*exit-storm"),
        ('"lower"', '"higher"', "the workload says that lower is better"),
        ("= 1.0", "= -1.0", "not a bound"),
        ("= 1.0", "= 1.0\nper_page = true", "exit_ns is not taken per freed page"),
        ("= 1.0", "= nan", "not a bound"),
        ("max_regression_pct = 1.0", "min_improvement_pct = 0", "not a bound"),
        ("max_regression_pct = 1.0", "min_improvement_pct = 100", "nothing can fall by 100 %"),
        ("max_regression_pct = 1.0", "", "exactly one of max_regression_pct, min_improvement_pct"),
        ("= 1.0", "= 1.0\nmin_improvement_pct = 5", "exactly one of"),
        ("= 1.0", "= 1.0\nmust_finish = true", "exactly one of"),
        ("= 1.0", "= 1.0\nmax_regresion_pct = 5", "Unexpected keyword"),
    ],
)
def test_a_wrong_limit_is_refused_with_what_is_wrong(
    tmp_path: Path, old: str, new: str, says: str
) -> None:
    with pytest.raises(BadInput, match=says) as caught:
        load(tmp_path, written(LIMIT.replace(old, new)))
    assert caught.value.exit_code == 20


def test_an_unknown_metric_is_an_unknown_name(tmp_path: Path) -> None:
    with pytest.raises(UnknownName, match=r"known in .*/workloads/exit_storm\.c: "):
        load(tmp_path, written(LIMIT.replace("exit_ns", "exit_us")))


def test_two_limits_for_one_metric_could_contradict_each_other(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="two limits for exit-storm exact exit_ns"):
        load(tmp_path, written(LIMIT + LIMIT.replace("1.0", "2.0")))


def test_nothing_is_shown_to_be_no_worse_at_all_on_a_noisy_machine(tmp_path: Path) -> None:
    noisy = LIMIT.replace("exact", "parallel").replace("1.0", "0")
    with pytest.raises(BadInput, match="parallel is noisy"):
        load(tmp_path, written(noisy))


def test_nothing_at_all_may_be_asked_of_an_exact_machine(tmp_path: Path) -> None:
    assert policy.bound(load(tmp_path, written(LIMIT.replace("1.0", "0"))).limits[0]) == 0


def test_too_few_seeds_are_refused_with_how_many_would_do(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"4 seeds cannot decide 1 limits(.|\n)*at least 5"):
        load(tmp_path, written(LIMIT), seeds=4)
    assert load(tmp_path, written(LIMIT), seeds=5).looks == (5,)


def test_more_limits_need_more_seeds(tmp_path: Path) -> None:
    limits = LIMIT + LIMIT.replace("exit_ns", "cpu_ns")
    with pytest.raises(BadInput, match="at least 6"):
        load(tmp_path, written(limits), seeds=5)


def test_a_limit_that_only_asks_a_clock_to_stop_takes_no_seeds_from_the_others(
    tmp_path: Path,
) -> None:
    swapoff = LIMIT.replace("exit_ns", "swapoff_ns")
    swapoff = swapoff.replace("max_regression_pct = 1.0", "must_finish = true")
    read = load(tmp_path, written(LIMIT + swapoff), seeds=5)
    assert [policy.describe(one) for one in read.limits] == ["<= +1 %", "must finish"]


def test_a_hazard_that_could_not_fail_is_refused(tmp_path: Path) -> None:
    assert load(tmp_path, 'hazards = ["residue"]\n' + written(LIMIT)).hazards == ("residue",)
    with pytest.raises(BadInput, match="hazard exit-storm has no conditions"):
        load(tmp_path, 'hazards = ["exit-storm"]\n' + written(LIMIT))
    with pytest.raises(UnknownName, match="no workload is called 'residu'"):
        load(tmp_path, 'hazards = ["residu"]\n' + written(LIMIT))


def test_hazards_may_be_left_to_what_the_series_changes(tmp_path: Path) -> None:
    assert load(tmp_path, 'hazards = ["auto"]\n' + written(LIMIT)).hazards == ("auto",)


@pytest.mark.parametrize("looks", ["[]", "[20, 10]", "[10, 10]", "[0, 10]"])
def test_looks_are_ascending(tmp_path: Path, looks: str) -> None:
    with pytest.raises(BadInput, match="ascending"):
        load(tmp_path, written(LIMIT, looks))


@pytest.mark.parametrize("rate", [0, 0.5, 1.0])
def test_an_error_rate_is_a_small_chance(tmp_path: Path, rate: float) -> None:
    with pytest.raises(BadInput, match="error_rate"):
        load(tmp_path, written(LIMIT, error_rate=rate))


def test_the_looks_spend_the_whole_error_rate_and_no_more(tmp_path: Path) -> None:
    read = load(tmp_path, written(LIMIT, "[8, 12, 40]"))
    assert sum(policy.level(read, look) for look in range(3)) == pytest.approx(0.05)


@pytest.mark.parametrize(
    ("better", "regression", "improvement", "bound", "words"),
    [
        ("lower", 10.0, None, math.log(1.1), "<= +10 %"),
        ("lower", None, 10.0, math.log(0.9), "<= -10 %"),
        ("higher", 10.0, None, -math.log(0.9), ">= -10 %"),
        ("higher", None, 10.0, -math.log(1.1), ">= +10 %"),
    ],
)
def test_a_bound_is_counted_towards_the_worse(
    better: str, regression: float | None, improvement: float | None, bound: float, words: str
) -> None:
    limit = Limit("w", "m", "x", better, regression, improvement)  # type: ignore[arg-type]
    assert policy.bound(limit) == pytest.approx(bound)
    assert policy.describe(limit) == words
