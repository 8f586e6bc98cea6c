# SPDX-License-Identifier: GPL-2.0-only
"""A Comparison in; what it says in words, no more than its intervals allow. Pure."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from patchbench.model import NEVER, Boot, Comparison, Delta
from patchbench.report.numbers import boots_of, share
from patchbench.stages.compare import unfinished

Reading = Literal["better", "worse", "the same", "cannot tell", "too few pairs", "no ratio"]

#: A smaller change is real where the interval says so, but not worth a sentence.
_WORTH_TELLING_PCT = 0.05

_Counts = tuple[int, int]  # boots in which a clock did not stop, all boots


@dataclass(frozen=True, slots=True)
class Summary:
    """What a machine says: a sentence that its intervals carry, and the rest in small print."""

    machine: str
    sentence: str
    small_print: str  # what else changed, and what cannot be decided; may be empty


def reading(delta: Delta) -> Reading:
    """Return what a change means; an interval that holds zero means only that one cannot tell."""
    low, high = delta.low_pct, delta.high_pct
    if any(base == 0 != test for base, test in delta.values):
        return "no ratio"
    if low is None or high is None:
        return "too few pairs"
    if low == high == 0:
        return "the same"
    if low <= 0 <= high:
        return "cannot tell"
    return "better" if (high < 0) == (delta.metric.better == "lower") else "worse"


def remark(comparison: Comparison, delta: Delta, boots: Sequence[Boot]) -> str:
    """Return a change's reading, or what outweighs it: an unfinished clock, work left undone."""
    stuck, usable = unfinished(boots, delta.machine, comparison.plan.test, delta.metric.name)
    if stuck:
        return f"never in {stuck} of {usable}"
    read = reading(delta)
    if read == "better" and (undone := saved_by(comparison, delta)):
        return f"less, {undone}"
    if read == "no ratio" and (worse := _worse_pairs(delta)):
        return f"worse in {worse} of {delta.pairs} pairs"
    return delta.note if read == "no ratio" else read


def _worse_pairs(delta: Delta) -> int:
    sign = 1 if delta.metric.better == "lower" else -1
    return sum(sign * test > sign * base for base, test in delta.values)


def saved_by(comparison: Comparison, delta: Delta) -> str:
    """Return why less is no gain: the test arm left more undone. Empty if it did not.

    It is "because" of that unless the metric is still better per freed page.
    """
    if not (undone := _left_undone(comparison, delta)):
        return ""
    left = f"{undone} was left undone"
    if delta.per_page is None or delta.per_page.change_pct is None:
        return f"but {left}"
    why = "but" if reading(delta.per_page) == "better" else "because"
    return f"{why} {left} ({_per_page(delta.per_page)})"


def summaries(comparison: Comparison, boots: Sequence[Boot]) -> list[Summary]:
    """Return for each machine what did not finish, what changed, and what stays open."""
    return [
        _summary(
            comparison,
            machine.name,
            [delta for delta in comparison.deltas if delta.machine == machine.name],
            boots,
        )
        for machine in comparison.plan.machines
    ]


def _summary(
    comparison: Comparison, machine: str, deltas: Sequence[Delta], boots: Sequence[Boot]
) -> Summary:
    counts = {delta.metric.name: _counts(comparison, delta, boots) for delta in deltas}
    stuck = {name: both for name, both in counts.items() if any(never for never, _ in both)}
    finite = [delta for delta in deltas if delta.metric.name not in stuck]
    sure = [delta for delta in finite if reading(delta) in ("better", "worse")]
    large = [delta for delta in sure if abs(delta.change_pct or 0) >= _WORTH_TELLING_PCT]
    changed = [delta for delta in large if _has_sentence(comparison, delta)]
    slower = [delta for delta in deltas if _is_slower_or_never(delta, stuck)]
    never = {name: both for name, both in stuck.items() if name not in _names(slower)}
    saved = [d for d in changed if reading(d) == "better" and _left_undone(comparison, d)]
    parts = [
        *_nevers(comparison, never),
        *(_slower_or_never(comparison, delta, stuck) for delta in slower),
        *([_saved(comparison, saved)] if saved else []),
        *(_change(comparison, delta) for delta in changed if delta not in saved),
    ]
    also = [delta for delta in large if delta not in changed]
    rest = {
        "Also changed": [f"{_label(comparison, d)} {_signed(d.change_pct or 0)}" for d in also],
        "Cannot tell": [_label(comparison, d) for d in finite if reading(d) == "cannot tell"],
        "Too few pairs to tell": [
            _label(comparison, d) for d in finite if reading(d) == "too few pairs"
        ],
        f"Changed by less than {_WORTH_TELLING_PCT} %": [
            _label(comparison, d) for d in sure if d not in large
        ],
    }
    small_print = [f"{what}: {', '.join(those)}." for what, those in rest.items() if those]
    sentence = _capitalised("; ".join(parts) or _nothing(deltas))
    return Summary(machine, sentence, " ".join(small_print))


