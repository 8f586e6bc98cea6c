# SPDX-License-Identifier: GPL-2.0-only
"""Connects the stages, the tools and the user's cache; the doors of the rooms are built on it."""

import fcntl
import os
import shlex
import threading
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path

from patchbench import parameters as allowed
from patchbench.binaries import codemap, symbols
from patchbench.cache import parts
from patchbench.cache.sharing import Share
from patchbench.catalog import Catalog
from patchbench.errors import BadInput
from patchbench.model import (
    Arm,
    Boot,
    CodeMap,
    DebianOrigin,
    Guest,
    Image,
    Json,
    KernelSpec,
    Machine,
    Origin,
    Series,
    SeriesName,
    Source,
    TarballOrigin,
    Toolchain,
    Tree,
    Workload,
)
from patchbench.stages import (
    boot,
    boots,
    build,
    fetch,
    guest,
    lanes,
    make,
    platform,
    series,
    splats,
    toolchain,
    tree,
    variants,
)
from patchbench.stages.boots import Booter
from patchbench.stages.pool import Elsewhere, LocalPool, Pool
from patchbench.stages.splats import SplatPolicy
from patchbench.store import Store
from patchbench.story import Silence, Story
from patchbench.tools import debian, files, git, host
from patchbench.tools.container import Engine
from patchbench.tools.qemu import Hypervisor, Profiler
from patchbench.tools.slots import Slots, default_folder


def default_cache() -> Path:
    """Return $PATCHBENCH_CACHE, else patchbench/ in the user's XDG cache folder."""
    if chosen := os.environ.get("PATCHBENCH_CACHE"):
        return Path(chosen).expanduser().absolute()
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "patchbench"


def kernel_flag(kernel: str, tree: str, *, dirty: bool = False) -> str:
    """Return the flag with which a verb takes the same kernel, from anywhere."""
    if tree:
        path = shlex.quote(str(Path(tree).expanduser().resolve()))
        return f"--tree {path}{' --dirty' if dirty else ''}"
    return f"--kernel {kernel}"


