# SPDX-License-Identifier: GPL-2.0-only
"""What must be set up before a verb runs. Each verb declares it; ./bootstrap asks."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from inspect import signature
from os import environ
from typing import Any, Literal, TypeVar

from invoke.collection import Collection

Need = Literal["engine", "browser", "hosts", "b4"]
#: The variable that stands for the flag --hosts.
SCHEDULER = "PATCHBENCH_SCHEDULER"
Body = TypeVar("Body", bound=Callable[..., Any])


@dataclass(frozen=True, slots=True)
class _Declared:
    needs: tuple[Need, ...]
    unless: str
    only_with: str


_DECLARED: dict[Callable[..., Any], _Declared] = {}


def needs(*what: Need, unless: str = "", only_with: str = "") -> Callable[[Body], Body]:
    """Declare what a verb needs besides Python and git.

    With the flag `unless` it needs nothing; without the flag `only_with` nothing either. A verb
    with the flag `hosts` needs what reaches other hosts if it is given.
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
    flags = signature(verbs[arguments[0]].body).parameters
    asks_for_help = {"--help"} if any(name[0] == "h" for name in flags) else {"--help", "-h"}
    if given & {*asks_for_help, f"--{declared.unless}"}:
        return ()
    if declared.only_with and not given & {f"--{declared.only_with}", f"-{declared.only_with[0]}"}:
        return ()
    others = given & {"--hosts", "-h"} or SCHEDULER in environ
    return (*declared.needs, "hosts") if "hosts" in flags and others else declared.needs
