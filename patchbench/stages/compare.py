# SPDX-License-Identifier: GPL-2.0-only
"""Stage 7: a Plan and its Boots in, a Comparison out. Pure."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from types import MappingProxyType

from patchbench import stats
from patchbench.model import (
    NEVER,
    ArmNote,
    Boot,
    Comparison,
    Delta,
    FunctionProof,
    Metric,
    MetricNote,
    Plan,
)
from patchbench.stages import books

#: What a report says of the swap that a storm filled: `meta` lines, which no metric's file has.
_FACTS = ("swapped_pages", "extents", "pages_per_extent", "zram_ratio", "zram_algorithm")
_NO_NOTES: Mapping[str, MetricNote] = MappingProxyType({})


def compare(
    plan: Plan, boots: Sequence[Boot], notes: Mapping[str, MetricNote] = _NO_NOTES
) -> Comparison:
    """Return what the boots of a run say about its test arm.

    A pair with a lost boot is not in the estimates. The boot is counted in `failures`, which
    makes the comparison invalid; nothing is estimated from the rest of a broken arm.
    """
    machines = [machine.name for machine in plan.machines]
    failures = tuple(f"{_place(boot)}: {boot.failure}" for boot in boots if boot.failure)
    engaged = {name: _engaged(plan, name, boots) for name in machines}
    deltas = tuple(delta for name in machines for delta in _deltas(plan, name, boots, notes))
    return Comparison(
        plan=plan,
        deltas=deltas,
        engaged=engaged,
        outcomes=tuple(_outcomes(plan, machines, boots, notes)),
        failures=failures,
        splats=tuple(line for boot in boots for line in boot.splats),
        invalid=tuple(_invalid(plan, boots, failures, engaged, deltas)),
        failure_statuses=tuple(boot.failure_status for boot in boots if boot.failure),
        failed_arms=tuple(boot.series for boot in boots if boot.failure),
        overloads=tuple(f"{_place(boot)}: {boot.overload}" for boot in boots if boot.overload),
        disturbed=tuple(line for name in machines for line in _disturbed(name, boots)),
        facts={
            f"{name} {arm.series}": _facts(usable(boots, name, arm))
            for name in machines
            for arm in (plan.base, plan.test)
        },
        metric_notes=notes,
        undone_pct={
            name: (
                _undone_pct(usable(boots, name, plan.base), notes),
                _undone_pct(usable(boots, name, plan.test), notes),
            )
            for name in machines
        },
        books=tuple(
            line
            for name in machines
            for line in books.looking(plan, name, [b for b in boots if b.machine == name])
        ),
    )


def _disturbed(machine: str, boots: Sequence[Boot]) -> Iterator[str]:
    """Give what a machine's boots were exposed to: other hosts, blocks done again, a busy host."""
    blocks: dict[int, list[Boot]] = {}
    for boot in boots:
        if boot.machine == machine:
            blocks.setdefault(boot.seed, []).append(boot)
    workers = {boot.worker for block in blocks.values() for boot in block}
    if workers - {""}:
        names = ", ".join(sorted(worker or "the run's own host" for worker in workers))
        yield f"{machine}: its boots were made on {names}; all arms of a block on one of them"
    again = sum(max(boot.again for boot in block) for block in blocks.values())
    spoilt = sum(any(boot.overload for boot in block) for block in blocks.values())
    if 2 * spoilt > len(blocks):
        yield (
            f"{machine}: {spoilt} of {len(blocks)} blocks of boots were disturbed, {again} done "
            "again: the host was too busy for these numbers to mean anything"
        )
    elif again:
        yield (
            f"{machine}: {again} times a block of boots was disturbed and done again; there are "
            f"{len(blocks)}"
        )


def usable(boots: Iterable[Boot], machine: str, arm: ArmNote) -> list[Boot]:
    """Return an arm's boots on a machine whose samples can be used."""
    return [
        boot
        for boot in boots
        if (boot.machine, boot.series, boot.failure) == (machine, arm.series, "")
    ]


def unfinished(boots: Iterable[Boot], machine: str, arm: ArmNote, metric: str) -> tuple[int, int]:
    """Return in how many of an arm's usable boots a clock did not stop, and how many those are."""
    mine = usable(boots, machine, arm)
    return sum(NEVER in boot.values(metric) for boot in mine), len(mine)


def not_at_work(plan: Plan, machine: str) -> str:
    """Return why a comparison is invalid on a machine on which a series' counter did not move."""
    names = " or ".join(filter(None, (plan.base.engaged_vmstat, plan.test.engaged_vmstat)))
    return (
        f"{machine}: {names} did not move in every boot, so nothing shows that the series "
        "did its work; what it may have left undone is reported as not finished"
    )


def nothing_ran(
    plan: Plan, engaged: Mapping[str, bool | None], proof: FunctionProof
) -> Iterator[str]:
    """Give why a comparison is invalid if no function that differs ran, and no counter moved."""
    if proof.at_work is False and not any(engaged.values()):
        yield (
            f"none of the {len(proof.idle)} functions in which {plan.test.series} differs from "
            f"{plan.base.series} ran in {plan.workload.name} on {proof.machine}, so there is "
            f"nothing that it can show: {', '.join(proof.idle)}\n"
            "  `bench --workload auto` looks for a workload that runs them"
        )


def _place(boot: Boot) -> str:
    return f"{boot.machine} {boot.series} seed {boot.seed}"


