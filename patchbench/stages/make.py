# SPDX-License-Identifier: GPL-2.0-only
"""`make` on one kernel tree, in a container without network, not as root, its source read-only."""

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from patchbench.errors import BuildFailed, DiskFull, Overrun, ToolFailed, Unfit
from patchbench.tools import files
from patchbench.tools.container import Bind, Engine, Finished, Limits, own

FIXED = {
    "KBUILD_BUILD_HOST": "patchbench",
    "KBUILD_BUILD_TIMESTAMP": "Thu Jan  1 00:00:00 UTC 1970",
    "KBUILD_BUILD_USER": "patchbench",
    "KBUILD_BUILD_VERSION": "1",
}
TIMEOUT_S = 3600
_NEW_CONFIG = ".config.new"
#: The most that is read of a configuration, and of one file of the source.
_CONFIG_BYTES = 4 << 20
_SOURCE_BYTES = 16 << 20


@dataclass(frozen=True, slots=True)
class Lane:
    """The folders that a build works in, all below the cache; `name` says whose they are.

    compiler_cache is the lane's own. base_cache is what the unpatched kernel compiles to; every
    lane reads it, and only that kernel's own writes it (`base`).
    """

    name: str
    source: Path
    objects: Path
    compiler_cache: Path
    base_cache: Path
    base: bool
    logs: Path


@dataclass(frozen=True, slots=True)
class Compiler:
    """Which architecture is compiled for, as make calls it, and its compiler's prefix."""

    arch: str
    prefix: str

    def line(self, *targets: str) -> list[str]:
        """Return the command that makes the targets."""
        tools = [f"CROSS_COMPILE={self.prefix}", f"CC=ccache {self.prefix}gcc"]
        return ["make", "-C", "/src", "O=/out", f"ARCH={self.arch}", *tools, *targets]


ARM64 = Compiler("arm64", "aarch64-linux-gnu-")


