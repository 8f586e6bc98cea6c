# SPDX-License-Identifier: GPL-2.0-only
"""What a calibration says of boots whose truth is known."""

import random
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as some

from patchbench import noise
from patchbench.catalog import Catalog
from patchbench.errors import BadInput
from patchbench.gate import alarms, calibration, policy
from patchbench.gate.calibration import GATE, Calibration, Findings, MachineBoots
from patchbench.gate.limits import Limit, Policy
from patchbench.model import Metric
from patchbench.noise import Values

pytestmark = pytest.mark.slow

SEEDS = range(1, 17)
ROOT = Path(__file__).resolve().parents[2]
METRICS = tuple(Metric(name, "ns", "lower") for name in ("exit_ns", "cpu_ns"))


def values(scale: float, spread: float, order: int) -> Values:
    draw = random.Random(order)
    return {
        metric.name: {seed: 1e8 * scale * (1 + draw.gauss(0, spread)) for seed in SEEDS}
        for metric in METRICS
    }


def calibrated(
    *, exact: bool = True, spread: float = 0.002, error_rate: float = 0.05, limit: float = 1.0
) -> Calibration:
    name = "exact" if exact else "parallel"
    same = {f"none~{n}": values(1, spread, n) for n in range(5 if exact else 2)}
    boots = MachineBoots(
        machine=name,
        exact=exact,
        workload="exit-storm",
        metrics=METRICS,
        same=same,
        slower={8: values(1.005, spread, 90), 32: values(1.04, spread, 91)},
        again=same["none~0"] if exact else {},
    )
    bound = Limit("exit-storm", name, "exit_ns", "lower", max_regression_pct=limit)
    return Calibration(
        kernel="mainline", version="7.3.4", trials=200,
        commands={name: f"./bootstrap calibrate {name}"},
        toolchain="0123456789abcdef", qemu="10.0.13", host={"cores": "2", "cpu": "a test's"},
        policies={name: Policy(error_rate, (8, 16), (bound,))}, boots={name: boots},
    )  # fmt: skip


@pytest.mark.parametrize("exact", [True, False])
def test_a_gate_that_keeps_its_word_is_within_bounds(*, exact: bool) -> None:
    made = calibrated(exact=exact)
    findings = calibration.judge(made)
    assert calibration.out_of_bounds(findings) == []
    found = next(iter(findings.values()))
    assert found.false_alarms[GATE].came == 0
    assert found.power[GATE] == {8: 0.0, 32: 1.0}
    assert found.detectable(GATE) == 32


def test_a_fixed_bar_alarms_on_noise_that_the_gate_sees_through() -> None:
    false_alarms = calibration.judge(calibrated(exact=False, spread=0.1))["parallel"].false_alarms
    assert false_alarms["a fixed bar of 5 %"].low > false_alarms[GATE].high


@pytest.fixture(scope="module")
def shipped() -> tuple[Calibration, dict[str, Findings]]:
    """Return docs/calibration.json, and what its boots say."""
    read = calibration.load(ROOT)
    assert read is not None
    return read, calibration.judge(read)


def test_the_page_that_is_shipped_says_what_its_boots_say(
    shipped: tuple[Calibration, dict[str, Findings]],
) -> None:
    assert calibration.markdown(*shipped) == (ROOT / calibration.TEXT).read_text()


def test_the_floors_that_are_shipped_are_those_of_its_boots(
    shipped: tuple[Calibration, dict[str, Findings]],
) -> None:
    _, findings = shipped
    assert noise.floors(ROOT, "exit-storm") == {
        (machine, metric): floor
        for machine, found in findings.items()
        for metric, floor in found.floors.items()
    }


