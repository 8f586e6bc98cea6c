# SPDX-License-Identifier: GPL-2.0-only
"""The pipeline with git, make and QEMU replaced: trees and images are names, boots are logs.

A series called slower-40 makes every boot take 40 thousandths more CPU time.
"""

import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from patchbench.model import CodeMap, Guest, Image, Series, Source, Toolchain, Tree
from patchbench.pipeline import Pipeline
from patchbench.stages import splats
from patchbench.stages.boots import Booter
from patchbench.stages.splats import SplatPolicy
from patchbench.tools.container import Bind, Finished
from tests.fakes import CLEAN_CONSOLE, FakeHypervisor, Listener, local

PROJECT = Path(__file__).resolve().parents[2]
SOURCE = Source("small", "7.3.4", "a test's", Path("/repository"), "commit", "")


def limit(metric: str, bound: str = "max_regression_pct = 1.0", machine: str = "exact") -> str:
    """Return a policy's table for a limit on exit-storm."""
    return (
        f'[[limits]]\nworkload = "exit-storm"\nmachine = "{machine}"\nmetric = "{metric}"\n'
        f'better = "lower"\n{bound}\nwhy = "of {metric}"\n'
    )


def policy(*limits: str, looks: str = "[8, 16]", more: str = "") -> str:
    """Return the text of a policy."""
    return f"error_rate = 0.05\nlooks = {looks}\n{more}\n{''.join(limits)}"


class Guests(FakeHypervisor):
    """Boots kernels of which some are slower, and one may lose its boots."""

    def __init__(self, *, lost: str = "") -> None:
        super().__init__()
        self._lost = lost

    def measured(self, release: str, seed: int) -> tuple[str, str]:
        slower = re.search(r"slower-(\d+)", release)
        cpu_ns = 1_000_000 + 1000 * int(slower[1] if slower else 0) + 10 * seed
        # By 5 % for the half of the drawn seeds, so that this metric's limit stays undecided.
        exit_ns = 1_000_000 + (50_000 if "slower" in release and seed & 8 else 0)
        end = "" if self._lost and self._lost in release else "end ok\n"
        return (
            f"patchbench 1\nmeta release {release}\nmetric cpu_ns ns lower\n"
            f"metric exit_ns ns lower\nsample cpu_ns {cpu_ns}\nsample exit_ns {exit_ns}\n{end}"
        ), CLEAN_CONSOLE


def compile_plugin(_image: str, _argv: object, _limits: object, *, binds: list[Bind]) -> Finished:
    """Leave what the machines' plugins would be."""
    (out,) = (bind.host for bind in binds if bind.writable)
    for name in ("marks", "timelines"):
        (out / f"{name}.so").write_bytes(b"a plugin")
    return Finished(0, "", 0, 0)


class Named(Pipeline):
    """The pipeline of a kernel whose trees and images are names."""

    guests = Guests()
    engine: Any = SimpleNamespace(
        cpu_seconds=0.0, busy=[], version=lambda: "none", run=compile_plugin
    )
    toolchain = Toolchain("image", "digest-of-tools", "registry", "gcc", "binutils", "10.0.13")

    def source(self, kernel: str, path: str = "") -> Source:
        return SOURCE

    def apply(self, source: Source, name: str) -> Tree:
        return self.apply_series(source, Series(name, source.line))

    def apply_series(self, source: Source, made: Series) -> Tree:
        return Tree(source, made, "commit", f"tree of {made.name}")

    def image(self, applied: Tree, flavour: str) -> Image:
        name = applied.series.name
        return Image(name, Path("/shelf") / name, name, name, applied.id, flavour)

    def guest(self, program: str) -> Guest:
        return Guest("guest", Path("/shelf/initrd"))

    def code_map(self, base: Image, test: Image) -> CodeMap:
        return CodeMap(equal=False, functions=())

    def booter(self, folder: Path, policy: SplatPolicy | None = None) -> Booter:
        policy = policy or splats.load(self.root)
        return Booter(local(self.guests), self.store, policy, self.story, folder)


def pipeline(folder: Path, policy_text: str) -> Named:
    """Return the pipeline of a checkout in a folder, whose gate.toml is this text."""
    root = folder / "checkout"
    (root / "configs").mkdir(parents=True)
    configs = ("splats.toml", "calibration.toml", "kconfig")
    for part in ("workloads", "qemu", *(f"configs/{name}" for name in configs)):
        (root / part).symlink_to(PROJECT / part)
    (root / "gate.toml").write_text(policy_text)
    return Named(root, folder / "cache", Listener())