class Make:
    """`make` on one tree, in a container."""

    def __init__(
        self,
        engine: Engine,
        image: str,
        lane: Lane,
        fragment: str,
        *,
        compiler: Compiler = ARM64,
        release: str = "",
    ) -> None:
        self._engine = engine
        self._image = image
        self._lane = lane
        self._compiler = compiler
        lane.logs.mkdir(parents=True, exist_ok=True)
        self._fragment = lane.logs / "fragment.config"
        self._fragment.write_text(fragment)
        self._binds = [
            Bind(lane.source, "/src"),
            Bind(own(lane.objects), "/out", writable=True),
            Bind(own(lane.compiler_cache), "/ccache", writable=True),
            Bind(own(lane.base_cache), "/ccache-base", writable=lane.base),
            Bind(self._fragment, "/fragment"),
        ]
        self._environment = {
            **FIXED,
            # Dependencies come from the compiler itself: no second preprocessor run on a miss. What
            # that run is for, finding what another configuration compiled to, hit 17 times of 1409.
            "CCACHE_DEPEND": "1",
            "CCACHE_DIR": "/ccache",
            "CCACHE_NOCOMPRESS": "1",
            "CCACHE_REMOTE_STORAGE": "file:/ccache-base" + ("" if lane.base else "|read-only"),
            **({"CCACHE_REMOTE_ONLY": "1"} if lane.base else {}),
            "HOME": "/tmp",
            "KCONFIG_ALLCONFIG": "/fragment",
            "LOCALVERSION": release,
        }

    def __call__(
        self,
        *targets: str,
        environment: Mapping[str, str] | None = None,
        on_line: Callable[[str], None] = lambda _: None,
    ) -> Finished:
        """Make the targets; words such as `W=1` and `-k` may be among them.

        Raises Overrun or DiskFull if it filled the disk; what the lane wrote is removed then.
        """
        try:
            return self._engine.run(
                self._image,
                [*self._compiler.line(*targets), f"-j{len(os.sched_getaffinity(0)) + 1}"],
                Limits(timeout_s=TIMEOUT_S),
                binds=self._binds,
                environment={**self._environment, **(environment or {})},
                on_line=on_line,
            )
        except (Overrun, DiskFull) as err:
            for folder in (self._lane.objects, self._lane.compiler_cache):
                files.remove(folder)
            raise type(err)(f"make {' '.join(targets)} of {self._lane.name}: {err}") from err

    def link(self, objects: Sequence[str]) -> Finished:
        """Link objects or archives, to see what they leave undefined; paths are below /out."""
        return self._tool("ld", "--entry=0", "--output=/tmp/linked", *objects)

    def undefined(self, name: str) -> Finished:
        """List an object's undefined symbols with their types; the path is below /out."""
        return self._tool("nm", "--undefined-only", "--format=sysv", name)

    def kernel_doc(self, files: Sequence[str]) -> Finished:
        """Let the kernel's own kernel-doc read the comments of files; paths are below /src."""
        return self._engine.run(
            self._image,
            ["/src/scripts/kernel-doc", "-none", *(f"/src/{name}" for name in files)],
            Limits(timeout_s=TIMEOUT_S),
            binds=self._binds,
        )

    def _tool(self, tool: str, *arguments: str) -> Finished:
        words = [word if word.startswith("-") else f"/out/{word}" for word in arguments]
        return self._engine.run(
            self._image,
            [f"{self._compiler.prefix}{tool}", *words],
            Limits(timeout_s=TIMEOUT_S),
            binds=self._binds,
        )

    def configure(self) -> str:
        """Write .config from the fragment, only if it differs, and return it."""
        got = self.configured()
        self.put(got)
        return got

    def configured(self) -> str:
        """Return the configuration that make completes the fragment to."""
        aside = self._lane.objects / _NEW_CONFIG
        files.remove(aside)
        done = self("allnoconfig", environment={"KCONFIG_CONFIG": f"/out/{_NEW_CONFIG}"})
        if done.status != 0:
            raise BuildFailed(f"make allnoconfig failed:\n{tail(done.said)}")
        got = files.take_text(self._lane.objects, aside.name, most_bytes=_CONFIG_BYTES)
        files.remove(aside)
        return got

    def put(self, config: str) -> None:
        """Make a text the lane's .config; a file that is not touched tells make so."""
        if self._in_place() == config:
            return
        aside, final = self._lane.objects / _NEW_CONFIG, self._lane.objects / ".config"
        for path in (aside, final):
            files.remove(path)  # what a build put there could lead elsewhere, or be a folder
        aside.write_text(config)
        aside.replace(final)

    def _in_place(self) -> str | None:
        """Return the .config that the last build left, or None if it is no file of ours."""
        try:
            return files.take_text(self._lane.objects, ".config", most_bytes=_CONFIG_BYTES)
        except Unfit:
            return None


def ended(done: Finished, name: str, log: Path, objects: Path) -> bool:
    """Return whether a build succeeded; ToolFailed if it failed and the host is to blame."""
    if done.status == 0:
        return True
    if "No space left on device" in done.said:
        raise ToolFailed(f"the disk is full; make room below {objects}, then run again")
    if done.status is None:
        raise ToolFailed(f"{name} was not built within {TIMEOUT_S} s\n  log: {log}")
    if done.status > 128:  # 128 and the signal's number
        raise ToolFailed(f"make was killed while building {name}; is memory short?\n  log: {log}")
    return False


def tail(text: str) -> str:
    """Return a log's last lines, indented."""
    return "\n".join(f"  {line}" for line in text.splitlines()[-15:])


def reader(root: Path) -> Callable[[str], str | None]:
    """Return a reader of the source's files that follows no link and reads no huge file."""

    def read(name: str) -> str | None:
        try:
            return files.take_text(root, name, most_bytes=_SOURCE_BYTES)
        except Unfit:
            return None

    return read
