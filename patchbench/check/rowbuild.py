# SPDX-License-Identifier: GPL-2.0-only
"""Stage 4b: a Tree and a row of the build matrix in, what the compilers print out.

A row is compiled as anybody would, all of it or the part around the files that a series touches,
and if it is strict these files once more with W=1 and sparse. The logs are shelved: a build with
nothing left to do prints no warnings.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from patchbench.catalog import adapter
from patchbench.check import partial
from patchbench.check.matrix import Config
from patchbench.errors import BuildFailed, KconfigDropped
from patchbench.model import Json, Toolchain, Tree
from patchbench.stages import buildlog, kconfig
from patchbench.stages.make import Lane, Make, ended, reader
from patchbench.store import Store
from patchbench.story import Story
from patchbench.tools.container import Engine
from patchbench.tools.files import remove

#: Architectures whose folder below arch/ has another name than make's ARCH.
_SRCARCH = {"i386": "x86", "x86_64": "x86", "sparc32": "sparc", "sparc64": "sparc"}
#: sparse 0.6.4 lacks __typeof_unqual__, which 7.3 requires; map it to __typeof__, which keeps more
#: qualifiers, until sparse has it.
CHECK_FLAG = "-D__typeof_unqual__=__typeof__"
#: The prefix tells sparse's lines from GCC's.
_SPARSE = ("C=2", "CHECK=sparse", f"CF=-fdiagnostic-prefix=sparse {CHECK_FLAG}")
_LOG = "compiled.json"
_WHOLE = "vmlinux"


@dataclass(frozen=True, slots=True)
class Compiled:
    """How a build ended, and which of the files of interest it compiled.

    checked: those that sparse looked at. linked: of a part, the linker's lines on every name that
    it leaves undefined or defines twice; which of them are errors, the caller says. headers: those
    whose comments kernel-doc read.
    """

    good: bool
    log: str
    sources: tuple[str, ...]
    cpu_seconds: float
    checked: tuple[str, ...] = ()
    linked: str = ""
    headers: tuple[str, ...] = ()


class RowBuilder:
    """Builds one row at one tree, which is checked out in the lane."""

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

    def compile(self, files: Sequence[str]) -> Compiled:
        """Build as much of vmlinux as compiles, or the files' part of it and link that.

        The files are compiled whether they changed or not, so that the log has all their warnings.
        Raises KconfigDropped when the configuration is not the one asked for, ToolFailed when
        the host is to blame.
        """

        def build() -> Compiled:
            for path in self._objects(files).values():
                path.unlink(missing_ok=True)
            built = self._build(files)
            return replace(built, sources=tuple(self._objects(files)))

        return self._shelved("compile", files, build)

    def has_compiled(self, files: Sequence[str]) -> bool:
        """Return whether `compile` has nothing to do."""
        return self._store.get("rows", self._made_of("compile", files)) is not None

    def inspect(self, sources: Sequence[str], headers: Sequence[str] = ()) -> Compiled:
        """Compile these sources again with W=1, and run sparse on them; see `checked`.

        headers: W=1 reads the comments of no header; the kernel's own kernel-doc does here.
        """

        def inspect() -> Compiled:
            good, log = self._objects_only("inspect", sources, "W=1", *_SPARSE)
            if headers:
                read = self._maker().kernel_doc(headers)
                good, log = good and read.status == 0, f"{log}\n{read.said}"
            seen = buildlog.checked(log)
            checked = tuple(name for name in sources if name in seen)
            return Compiled(good, log, tuple(sources), 0, checked, headers=tuple(headers))

        return self._shelved("W=1 and sparse", (*sources, *headers), inspect)

    def look(self, sources: Sequence[str]) -> Compiled:
        """Compile these sources alone, as `compile` does, to see their warnings."""

        def look() -> Compiled:
            for path in self._objects(sources).values():
                path.unlink(missing_ok=True)
            good, log = self._objects_only("look", sources)
            return Compiled(good, log, tuple(sources), 0)

        return self._shelved("look", sources, look)

    def _made_of(self, what: str, files: Sequence[str]) -> dict[str, Json]:
        return {
            "what": what,
            "make": [*self._config.compiler.line(*_SPARSE)],
            "files": [*files],
            "fragment": self._config.fragment,
            # Logs that were shelved before Compiled.linked depend on the unpatched kernel too.
            **({"part": self._tree.source.commit} if self._config.part else {"misses": "nothing"}),
            "asked": dict(self._config.asked),
            "toolchain": self._toolchain.digest,
            "tree": self._tree.id,
            # Rows with modules were shelved without them before 2026-11-27; nothing else changed.
            **({} if self._config.targets == (_WHOLE,) else {"targets": [*self._config.targets]}),
        }

    def _shelved(self, what: str, files: Sequence[str], do: Callable[[], Compiled]) -> Compiled:
        def fill(new: Path) -> None:
            self._story.say(f"{what} {self._config.name}, {self._tree.series.name}")
            before = self._engine.cpu_seconds
            compiled = replace(self._cleanly(do), cpu_seconds=self._engine.cpu_seconds - before)
            self._story.say(f"  took {compiled.cpu_seconds:.0f} s of CPU time")
            (new / _LOG).write_bytes(adapter(Compiled).dump_json(compiled, indent=1))

        folder = self._store.ensure("rows", self._made_of(what, files), fill)
        return adapter(Compiled).validate_json((folder / _LOG).read_bytes())

    def _cleanly(self, do: Callable[[], Compiled]) -> Compiled:
        """Do it on objects that no killed make left: those may be half a file."""
        under_way = self._lane.logs / f"under-way-{self._name}"
        if under_way.exists():
            remove(self._lane.objects)
        under_way.parent.mkdir(parents=True, exist_ok=True)
        under_way.touch()
        try:
            self._configure()
            compiled = do()
        except (BuildFailed, KconfigDropped):
            under_way.unlink()  # make ended by itself
            raise
        under_way.unlink()
        return compiled

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
                f"row {self._config.name}: {source.kernel} {source.version} drops part of its "
                "configuration\n" + "\n".join(wrong)
            )

    def _build(self, files: Sequence[str]) -> Compiled:
        wanted = partial.folders(files) if self._config.part else ()
        if not wanted:
            return self._whole()
        good, prepared = self._run("prepare", "prepare")
        if not good:
            return _compiled(prepared, good=False)
        # -O keeps each recipe in one piece, whichever make prints it.
        good, dry_run = self._run("members", "-n", "-O", *(f"{folder}/" for folder in wanted))
        if not good:
            return _compiled(dry_run, good=False)
        objects = partial.members(dry_run, wanted)
        if not objects:
            return self._whole()
        good, log = self._run("build", "-k", *objects)
        linked = "\n".join(self._link(objects)) if good else ""
        return _compiled(f"{prepared}\n{log}", good=good, linked=linked)

    def _whole(self) -> Compiled:
        """Build vmlinux and modules, and look for undefined names even if make was content.

        riscv links a relocatable vmlinux with -shared, as a library, which may have some. This can
        go once arch/riscv/Makefile passes --no-undefined, as arm64's does.
        """
        good, log = self._run("build", "-k", *self._config.targets)
        if not good:
            return _compiled(log, good=False)
        listing = self._maker().undefined(_WHOLE)
        if listing.status:
            raise BuildFailed(f"nm cannot read {self._name}'s {_WHOLE}: {listing.said}")
        undefined = buildlog.listed(listing.said)
        if not undefined:
            return _compiled(log, good=True)
        lines = self._link(["--whole-archive", f"{_WHOLE}.a"], undefined)
        used = {one.symbol for one in buildlog.undefined("\n".join(lines))}
        rest = [f"{_WHOLE}: undefined reference to `{name}'" for name in sorted(undefined - used)]
        # make ended well: whoever repeats this by hand has to look as well.
        by_hand = f"{buildlog.RAN}{self._config.compiler.prefix}nm --undefined-only {_WHOLE}"
        return _compiled("\n".join((log, by_hand, *lines, *rest)), good=False)

    def _link(
        self, objects: Sequence[str], symbols: frozenset[str] | None = None
    ) -> tuple[str, ...]:
        """Link objects, and return the linker's lines on undefined and duplicate symbols."""
        log = self._lane.logs / f"link-{self._name}.log"
        linked = self._maker().link(objects)
        log.write_text(linked.said + "\n")
        good = ended(linked, self._name, log, self._lane.objects)
        printed = linked.said.replace("/out/", "")
        if not good and not buildlog.link_errors(printed):
            raise BuildFailed(f"the link failed, and not for a symbol; log: {log}")
        return buildlog.link_errors(printed, symbols)

    def _run(self, what: str, *targets: str) -> tuple[bool, str]:
        log = self._lane.logs / f"{what}-{self._name}.log"
        done = self._maker()(*targets)
        log.write_text(done.said + "\n")
        return ended(done, self._name, log, self._lane.objects), done.said

    def _objects_only(self, what: str, sources: Sequence[str], *words: str) -> tuple[bool, str]:
        """Make the objects of these sources; the unpatched kernel may have none of them."""
        targets = [str(Path(name).with_suffix(".o")) for name in sources]
        return self._run(what, "-k", *words, *targets) if targets else (True, "")

    def _maker(self) -> Make:
        """Return make with this row's fragment in place: all rows share that file."""
        image, fragment = self._toolchain.image_id, self._config.fragment
        return Make(self._engine, image, self._lane, fragment, compiler=self._config.compiler)

    def _objects(self, files: Sequence[str]) -> dict[str, Path]:
        """Return the C files that have an object, with it; a link could lead anywhere."""
        root = self._lane.objects.resolve()
        paths = {name: root / Path(name).with_suffix(".o") for name in files if name.endswith(".c")}
        return {
            name: path for name, path in paths.items() if path.is_file() and path.resolve() == path
        }


def _compiled(log: str, *, good: bool, linked: str = "") -> Compiled:
    """Return a build whose sources and time the caller fills in."""
    return Compiled(good, log, (), 0, linked=linked)
