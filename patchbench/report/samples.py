# SPDX-License-Identifier: GPL-2.0-only
"""The boots of a run, sample by sample: what leaves the project as raw data. Pure."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from patchbench import records
from patchbench.model import NEVER, ArmNote, Boot, Plan


@dataclass(frozen=True, slots=True)
class Row:
    """One sample and where it comes from; a lost boot has one row, with `failure` for a value.

    value: a number of the metric's unit, the word `never`, or empty for a lost boot.
    """

    run: str
    kernel: str
    workload: str
    machine: str
    arm: str  # base or test
    series: str
    seed: int
    metric: str
    unit: str
    better: str
    label: str
    value: int | float | str
    failure: str


def rows(plan: Plan, boots: Iterable[Boot]) -> Iterator[Row]:
    """Give every sample of every boot, in the order in which the guests told them."""
    for boot in boots:
        head = (
            plan.run,
            plan.version,
            plan.workload.name,
            boot.machine,
            "base" if boot.series == plan.base.series else "test",
            boot.series,
            boot.seed,
        )
        if boot.failure:
            yield Row(*head, "", "", "", "", "", boot.failure)
        metrics = {metric.name: metric for metric in boot.record.metrics}
        for sample in () if boot.failure else boot.record.samples:
            metric = metrics[sample.metric]
            value = exported(sample.value)
            yield Row(*head, metric.name, metric.unit, metric.better, sample.label, value, "")


def exported(value: float) -> int | float | str:
    """Return a sample as other tools take it: whole numbers whole, NEVER as the word."""
    if value == NEVER:
        return "never"
    return int(value) if value == int(value) else value


def good(boots: Iterable[Boot], machine: str, arm: ArmNote) -> list[Boot]:
    """Return one arm's boots whose samples can be used."""
    return [
        boot
        for boot in boots
        if (boot.machine, boot.series, boot.failure) == (machine, arm.series, "")
    ]


def stuck(boots: Sequence[Boot], metric: str) -> int:
    """Return in how many of the boots a clock of this metric never stopped."""
    return sum(NEVER in records.values(boot.record, metric) for boot in boots)
