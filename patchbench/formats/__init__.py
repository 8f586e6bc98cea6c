# SPDX-License-Identifier: GPL-2.0-only
"""The formats that a run can be told in; each is a file here, and dropping one in adds it.

A format's file is named as `--format` names it, opens with a line that says what it is for,
and has `render(told: Comparison, boots: Sequence[Boot]) -> str`, pure, newline included. What
it cannot hold it must say; it drops no lost boot and no clock that never stopped.
"""

from collections.abc import Callable, Sequence
from importlib import import_module
from pathlib import Path
from typing import TypeAlias

from patchbench.errors import UnknownName
from patchbench.model import Boot, Comparison

Render: TypeAlias = Callable[[Comparison, Sequence[Boot]], str]
_FOLDER = Path(__file__).parent


def names() -> list[str]:
    """Return the formats there are."""
    return sorted(path.stem for path in _FOLDER.glob("[a-z]*.py"))


def find(name: str) -> Render:
    """Return what renders a format; UnknownName lists the known ones."""
    if name not in names():
        raise UnknownName("format", name, names(), _FOLDER)
    render: Render = import_module(f"{__name__}.{name}").render
    return render
