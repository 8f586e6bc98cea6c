# SPDX-License-Identifier: GPL-2.0-only
"""What must be set up before a verb runs. Each verb declares it; ./bootstrap asks."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeVar

from invoke.collection import Collection

Need = Literal["engine", "browser"]
Body = TypeVar("Body", bound=Callable[..., Any])


@dataclass(frozen=True, slots=True)
class _Declared:
    needs: tuple[Need, ...]
    unless: str
    only_with: str


_DECLARED: dict[Callable[..., Any], _Declared] = {}


def needs(*what: Need, unless: str = "", only_with: str = "") -> Callable[[Body], Body]:
    """Declare what a verb needs besides Python and git.

    With the flag `unless` it needs nothing; without the flag `only_with` nothing either.
    """

    def declare(body: Body) -> Body:
        _DECLARED[body] = _Declared(what, unless, only_with)
        return body

    return declare


def needed(verbs: Collection, arguments: Sequence[str]) -> tuple[Need, ...]:
    """Return what a command line needs; nothing if it only asks for help or names no verb.

    Raises KeyError for a verb that declares nothing, not even `@needs()`.
    """
    if not arguments or arguments[0] not in verbs.task_names:
        return ()
    declared = _DECLARED[verbs[arguments[0]].body]
    given = {word.partition("=")[0] for word in arguments}
    if given & {"--help", "-h", f"--{declared.unless}"}:
        return ()
    if declared.only_with and not given & {f"--{declared.only_with}", f"-{declared.only_with[0]}"}:
        return ()
    return declared.needs
