# SPDX-License-Identifier: GPL-2.0-only
"""A Comparison and the mail that it answers in, the answer as an .eml out; never sent. Pure.

Its first lines are what a reader of a list wants: what was applied where, what came of it, one
number with its interval and the noise floor, and the command that repeats it. It is of an emulated
machine, says so, and gives no Tested-by.
"""

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from email.message import EmailMessage
from email.policy import SMTP

from patchbench.errors import BadInput
from patchbench.model import Boot, Comparison, Delta
from patchbench.report import numbers, sentences, tables
from patchbench.report.formats import mail

_POLICY = SMTP.clone(linesep="\n", cte_type="8bit", max_line_length=78)


@dataclass(frozen=True, slots=True)
class Answered:
    """The mail that is answered: a series' cover letter, or its only patch."""

    subject: str  # as it was sent, with its brackets
    author: str
    message_id: str
    references: tuple[str, ...] = ()  # the oldest first


def render(
    comparison: Comparison, boots: Sequence[Boot], answered: Answered, *, cc: Sequence[str] = ()
) -> bytes:
    """Return the mail; BadInput for a mail that has no message-id to answer to."""
    if not answered.message_id:
        raise BadInput(f"{answered.subject!r} has no Message-ID, so nothing can answer it")
    made = EmailMessage(policy=_POLICY)
    made["Subject"] = f"Re: {answered.subject}"
    made["To"] = answered.author
    if cc:
        made["Cc"] = ", ".join(cc)
    made["In-Reply-To"] = f"<{answered.message_id}>"
    made["References"] = " ".join(f"<{one}>" for one in (*answered.references, answered.message_id))
    made.set_content(_body(comparison, boots), cte="8bit")
    return made.as_bytes()


def is_news(comparison: Comparison) -> bool:
    """Return whether there is anything that a list has to hear: a change, or something broken."""
    if comparison.invalid or comparison.outcomes or comparison.failures or comparison.splats:
        return True
    return any(sentences.reading(delta) in ("better", "worse") for delta in comparison.deltas)


def send_email(path: str, answered: Answered) -> str:
    """Return the line that sends it, for whoever wants to."""
    return f"git send-email --in-reply-to='<{answered.message_id}>' {path}"


def _body(comparison: Comparison, boots: Sequence[Boot]) -> str:
    plan = comparison.plan
    base = f" ({plan.test.base})" if plan.test.base else ""
    told = [f"{one.machine}: {one.sentence}." for one in sentences.summaries(comparison, boots)]
    where = f"{plan.test.series} was applied to {plan.kernel} {plan.version}{base}"
    how = f"built for arm64 and booted in QEMU against {plan.base.series}"
    first = [
        f"{where}, {how}: ratios of an emulated machine, not a device's times.",
        *(tables.headline(comparison) or told)[:1],
        *_one_number(comparison),
    ]
    lines = [line for text in first for line in textwrap.wrap(text, mail.WIDTH)]
    lines += ["Repeat:", *mail.command_lines(plan.command)]
    return "\n".join([*lines, "", mail.render(comparison, boots)])


def _one_number(comparison: Comparison) -> list[str]:
    """Return the change that stands out most from its noise, in words."""
    told = [one for one in comparison.deltas if sentences.reading(one) in ("better", "worse")]
    if not told:
        return ["No metric changed beyond its interval."]
    one = max(told, key=_distance)
    floor = f", A/A noise {numbers.floor(one)}" if one.floor_pct is not None else ""
    change = f"{numbers.per_cent(one.change_pct)} {numbers.interval(one)}"
    return [f"{one.metric.name} on {one.machine}: {change}{floor}."]


def _distance(delta: Delta) -> float:
    change = abs(delta.change_pct or 0.0)
    return change / delta.floor_pct if delta.floor_pct else change
