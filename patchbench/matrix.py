# SPDX-License-Identifier: GPL-2.0-only
"""Stage 3b: a Tree and a row of the build matrix in, what the compilers say of it out.

A row is compiled as anybody would, and if it is strict the files that a series touches once more
with W=1 and sparse. The logs are shelved: a build with nothing left to do has no warnings to give.
"""

import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from pydantic import TypeAdapter, with_config

from patchbench import buildlog, kconfig
from patchbench.catalog import Catalog, load_toml
from patchbench.errors import BadInput, BuildFailed, KconfigDropped, UnknownName
from patchbench.make import Bench, Compiler, Make, ended, reader
from patchbench.model import STRICT, Json, Toolchain, Tree
from patchbench.store import Store
from patchbench.story import Story
from patchbench.tools.container import Engine

FILE = Path("configs/matrix.toml")
#: Where the architecture's folder below arch/ is not called as make calls the architecture.
_SRCARCH = {"i386": "x86", "x86_64": "x86", "sparc32": "sparc", "sparc64": "sparc"}
#: sparse marks its lines, which look like GCC's.
_SPARSE = ("C=2", "CHECK=sparse", "CF=-fdiagnostic-prefix=sparse")
_LOG = "compiled.json"


@with_config(STRICT)
@dataclass(frozen=True, slots=True)
class Row:
    """One configuration that a build robot would try."""

    arch: str
    set: tuple[str, ...] = ()  # SYMBOL=value
    on: str = ""  # a list of `sets` that comes before
    flavour: str = ""  # a file of configs/kconfig/ that comes before that
    files: tuple[str, ...] = ()  # the kernel's own files that come first; not asked for
    strict: bool = False  # W=1 and sparse as well
    quick: bool = False


@with_config(STRICT)
@dataclass(frozen=True, slots=True)
class Matrix:
    """configs/matrix.toml."""

    compilers: Mapping[str, str]  # by architecture: the prefix of its compiler
    rows: Mapping[str, Row]
    sets: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Config:
    """A row as one kernel gets it; `asked` are symbols with values, `by_hand` is how to get it."""

    name: str
    compiler: Compiler
    fragment: str
    asked: Mapping[str, str]
    by_hand: tuple[str, ...]
    strict: bool = False


@dataclass(frozen=True, slots=True)
class Compiled:
    """How a build ended, and which of the files of interest it compiled."""

    good: bool
    log: str
    sources: tuple[str, ...]
    cpu_seconds: float


def load(root: Path) -> Matrix:
    """Return configs/matrix.toml; BadInput names what is wrong in it."""
    return load_toml(root / FILE, Matrix)


def choose(matrix: Matrix, names: Sequence[str], *, quick: bool) -> tuple[str, ...]:
    """Return the rows of these names, else the quick ones, else all.

    Raises UnknownName, which lists the known ones.
    """
    for name in names:
        if name not in matrix.rows:
            raise UnknownName("row", name, [*matrix.rows], FILE)
    chosen = [name for name, row in matrix.rows.items() if row.quick or not quick]
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
    return Config(
        name,
        Compiler(row.arch, matrix.compilers[row.arch]),
        "".join(text or "" for _, text in files) + asked,
        kconfig.settings(asked),
        _by_hand(row, words, matrix.compilers[row.arch]),
        row.strict,
    )


_STORED = TypeAdapter(Compiled)


