# SPDX-License-Identifier: GPL-2.0-only
"""A folder of qemu/plugins in, a plugin that the toolchain's QEMU loads out."""

import hashlib
from pathlib import Path

from patchbench.errors import BuildFailed
from patchbench.model import Json, Toolchain
from patchbench.store import Store
from patchbench.story import Story
from patchbench.tools import files
from patchbench.tools.container import Bind, Engine, Limits, own

FOLDER = Path("qemu/plugins")
_MOST_BYTES = 16 << 20
# For the host: the toolchain image has its compiler for the kernel's own build tools.
_COMPILER = [
    *("gcc", "-std=gnu11", "-O2", "-Wall", "-Wextra", "-Werror", "-I", "/src"),
    *("-shared", "-fPIC", "-fvisibility=hidden", "-Wl,--build-id=none"),
]


def build(
    engine: Engine,
    store: Store,
    root: Path,
    toolchain: Toolchain,
    name: str,
    *,
    work: Path,
    story: Story,
) -> Path:
    """Return a plugin of this checkout, compiled; BuildFailed if it does not compile."""
    made_of = ingredients(root, toolchain, name)

    def fill(new: Path) -> None:
        story.say(f"building the plugin {name}")
        out = own(work / "plugin")
        done = engine.run(
            toolchain.image_id,
            _compile(root, name),
            Limits(timeout_s=300),
            binds=[Bind(root / FOLDER, "/src"), Bind(out, "/out", writable=True)],
        )
        if done.status != 0:
            raise BuildFailed(f"{root / FOLDER / name} does not compile\n{done.said[-3000:]}")
        files.copy(out, f"{name}.so", new / f"{name}.so", most_bytes=_MOST_BYTES)

    return store.ensure("plugins", made_of, fill) / f"{name}.so"


def ingredients(root: Path, toolchain: Toolchain, name: str) -> dict[str, Json]:
    """Return what decides a plugin's bytes: its sources, the header they share, the compiler."""
    sources = [*_sources(root, name, "[ch]"), *sorted((root / FOLDER).glob("*.h"))]
    sums: dict[str, Json] = {
        str(path.relative_to(root / FOLDER)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sources
    }
    return {
        "compile": [*_compile(root, name)],
        "files": sums,
        "toolchain": toolchain.digest,
    }


def _sources(root: Path, name: str, ending: str) -> list[Path]:
    return sorted((root / FOLDER / name).glob(f"*.{ending}"))


def _compile(root: Path, name: str) -> list[str]:
    sources = [f"/src/{name}/{path.name}" for path in _sources(root, name, "c")]
    return [*_COMPILER, "-o", f"/out/{name}.so", *sources]
