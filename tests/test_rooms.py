# SPDX-License-Identifier: GPL-2.0-only
"""The rooms: no import runs backwards, and another room is entered by its doors alone."""

import ast
import importlib
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

PACKAGE = Path(__file__).resolve().parents[1] / "patchbench"
LANDING = 16
#: Each may import what stands before it; what has no room stands on the landing, `ground` first.
ORDER = (
    *("ground", "tools", "binaries", "stages", "cache", "report", "pipeline", "intake", "clocks"),
    *("profile", "work", "runs", "check", "gate", "study", "doctor", "porting", "verbs"),
)


def room(module: str) -> str:
    first = module.split(".")[1] if "." in module else "ground"
    return first if first in ORDER else "ground"


@cache
def imports() -> tuple[tuple[str, str], ...]:
    return tuple(_imports())


def _imports() -> Iterator[tuple[str, str]]:
    for path in PACKAGE.rglob("*.py"):
        parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
        importer = ".".join(parts).removesuffix(".__init__")
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("patchbench"):
                base = PACKAGE.parent / str(node.module).replace(".", "/")
                for name in [alias.name for alias in node.names]:
                    inside = (base / f"{name}.py").exists() or (base / name).is_dir()
                    yield importer, f"{node.module}.{name}" if inside else str(node.module)


def doors(name: str) -> set[str]:
    text = importlib.import_module(f"patchbench.{name}").__doc__ or ""
    listed = text.partition("\nDoors: ")[2].partition("\n\n")[0]
    return {door.strip() for door in listed.split(",")}


def test_no_import_runs_backwards() -> None:
    backwards = [
        f"{importer} imports {imported}"
        for importer, imported in imports()
        if ORDER.index(room(imported)) > ORDER.index(room(importer))
    ]
    assert backwards == []


def test_another_room_is_entered_by_its_doors_alone() -> None:
    rooms = {path.parent.name for path in PACKAGE.glob("*/__init__.py")} - {"tools", "verbs"}
    through_walls = [
        f"{importer} imports {imported}"
        for importer, imported in imports()
        if (name := room(imported)) in rooms
        and name != room(importer)
        and not {"all", imported.split(".")[2]} & doors(name)
    ]
    assert through_walls == []


def test_a_room_lists_its_files() -> None:
    unlisted = [
        str(path.relative_to(PACKAGE))
        for path in PACKAGE.glob("*/[a-z]*.py")
        if not re.search(rf"\b{path.stem}\b", (path.parent / "__init__.py").read_text())
    ]
    assert unlisted == []


def test_a_class_has_a_name_of_its_own() -> None:
    texts = [path.read_text() for path in PACKAGE.rglob("*.py")]
    names = [
        name for text in texts for name in re.findall(r"^class ([A-Z]\w*)", text, re.MULTILINE)
    ]
    assert {name for name in names if names.count(name) > 1} == set()


def test_the_landing_is_small_enough_to_be_read_at_a_glance() -> None:
    assert len([*PACKAGE.glob("[a-z]*.py")]) <= LANDING
