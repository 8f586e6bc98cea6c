# SPDX-License-Identifier: GPL-2.0-only
"""Stage 4b: qemu/plugins/profile.c in, a plugin that the toolchain's QEMU loads out."""

import hashlib
from pathlib import Path

from patchbench.errors import BuildFailed
from patchbench.model import Json, Toolchain
from patchbench.store import Store
from patchbench.story import Story
from patchbench.tools import files
from patchbench.tools.container import Bind, Engine, Limits, own

_NAME = "profile.so"
_MOST_BYTES = 16 << 20
# For the host: the toolchain image has its compiler for the kernel's own build tools.
_COMPILE = [
    *("gcc", "-std=gnu11", "-O2", "-Wall", "-Wextra", "-Werror"),
    *("-shared", "-fPIC", "-fvisibility=hidden", "-Wl,--build-id=none"),
    *("-o", f"/out/{_NAME}", "/src/profile.c"),
]


def build(
    engine: Engine,
    store: Store,
    sources: Path,
    toolchain: Toolchain,
    *,
    work: Path,
    story: Story,
) -> Path:
    """Return the compiled plugin of the folder `sources`; BuildFailed if it does not compile."""
    made_of = _ingredients(sources, toolchain)

    def fill(new: Path) -> None:
        story.say("building the profiler")
        out = own(work / "plugin")
        done = engine.run(
            toolchain.image_id,
            _COMPILE,
            Limits(timeout_s=300),
            binds=[Bind(sources, "/src"), Bind(out, "/out", writable=True)],
        )
        if done.status != 0:
            raise BuildFailed(f"the plugin in {sources} does not compile\n{done.said[-3000:]}")
        files.copy(out, _NAME, new / _NAME, most_bytes=_MOST_BYTES)

    return store.ensure("plugins", made_of, fill) / _NAME


def _ingredients(sources: Path, toolchain: Toolchain) -> dict[str, Json]:
    sums: dict[str, Json] = {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(sources.glob("*.[ch]"))
    }
    return {"compile": [*_COMPILE], "files": sums, "toolchain": toolchain.digest}
