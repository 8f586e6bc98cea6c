# SPDX-License-Identifier: GPL-2.0-only
"""What `check` is asked for, and the commands that ask for it again."""

from collections.abc import Callable
from dataclasses import dataclass, replace

from patchbench.model import NONE, SeriesName, Source
from patchbench.pipeline import Pipeline, kernel_flag

MATRIX, HAZARDS, STYLE = "matrix", "hazards", "style"


@dataclass(frozen=True, slots=True)
class CheckRequest:
    """What to check; empty `hazards` and `rows` mean all there are.

    tree: instead of the kernels. against: what to compare with. parts: which of `matrix`, `hazards`
    and `style`, which the matrix includes. quick: of the rows, the quick ones. first_patches: also
    the series without its last patches. style: run checkpatch on each patch.
    """

    series: str
    kernels: tuple[str, ...]
    hazards: tuple[str, ...] = ()
    flavour: str = ""  # instead of each hazard's own
    machine: str = ""  # likewise
    seeds: int = 1
    fresh: bool = False
    rows: tuple[str, ...] = ()
    quick: bool = False
    parts: tuple[str, ...] = (MATRIX, HAZARDS)
    tree: str = ""
    against: str = NONE
    first_patches: bool = True
    style: bool = True
    dirty: bool = False  # of the tree, take what no commit holds as well
    run: str = ""  # a name for the folder, which may exist already
    typed: str = ""  # the command as it was typed, where a series is a source of mails

    @property
    def kernel(self) -> str:
        """Return the first of its kernels."""
        return self.kernels[0]

    @property
    def only_style(self) -> bool:
        """Return whether the files are looked at, and no row is built."""
        return STYLE in self.parts and MATRIX not in self.parts

    def on(self, choose: Callable[[], str]) -> "CheckRequest":
        """Return it with the kernel that is chosen where none was asked for."""
        return replace(self, kernels=tuple(name or choose() for name in self.kernels))

    def prefixes(self, pipeline: Pipeline, source: Source) -> tuple[str, ...]:
        """Return what is judged: the series' first patch, its first two, ..., the whole."""
        name = SeriesName.parse(self.series)
        if not self.first_patches or name.is_none or name.first is not None:
            return (self.series,)
        count = len(pipeline.series(self.series, source.line).patches)
        first = (str(replace(name, first=str(number))) for number in range(1, count))
        return (*first, self.series)

    def command(self) -> str:
        """Return the one command that repeats the check."""
        if self.typed:
            return self.typed
        kernel = kernel_flag(",".join(self.kernels), self.tree, dirty=self.dirty)
        words = [f"./bootstrap check --series {self.series}"]
        words += [f"--against {self.against}"] if self.against != NONE else []
        words += [kernel, *self._halves()]
        words += [f"--flavour {self.flavour}"] if self.flavour else []
        words += [f"--machine {self.machine}"] if self.machine else []
        words += [f"--seeds {self.seeds}"] if self.seeds != 1 else []
        words += [] if self.first_patches else ["--whole"]
        return " ".join(words)

    def kernel_flag(self, source: Source) -> str:
        """Return the flag that names one of its kernels, or its tree."""
        return kernel_flag(source.kernel, self.tree, dirty=self.dirty)

    def part_command(self, source: Source, part: str) -> str:
        """Return the command that repeats a part of it on one kernel."""
        words = [f"./bootstrap check --series {self.series}"]
        words += [f"--against {self.against}"] if self.against != NONE else []
        words += [self.kernel_flag(source), part] if part else [self.kernel_flag(source)]
        words += [] if self.first_patches else ["--whole"]
        return " ".join(words)

    def _halves(self) -> list[str]:
        """Return the flags that choose the parts; none of them is everything."""
        if self.parts == (MATRIX, HAZARDS) and not (self.hazards or self.rows or self.quick):
            return []
        words = ["--style"] if self.only_style else []
        if MATRIX in self.parts:
            words.append(f"--rows {','.join(self.rows)}" if self.rows else "--matrix")
            words += ["--quick"] if self.quick else []
        if HAZARDS in self.parts:
            words.append(f"--hazards {','.join(self.hazards) or 'all'}")
        return words
