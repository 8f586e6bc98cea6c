# SPDX-License-Identifier: GPL-2.0-only
"""Mails in, the one series that they post out: ordered, completed, replies put aside. Pure.

What is chosen and what is put aside is part of the answer, so that nobody has to guess why a
patch is or is not there.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from patchbench.errors import BadInput
from patchbench.intake.mails import Mail

#: What a prerequisite of a posting may be called by, as git and b4 write it.
PREREQUISITES = (
    "prerequisite-patch-id",
    "prerequisite-message-id",
    "prerequisite-change-id",
    "prerequisite-base-commit",
)


@dataclass(frozen=True, slots=True)
class Aside:
    """A mail that is no part of the series, and why."""

    mail: Mail
    why: str


@dataclass(frozen=True, slots=True)
class Posting:
    """One revision of one series: its patches in order, and what was sent around them."""

    revision: int
    patches: tuple[Mail, ...]
    cover: Mail | None = None
    aside: tuple[Aside, ...] = ()
    taken_over: tuple[int, ...] = ()  # numbers that a partial reroll left as they were

    @property
    def title(self) -> str:
        """Return the cover's subject, else the first patch's."""
        return (self.cover or self.patches[0]).subject.title

    @property
    def author(self) -> str:
        """Return who sent it, as the mail says."""
        return (self.cover or self.patches[0]).author

    @property
    def base_commit(self) -> str:
        """Return the commit that it says it was made on; empty if it says none."""
        return next(iter(self._footers("base-commit")), "")

    @property
    def change_id(self) -> str:
        """Return b4's name for all revisions of the series; empty if it has none."""
        return next(iter(self._footers("change-id")), "")

    @property
    def prerequisites(self) -> tuple[tuple[str, str], ...]:
        """Return what must be applied first, as (kind, value); repeated ones once."""
        pairs = ((key, value) for key in PREREQUISITES for value in self._footers(key))
        return tuple(dict.fromkeys(pairs))

    def _footers(self, key: str) -> Iterable[str]:
        for mail in filter(None, (self.cover, *self.patches)):
            yield from mail.footer(key)


def choose(mails: Sequence[Mail], *, where: str, revision: int | None = None) -> Posting:
    """Return the highest revision among the mails, or the one that is asked for.

    `where` names the source in messages. Raises BadInput, and says which, for a missing part, a
    number that two patches have, a cover letter or a pull request without patches, two series of
    one revision, and a revision that is not there.
    """
    candidates, aside = _sort_out(mails)
    if not any(mail.has_diff for mail in candidates):
        raise BadInput(f"{where} holds no patch{_what_it_holds(candidates, aside)}")
    revisions = sorted({mail.subject.revision for mail in candidates})
    wanted = revision if revision is not None else revisions[-1]
    if wanted not in revisions:
        known = ", ".join(f"v{one}" for one in revisions)
        raise BadInput(f"{where} has no revision {wanted}; it holds {known}")
    _refuse_two_series(candidates, wanted, where)
    chosen = {one: _numbered(candidates, one, where) for one in revisions if one <= wanted}
    numbers, taken_over = _completed(chosen, wanted, candidates, where)
    older = [
        Aside(mail, f"of revision {mail.subject.revision}")
        for mail in candidates
        if mail not in numbers.values()
    ]
    return Posting(
        revision=wanted,
        patches=tuple(numbers[number] for number in sorted(numbers) if number > 0),
        cover=numbers.get(0),
        aside=(*aside, *older),
        taken_over=taken_over,
    )


def _sort_out(mails: Sequence[Mail]) -> tuple[list[Mail], list[Aside]]:
    """Return the mails that may be parts of a series, and the others with the reason."""
    candidates: list[Mail] = []
    aside: list[Aside] = []
    seen: set[bytes | str] = set()
    for mail in mails:
        if (mail.message_id or mail.raw) in seen:
            aside.append(Aside(mail, "a copy of a mail before it"))
            continue
        seen.add(mail.message_id or mail.raw)
        if why := _why_aside(mail):
            aside.append(Aside(mail, why))
        else:
            candidates.append(mail)
    return candidates, aside


