# SPDX-License-Identifier: GPL-2.0-only
"""The formats that a run can be reported in; each is a file here, and dropping one in adds it.

A format's file is named as `--format` names it and opens with a line that says what it is for.
One for a bench has `render(comparison: Comparison, boots: Sequence[Boot]) -> str`, one for a
check `render_findings(run: str, result: CheckResult) -> str`; both pure, and what they
return ends in a newline. What a format cannot hold it must say; it drops no lost boot and no
clock that did not stop.
"""

from collections.abc import Callable, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any, TypeAlias

from patchbench.errors import UnknownName
from patchbench.findings import CheckResult
from patchbench.model import Boot, Comparison
from patchbench.store import write_whole

Render: TypeAlias = Callable[[Comparison, Sequence[Boot]], str]
RenderFindings: TypeAlias = Callable[[str, CheckResult], str]
_FOLDER = Path(__file__).parent
_BENCH, _CHECK = "render", "render_findings"
_REPORTS = {"comparison.json": "json", "report.md": "markdown", "report.html": "html"}


def names() -> list[str]:
    """Return the formats that a bench can be reported in."""
    return [*_found(_BENCH)]


def names_for_findings() -> list[str]:
    """Return the formats that a check can be reported in."""
    return [*_found(_CHECK)]


def find(name: str) -> Render:
    """Return the function that renders a bench in a format; UnknownName lists the known ones."""
    return _one(name, _BENCH)  # type: ignore[no-any-return]


def find_for_findings(name: str) -> RenderFindings:
    """Return the function that renders a check in a format; UnknownName lists the known ones."""
    return _one(name, _CHECK)  # type: ignore[no-any-return]


def write(folder: Path, comparison: Comparison, boots: Sequence[Boot]) -> None:
    """Leave a run's reports in a folder: comparison.json, report.md and report.html."""
    folder.mkdir(parents=True, exist_ok=True)
    for file, name in _REPORTS.items():
        write_whole(folder / file, find(name)(comparison, boots))


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