class Site:
    """One row at one tree: the tree is checked out, and the compilers are there."""

    def __init__(
        self,
        engine: Engine,
        store: Store,
        tree: Tree,
        config: Config,
        toolchain: Toolchain,
        *,
        bench: Bench,
        story: Story,
    ) -> None:
        self._engine = engine
        self._store = store
        self._tree = tree
        self._config = config
        self._toolchain = toolchain
        self._bench = bench
        self._story = story
        self._name = f"{bench.lane}-{config.name}"

    def compile(self, files: Sequence[str]) -> Compiled:
        """Build vmlinux as far as it can be, and tell which of the files took part.

        They are compiled whether they changed or not, so that the log has all their warnings.

        Raises KconfigDropped when the configuration is not the one asked for, ToolFailed when
        the host is to blame.
        """

        def build() -> Compiled:
            for path in self._objects(files).values():
                path.unlink(missing_ok=True)
            good, log = self._run("build", "-k", "vmlinux")
            return Compiled(good, log, tuple(self._objects(files)), 0)

        return self._shelved("compile", files, build)

    def inspect(self, sources: Sequence[str]) -> Compiled:
        """Compile these sources again with W=1 and sparse; `good` if both looked at all of them."""

        def inspect() -> Compiled:
            good, log = self._objects_only("inspect", sources, "W=1", *_SPARSE)
            seen = {line.split()[1] for line in log.splitlines() if line.startswith("  CHECK ")}
            missed = set(sources) - {buildlog.relative(name) for name in seen}
            return Compiled(good and not missed, log, tuple(sources), 0)

        return self._shelved("inspect", sources, inspect)

    def look(self, sources: Sequence[str]) -> Compiled:
        """Compile these sources alone, as `compile` does, for the sake of what is said of them."""

        def look() -> Compiled:
            for path in self._objects(sources).values():
                path.unlink(missing_ok=True)
            good, log = self._objects_only("look", sources)
            return Compiled(good, log, tuple(sources), 0)

        return self._shelved("look", sources, look)

    def _shelved(self, what: str, files: Sequence[str], do: Callable[[], Compiled]) -> Compiled:
        made_of: dict[str, Json] = {
            "what": what,
            "make": [*self._config.compiler.line(*_SPARSE)],
            "files": [*files],
            "fragment": self._config.fragment,
            "asked": dict(self._config.asked),
            "toolchain": self._toolchain.digest,
            "tree": self._tree.id,
        }
        folder = self._store.get("rows", made_of)
        if folder is None:
            self._story.say(f"{what} {self._config.name}, {self._tree.series.name}")
            before = self._engine.cpu_seconds
            told = replace(self._whole(do), cpu_seconds=self._engine.cpu_seconds - before)
            self._story.say(f"  took {told.cpu_seconds:.0f} s of CPU time")
            with self._store.publish("rows", made_of) as new:
                (new / _LOG).write_bytes(_STORED.dump_json(told, indent=1))
            folder = self._store.entry("rows", made_of)
        return _STORED.validate_json((folder / _LOG).read_bytes())

    def _whole(self, do: Callable[[], Compiled]) -> Compiled:
        """Do it on objects that no killed make left: those may be half a file."""
        under_way = self._bench.logs / f"under-way-{self._name}"
        if under_way.exists():
            shutil.rmtree(self._bench.objects, ignore_errors=True)
        under_way.parent.mkdir(parents=True, exist_ok=True)
        under_way.touch()
        try:
            self._configure()
            told = do()
        except (BuildFailed, KconfigDropped):
            under_way.unlink()  # make ended by itself
            raise
        under_way.unlink()
        return told

    def _configure(self) -> None:
        make = self._maker()
        got, read = kconfig.settings(make.configure()), reader(self._bench.source)
        asked, arch = self._config.asked, self._config.compiler.arch
        srcarch = _SRCARCH.get(arch, arch)
        absent = kconfig.unknown(asked, got, read, srcarch)
        wrong = [
            f"  CONFIG_{symbol}: no Kconfig file of this kernel defines it" for symbol in absent
        ]
        wrong += [
            f"  CONFIG_{drop.symbol}: asked {drop.asked}, got {drop.got}\n"
            f"    {kconfig.explain(drop.symbol, got, read, srcarch)}"
            for drop in kconfig.dropped(asked, got)
            if drop.symbol not in absent
        ]
        if wrong:
            source = self._tree.source
            raise KconfigDropped(
                f"{source.kernel} {source.version} does not give what row {self._config.name} "
                "asks\n" + "\n".join(wrong)
            )

    def _run(self, what: str, *targets: str) -> tuple[bool, str]:
        log = self._bench.logs / f"{what}-{self._name}.log"
        done = self._maker()(*targets)
        log.write_text(done.said + "\n")
        return ended(done, self._name, log, self._bench.objects), done.said

    def _objects_only(self, what: str, sources: Sequence[str], *words: str) -> tuple[bool, str]:
        """Make the objects of these sources, of which a kernel without a series may have none."""
        targets = [str(Path(name).with_suffix(".o")) for name in sources]
        return self._run(what, "-k", *words, *targets) if targets else (True, "")

    def _maker(self) -> Make:
        """Return make with this row's fragment in place, which is one file for all rows."""
        image, fragment = self._toolchain.image_id, self._config.fragment
        return Make(self._engine, image, self._bench, fragment, compiler=self._config.compiler)

    def _objects(self, files: Sequence[str]) -> dict[str, Path]:
        """Return the C files that have an object, with it; a link could lead anywhere."""
        root = self._bench.objects.resolve()
        told = {name: root / Path(name).with_suffix(".o") for name in files if name.endswith(".c")}
        return {
            name: path for name, path in told.items() if path.is_file() and path.resolve() == path
        }


def _by_hand(row: Row, words: Sequence[str], prefix: str) -> tuple[str, ...]:
    """Return the commands, in a kernel's tree, that make the row's .config without us."""
    flavour = (f"PATCHBENCH/configs/kconfig/{row.flavour}.config",) if row.flavour else ()
    files = " ".join((*row.files, *flavour)) or "/dev/null"
    pieces = [f"cat {files} > more.config"]
    if words:
        pieces.append(f"printf 'CONFIG_%s\\n' {' '.join(words)} >> more.config")
    make = f"make ARCH={row.arch} CROSS_COMPILE={prefix}"
    return (*pieces, f"KCONFIG_ALLCONFIG=more.config {make} allnoconfig", f"{make} vmlinux")
