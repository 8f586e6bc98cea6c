# SPDX-License-Identifier: GPL-2.0-only
"""Stage 7: a Plan and its Boots in, a Comparison out. Pure."""

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
        f"{boot.machine} {boot.arm} seed {boot.seed}: {boot.failure}"
        for boot in boots
        if boot.failure
    )
    machines = [machine.name for machine in plan.machines]
    engaged = {name: _engaged(plan.test, _of(boots, name, plan.test)) for name in machines}
    deltas = tuple(delta for name in machines for delta in _deltas(plan, name, boots))
    return Comparison(
        plan=plan,
        deltas=deltas,
        engaged=engaged,
        outcomes=tuple(_outcomes(plan, machines, boots)),
        failures=failures,
        splats=tuple(line for boot in boots for line in boot.splats),
        invalid=tuple(_invalid(plan, failures, engaged, deltas)),
        facts={
            f"{name} {arm.series}": _facts(_of(boots, name, arm))
            for name in machines
            for arm in (plan.base, plan.test)
        },
    )


def _of(boots: Iterable[Boot], machine: str, arm: ArmNote) -> list[Boot]:
    return [
        boot
        for boot in boots
        if boot.machine == machine and boot.arm == arm.series and not boot.failure
    ]


def _deltas(plan: Plan, machine: str, boots: Sequence[Boot]) -> Iterable[Delta]:
    base = {boot.seed: boot for boot in _of(boots, machine, plan.base)}
    test = {boot.seed: boot for boot in _of(boots, machine, plan.test)}
    seeds = sorted(base.keys() & test.keys())
    metrics = {m: None for seed in seeds for m in base[seed].record.metrics}
    for metric in metrics:
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
            pairs=len(pairs),
            note=change.note,
        )


def _value(boot: Boot, metric: Metric) -> float:
    """Return what a boot counts as: iterations and victims inside it share its luck."""
    return stats.median(records.values(boot.record, metric.name))


def _engaged(arm: ArmNote, boots: Sequence[Boot]) -> bool | None:
    """Return whether the series' own counter moved in every boot of its arm."""
    if arm.engaged_vmstat is None:
        return None
    key = f"vmstat.{arm.engaged_vmstat}"
    return bool(boots) and all(int(boot.record.meta.get(key, "0")) > 0 for boot in boots)


def _outcomes(plan: Plan, machines: Sequence[str], boots: Sequence[Boot]) -> Iterable[str]:
    """Tell what never came: a drain, a swapoff, whatever clock did not stop."""
    for machine in machines:
        for arm in (plan.base, plan.test):
            mine = _of(boots, machine, arm)
            for metric in mine[0].record.metrics if mine else ():
                stuck = [boot for boot in mine if NEVER in records.values(boot.record, metric.name)]
                if not stuck:
                    continue
                residues = [value for boot in stuck for value in _residue(boot)]
                told = f" ({stats.median(residues):.0f} pages of swap left)" if residues else ""
                yield (
                    f"{machine}: {metric.name} never ended with {arm.series} "
                    f"in {len(stuck)} of {len(mine)} boots{told}"
                )


def _residue(boot: Boot) -> list[float]:
    return records.values(boot.record, "residue_pages")


def _invalid(
    plan: Plan,
    failures: Sequence[str],
    engaged: dict[str, bool | None],
    deltas: Sequence[Delta],
) -> Iterable[str]:
    if failures:
        yield f"{len(failures)} boots gave no usable samples"
    for machine, was in engaged.items():
        if was is False:
            yield (
                f"{machine}: {plan.test.engaged_vmstat} did not move in every boot of "
                f"{plan.test.series}, so the series was not at work"
            )
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
