# SPDX-License-Identifier: GPL-2.0-only
"""Drop-in TOML files become model objects here, or an error that names file and key."""

import json
import re
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cache, lru_cache
from pathlib import Path
from typing import Any, TypeVar

from pydantic import TypeAdapter, ValidationError, with_config

from patchbench import ctables
from patchbench.errors import BadInput, UnknownName
from patchbench.machines import faults
from patchbench.model import (
    NONE,
    STRICT,
    CodeMap,
    Flavour,
    FunctionProof,
    KernelSpec,
    Machine,
    Metric,
    MetricNote,
    Parameter,
    Workload,
)

T = TypeVar("T")
#: What a run keeps as a JSON file of its own.
Kept = TypeVar("Kept", CodeMap, FunctionProof)
#: What a drop-in may be called: it names files and folders, and is printed.
PLAIN_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]{0,99}")
_MOST_BYTES = 1 << 20
#: How often a drop-in may build on another one.
_MOST_STEPS = 8
#: How the names of kernels begin that come from --tree, and from no file in configs/kernels/.
TREE = "tree-"
_INCLUDED = re.compile(r'^#include "(\w+\.h)"$', re.MULTILINE)
_EXTENDS = re.compile(r"^# extends: (\S+)$", re.MULTILINE)


@with_config(STRICT)
@dataclass(frozen=True, slots=True)
class FunctionGroup:
    """Functions that are counted as one: those of some source files, and some by name.

    files: without their folders, as the symbol table has them; entry.o is assembly.
    functions: names or patterns, which override what another group says of their file.
    """

    name: str
    files: tuple[str, ...] = ()
    functions: tuple[str, ...] = ()


@with_config(STRICT)
@dataclass(frozen=True, slots=True)
class WorkUnit:
    """What work is counted in: calls of the first of these functions that ran."""

    name: str
    calls_of: tuple[str, ...]


@with_config(STRICT)
@dataclass(frozen=True, slots=True)
class Context:
    """On whose behalf something runs: below which functions."""

    name: str
    below: tuple[str, ...]


@with_config(STRICT)
@dataclass(frozen=True, slots=True)
class ProfileMap:
    """configs/profile.toml: how a profile's functions are grouped and counted."""

    top: str  # whose callees have a table of their own
    waiting: tuple[str, ...]  # where nothing happens but waiting for a lock
    locks: str  # the group whose functions take locks for those that call them
    context: tuple[Context, ...]
    group: tuple[FunctionGroup, ...]
    unit: tuple[WorkUnit, ...] = ()


@with_config(STRICT)
@dataclass(frozen=True, slots=True)
class SeriesNote:
    """patches/SERIES/series.toml: where the series comes from and how it shows itself.

    on: the series whose patches come first.
    """

    title: str
    on: str = ""
    engaged_vmstat: str | None = None
    author: str = ""
    posted: str = ""
    cover: str = ""
    link: str = ""
    message_ids: tuple[str, ...] = ()
    # What `intake` writes down of a series that it took.
    source: str = ""
    revision: int = 1
    base_commit: str = ""
    change_id: str = ""
    prerequisites: tuple[str, ...] = ()
    taken_over: tuple[int, ...] = ()