def test_a_gate_that_alarms_more_often_than_it_states_is_out_of_bounds() -> None:
    # Two kernels that are called the same and are 5 % apart: every other comparison alarms.
    made = calibrated()
    same = {"none~0": values(1, 0.002, 0), "none~1": values(1.05, 0.002, 1)}
    made = replace(made, boots={"exact": replace(made.boots["exact"], same=same)})
    wrong = calibration.out_of_bounds(calibration.judge(made))
    assert len(wrong) == 1
    assert "false alarms in 200 comparisons" in wrong[0]


def test_a_boot_that_differs_when_repeated_is_out_of_bounds() -> None:
    made = calibrated()
    again = dict(made.boots["exact"].again["exit_ns"])
    again[3] += 1
    boots = replace(made.boots["exact"], again={**made.boots["exact"].again, "exit_ns": again})
    made = replace(made, boots={"exact": boots})
    assert calibration.out_of_bounds(calibration.judge(made)) == [
        "exact: 1 of 16 boots differed when repeated"
    ]


def test_a_calibration_is_written_and_read_back(tmp_path: Path) -> None:
    made = calibrated()
    findings = calibration.save(tmp_path, made)
    read = calibration.load(tmp_path)
    assert read is not None
    assert replace(read, floors=()) == made
    text = (tmp_path / "docs/calibration.md").read_text()
    assert "**0 boots differ**" in text
    assert f"±{findings['exact'].floors['exit_ns']:.3f} %" in text
    floors = noise.floors(tmp_path, "exit-storm")
    assert floors == {("exact", name): floor for name, floor in findings["exact"].floors.items()}
    assert noise.floors(tmp_path, "another") == {}


def test_another_machine_s_calibration_is_kept_beside_it(tmp_path: Path) -> None:
    calibration.save(tmp_path, calibrated(exact=True))
    for _ in range(2):
        findings = calibration.save(tmp_path, calibrated(exact=False))
    assert list(findings) == ["exact", "parallel"]
    text = (tmp_path / "docs/calibration.md").read_text()
    assert text.count("`./bootstrap calibrate exact`") == 1
    assert text.count("`./bootstrap calibrate parallel`") == 1
    other = replace(calibrated(exact=False), version="7.3.5")
    assert list(calibration.save(tmp_path, other)) == ["parallel"]


def test_the_same_boots_always_say_the_same(tmp_path: Path) -> None:
    for name in ("one", "two"):
        calibration.save(tmp_path / name, calibrated())
    for file in ("calibration.md", "calibration-exact.svg", "calibration.json"):
        assert (tmp_path / "one/docs" / file).read_bytes() == (
            tmp_path / "two/docs" / file
        ).read_bytes(), file


def test_nothing_calibrated_is_no_floor_and_a_broken_file_is_an_error(tmp_path: Path) -> None:
    assert noise.floors(tmp_path, "exit-storm") == {}
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs/calibration.json").write_text("{}")
    with pytest.raises(BadInput, match="not a calibration of this version"):
        calibration.load(tmp_path)


@pytest.mark.parametrize(
    ("machine", "file"), [("exact", "gate.toml"), ("parallel", "gate-parallel.toml")]
)
def test_the_limits_that_are_shipped_are_those_that_were_calibrated(
    shipped: tuple[Calibration, dict[str, Findings]], machine: str, file: str
) -> None:
    calibrated, _ = shipped
    read = policy.load(Catalog(ROOT), ROOT / "configs" / file)
    assert calibrated.policies[machine] == read


def test_the_gate_that_is_shipped_is_within_its_bounds(
    shipped: tuple[Calibration, dict[str, Findings]],
) -> None:
    _, findings = shipped
    assert calibration.out_of_bounds(findings) == []


@given(some.integers(0, 40), some.integers(1, 40))
def test_a_rate_lies_in_its_interval(came: int, more: int) -> None:
    rate = alarms.rate(came, came + more)
    assert rate.low <= rate.share <= rate.high


def test_the_interval_of_none_in_four_hundred() -> None:
    assert alarms.rate(0, 400).high == pytest.approx(1 - 0.025 ** (1 / 400))