def _nothing(deltas: Sequence[Delta]) -> str:
    """Return what there is to say where nothing changed for certain."""
    if not deltas:
        return "there is no pair of boots to compare"
    if all(reading(delta) in ("the same", "no ratio") for delta in deltas):
        return "nothing changed"
    return "no change can be shown"


def _counts(comparison: Comparison, delta: Delta, boots: Sequence[Boot]) -> tuple[_Counts, _Counts]:
    """Return in how many boots of base and of test a clock did not stop."""
    plan, name = comparison.plan, delta.metric.name
    base = unfinished(boots, delta.machine, plan.base, name)
    return base, unfinished(boots, delta.machine, plan.test, name)


def _nevers(comparison: Comparison, stuck: Mapping[str, tuple[_Counts, _Counts]]) -> Iterator[str]:
    """Give what did not finish; clocks that did not stop equally often share a sentence."""
    plan = comparison.plan
    by_counts: dict[tuple[_Counts, _Counts], list[str]] = defaultdict(list)
    for name, counts in stuck.items():
        note = comparison.metric_note(name)
        by_counts[counts].append(note.never or f"{note.label} does not finish")
    for (base, test), what in by_counts.items():
        arms = [f"{boots_of(test)} with {plan.test.series}"]
        if base[0]:
            arms.append(f"{boots_of(base)} with {plan.base.series}")
        yield f"{_and(what)} in {_and(arms)}"


def _is_slower_or_never(delta: Delta, stuck: Mapping[str, tuple[_Counts, _Counts]]) -> bool:
    """Return whether the test arm is slower for certain, and in some boots did not finish."""
    base, test = stuck.get(delta.metric.name, ((0, 0), (0, 0)))
    finite = delta.change_pct is not None and delta.change_pct != NEVER
    return 0 < test[0] < test[1] and not base[0] and finite and reading(delta) == "worse"


def _slower_or_never(
    comparison: Comparison, delta: Delta, stuck: Mapping[str, tuple[_Counts, _Counts]]
) -> str:
    _, test = stuck[delta.metric.name]
    change = _change(comparison, delta)
    return f"{change}, or never does ({boots_of(test)} with {comparison.plan.test.series})"


def _saved(comparison: Comparison, deltas: Sequence[Delta]) -> str:
    """Return what an arm saved that left work undone, and how much it left."""
    undone = _left_undone(comparison, deltas[0])
    clauses = [
        _change(comparison, delta) + (f" ({_per_page(delta.per_page)})" if delta.per_page else "")
        for delta in deltas
    ]
    series = comparison.plan.test.series
    return f"{series} leaves {undone} of the swap undone, and {_and(clauses)}"


def _left_undone(comparison: Comparison, delta: Delta) -> str:
    """Return how much more the test arm left undone, if less of this metric is better."""
    base, test = comparison.undone_pct.get(delta.machine, (0.0, 0.0))
    return share(test) if test > base and delta.metric.better == "lower" else ""


def _change(comparison: Comparison, delta: Delta) -> str:
    assert delta.change_pct is not None  # for mypy: it was read as better or worse
    note = comparison.metric_note(delta.metric.name)
    less = note.less or f"{note.label} {{}} less"
    more = note.more or f"{note.label} {{}} more"
    return (less if delta.change_pct < 0 else more).format(share(delta.change_pct))


def _per_page(delta: Delta) -> str:
    return "-" if delta.change_pct is None else f"{_signed(delta.change_pct)} per freed page"


def _has_sentence(comparison: Comparison, delta: Delta) -> bool:
    """Return whether a change gets a clause of its own: its note has one, or it has no note."""
    note = comparison.metric_note(delta.metric.name)
    return bool(note.less) or delta.metric.name not in comparison.metric_notes


def _label(comparison: Comparison, delta: Delta) -> str:
    return comparison.metric_note(delta.metric.name).label


def _names(deltas: Sequence[Delta]) -> list[str]:
    return [delta.metric.name for delta in deltas]


def _signed(per_cent: float) -> str:
    return f"{'+' if per_cent >= 0 else '-'}{share(per_cent)}"


def _capitalised(sentence: str) -> str:
    """Return a sentence with a capital, unless it begins with a name such as v0 or exit_ns."""
    begins_with_word = sentence.partition(" ")[0].isalpha()
    return sentence[:1].upper() + sentence[1:] if begins_with_word else sentence


def _and(names: Sequence[str]) -> str:
    return " and ".join(filter(None, (", ".join(names[:-1]), names[-1])))
