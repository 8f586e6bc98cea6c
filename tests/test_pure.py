# SPDX-License-Identifier: GPL-2.0-only
"""A module that calls itself pure touches nothing outside: same arguments, same answer."""

import ast
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parents[1] / "patchbench"
#: What reads or writes files, starts something, or asks for the time or for chance.
IMPURE = {
    *("open", "read_text", "read_bytes", "write_text", "write_bytes", "write_whole", "mkdir"),
    *("exists", "is_file", "is_dir", "iterdir", "glob", "rglob", "stat", "unlink", "load_toml"),
    *("now", "time", "monotonic", "print"),
}


def calls(tree: ast.Module) -> set[str]:
    """Return the last words of what a module calls."""
    called = (node.func for node in ast.walk(tree) if isinstance(node, ast.Call))
    return {
        one.attr if isinstance(one, ast.Attribute) else one.id
        for one in called
        if isinstance(one, ast.Attribute | ast.Name)
    }


def opening(source: str) -> str:
    """Return a module's docstring, without reading the rest of it."""
    return source.partition('"""')[2].partition('"""')[0]


PURE = [path for path in sorted(PACKAGE.rglob("*.py")) if "Pure" in opening(path.read_text())]


def test_there_are_pure_modules() -> None:
    assert len(PURE) > 20


@pytest.mark.parametrize("path", PURE, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_a_module_that_calls_itself_pure_is(path: Path) -> None:
    assert calls(ast.parse(path.read_text())) & IMPURE == set()
