# SPDX-License-Identifier: GPL-2.0-only
"""The rows of the build matrix, configs/matrix.toml, and the configuration each gives a kernel."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from pydantic import with_config

from patchbench.catalog import Catalog, load_toml
from patchbench.errors import BadInput, UnknownName
from patchbench.model import STRICT, Tree
from patchbench.stages import kconfig
from patchbench.stages.make import Compiler, reader

FILE = Path("configs/matrix.toml")


@with_config(STRICT)
@dataclass(frozen=True, slots=True)
class MatrixRow:
    """One configuration that a build robot would try."""

    arch: str
    set: tuple[str, ...] = ()  # SYMBOL=value
    on: str = ""  # a list of `sets`, applied before
    flavour: str = ""  # a file of configs/kconfig/, applied before that
    files: tuple[str, ...] = ()  # the kernel's own files, applied first and not checked
    part: bool = False  # only the folders that a series touches, if there are no modules
    strict: bool = False  # also with W=1 and sparse
    quick: bool = False


@with_config(STRICT)
@dataclass(frozen=True, slots=True)
class Matrix:
    """configs/matrix.toml."""

    compilers: Mapping[str, str]  # by architecture: the prefix of its compiler
    rows: Mapping[str, MatrixRow]
    sets: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Config:
    """A row as one kernel gets it.

    asked: the symbols and values that must come out. by_hand: commands that make it. targets: what
    make is told to make of it whole.
    """

    name: str
    compiler: Compiler
    fragment: str
    asked: Mapping[str, str]
    by_hand: tuple[str, ...]
    part: bool = False
    strict: bool = False
    targets: tuple[str, ...] = ("vmlinux",)


def load(root: Path) -> Matrix:
    """Return configs/matrix.toml; BadInput names what is wrong in it."""
    return load_toml(root / FILE, Matrix)


def choose(
    matrix: Matrix, names: Sequence[str], *, quick: bool, style: bool = False
) -> tuple[str, ...]:
    """Return the rows of these names, else the quick ones, else all.

    style: else those that W=1 and sparse are run in, and of which no more than a part is built.

    Raises UnknownName, which lists the known ones.
    """
    for name in names:
        if name not in matrix.rows:
            raise UnknownName("row", name, [*matrix.rows], FILE)
    chosen = [
        name
        for name, row in matrix.rows.items()
        if (row.quick or not quick) and (not style or (row.strict and row.part))
    ]
    return tuple(names or chosen)


def config(matrix: Matrix, name: str, tree: Tree, catalog: Catalog, source: Path) -> Config:
    """Return a row's configuration for the tree that is checked out in `source`.

    Raises UnknownName for an architecture without a compiler, a flavour or a set, BadInput for
    a word that is not SYMBOL=value or a file that the kernel does not have.
    """
    row = matrix.rows[name]
    if row.arch not in matrix.compilers:
        known = [*matrix.compilers]
        raise UnknownName(f"compiler of row {name}", row.arch, known, FILE)
    if row.on and row.on not in matrix.sets:
        raise UnknownName(f"set of row {name}", row.on, [*matrix.sets], FILE)
    words = (*matrix.sets.get(row.on, ()), *row.set)
    for word in words:
        if not kconfig.settings(f"CONFIG_{word}"):
            raise BadInput(f"{FILE}, row {name}: {word!r} is not SYMBOL=value")
    files = [(path, reader(source)(path)) for path in row.files]
    for path, text in files:
        if text is None:
            raise BadInput(f"{FILE}, row {name}: {tree.source.kernel} has no file {path}")
    line = tree.source.line
    asked = catalog.flavour(row.flavour, line).fragment if row.flavour else ""
    asked += "".join(f"CONFIG_{word}\n" for word in words)
    values = kconfig.settings(asked)
    # Only modpost knows what is exported, and it wants to see all of the kernel.
    targets = ("vmlinux", "modules") if values.get("MODULES") == "y" else ("vmlinux",)
    return Config(
        name,
        Compiler(row.arch, matrix.compilers[row.arch]),
        "".join(text or "" for _, text in files) + asked,
        values,
        _by_hand(row, words, matrix.compilers[row.arch], targets),
        row.part and targets == ("vmlinux",),
        row.strict,
        targets,
    )


def _by_hand(
    row: MatrixRow, words: Sequence[str], prefix: str, targets: Sequence[str]
) -> tuple[str, ...]:
    """Return the commands that configure and make the row in any kernel tree."""
    flavour = (f"PATCHBENCH/configs/kconfig/{row.flavour}.config",) if row.flavour else ()
    files = " ".join((*row.files, *flavour)) or "/dev/null"
    pieces = [f"cat {files} > more.config"]
    if words:
        pieces.append(f"printf 'CONFIG_%s\\n' {' '.join(words)} >> more.config")
    make = f"make ARCH={row.arch} CROSS_COMPILE={prefix}"
    return (
        *pieces,
        f"KCONFIG_ALLCONFIG=more.config {make} allnoconfig",
        f"{make} {' '.join(targets)}",
    )
