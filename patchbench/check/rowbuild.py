# SPDX-License-Identifier: GPL-2.0-only
"""Stage 3b: a Tree and a row of the build matrix in, what the compilers say of it out.

A row is compiled as anybody would, all of it or the part around the files that a series touches,
and if it is strict these files once more with W=1 and sparse. The logs are shelved: a build with
nothing left to do has no warnings to give.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from pydantic import TypeAdapter

from patchbench.check import buildlog, partial
from patchbench.check.matrix import Config
from patchbench.errors import BuildFailed, KconfigDropped
from patchbench.model import Json, Toolchain, Tree
from patchbench.stages import kconfig
from patchbench.stages.make import Lane, Make, ended, reader
from patchbench.store import Store
from patchbench.story import Story
from patchbench.tools.container import Engine
from patchbench.tools.files import remove

#: Where the architecture's folder below arch/ is not called as make calls the architecture.
_SRCARCH = {"i386": "x86", "x86_64": "x86", "sparc32": "sparc", "sparc64": "sparc"}
#: sparse marks its lines, which look like GCC's. 7.3 refuses a sparse that does not know
#: __typeof_unqual__, as 0.6.4; until it does, it takes the word that only keeps more qualifiers.
CHECK_FLAG = "-D__typeof_unqual__=__typeof__"
_SPARSE = ("C=2", "CHECK=sparse", f"CF=-fdiagnostic-prefix=sparse {CHECK_FLAG}")
_LOG = "compiled.json"
_WHOLE = "vmlinux"


@dataclass(frozen=True, slots=True)
class Compiled:
    """How a build ended, and which of the files of interest it compiled."""

    good: bool
    log: str
    sources: tuple[str, ...]
    cpu_seconds: float
    checked: tuple[str, ...] = ()  # those that sparse looked at


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
        lane: Lane,
        story: Story,
    ) -> None:
        self._engine = engine
        self._store = store
        self._tree = tree
        self._config = config
        self._toolchain = toolchain
        self._lane = lane
        self._story = story
        self._name = f"{lane.name}-{config.name}"

    def compile(self, files: Sequence[str], counts: partial.Counts) -> Compiled:
        """Build vmlinux as far as it can be, or the files' part of it; tell which took part.

        They are compiled whether they changed or not, so that the log has all their warnings.
        counts: of symbols that a part misses, which are not just elsewhere in the kernel.

        Raises KconfigDropped when the configuration is not the one asked for, ToolFailed when
        the host is to blame.
        """

        def build() -> Compiled:
            for path in self._objects(files).values():
                path.unlink(missing_ok=True)
            good, log = self._build(files, counts)
            return Compiled(good, log, tuple(self._objects(files)), 0)

        return self._shelved("compile", files, build)

    def inspect(self, sources: Sequence[str]) -> Compiled:
        """Compile these sources again with W=1, and let sparse look at them; see `checked`."""

        def inspect() -> Compiled:
            good, log = self._objects_only("inspect", sources, "W=1", *_SPARSE)
            told = {line.split()[1] for line in log.splitlines() if line.startswith("  CHECK ")}
            seen = {buildlog.relative(name) for name in told}
            checked = tuple(name for name in sources if name in seen)
            return Compiled(good, log, tuple(sources), 0, checked)

        return self._shelved("W=1 and sparse", sources, inspect)

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
            # What a part misses is weighed by what the kernel has without any series.
            **({"part": self._tree.source.commit} if self._config.part else {"misses": "nothing"}),
            "asked": dict(self._config.asked),
            "toolchain": self._toolchain.digest,
            "tree": self._tree.id,
        }

        def fill(new: Path) -> None:
            self._story.say(f"{what} {self._config.name}, {self._tree.series.name}")
            before = self._engine.cpu_seconds
            compiled = replace(self._cleanly(do), cpu_seconds=self._engine.cpu_seconds - before)
            self._story.say(f"  took {compiled.cpu_seconds:.0f} s of CPU time")
            (new / _LOG).write_bytes(_STORED.dump_json(compiled, indent=1))

        folder = self._store.ensure("rows", made_of, fill)
        return _STORED.validate_json((folder / _LOG).read_bytes())

    def _cleanly(self, do: Callable[[], Compiled]) -> Compiled:
        """Do it on objects that no killed make left: those may be half a file."""
        under_way = self._lane.logs / f"under-way-{self._name}"
        if under_way.exists():
            remove(self._lane.objects)
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
        got = kconfig.settings(make.configure())
        asked, arch = self._config.asked, self._config.compiler.arch
        gone = kconfig.dropped(asked, got)
        if not gone and asked.keys() <= got.keys():
            return
        every = kconfig.Definitions(reader(self._lane.source), _SRCARCH.get(arch, arch))
        absent = every.unknown(asked, got)
        wrong = [
            f"  CONFIG_{symbol}: no Kconfig file of this kernel defines it" for symbol in absent
        ]
        wrong += [
            f"  CONFIG_{drop.symbol}: asked {drop.asked}, got {drop.got}\n"
            f"    {every.explain(drop.symbol, got)}"
            for drop in gone
            if drop.symbol not in absent
        ]
        if wrong:
            source = self._tree.source
            raise KconfigDropped(
                f"{source.kernel} {source.version} does not give what row {self._config.name} "
                "asks\n" + "\n".join(wrong)
            )

    def _build(self, files: Sequence[str], counts: partial.Counts) -> tuple[bool, str]:
        wanted = partial.folders(files) if self._config.part else ()
        if not wanted:
            return self._whole()
        good, prepared = self._run("prepare", "prepare")
        if not good:
            return False, prepared
        # Each line in one piece, whichever make it is of.
        good, told = self._run("members", "-n", "-O", *(f"{folder}/" for folder in wanted))
        if not good:
            return False, told
        objects = partial.members(told, wanted)
        if not objects:
            return self._whole()
        good, said = self._run("build", "-k", *objects)
        lines = self._missed(objects, counts) if good else ()
        return good and not lines, "\n".join((prepared, said, *lines))

    def _whole(self) -> tuple[bool, str]:
        """Build vmlinux; not good either if it was linked as a library is, which may miss names.

        riscv does so where it is relocatable, and lacks the --no-undefined of others.
        """
        good, said = self._run("build", "-k", _WHOLE)
        if not good:
            return False, said
        told = self._maker().undefined(_WHOLE)
        if told.status:
            raise BuildFailed(f"what {self._name}'s {_WHOLE} misses cannot be told: {told.said}")
        lost = buildlog.listed(told.said)
        if not lost:
            return True, said
        lines = self._missed(["--whole-archive", f"{_WHOLE}.a"], lost.intersection)
        users = {one.symbol for one in buildlog.undefined("\n".join(lines))}
        rest = [f"{_WHOLE}: undefined reference to `{name}'" for name in sorted(lost - users)]
        # make has not complained: whoever does it by hand has to look as well
        looked = f"{buildlog.RAN}{self._config.compiler.prefix}nm --undefined-only {_WHOLE}"
        return False, "\n".join((said, looked, *lines, *rest))

    def _missed(self, objects: Sequence[str], counts: partial.Counts) -> tuple[str, ...]:
        log = self._lane.logs / f"link-{self._name}.log"
        linked = self._maker().link(objects)
        log.write_text(linked.said + "\n")
        good = ended(linked, self._name, log, self._lane.objects)
        lines = partial.missed(linked.said, counts)
        if not good and not lines and not buildlog.undefined(linked.said):
            raise BuildFailed(f"the linker does not say what is missing; log: {log}")
        return lines

    def _run(self, what: str, *targets: str) -> tuple[bool, str]:
        log = self._lane.logs / f"{what}-{self._name}.log"
        done = self._maker()(*targets)
        log.write_text(done.said + "\n")
        return ended(done, self._name, log, self._lane.objects), done.said

    def _objects_only(self, what: str, sources: Sequence[str], *words: str) -> tuple[bool, str]:
        """Make the objects of these sources, of which a kernel without a series may have none."""
        targets = [str(Path(name).with_suffix(".o")) for name in sources]
        return self._run(what, "-k", *words, *targets) if targets else (True, "")

    def _maker(self) -> Make:
        """Return make with this row's fragment in place, which is one file for all rows."""
        image, fragment = self._toolchain.image_id, self._config.fragment
        return Make(self._engine, image, self._lane, fragment, compiler=self._config.compiler)

    def _objects(self, files: Sequence[str]) -> dict[str, Path]:
        """Return the C files that have an object, with it; a link could lead anywhere."""
        root = self._lane.objects.resolve()
        told = {name: root / Path(name).with_suffix(".o") for name in files if name.endswith(".c")}
        return {
            name: path for name, path in told.items() if path.is_file() and path.resolve() == path
        }
