# SPDX-License-Identifier: GPL-2.0-only
"""Stage 4: qemu/guest/init and workloads/*.c in, an initrd with one program out.

It holds that program alone and is keyed by its bytes: the size of an initrd changes what the
kernel does at boot, so another workload beside it would change numbers that it has no part in.
"""

import hashlib
import stat
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from patchbench.errors import BuildFailed
from patchbench.model import Guest, Json, Toolchain
from patchbench.store import Store, key
from patchbench.story import Story
from patchbench.tools import files
from patchbench.tools.container import Bind, Engine, Limits, own

_COMPILE = (
    "make -C /src CROSS_COMPILE=aarch64-linux-gnu- O=/out; cp /opt/guest/usr/bin/busybox /out"
)
_BUSYBOX = "busybox"
_MOST_BYTES = 32 << 20  # of one program
_FOLDERS = ("bin", "dev", "proc", "sys", "tmp")
#: The kernel opens it for init before anything is mounted.
_CONSOLE = (5, 1)


@dataclass(frozen=True, slots=True)
class CpioEntry:
    """One member of an initrd; `device` is the major and minor number of a node."""

    name: str
    mode: int
    data: bytes = b""
    device: tuple[int, int] = (0, 0)


def build(
    engine: Engine,
    store: Store,
    root: Path,
    toolchain: Toolchain,
    program: str,
    *,
    work: Path,
    story: Story,
) -> Guest:
    """Return the initrd with one program of this checkout.

    Raises BuildFailed if a workload does not compile, or if there is no such program.
    """
    shelved = _programs(engine, store, root, toolchain, work, story)
    if not (shelved / program).is_file():
        raise BuildFailed(f"{root / 'workloads'} makes no program {program}")
    programs = {name: (shelved / name).read_bytes() for name in (_BUSYBOX, program)}
    archive = cpio(_entries(root / "qemu/guest/init", programs))
    made_of: dict[str, Json] = {"initrd": hashlib.sha256(archive).hexdigest()}

    def fill(new: Path) -> None:
        (new / "initrd").write_bytes(archive)

    return Guest(key(made_of), store.ensure("guests", made_of, fill) / "initrd")


def _programs(
    engine: Engine, store: Store, root: Path, toolchain: Toolchain, work: Path, story: Story
) -> Path:
    """Return the folder of all programs, compiled unless they are shelved."""

    def fill(new: Path) -> None:
        story.say("building the guest's programs")
        programs = _compile(engine, root / "workloads", toolchain, work / "guest")
        for name, data in programs.items():
            (new / name).write_bytes(data)

    return store.ensure("programs", _ingredients(root, toolchain), fill)


def cpio(entries: Iterable[CpioEntry]) -> bytes:
    """Return an archive in the kernel's `newc` format, the same bytes for the same entries.

    Format: Documentation/driver-api/early-userspace/buffer-format.rst of the kernel.
    """
    archive = b""
    for inode, entry in enumerate([*entries, CpioEntry("TRAILER!!!", 0)], start=1):
        name = entry.name.encode() + b"\0"
        fields = (inode, entry.mode, 0, 0, 1, 0, len(entry.data), 0, 0, *entry.device, len(name), 0)
        header = b"070701" + b"".join(b"%08x" % number for number in fields)
        archive += _padded(header + name) + _padded(entry.data)
    return archive


def _entries(init: Path, programs: dict[str, bytes]) -> list[CpioEntry]:
    return [
        *(CpioEntry(name, stat.S_IFDIR | 0o755) for name in _FOLDERS),
        CpioEntry("dev/console", stat.S_IFCHR | 0o600, device=_CONSOLE),
        CpioEntry("init", stat.S_IFREG | 0o755, init.read_bytes()),
        *(
            CpioEntry(f"bin/{name}", stat.S_IFREG | 0o755, data)
            for name, data in sorted(programs.items())
        ),
    ]


def _compile(engine: Engine, sources: Path, toolchain: Toolchain, out: Path) -> dict[str, bytes]:
    files.remove(out)
    done = engine.run(
        toolchain.image_id,
        ["sh", "-euc", _COMPILE],
        Limits(timeout_s=300),
        binds=[Bind(sources, "/src"), Bind(own(out), "/out", writable=True)],
    )
    if done.status != 0:
        raise BuildFailed(f"the workloads in {sources} do not compile\n{done.said[-3000:]}")
    return {
        path.name: files.take(out, path.name, most_bytes=_MOST_BYTES)
        for path in sorted(out.iterdir())
        if path.suffix != ".o"
    }


def _ingredients(root: Path, toolchain: Toolchain) -> dict[str, Json]:
    sources = [*sorted((root / "workloads").glob("*.[ch]")), root / "workloads/Makefile"]
    sums: dict[str, Json] = {
        str(path.relative_to(root)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sources
    }
    return {"compile": _COMPILE, "files": sums, "toolchain": toolchain.digest}


def _padded(data: bytes) -> bytes:
    return data + b"\0" * (-len(data) % 4)
