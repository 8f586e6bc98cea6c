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
from patchbench.gate import alarms, calibration, calibration_docs, policy
from patchbench.gate.calibrating import calibrated_part
from patchbench.gate.calibration import GATE, Calibration, CalibrationCell, Findings, Means
from patchbench.gate.limits import Limit, Policy
from patchbench.model import Metric
from patchbench.noise import Conditions, Floors, Values

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
    bound = Limit("exit-storm", name, "exit_ns", "lower", max_regression_pct=limit)
    conditions = Conditions("mainline", "bench", "exit-storm", {"victims": 10}, name, {}, "a guest")
    cell = CalibrationCell(
        means=Means(
            version="7.3.4",
            toolchain="0123456789abcdef",
            qemu="10.0.13",
            host={"cores": "2", "cpu": "a test's"},
            trials=200,
            command=f"./bootstrap calibrate {name}",
        ),
        policy=Policy(error_rate, (8, 16), (bound,)),
        exact=exact,
        metrics=METRICS,
        same=same,
        slower={8: values(1.005, spread, 90), 32: values(1.04, spread, 91)},
        again=same["none~0"] if exact else {},
        floors=Floors(conditions, {}),
    )
    return Calibration((cell,))


def changed(made: Calibration, **changes: object) -> Calibration:
    """Return a calibration with another only cell."""
    (cell,) = made.cells
    return replace(made, cells=(replace(cell, **changes),))  # type: ignore[arg-type]  # any field


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
    found = calibration.judge(calibrated(exact=False, spread=0.1))
    false_alarms = found["exit-storm on parallel"].false_alarms
    assert false_alarms["a fixed bar of 5 %"].low > false_alarms[GATE].high


@pytest.fixture(scope="module")
def shipped() -> tuple[Calibration, dict[str, Findings]]:
    """Return docs/calibration.json, and what its boots say."""
    read = calibration_docs.load(ROOT)
    assert read is not None
    return read, calibration.judge(read)


def test_the_page_that_is_shipped_says_what_its_boots_say(
    shipped: tuple[Calibration, dict[str, Findings]],
) -> None:
    assert calibration_docs.markdown(*shipped) == (ROOT / calibration_docs.TEXT).read_text()


def test_the_floors_that_are_shipped_are_those_of_its_boots(
    shipped: tuple[Calibration, dict[str, Findings]],
) -> None:
    _, findings = shipped
    assert [one.pct for one in noise.stored(ROOT)] == [one.floors for one in findings.values()]


def test_a_gate_that_alarms_more_often_than_it_states_is_out_of_bounds() -> None:
    # Two kernels that are called the same and are 5 % apart: one order of the two alarms.
    same = {"none~0": values(1, 0.002, 0), "none~1": values(1.05, 0.002, 1)}
    found = calibration.judge(changed(calibrated(error_rate=0.01), same=same))
    assert [one.false_alarms[GATE].came for one in found.values()] == [1]
    (wrong,) = calibration.out_of_bounds(found)
    assert "1 false alarms in 2 comparisons" in wrong


def test_so_many_orders_of_the_same_boots_are_no_more_evidence_than_its_pairs_of_kernels() -> None:
    found = calibration.judge(calibrated())["exit-storm on exact"]
    assert found.false_alarms[GATE].trials == 5 * 4


def test_a_boot_that_differs_when_repeated_is_out_of_bounds() -> None:
    made = calibrated()
    (cell,) = made.cells
    again = dict(cell.again["exit_ns"])
    again[3] += 1
    made = changed(made, again={**cell.again, "exit_ns": again})
    assert calibration.out_of_bounds(calibration.judge(made)) == [
        "exit-storm on exact: 1 of 16 boots differed when repeated"
    ]


def test_a_calibration_is_written_and_read_back(tmp_path: Path) -> None:
    made = calibrated()
    findings = calibration_docs.save(tmp_path, made)
    read = calibration_docs.load(tmp_path)
    assert read is not None
    found = findings["exit-storm on exact"]
    assert changed(read, floors=made.cells[0].floors) == made
    text = (tmp_path / "docs/calibration.md").read_text()
    assert "**0 boots differ**" in text
    assert f"±{found.floors['exit_ns'][16]:.3f} |" in text
    (floors,) = noise.stored(tmp_path)
    assert floors == Floors(made.cells[0].floors.conditions, found.floors)


def test_fewer_pairs_have_the_floor_of_so_few_and_too_few_have_none() -> None:
    floors = Floors(calibrated().cells[0].floors.conditions, {"exit_ns": {4: 2.0, 8: 1.0}})
    assert [floors.floor_pct("exit_ns", pairs) for pairs in (3, 4, 7, 8, 30)] == [
        None, 2.0, 2.0, 1.0, 1.0
    ]  # fmt: skip
    assert floors.floor_pct("cpu_ns", 8) is None


def test_another_machine_s_calibration_is_kept_beside_it(tmp_path: Path) -> None:
    calibration_docs.save(tmp_path, calibrated(exact=True))
    for _ in range(2):
        findings = calibration_docs.save(tmp_path, calibrated(exact=False))
    assert list(findings) == ["exit-storm on exact", "exit-storm on parallel"]
    text = (tmp_path / "docs/calibration.md").read_text()
    assert text.count("`./bootstrap calibrate exact`") == 1
    assert text.count("`./bootstrap calibrate parallel`") == 1


def test_the_same_boots_always_say_the_same(tmp_path: Path) -> None:
    for name in ("one", "two"):
        calibration_docs.save(tmp_path / name, calibrated())
    for file in ("calibration.md", "calibration-exit-storm-exact.svg", "calibration.json"):
        assert (tmp_path / "one/docs" / file).read_bytes() == (
            tmp_path / "two/docs" / file
        ).read_bytes(), file


def test_nothing_calibrated_is_no_floor_and_a_broken_file_is_an_error(tmp_path: Path) -> None:
    assert noise.stored(tmp_path) == ()
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs/calibration.json").write_text("{}")
    with pytest.raises(BadInput, match="not a calibration of this version"):
        calibration_docs.load(tmp_path)


def test_the_limits_that_are_shipped_are_those_that_were_calibrated(
    shipped: tuple[Calibration, dict[str, Findings]],
) -> None:
    calibrated, _ = shipped
    catalog = Catalog(ROOT)
    parts = {
        place: calibrated_part(part, catalog.machine(place[1]))
        for file in ("gate.toml", "gate-storm.toml")
        for place, part in policy.parts(policy.load(catalog, ROOT / "configs" / file)).items()
    }
    assert {
        (cell.floors.conditions.workload, cell.floors.conditions.machine): cell.policy
        for cell in calibrated.cells
    } == parts


def test_what_is_shipped_was_calibrated_with_the_workloads_and_machines_that_are_shipped(
    shipped: tuple[Calibration, dict[str, Findings]],
) -> None:
    catalog = Catalog(ROOT)
    for cell in shipped[0].cells:
        was = cell.floors.conditions
        workload, machine = catalog.workload(was.workload), catalog.machine(was.machine)
        assert was == Conditions.of(was.kernel, was.flavour, workload, machine, was.guest)


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