class Catalog:
    """What is dropped into the project's folders."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def kernel(self, name: str) -> KernelSpec:
        """Return configs/kernels/NAME.toml; UnknownName lists the known ones.

        Raises BadInput for a name that a kernel of --tree may have.
        """
        if name.startswith(TREE):
            raise BadInput(
                f"no kernel file may be called {name!r}: {TREE}... are the kernels of --tree\n"
                f"  rename it, in {self.root / 'configs/kernels'}"
            )
        return _named(self.root / "configs/kernels", "kernel", name, KernelSpec)

    def kernels(self) -> list[str]:
        """Return the names of all kernels."""
        return _names(self.root / "configs/kernels", ".toml")

    def kernels_of_ports(self) -> list[str]:
        """Return the names of the kernels that ports are for: all but those used by name alone."""
        return [name for name in self.kernels() if not self.kernel(name).by_name]

    def workloads(self) -> list[str]:
        """Return the names of all workloads."""
        return _names(self.root / "workloads", ".toml")

    def machines(self) -> list[str]:
        """Return the names of all machines."""
        return _names(self.root / "qemu/machines", ".toml")

    def machine(self, name: str) -> Machine:
        """Return qemu/machines/NAME.toml; UnknownName lists the known ones."""
        machine = _named(self.root / "qemu/machines", "machine", name, Machine)
        for wrong in faults(machine):
            raise BadInput(f"qemu/machines/{name}.toml: {wrong}")
        return machine

    def workload(self, name: str, above: tuple[str, ...] = ()) -> Workload:
        """Return workloads/NAME.toml, with the conditions of its `also`; `above` led to it.

        Raises UnknownName, which lists the known ones, and BadInput.
        """
        workload = _named(self.root / "workloads", "workload", name, Workload)
        for condition in workload.conditions:
            if condition.bounds != 1:
                raise BadInput(f"workloads/{name}.toml: {condition.on} needs exactly one bound")
            if condition.more_for_each and condition.at_most is None:
                raise BadInput(
                    f"workloads/{name}.toml: more_for_each of {condition.on} raises at_most, "
                    "which it does not have"
                )
        _refuse_endless(f"workloads/{name}.toml: also", above)
        if not workload.also:
            return workload
        more = self.workload(workload.also, (*above, name)).conditions
        return replace(workload, conditions=(*workload.conditions, *more))

    def program(self, name: str) -> Path:
        """Return the C source of a workload's program."""
        return self.root / "workloads" / f"{name.replace('-', '_')}.c"

    def is_marked(self, program: str) -> bool:
        """Return whether a workload's program marks what a profile counts."""
        return "profile_begin()" in self._source(program)

    def metrics(self, program: str) -> dict[str, Metric]:
        """Return what a workload's program measures, by name, as its C source declares it."""
        return ctables.metrics(self._source(program))

    def metric_notes(self) -> dict[str, MetricNote]:
        """Return what reports say of metrics, by name: workloads/metrics/NAME.toml."""
        folder = self.root / "workloads/metrics"
        names = _names(folder, ".toml")
        return {name: load_toml(folder / f"{name}.toml", MetricNote, name=name) for name in names}

    def parameters(self, program: str) -> dict[str, Parameter]:
        """Return the parameters of a workload's program, by name, as its C source declares them.

        Without its seed, which every boot has of its own.
        """
        texts, seen = [self._source(program)], set[str]()
        for text in texts:  # which grows as headers include others
            new = [name for name in _INCLUDED.findall(text) if name not in seen]
            seen.update(new)
            texts += [read_text(self.root / "workloads" / name) for name in new]
        found = _read_parameters("\n".join(texts))
        return {name: one for name, one in found.items() if name != "seed"}

    def _source(self, program: str) -> str:
        source = self.program(program)
        try:
            return read_text(source)
        except BadInput as err:
            raise BadInput(f"program {program} has no source {source}") from err

    def flavour(self, name: str, line: str, above: tuple[str, ...] = ()) -> Flavour:
        """Return configs/kconfig/NAME.config, and LINE/NAME.config where there is one.

        above: the flavours that led to this one.

        A flavour that `# extends:` another comes after it, and its lines win. One that says
        `# timings: never`, or extends one that does, is not comparable.
        Raises UnknownName, which lists the known ones.
        """
        folder = self.root / "configs/kconfig"
        path, more = folder / f"{name}.config", folder / line / f"{name}.config"
        if not PLAIN_NAME.fullmatch(name) or not path.is_file():
            raise UnknownName("kconfig flavour", name, _names(folder, ".config"), folder)
        _refuse_endless(f"{path}: extends", above)
        own = read_text(path)
        base = _EXTENDS.search(own)
        below = self.flavour(base[1], line, (*above, name)) if base else Flavour(name, "")
        added = read_text(more) if more.is_file() else ""
        comparable = below.comparable and "\n# timings: never\n" not in own
        return Flavour(name, below.fragment + own + added, comparable)

    def series_note(self, folder: Path) -> SeriesNote:
        """Return what patches/SERIES/series.toml says; BadInput if it is missing or wrong."""
        return load_toml(folder / "series.toml", SeriesNote)

    def profile_map(self) -> ProfileMap:
        """Return configs/profile.toml."""
        return load_toml(self.root / "configs/profile.toml", ProfileMap)

    def listing(self) -> dict[str, dict[str, str]]:
        """Return every drop-in's name and summary, by noun; the patches' by their titles."""
        series = {
            folder.name: "{} ({})".format(
                self.series_note(folder).title,
                ", ".join(sorted(line.name for line in folder.iterdir() if line.is_dir())),
            )
            for folder in sorted((self.root / "patches").iterdir())
            if folder.is_dir()
        }
        return {
            "series": {NONE: "the unpatched kernel", **series},
            "kernel": self._summaries("configs/kernels", KernelSpec),
            "flavour": dict.fromkeys(_names(self.root / "configs/kconfig", ".config"), ""),
            "machine": self._summaries("qemu/machines", Machine),
            "workload": self._summaries("workloads", Workload),
        }

    def _summaries(self, folder: str, noun: type[Any]) -> dict[str, str]:
        return {
            name: str(_named(self.root / folder, noun.__name__, name, noun).summary)
            for name in _names(self.root / folder, ".toml")
        }