def _why_aside(mail: Mail) -> str:
    subject = mail.subject
    if subject.is_pull:
        return "a pull request"
    if subject.is_reply:
        return "a reply with a diff of its own" if mail.has_diff else "a reply"
    if mail.has_diff or (subject.is_cover and subject.is_patch):
        return ""
    return "no diff in it"


def _what_it_holds(candidates: Sequence[Mail], aside: Sequence[Aside]) -> str:
    if any(one.why == "a pull request" for one in aside):
        return ": it is a pull request; name its range instead, --tree TREE --series BASE..TIP"
    if candidates:
        return ": only the cover letter; the patches are mails of their own"
    return "".join(f"\n  {one.mail.subject.title or '(no subject)'}: {one.why}" for one in aside)


def _refuse_two_series(candidates: Sequence[Mail], revision: int, where: str) -> None:
    """Refuse two covers, or two lengths, of one revision."""
    mine = [mail for mail in candidates if mail.subject.revision == revision]
    covers = [mail.subject.title for mail in mine if mail.subject.is_cover]
    totals = sorted({mail.subject.total for mail in mine if mail.subject.total})
    if len(covers) > 1:
        listed = "\n  ".join(covers)
        raise BadInput(f"{where} holds {len(covers)} series:\n  {listed}\n  give one alone")
    if len(totals) > 1:
        lengths = " and ".join(str(total) for total in totals)
        raise BadInput(f"{where} holds two series, of {lengths} patches; give one alone")


def _numbered(candidates: Sequence[Mail], revision: int, where: str) -> Mapping[int, Mail]:
    """Return one revision's mails by their number; those without one in the order they came."""
    by_number: dict[int, list[Mail]] = defaultdict(list)
    mine = [mail for mail in candidates if mail.subject.revision == revision]
    bare = [mail for mail in mine if mail.subject.number is None]
    for number, mail in enumerate(bare, start=1):
        by_number[number].append(mail)
    for mail in mine:
        if mail.subject.number is not None:
            by_number[mail.subject.number].append(mail)
    if bare and len(bare) < len(mine):
        raise BadInput(
            f"{where}: {bare[0].subject.title!r} has no number, and others have; "
            "`git format-patch -n` numbers all"
        )
    for number, those in by_number.items():
        if len(those) > 1:
            listed = "\n  ".join(mail.subject.title for mail in those)
            raise BadInput(f"{where} has {len(those)} patches with number {number}:\n  {listed}")
    return {number: those[0] for number, those in by_number.items()}


def _completed(
    by_revision: Mapping[int, Mapping[int, Mail]],
    wanted: int,
    candidates: Sequence[Mail],
    where: str,
) -> tuple[dict[int, Mail], tuple[int, ...]]:
    """Return a revision's mails, a partial reroll completed from the revisions before it.

    Only a mail that answers one of the series is a partial reroll: a new thread is whole.
    """
    numbers = dict(by_revision[wanted])
    total = max((mail.subject.total or 0 for mail in numbers.values()), default=0) or len(numbers)
    missing = [number for number in range(1, total + 1) if number not in numbers]
    ids = {mail.message_id for mail in candidates if mail.subject.revision < wanted} - {""}
    answers = any(set(mail.parents) & ids for mail in numbers.values())
    taken_over = []
    for older in sorted((one for one in by_revision if one < wanted), reverse=True):
        for number in [one for one in missing if answers and one in by_revision[older]]:
            numbers[number] = by_revision[older][number]
            missing.remove(number)
            taken_over.append(number)
        if answers and 0 not in numbers and 0 in by_revision[older]:
            numbers[0] = by_revision[older][0]
    if missing:
        listed = ", ".join(f"{number}/{total}" for number in missing)
        raise BadInput(f"{where} lacks {'parts' if len(missing) > 1 else 'part'} {listed}")
    if extra := [number for number in numbers if number > total]:
        raise BadInput(f"{where} has part {extra[0]} of {total}")
    return numbers, tuple(sorted(taken_over))