class Pipeline:
    """A checkout, a cache and a listener; has a share of the cache while its `with` block runs.

    shared: it only boots, and clears nothing. One that is opened in the `with` block of another on
    the same cache works under that one's lock.
    """

    def __init__(self, root: Path, cache: Path, story: Story, *, shared: bool = False) -> None:
        self.root = root
        self.cache = cache
        self.results = root / "results"
        self.story = story
        self.shared = shared
        self.catalog = Catalog(root)
        self.store = Store(cache / "shelf")
        self._engine: Engine | None = None
        self._share = Share(cache, story.say, boots_only=shared)
        self._guests: dict[str, Guest] = {}
        self._pinned: dict[str, str] = {}  # commits of users' trees, by path
        self._applied: dict[tuple[Source, Series], Tree] = {}
        self._adopted: dict[str, tuple[Path, str]] = {}  # series that were taken: root, base
        self._looked_at: set[str] = set()  # users' trees, for what no commit holds
        self.with_changes = False  # of a user's tree, take what no commit holds as well
        self.elsewhere: Elsewhere | None = None  # other hosts that joined
        self.boots_made = 0  # that no shelf had; those of profiles do not count
        self._counting = threading.Lock()
        self._started = time.time()
        self._set_up: list[tuple[str, float, float]] = []

    def __enter__(self) -> "Pipeline":
        """Take the lock, reporting the wait if another run has it; clear what a killed run left."""
        self._share.enter()
        self.shared |= self._share.within
        if self.shared or self._share.others():
            return self
        self.store.prune()
        if evicted := parts.bound_shelf(self.cache):
            most = parts.gib(parts.SHELF_BYTES)
            self.story.say(f"the shelf holds {most} at most; evicted {parts.summary(evicted)}")
        if evicted := parts.make_room(self.cache):
            least = parts.gib(parts.ROOM_BYTES)
            self.story.say(f"the disk had less than {least} free; evicted {parts.summary(evicted)}")
        if moved := tree.recover(self.cache):
            self.story.say(f"this cache was copied or moved: {moved} work trees are made again")
        return self

    def __exit__(self, *_: object) -> None:
        if self._engine:
            self._engine.__exit__()
        self._share.leave()

    @property
    def engine(self) -> Engine:
        """Return the container engine, connecting at first use."""
        if self._engine is None:
            self._engine = Engine(self.cache, self._share.name)
            if not self.shared and (reaped := self._engine.reap(self._share.others())):
                self.story.say(f"removed {reaped} containers that a killed run had left behind")
        return self._engine

    @cached_property
    def toolchain(self) -> Toolchain:
        """Return the toolchain image, made at first use; of today, unless it was set."""
        return self.toolchain_at()

    def toolchain_at(self, snapshot: str = "", story: Story | None = None) -> Toolchain:
        """Return the toolchain image as of a snapshot of Debian's archive, or as of today."""
        with self._setting_up("toolchain image"):
            return toolchain.ensure(
                self.engine,
                self.store,
                self._recipe,
                story or self.story,
                bootstrap_base=self._bootstrap_base,
                snapshot=snapshot,
            )

    @property
    def _recipe(self) -> Path:
        return self.root / "configs/toolchain"

    def _bootstrap_base(self, tag: str) -> None:
        label = (toolchain.ORIGIN_LABEL, "debootstrap")
        host.bootstrap_base(self.engine, tag, self.cache / "work/base", self.story, label=label)

    @cached_property
    def cross_toolchain(self) -> Toolchain:
        """Return the toolchain with other architectures' compilers, made at first use."""
        recipe = self.root / "configs/toolchain-cross"
        with self._setting_up("cross toolchain image"):
            return toolchain.extend(self.engine, self.store, self.toolchain, recipe, self.story)

    def guest(self, program: str) -> Guest:
        """Return the initrd with one program, built at first use."""
        if program not in self._guests:
            self._guests[program] = guest.build(
                self.engine,
                self.store,
                self.root,
                self.toolchain,
                program,
                work=self.cache / "work",
                story=self.story,
            )
        return self._guests[program]

    def source(self, kernel: str, path: str = "") -> Source:
        """Return a kernel's source, fetched unless it is known; `path` overrides the name.

        A folder or a repository may change under its name, so it is read again each time.
        """
        spec = self._spec_for_path(path) if path else self.catalog.kernel(kernel)
        if isinstance(spec.origin, DebianOrigin | TarballOrigin):
            known = fetch.known_source(spec, self.cache)
            if known:
                return known
        return self.fetch(spec)

    def _spec_for_path(self, path: str) -> KernelSpec:
        pinned = self._pinned.get(path, "")
        spec = fetch.spec_for_path(Path(path), pinned, changes=self.with_changes)
        if not pinned and not self.with_changes and path not in self._looked_at:
            self._looked_at.add(path)
            if changed := fetch.uncommitted(Path(path)):
                self.story.say(
                    f"{path}: HEAD is taken, without what no commit holds (--dirty takes it): "
                    + ", ".join(line.strip() for line in changed)
                )
        return spec

    def known(self, kernel: str) -> Source | None:
        """Return a kernel's source if it is here already."""
        return fetch.known_source(self.catalog.kernel(kernel), self.cache)

    def is_packaged(self, source: Source) -> bool:
        """Return whether a kernel is one of a file's here, and came as a tarball.

        Whoever has the same file can fetch the same.
        """
        if source.kernel not in self.catalog.kernels():
            return False
        packed = self.catalog.kernel(source.kernel).origin
        same = isinstance(packed, DebianOrigin | TarballOrigin)
        return same and self.known(source.kernel) == source

    def fetch(self, spec: KernelSpec) -> Source:
        """Return a kernel's source as its origin has it now."""
        with self._fetching(spec.origin) as image, self._setting_up("sources"):
            return fetch.fetch(
                spec,
                self.cache,
                self.story,
                debian=lambda origin, downloads: debian.fetch_source(
                    self.engine, image, origin, downloads, self.story
                ),
            )

    @contextmanager
    def _fetching(self, origin: Origin) -> Iterator[str]:
        """Give the image in which a package is fetched; empty for what is none.

        A toolchain that is not there yet is made meanwhile: half a minute of a first run.
        """
        if not isinstance(origin, DebianOrigin):
            yield ""
            return
        image = toolchain.ensure_base(
            self.engine,
            self._recipe,
            self.story,
            bootstrap_base=self._bootstrap_base,
            snapshot=origin.snapshot,
        )
        if origin.snapshot or toolchain.is_there(self.engine, self._recipe):
            yield image
            return
        self.story.say("the toolchain image is built meanwhile")
        with ThreadPoolExecutor(1) as aside:
            made = aside.submit(self.toolchain_at, story=Silence())
            yield image
            self.toolchain = made.result()

    def source_at(self, kernel: str, package: str, snapshot: str) -> Source | None:
        """Return a package of a kernel's suite as of a snapshot, a time in UTC, 20261126T171041Z.

        None for a kernel that is no package of Debian's. Raises ToolFailed if no snapshot answers.
        """
        spec = self.catalog.kernel(kernel)
        if not isinstance(spec.origin, DebianOrigin):
            return None
        past = replace(spec.origin, package=package, snapshot=snapshot)
        then = replace(spec, name=f"{kernel}-{snapshot}", origin=past)
        return fetch.known_source(then, self.cache) or self.fetch(then)

    @contextmanager
    def _setting_up(self, what: str) -> Iterator[None]:
        """Remember how long the block took, for `dev.timings`."""
        began = time.time()
        yield
        self._set_up.append((what, began, time.time()))

    def apply(self, source: Source, name: str) -> Tree:
        """Return the source with a series applied, as a commit.

        `v0~COMMIT` is the series as the project's own history has it at that commit, and
        `v0+NAME` one of its variants.
        """
        asked = SeriesName.parse(name)
        if asked.variant is not None:
            applied = self.apply(source, asked.unvaried())
            made = variants.make(self.root, name, applied, self.cache / "work/variants")
            return self.apply_series(source, made)
        return self.apply_series(source, self._series(asked, source.line))

    def adopt(self, name: str, root: Path, base: str = "") -> None:
        """Let a name mean the series root/patches/NAME, which is none of this checkout.

        base: how much of what its author saw the kernel has.
        """
        self._adopted[name] = root, base

    def pin(self, path: str, commit: str) -> None:
        """Let `--tree PATH` mean a commit of it, which a range of its commits is based on."""
        if self._pinned.setdefault(path, commit) != commit:
            raise BadInput(
                f"two ranges of {path} are based on {self._pinned[path][:12]} and {commit[:12]}; "
                "compare series on one base"
            )

    def pinned(self, path: str) -> str:
        """Return the commit that `--tree PATH` means, if one was pinned; else ""."""
        return self._pinned.get(path, "")

    def series(self, name: str, line: str) -> Series:
        """Return a series as `apply` takes it; raises as series.load does."""
        return self._series(SeriesName.parse(name), line)

    def apply_series(self, source: Source, made: Series) -> Tree:
        """Return the source with a series applied that was made, and not dropped in.

        The same patches on the same source are applied once.
        """
        asked = source, made
        if asked not in self._applied:
            self._applied[asked] = tree.apply(source, made, self.cache / "work")
        return self._applied[asked]

    def _series(self, asked: SeriesName, line: str) -> Series:
        today = asked.today()
        if asked.commit is None:
            root, base = self._adopted.get(asked.stem, (self.root, ""))
            return replace(series.load(root, today, line), base=base)
        project = git.Repository(self.root)
        commit = project.commit(asked.commit or "HEAD")[:12]
        past = self.cache / "work/past" / commit
        files.remove(past)
        name, extracted = asked.stem, set[str]()
        while name and name not in extracted:  # with what it was on
            project.extract(commit, f"patches/{name}", past)
            extracted.add(name)
            name = series.on(past, name)
        return replace(series.load(past, today, line), name=f"{today}~{commit}")

    def image(self, applied: Tree, flavour: str) -> Image:
        """Return the tree's kernel, built unless it is shelved."""
        asked = self.catalog.flavour(flavour, applied.source.line)
        if image := build.shelved(self.store, applied, asked, self.toolchain):
            return image
        lane = self.lane(applied, f"{flavour}-{self.toolchain.digest[:12]}")
        made_of = build.ingredients(applied, asked, self.toolchain)
        why = self.store.explain("images", made_of)
        self.story.say(f"building, because of: {', '.join(why)}")
        self.check_out(applied, lane)
        return build.build(
            self.engine,
            self.store,
            applied,
            asked,
            self.toolchain,
            lane=lane,
            story=self.story,
        )

    def is_built(self, applied: Tree, flavour: str) -> bool:
        """Return whether a tree's kernel is shelved."""
        asked = self.catalog.flavour(flavour, applied.source.line)
        return build.shelved(self.store, applied, asked, self.toolchain) is not None

    def lane(self, applied: Tree, objects: str) -> make.Lane:
        """Return the folders in which a tree is built, its objects in one of that name."""
        return lanes.lane(self.cache, applied, objects)

    def check_out(self, applied: Tree, lane: make.Lane) -> None:
        """Bring a lane's source to the tree."""
        with self._setting_up("work trees"):
            tree.check_out(applied, lane.source, self.story)

    def images(self, source: Source, names: Iterable[str], flavour: str) -> list[Image]:
        """Return a kernel's images with these series, in their order."""
        return [self.image(self.apply(source, name), flavour) for name in names]

    def arm(self, image: Image, machine: Machine, workload: Workload) -> Arm:
        """Return the conditions of a boot; BadInput as in `workload`."""
        self.check_machine(machine)
        self._check(workload, machine)
        needed = platform.build(
            self.engine,
            self.store,
            self.root,
            self.toolchain,
            machine,
            work=self.cache / "work",
            story=self.story,
        )
        program = self.guest(workload.program)
        return Arm(image, program, machine, workload, self.toolchain.qemu, needed)

    def arms(
        self,
        source: Source,
        names: Iterable[str],
        *,
        flavour: str,
        machine: Machine,
        workload: Workload,
    ) -> list[Arm]:
        """Return the conditions of a kernel's boots with these series, in their order."""
        images = self.images(source, names, flavour)
        return [self.arm(image, machine, workload) for image in images]

    def workload(self, name: str, parameters: Mapping[str, int], machine: Machine) -> Workload:
        """Return a workload with some parameters changed.

        Raises BadInput for a parameter that its program does not have, a value out of bounds, or
        more swap than the machine holds.
        """
        workload = allowed.changed(self.catalog.workload(name), parameters)
        self._check(workload, machine)
        return workload

    def _check(self, workload: Workload, machine: Machine) -> None:
        known = self.catalog.parameters(workload.program)
        allowed.check(workload, known)
        allowed.check_fits(workload, machine, known)

    def boot_once(self, arm: Arm, seed: int) -> tuple[str, Boot]:
        """Boot once, outside any run; return its console and its samples, or raise."""
        out = self.cache / "work" / "boot"
        files.remove(out)
        boot.run(Hypervisor(self.engine, self.toolchain), arm, seed, out)
        read = boot.read(out, boot.wanted(arm, seed), splats.load(self.root))
        return boot.read_console(out), read

    def booter(self, folder: Path, policy: SplatPolicy | None = None) -> Booter:
        """Return what boots arms into a run's folder; policy: instead of configs/splats.toml."""
        policy = policy or splats.load(self.root)
        share, tally = self._share.booting, self._tally
        return Booter(self.pool(), self.store, policy, self.story, folder, share, tally)

    def _tally(self, boots: int) -> None:
        with self._counting:
            self.boots_made += boots

    def check_machine(self, machine: Machine) -> None:
        """Raise BadInput if nothing that boots here can boot on a machine."""
        if self.elsewhere:
            self.elsewhere.check(machine)
        else:
            boots.check_machine(machine)

    def pool(self, profiler: Profiler | None = None) -> Pool:
        """Return where boots run: on this host, unless others joined."""
        if self.elsewhere:
            return self.elsewhere.pool(profiler)
        slots = Slots(default_folder(), os.sched_getaffinity(0), self.story.say)
        return LocalPool(Hypervisor(self.engine, self.toolchain, profiler), slots)

    def code_map(self, base: Image, test: Image) -> CodeMap:
        """Return how the code of two images differs, worked out unless it is shelved."""
        ours, theirs = base.path.parent, test.path.parent
        made_of: dict[str, Json] = {
            "base": base.key,
            "test": test.key,
            "schema": CodeMap.known_schema,
        }

        def compare(new: Path) -> None:
            functions = symbols.compare(ours / "vmlinux.o", theirs / "vmlinux.o")
            codemap.write(new, CodeMap(equal=symbols.equal(ours, theirs), functions=functions))

        return codemap.read(self.store.ensure("functions", made_of, compare))

    def new_name(self, what: str) -> str:
        """Return the name of a run, check, study or gate that begins now: TIME-WHAT.

        Names sort by time, and two that begin within one second have names of their own.
        """
        name = f"{self._claimed_second()}-{what}"
        kinds = [self.results / kind for kind in ("runs", "reports", "studies")]
        names = (name, *(f"{name}-{count}" for count in range(2, 100)))
        return next(one for one in names if not any((kind / one).exists() for kind in kinds))

    def _claimed_second(self) -> str:
        """Return the time, in a second in which no other process has begun anything here.

        A run on another cache may share the results, and no lock with us.
        """
        self.results.mkdir(parents=True, exist_ok=True)
        with (self.results / ".second").open("a+") as claimed:
            fcntl.flock(claimed, fcntl.LOCK_EX)
            claimed.seek(0)
            taken, _, owner = claimed.read().partition(" ")
            while (second := f"{datetime.now(UTC):%Y%m%dT%H%M%S}") == taken:
                if owner == str(os.getpid()):
                    return second
                time.sleep(0.05)
            claimed.truncate(0)
            claimed.write(f"{second} {os.getpid()}")
        return second

    def timings(self) -> dict[str, Json]:
        """Return what ran when, in seconds since the epoch, for `dev.timings`."""
        return {
            "started": self._started,
            "ended": time.time(),
            "busy": [list(span) for span in self.engine.busy],
            "set_up": [list(span) for span in self._set_up],
            "hosts": [list(span) for span in self.elsewhere.busy] if self.elsewhere else [],
        }

    def require_alone(self) -> None:
        """Raise ToolFailed if another run boots from the cache."""
        self._share.require_alone()

    def clean(self, *, what: Sequence[str], most_bytes: int | None = None) -> list[Path]:
        """Remove parts of the cache or the results and return what was removed.

        most_bytes: then evict what was used least recently until the cache holds no more. Raises
        ToolFailed if another run boots from the cache.
        """
        self.require_alone()
        folders = {
            "work": self.cache / "work",
            "shelf": self.cache / "shelf",
            "ccache": self.cache / "ccache",
            "sources": self.cache / "kernels",
            "downloads": self.cache / "downloads",
            "runs": self.results / "runs",
            "reports": self.results / "reports",
            "studies": self.results / "studies",
        }
        removed = [folders[name] for name in what if folders[name].exists()]
        for folder in removed:
            files.remove_whole(folder)
        if most_bytes is not None:
            removed += [part.path for part in parts.evict(self.cache, most_bytes)]
        return removed


@contextmanager
def opened(root: Path, story: Story, *, shared: bool = False) -> Iterator[Pipeline]:
    """Give the pipeline of this checkout and the user's cache."""
    os.umask(0o022)  # whoever builds in a container is somebody else, and must read our files
    with Pipeline(root, default_cache(), story, shared=shared) as pipeline:
        yield pipeline