def _deltas(
    plan: Plan, machine: str, boots: Sequence[Boot], notes: Mapping[str, MetricNote]
) -> Iterator[Delta]:
    base = {boot.seed: boot for boot in usable(boots, machine, plan.base)}
    test = {boot.seed: boot for boot in usable(boots, machine, plan.test)}
    pairs = [(base[seed], test[seed]) for seed in sorted(base.keys() & test.keys())]
    everybodys = [boot.record.metrics for boot in (*base.values(), *test.values())]
    for metric in _common(everybodys) if pairs else ():
        values = [(one.value(metric.name), other.value(metric.name)) for one, other in pairs]
        per_page = None
        if metric.name in notes and notes[metric.name].per_page:
            per_page = _per_page(machine, metric, pairs, notes)
        yield _delta(machine, metric, values, per_page)


def _delta(
    machine: str,
    metric: Metric,
    values: Sequence[tuple[float, float]],
    per_page: Delta | None = None,
) -> Delta:
    ours, theirs = [one for one, _ in values], [other for _, other in values]
    base, test = stats.median(ours), stats.median(theirs)
    change = stats.paired_change(ours, theirs)
    if change.low_pct is None and (change.change_pct or 0) * (test - base) < 0:
        # Of two pairs that disagree the estimate may have the other sign than the medians.
        change = stats.Change(None, None, None, "the pairs disagree, and are too few to say how")
    return Delta(
        machine=machine,
        metric=metric,
        base=base,
        test=test,
        change_pct=change.change_pct,
        low_pct=change.low_pct,
        high_pct=change.high_pct,
        values=tuple(values),
        note=change.note,
        per_page=per_page,
    )


def _per_page(
    machine: str,
    metric: Metric,
    pairs: Sequence[tuple[Boot, Boot]],
    notes: Mapping[str, MetricNote],
) -> Delta | None:
    """Return a metric over the pages that each boot freed; None if a boot does not report them."""
    freed = [(freed_pages(one, notes), freed_pages(other, notes)) for one, other in pairs]
    if not all(one > 0 and other > 0 for one, other in freed):
        return None
    values = [
        (one.value(metric.name) / ours, other.value(metric.name) / theirs)
        for (one, other), (ours, theirs) in zip(pairs, freed, strict=True)
    ]
    return _delta(machine, metric, values)


def freed_pages(boot: Boot, notes: Mapping[str, MetricNote]) -> float:
    """Return how many pages of swap a boot freed; 0 if it does not report them."""
    pages = _undone(boot, notes)
    return pages[1] - pages[0] if pages else 0


def _undone_pct(boots: Sequence[Boot], notes: Mapping[str, MetricNote]) -> float:
    """Return which share of the pages boots left undone, their mean, in per cent."""
    shares = [left / pages for left, pages in filter(None, (_undone(one, notes) for one in boots))]
    return 100 * sum(shares) / len(shares) if shares else 0.0


def _undone(boot: Boot, notes: Mapping[str, MetricNote]) -> tuple[float, float] | None:
    """Return how many pages a boot left undone, of how many; None if it does not report them."""
    for metric in boot.record.metrics:
        note = notes.get(metric.name)
        pages = boot.record.meta.get(note.undone_of, "") if note and note.undone_of else ""
        if pages.isdecimal() and int(pages):
            return boot.value(metric.name), int(pages)
    return None


def _common(tables: Sequence[tuple[Metric, ...]]) -> list[Metric]:
    return [metric for metric in tables[0] if all(metric in table for table in tables)]


def _engaged(plan: Plan, machine: str, boots: Sequence[Boot]) -> bool | None:
    """Return whether every series with a counter of its own moved it in every boot."""
    counters = [arm for arm in (plan.base, plan.test) if arm.engaged_vmstat]
    if not counters:
        return None
    return all(_was_at_work(arm, usable(boots, machine, arm)) for arm in counters)


def _was_at_work(arm: ArmNote, boots: Sequence[Boot]) -> bool:
    moved = [boot.record.meta.get(f"vmstat.{arm.engaged_vmstat}", "0") for boot in boots]
    return bool(moved) and all(value.isdecimal() and int(value) > 0 for value in moved)


def _outcomes(
    plan: Plan,
    machines: Sequence[str],
    boots: Sequence[Boot],
    notes: Mapping[str, MetricNote],
) -> Iterator[str]:
    """Give what did not finish: a drain, a swapoff, whatever clock did not stop."""
    for machine in machines:
        for arm in (plan.base, plan.test):
            mine = usable(boots, machine, arm)
            for metric in mine[0].record.metrics if mine else ():
                stuck = [boot for boot in mine if NEVER in boot.values(metric.name)]
                if stuck:
                    yield (
                        f"{machine}: {metric.name} did not finish with {arm.series} "
                        f"in {len(stuck)} of {len(mine)} boots{_fate(metric, stuck, notes)}"
                    )


def _fate(metric: Metric, stuck: Sequence[Boot], notes: Mapping[str, MetricNote]) -> str:
    """Return what became of a clock that did not stop, as far as the guest reports it."""
    about = metric.name.rpartition("_")[0]  # the guest's `meta swapoff killed` of swapoff_ns
    fates = Counter(boot.record.meta[about] for boot in stuck if about in boot.record.meta)
    known = [f"{about} {fate}: {count}" for fate, count in sorted(fates.items())]
    left = [pages[0] for pages in (_undone(boot, notes) for boot in stuck) if pages]
    known += [f"{stats.median(left):.0f} pages of swap left"] if left else []
    return f" ({', '.join(known)})" if known else ""


def _invalid(
    plan: Plan,
    boots: Sequence[Boot],
    failures: Sequence[str],
    engaged: dict[str, bool | None],
    deltas: Sequence[Delta],
) -> Iterator[str]:
    if failures:
        yield f"{len(failures)} boots gave no usable samples"
    cpus = {machine.name: machine.vcpus for machine in plan.machines}
    for boot in boots:
        if not boot.failure and (why := books.overdrawn(boot, cpus[boot.machine])):
            yield f"{_place(boot)}: {why}"
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
