# SPDX-License-Identifier: GPL-2.0-only
"""A study in; its headline, and the terminal's table, out. Pure."""

from patchbench.study import looks, tables, weigh
from patchbench.study.evidence import NOT_RUN, Study
from patchbench.study.weigh import Conclusion, Outcome

HEADINGS = ("", "outcome", "measured", "interval", "asked", "machine", "says")
#: In the order in which they are counted.
OUTCOMES: tuple[Outcome, ...] = (
    "confirmed", "refuted", "undecided", "cannot tell", "not answered", "not answerable",
)  # fmt: skip
#: How often the intervals that decide a rule lie wholly on the wrong side of a bound, at most.
_WRONG_SIDE_PCT = 2.5


def _confidence(study: Study) -> str:
    """Return of which confidence the intervals of a study are, and why."""
    most = study.logbook.looks
    if most == 1:
        return "Intervals are of 95 %."
    return (
        f"Intervals are of {100 * looks.confidence(most):.4g} %: a leg whose rules stayed "
        f"undecided was booted with twice the seeds, {most} looks at most, and all of them "
        "together decide wrongly no more often than one at 95 % does."
    )


def headline(study: Study) -> list[str]:
    """Return what a reader must know before any outcome."""
    lines = [", ".join(f"{number} {outcome}" for outcome, number in counts(study).items())]
    lines += [f"A CONTROL MOVED: {control}" for control in weigh.moved(study.controls)]
    if not any(one.outcome == "confirmed" for one in study.controls):
        lines.append("No control was seen to hold, so nothing shows that only exits changed.")
    lines += [f"HOST OVERLOADED: {leg}" for leg in tables.overloaded(study)]
    if unasked := [one.statement.id for one in study.conclusions if _unasked(one)]:
        lines.append(f"Not run: {', '.join(unasked)}")
    return lines


def counts(study: Study) -> dict[Outcome, int]:
    """Return how many statements have each outcome, without those that none has."""
    found = [one.outcome for one in asked(study)]
    return {outcome: found.count(outcome) for outcome in OUTCOMES if outcome in found}


def multiplicity(study: Study) -> str:
    """Return how many rules were decided by an interval, and how often chance alone does that."""
    decided = [
        weighed
        for one in asked(study)
        for weighed in one.weighed
        if weighed.estimate and weighed.outcome in ("confirmed", "refuted")
    ]
    return (
        f"{_confidence(study)} {len(decided)} rules were decided, each by an interval of its own "
        f"and without a correction for their number: chance alone puts up to {_WRONG_SIDE_PCT} % "
        "of such intervals on the wrong side of a bound, here about "
        f"{len(decided) * _WRONG_SIDE_PCT / 100:.1f}. One rule that does not hold refutes its "
        "statement, so a statement whose k rules all hold in truth is refuted by chance with up "
        f"to k times {_WRONG_SIDE_PCT} %."
    )


def rows(study: Study) -> list[list[str]]:
    """Return the terminal's table under HEADINGS, a row for each rule."""
    return [
        [
            one.statement.id if not place else "",
            outcome(one, study) if not place else "",
            weighed.measured,
            weighed.interval,
            weighed.rule.asked,
            weighed.place,
            one.statement.says if not place else weighed.why,
        ]
        if weighed
        else [one.statement.id, one.outcome, "-", "-", "-", "-", one.statement.says]
        for one in asked(study)
        for place, weighed in enumerate(one.weighed or (None,))
    ]


def asked(study: Study) -> list[Conclusion]:
    """Return the conclusions of which at least one leg was to be run, or that need none."""
    return [one for one in study.conclusions if not _unasked(one)]


def outcome(one: Conclusion, study: Study) -> str:
    """Return a statement's outcome, with a caveat if a control moved."""
    caveat = " (a control moved)" if weigh.moved(study.controls) else ""
    return one.outcome + (caveat if one.outcome in ("confirmed", "refuted", "undecided") else "")


def _unasked(one: Conclusion) -> bool:
    return bool(one.weighed) and all(NOT_RUN in rule.why for rule in one.weighed)
