# SPDX-License-Identifier: GPL-2.0-only
"""What decides a plugin's bytes, and which machines need one."""

from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest

from patchbench.errors import BuildFailed
from patchbench.model import Toolchain
from patchbench.stages import platform, plugin
from patchbench.store import Store, key
from patchbench.tools.container import Engine, Finished
from tests.fakes import Listener, machine

TOOLCHAIN = Toolchain("sha256:1", "digest", "registry", "14.2.0", "2.44", "10.0.13")
FILES = ("qemu_plugin.h", "counts/counts.c", "counts/table.h", "clocks/clocks.c")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Return a checkout with two plugins and the header that they share."""
    for name in FILES:
        path = tmp_path / plugin.FOLDER / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("int x;\n")
    return tmp_path


@pytest.mark.parametrize(
    ("file", "another"),
    [
        ("counts/counts.c", True),
        ("counts/table.h", True),
        ("qemu_plugin.h", True),
        ("clocks/clocks.c", False),
    ],
)
def test_a_plugin_is_made_of_its_own_folder_and_the_shared_header(
    root: Path, file: str, another: bool
) -> None:
    before = key(plugin.ingredients(root, TOOLCHAIN, "counts"))
    (root / plugin.FOLDER / file).write_text("int y;\n")
    assert (key(plugin.ingredients(root, TOOLCHAIN, "counts")) != before) is another


def test_a_new_source_of_a_plugin_is_compiled_into_it(root: Path) -> None:
    (root / plugin.FOLDER / "counts/more.c").write_text("int z;\n")
    compiled = plugin.ingredients(root, TOOLCHAIN, "counts")["compile"]
    assert isinstance(compiled, list)
    assert compiled[-2:] == ["/src/counts/counts.c", "/src/counts/more.c"]


def test_a_plugin_that_does_not_compile_is_not_shelved(root: Path) -> None:
    broken = Finished(1, "counts.c:1: error", 0.0, 1.0)
    engine = cast(Engine, SimpleNamespace(run=lambda *_, **__: broken))
    store = Store(root / "shelf")
    with pytest.raises(BuildFailed, match=r"counts does not compile(.|\n)*counts\.c:1"):
        plugin.build(engine, store, root, TOOLCHAIN, "counts", work=root / "work", story=Listener())
    assert store.get("plugins", plugin.ingredients(root, TOOLCHAIN, "counts")) is None


def test_a_machine_with_one_clock_needs_nothing_besides_its_command_line(tmp_path: Path) -> None:
    nobody = cast(Engine, SimpleNamespace())
    store = Store(tmp_path)
    built = platform.build(
        nobody, store, tmp_path, TOOLCHAIN, machine(), work=tmp_path, story=Listener()
    )
    assert built is None