def _refuse_endless(what: str, above: tuple[str, ...]) -> None:
    """Raise BadInput for a drop-in that builds on itself, or on too many others."""
    if len(above) > _MOST_STEPS:
        raise BadInput(f"{what} never ends: {' -> '.join(above)}")


def _names(folder: Path, suffix: str) -> list[str]:
    return sorted(path.stem for path in folder.glob(f"*{suffix}"))


def _named(folder: Path, noun: str, name: str, kind: type[T]) -> T:
    path = folder / f"{name}.toml"
    if not PLAIN_NAME.fullmatch(name) or not path.is_file():
        raise UnknownName(noun, name, _names(folder, ".toml"), folder)
    return load_toml(path, kind, name=name)


#: Keys of earlier versions, and what they are called now.
_RENAMED = {"boots": "seeds", "hazards": "questions"}


def adapter(kind: type[T]) -> TypeAdapter[T]:
    """Return what reads and writes a `kind` as JSON; made once, as that takes milliseconds."""
    return _adapter(kind)


_adapter: Callable[[Any], TypeAdapter[Any]] = cache(TypeAdapter)
#: In one line. tomllib takes the square of a dotted key's length.
_MOST_DOTS = 1000
_read_parameters = lru_cache(ctables.parameters)


@lru_cache  # a study names the same few files hundreds of times
def _parse(text: str) -> dict[str, Any]:
    if any(line.count(".") > _MOST_DOTS for line in text.splitlines()):
        raise ValueError(f"a line with more than {_MOST_DOTS} dots")
    return tomllib.loads(text)


def load_toml(path: Path, kind: type[T], **known: str) -> T:
    """Return a TOML file as a `kind`; BadInput names the file and the key that is wrong."""
    try:
        read = _parse(read_text(path))
    except (ValueError, RecursionError) as err:  # a number of 5000 digits is no TOMLDecodeError
        raise BadInput(f"{path}: {err}") from err
    try:
        return adapter(kind).validate_python({**read, **known})
    except ValidationError as err:
        wrong = "\n".join(
            f"  {'.'.join(str(part) for part in problem['loc'])}: {_advice(problem)}"
            for problem in err.errors()
        )
        raise BadInput(f"{path} is not a valid {kind.__name__}:\n{wrong}") from err


def load_json(path: Path) -> Any:
    """Return what a stored JSON file says; ValueError for what is none, or nests too deep."""
    try:
        return json.loads(path.read_bytes())
    except RecursionError as err:
        raise ValueError("it nests too deep") from err


def load_kept(path: Path, kind: type[Kept]) -> Kept:
    """Return what a run kept as a `kind`; BadInput if it is broken, or of a newer schema."""
    try:
        kept = adapter(kind).validate_json(path.read_bytes())
    except (OSError, ValueError) as err:
        raise BadInput(f"{path} is not what this version reads:\n  {err}") from err
    if kept.schema > kind.known_schema:
        raise BadInput(
            f"{path} has schema {kept.schema}; this version reads up to "
            f"{kind.known_schema}: update patchbench"
        )
    return kept


def read_text(path: Path) -> str:
    """Return a drop-in's text; BadInput for what is no file, is too large or is not UTF-8."""
    try:
        if not path.is_file():  # a FIFO would keep its reader waiting for ever
            raise BadInput(f"{path} is missing, or not a regular file")
        with path.open("rb") as stream:
            data = stream.read(_MOST_BYTES + 1)
        text = data.decode()
    except (OSError, ValueError) as err:
        raise BadInput(f"{path} cannot be read: {err}") from err
    if len(data) > _MOST_BYTES:
        raise BadInput(f"{path} has more than {_MOST_BYTES} bytes")
    return text.replace("\r\n", "\n")


def _advice(problem: Mapping[str, Any]) -> str:
    """Return what is wrong with a key; for one of an earlier version, its name of today."""
    key = problem["loc"][-1] if problem["loc"] else ""
    if problem["type"] == "unexpected_keyword_argument" and key in _RENAMED:
        return f"this key is called `{_RENAMED[str(key)]}` now"
    return str(problem["msg"])
