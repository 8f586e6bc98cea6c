# SPDX-License-Identifier: GPL-2.0-only
"""The formats that a run can be told in; each is a file here, and dropping one in adds it.

A format's file is named as `--format` names it and opens with a line that says what it is for.
One for a bench has `render(told: Comparison, boots: Sequence[Boot]) -> str`, one for a check
`render_findings(run: str, result: CheckResult) -> str`; both pure, newline included. What
it cannot hold it must say; it drops no lost boot and no clock that never stopped.
"""

from collections.abc import Callable, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any, TypeAlias

from patchbench.errors import UnknownName
from patchbench.findings import CheckResult
from patchbench.model import Boot, Comparison

Render: TypeAlias = Callable[[Comparison, Sequence[Boot]], str]
RenderFindings: TypeAlias = Callable[[str, CheckResult], str]
_FOLDER = Path(__file__).parent
_BENCH, _CHECK = "render", "render_findings"


def names() -> list[str]:
    """Return the formats that a bench can be told in."""
    return [*_found(_BENCH)]


def names_for_findings() -> list[str]:
    """Return the formats that a check can be told in."""
    return [*_found(_CHECK)]


def find(name: str) -> Render:
    """Return what renders a bench in a format; UnknownName lists the known ones."""
    return _one(name, _BENCH)  # type: ignore[no-any-return]


def find_for_findings(name: str) -> RenderFindings:
    """Return what renders a check in a format; UnknownName lists the known ones."""
    return _one(name, _CHECK)  # type: ignore[no-any-return]


def _one(name: str, function: str) -> Any:
    found = _found(function)
    if name not in found:
        what = {_BENCH: "format", _CHECK: "format of a check"}[function]
        raise UnknownName(what, name, [*found], _FOLDER)
    return found[name]


def _found(function: str) -> dict[str, Any]:
    """Return a function of every format that has it, by the format's name."""
    modules = sorted(path.stem for path in _FOLDER.glob("[a-z]*.py"))
    loaded = {name: import_module(f"{__name__}.{name}") for name in modules}
    return {name: getattr(one, function) for name, one in loaded.items() if hasattr(one, function)}
