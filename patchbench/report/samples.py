# SPDX-License-Identifier: GPL-2.0-only
"""The boots of a run, sample by sample: what leaves the project as raw data. Pure."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from patchbench.model import NEVER, Boot, Plan


@dataclass(frozen=True, slots=True)
class SampleRow:
    """One sample and where it comes from; a lost boot has one row, without a metric.

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


def rows(plan: Plan, boots: Iterable[Boot]) -> Iterator[SampleRow]:
    """Give every sample of every boot, in the order in which the guests wrote them."""
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
            yield SampleRow(*head, "", "", "", "", "", boot.failure)
        metrics = {metric.name: metric for metric in boot.record.metrics}
        for sample in () if boot.failure else boot.record.samples:
            metric = metrics[sample.metric]
            value = exported(sample.value)
            yield SampleRow(*head, metric.name, metric.unit, metric.better, sample.label, value, "")


def exported(value: float) -> int | float | str:
    """Return a sample as other tools take it: whole numbers whole, NEVER as the word."""
    if value == NEVER:
        return "never"
    return int(value) if value == int(value) else value
