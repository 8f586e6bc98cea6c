# SPDX-License-Identifier: GPL-2.0-only
"""A line per boot in the Go benchmark format, for benchstat and the tools around it.

The format: https://golang.org/design/14313-benchmark-format, with the unit lines of
golang.org/x/perf/benchfmt. `series:` tells the arms apart: `benchstat -col series`.
A boot counts as the median of its samples; a clock that did not stop is +Inf. What the format
has no place for - invalid runs, lost boots - is in comment lines, which its readers ignore.
"""

from collections.abc import Iterable, Iterator, Sequence

from patchbench import records, texts
from patchbench.model import NEVER, ArmNote, Boot, Comparison, Metric, Plan
from patchbench.report import tables
from patchbench.stages.compare import usable


def render(comparison: Comparison, boots: Sequence[Boot]) -> str:
    """Return configuration lines, unit lines and a result line per boot, arm by arm."""
    return "".join(f"{texts.one_line(line)}\n" for line in _lines(comparison, boots))


def _lines(comparison: Comparison, boots: Sequence[Boot]) -> Iterator[str]:
    plan = comparison.plan
    yield f"# run {plan.run}"  # a comment: as configuration it would keep two runs out of one table
    for line in tables.headline(comparison):
        yield from (f"# {part}" for part in line.splitlines())
    yield from (f"{key}: {value}" for key, value in _configuration(plan).items())
    metrics = {metric.name: metric for boot in boots for metric in boot.record.metrics}
    yield from (f"Unit {_unit(metric)} better={metric.better}" for metric in metrics.values())
    for arm in (plan.base, plan.test):
        yield f"series: {arm.series}"
        for machine in plan.machines:
            yield from _results(plan, machine.name, arm, boots)


def _results(plan: Plan, machine: str, arm: ArmNote, boots: Sequence[Boot]) -> Iterable[str]:
    name = "".join(part.title() for part in plan.workload.name.split("-"))
    for boot in usable(boots, machine, arm):
        values = " ".join(
            f"{_value(boot, metric)} {_unit(metric)}" for metric in boot.record.metrics
        )
        yield f"Benchmark{name}/machine={machine} 1 {values}"


def _configuration(plan: Plan) -> dict[str, str]:
    parameters = {f"parameter-{key}": str(value) for key, value in plan.workload.parameters.items()}
    return {
        "goarch": "arm64",
        "kernel": f"{plan.kernel} {plan.version}",
        "flavour": plan.flavour,
        "workload": plan.workload.name,
        **{key.replace("_", "-").lower(): value for key, value in parameters.items()},
    }


def _unit(metric: Metric) -> str:
    """Return the unit in the format's form, which begins with the metric's name: exit-ns."""
    stem = metric.name.removesuffix(f"_{metric.unit}").replace("_", "-")
    return f"{stem}-{metric.unit}"


def _value(boot: Boot, metric: Metric) -> str:
    value = boot.value(metric.name)
    return "+Inf" if value == NEVER else records.render(value)
