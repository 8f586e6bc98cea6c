# SPDX-License-Identifier: GPL-2.0-only
"""Stage 7: a Plan and its Boots in, a Comparison out. Pure."""

from collections import Counter
from collections.abc import Iterable, Sequence

from patchbench import records, stats
from patchbench.model import NEVER, ArmNote, Boot, Comparison, Delta, Metric, Plan

_FACTS = ("swapped_pages", "extents", "pages_per_extent", "zram_ratio", "zram_algorithm")


def compare(plan: Plan, boots: Sequence[Boot]) -> Comparison:
    """Return what the boots of a run say about its test arm.

    A pair with a lost boot is left out of the estimates and counted in `failures`, which
    makes the comparison invalid; nothing is estimated from what is left of a broken arm.
    """
    failures = tuple(
        f"{boot.machine} {boot.series} seed {boot.seed}: {boot.failure}"
        for boot in boots
        if boot.failure
    )
    machines = [machine.name for machine in plan.machines]
    engaged = {name: _engaged(plan, name, boots) for name in machines}
    deltas = tuple(delta for name in machines for delta in _deltas(plan, name, boots))
    return Comparison(
        plan=plan,
        deltas=deltas,
        engaged=engaged,
        outcomes=tuple(_outcomes(plan, machines, boots)),
        failures=failures,
        splats=tuple(line for boot in boots for line in boot.splats),
        invalid=tuple(_invalid(plan, boots, failures, engaged, deltas)),
        failure_statuses=tuple(boot.failure_status for boot in boots if boot.failure),
        failed_arms=tuple(boot.series for boot in boots if boot.failure),
        overloads=tuple(
            f"{boot.machine} {boot.series} seed {boot.seed}: {boot.overload}"
            for boot in boots
            if boot.overload
        ),
        facts={
            f"{name} {arm.series}": _facts(_of(boots, name, arm))
            for name in machines
            for arm in (plan.base, plan.test)
        },
    )


def not_at_work(plan: Plan, machine: str) -> str:
    """Return why a comparison is invalid on a machine on which a series' counter did not move."""
    names = " or ".join(filter(None, (plan.base.engaged_vmstat, plan.test.engaged_vmstat)))
    return (
        f"{machine}: {names} did not move in every boot, so nothing shows that the series "
        "did its work; what it may have left undone is told as never ended"
    )


def _of(boots: Iterable[Boot], machine: str, arm: ArmNote) -> list[Boot]:
    return [
        boot
        for boot in boots
        if boot.machine == machine and boot.series == arm.series and not boot.failure
    ]


def _deltas(plan: Plan, machine: str, boots: Sequence[Boot]) -> Iterable[Delta]:
    base = {boot.seed: boot for boot in _of(boots, machine, plan.base)}
    test = {boot.seed: boot for boot in _of(boots, machine, plan.test)}
    seeds = sorted(base.keys() & test.keys())
    everybodys = [boot.record.metrics for boot in (*base.values(), *test.values())]
    for metric in _common(everybodys) if seeds else ():
        pairs = [(_value(base[seed], metric), _value(test[seed], metric)) for seed in seeds]
        ours, theirs = [one for one, _ in pairs], [other for _, other in pairs]
        change = stats.paired_change(ours, theirs)
        yield Delta(
            machine=machine,
            metric=metric,
            base=stats.median(ours),
            test=stats.median(theirs),
            change_pct=change.change_pct,
            low_pct=change.low_pct,
            high_pct=change.high_pct,
            values=tuple(pairs),
            note=change.note,
        )


def _common(tables: Sequence[tuple[Metric, ...]]) -> list[Metric]:
    return [metric for metric in tables[0] if all(metric in table for table in tables)]


def _value(boot: Boot, metric: Metric) -> float:
    """Return what a boot counts as: iterations and victims inside it share its luck."""
    return stats.median(records.values(boot.record, metric.name))


def _engaged(plan: Plan, machine: str, boots: Sequence[Boot]) -> bool | None:
    """Return whether every series with a counter of its own moved it in every boot."""
    counters = [arm for arm in (plan.base, plan.test) if arm.engaged_vmstat]
    if not counters:
        return None
    return all(_was_at_work(arm, _of(boots, machine, arm)) for arm in counters)


def _was_at_work(arm: ArmNote, boots: Sequence[Boot]) -> bool:
    moved = [boot.record.meta.get(f"vmstat.{arm.engaged_vmstat}", "0") for boot in boots]
    return bool(moved) and all(value.isdigit() and int(value) > 0 for value in moved)


def _outcomes(plan: Plan, machines: Sequence[str], boots: Sequence[Boot]) -> Iterable[str]:
    """Tell what never came: a drain, a swapoff, whatever clock did not stop."""
    for machine in machines:
        for arm in (plan.base, plan.test):
            mine = _of(boots, machine, arm)
            for metric in mine[0].record.metrics if mine else ():
                stuck = [boot for boot in mine if NEVER in records.values(boot.record, metric.name)]
                if not stuck:
                    continue
                yield (
                    f"{machine}: {metric.name} never ended with {arm.series} "
                    f"in {len(stuck)} of {len(mine)} boots{_fate(metric, stuck)}"
                )


def _fate(metric: Metric, stuck: Sequence[Boot]) -> str:
    """Return what became of a clock that did not stop, as far as the guest tells."""
    about = metric.name.rpartition("_")[0]  # the guest says `meta swapoff killed` of swapoff_ns
    fates = Counter(boot.record.meta[about] for boot in stuck if about in boot.record.meta)
    told = [f"{about} {fate}: {count}" for fate, count in sorted(fates.items())]
    residues = [value for boot in stuck for value in records.values(boot.record, "residue_pages")]
    told += [f"{stats.median(residues):.0f} pages of swap left"] if residues else []
    return f" ({', '.join(told)})" if told else ""


def _invalid(
    plan: Plan,
    boots: Sequence[Boot],
    failures: Sequence[str],
    engaged: dict[str, bool | None],
    deltas: Sequence[Delta],
) -> Iterable[str]:
    if failures:
        yield f"{len(failures)} boots gave no usable samples"
    yield from (not_at_work(plan, machine) for machine, was in engaged.items() if was is False)
    if len({boot.record.metrics for boot in boots if not boot.failure}) > 1:
        yield "the boots did not all measure the same"
    compared = {delta.machine for delta in deltas}
    for missing in plan.machines:
        if missing.name not in compared:
            yield f"{missing.name}: no pair of boots to compare"


def _facts(boots: Sequence[Boot]) -> dict[str, str]:
    """Return what the first usable boot says about the swap that the storm released."""
    return {
        name: boots[0].record.meta[name]
        for name in _FACTS
        if boots and name in boots[0].record.meta
    }
