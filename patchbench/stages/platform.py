# SPDX-License-Identifier: GPL-2.0-only
"""A Machine in, the Platform that QEMU boots it on out: its plugin, its device tree."""

from pathlib import Path

from patchbench.errors import ToolFailed
from patchbench.model import Json, Machine, Platform, Toolchain
from patchbench.stages import devicetree, plugin
from patchbench.store import Store, file_sha256, key
from patchbench.story import Story
from patchbench.tools import files, qemu
from patchbench.tools.container import Bind, Engine, Limits, own

_CLOCKS, _MARKS = "timelines", "marks"
_DUMPED = "board.dtb"
_TREE = "machine.dtb"
_MOST_BYTES = 1 << 20  # QEMU writes as many


def build(
    engine: Engine,
    store: Store,
    root: Path,
    toolchain: Toolchain,
    machine: Machine,
    *,
    work: Path,
    story: Story,
) -> Platform | None:
    """Return what QEMU needs for the machine besides its command line; None if that is nothing.

    Raises BuildFailed if the plugin does not compile, ToolFailed if there is no device tree.
    """
    if machine.exact and machine.timelines is None:
        return None
    name = _CLOCKS if machine.exact else _MARKS
    compiled = plugin.build(engine, store, root, toolchain, name, work=work, story=story)
    made_of: dict[str, Json] = {"plugin": key(plugin.ingredients(root, toolchain, name))}
    if machine.timelines is None or not machine.timelines.capacities_dmips_mhz:
        return Platform(key(made_of), compiled)
    tree = _device_tree(engine, store, toolchain, machine, work)
    made_of["device_tree"] = file_sha256(tree)
    return Platform(key(made_of), compiled, tree)


def _device_tree(
    engine: Engine, store: Store, toolchain: Toolchain, machine: Machine, work: Path
) -> Path:
    """Return QEMU's own device tree for the machine with its CPUs' capacities added."""
    assert machine.timelines is not None
    command = qemu.dump_device_tree(machine, f"/out/{_DUMPED}")
    capacities = machine.timelines.capacities_dmips_mhz
    made_of: dict[str, Json] = {
        "capacities": [*capacities],
        "command": [*command],
        "editor": devicetree.VERSION,
        "toolchain": toolchain.digest,
    }

    def fill(new: Path) -> None:
        out = own(work / "device-tree")
        done = engine.run(
            toolchain.image_id,
            command,
            Limits(timeout_s=60),
            binds=[Bind(out, "/out", writable=True)],
        )
        if done.status != 0:
            raise ToolFailed(f"QEMU writes no device tree for {machine.name}:\n{done.said[-2000:]}")
        dumped = files.take(out, _DUMPED, most_bytes=_MOST_BYTES)
        (new / _TREE).write_bytes(devicetree.with_capacities(dumped, capacities))

    return store.ensure("device-trees", made_of, fill) / _TREE
