# SPDX-License-Identifier: GPL-2.0-only
"""What `gate` is asked for, and the command that asks for it again."""

import shlex
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from patchbench.gate import policy as policies
from patchbench.pipeline import kernel_flag
from patchbench.runs.benching import BenchRequest


@dataclass(frozen=True, slots=True)
class GateRequest:
    """What `gate` was asked for.

    seeds: judge once after this many, instead of at the policy's looks. everything: go on after
    the verdict is FAIL. typed: the command as it was typed, where a series is a source of mails.
    """

    series: str
    against: str
    kernel: str
    tree: str = ""
    flavour: str = "bench"
    policy: Path = policies.DEFAULT
    seeds: int | None = None
    budget_s: float | None = None
    fresh: bool = False
    everything: bool = False
    dirty: bool = False  # of the tree, take what no commit holds as well
    typed: str = ""

    def on(self, choose: Callable[[], str]) -> "GateRequest":
        """Return it with the kernel that is chosen where none was asked for."""
        return replace(self, kernel=self.kernel or choose())

    def command(self) -> str:
        """Return the one command that repeats the gate."""
        if self.typed:
            return self.typed
        words = [f"./bootstrap gate --series {self.series} --against {self.against}"]
        words += [kernel_flag(self.kernel, self.tree, dirty=self.dirty)]
        words += [f"--flavour {self.flavour}"] if self.flavour != "bench" else []
        words += [f"--policy {shlex.quote(str(self.policy))}"] * (self.policy != policies.DEFAULT)
        words += [f"--seeds {self.seeds}"] if self.seeds else []
        words += ["--all"] if self.everything else []
        return " ".join(words)

    def bench(self, workload: str, machines: tuple[str, ...]) -> BenchRequest:
        """Return the bench that measures one workload for the gate."""
        return BenchRequest(
            series=self.series,
            against=self.against,
            kernel=self.kernel,
            tree=self.tree,
            dirty=self.dirty,
            workload=workload,
            machines=machines,
            flavour=self.flavour,
            seeds=None,
            fresh=self.fresh,
            parameters={},
        )
