# SPDX-License-Identifier: GPL-2.0-only
"""Stage 3: a Tree and a configuration fragment in, an Image out.

The build runs in a container without network, not as root, on a read-only source. Paths,
user, host and time are the same for everybody, so the same key gives the same bytes; the
release string carries the key, so a guest can prove which image it runs.
"""

import re
import time
from dataclasses import dataclass
from pathlib import Path

from patchbench.errors import BuildFailed, KconfigDropped, Unfit
from patchbench.model import Flavour, Image, Json, Toolchain, Tree
from patchbench.stages import buildlog, kconfig, outdated
from patchbench.stages.make import ARM64, FIXED, Lane, Make, ended, reader, tail
from patchbench.store import Store, key
from patchbench.story import Story
from patchbench.tools import files
from patchbench.tools.container import Engine
from patchbench.tools.git import Repository

_TARGET = "Image"
_KEPT = {
    "Image": "arch/arm64/boot/Image",
    "System.map": "System.map",
    "config": ".config",
    "release": "include/config/kernel.release",
    "vmlinux": "vmlinux",  # the symbols' sizes and code, for profiles
    "vmlinux.o": "vmlinux.o",  # the same before linking, to tell which functions differ
}
#: The most that each may have: some times what the largest debug kernel has.
_MOST_BYTES = {
    "Image": 256 << 20,
    "System.map": 64 << 20,
    "config": 4 << 20,
    "release": 128,
    "vmlinux": 1 << 30,
    "vmlinux.o": 1 << 30,
}
#: What setlocalversion may make of a version, our key and a localversion file.
_RELEASE = re.compile(r"[0-9A-Za-z][0-9A-Za-z.+~_-]{0,63}")
#: A build in a lane that was built in before is counted by these alone.
_COMPILES = re.compile(r"^  (?:CC|AS)\b")
_STEP = re.compile(r"^  (?:CC|AS|AR|LD|HOSTCC|GEN|OBJCOPY|NM|KSYMS|UPD|WRAP|VDSO\w*|HOSTLD)\b")
#: Steps of a build whose count is not known yet; only the first progress bar depends on it.
_FIRST_GUESS_STEPS = 1300
#: Of fewer objects most of the time is linking.
_LEAST_TIMED = 20
_LEAST_TOLD_S = 5


def ingredients(tree: Tree, flavour: Flavour, toolchain: Toolchain) -> dict[str, Json]:
    """Return everything that decides an image's bytes, and which files of a build are kept."""
    return {
        "fixed": dict(FIXED),
        "kept": [*_KEPT],
        "make": [*ARM64.line(_TARGET)],
        "fragment": flavour.fragment,
        "toolchain": toolchain.digest,
        "tree": tree.id,
    }


def shelved(store: Store, tree: Tree, flavour: Flavour, toolchain: Toolchain) -> Image | None:
    """Return the image if it has been built before."""
    made_of = ingredients(tree, flavour, toolchain)
    folder = store.get("images", made_of)
    if folder is None or not _release(folder / "release"):
        return None
    return _image(folder, made_of, tree, flavour)


def build(
    engine: Engine,
    store: Store,
    tree: Tree,
    flavour: Flavour,
    toolchain: Toolchain,
    *,
    lane: Lane,
    story: Story,
) -> Image:
    """Build the tree that is checked out in `lane.source` and shelve its image.

    Raises KconfigDropped when the configuration is not the one asked for, BuildFailed with the
    first error when it does not compile.
    """
    made_of = ingredients(tree, flavour, toolchain)
    name = f"{lane.name}-{flavour.name}"
    under_way = lane.logs / f"under-way-{name}"
    if under_way.exists():
        story.say(f"the last build of {name} was cut short; building from scratch")
        files.remove(lane.objects)
    make = Make(engine, toolchain.image_id, lane, flavour.fragment, release=_local_version(made_of))

    # A make that is killed may leave half a file, which the next one would take for whole.
    under_way.touch()
    try:
        story.say(f"configuring {name}")
        _configure(make, store, tree, flavour, toolchain, lane)
        _compile(make, name, lane, story)
    except (BuildFailed, KconfigDropped):
        under_way.unlink()  # make ended by itself, and cleaned up after itself
        raise
    under_way.unlink()

    with store.publish("images", made_of) as folder:
        _keep(lane.objects, folder)
    return _image(store.entry("images", made_of), made_of, tree, flavour)


def _keep(objects: Path, folder: Path) -> None:
    """Copy what is kept of a build; BuildFailed if a patch had something else put in its place."""
    for kept, where in _KEPT.items():
        try:
            files.copy(objects, where, folder / kept, most_bytes=_MOST_BYTES[kept])
        except Unfit as err:
            raise BuildFailed(f"{err}\n  the build wrote it; the series may be why") from err
    if not _release(folder / "release"):
        raise BuildFailed(
            f"{objects / _KEPT['release']} holds no kernel release\n"
            "  the build wrote it; the series may be why"
        )


def _release(path: Path) -> str:
    """Return a kernel's release as its build wrote it; empty if it is none."""
    text = path.read_bytes().decode("ascii", errors="replace").strip()
    return text if _RELEASE.fullmatch(text) else ""


def _configure(
    make: Make, store: Store, tree: Tree, flavour: Flavour, toolchain: Toolchain, lane: Lane
) -> None:
    """Configure; raise KconfigDropped, with reasons, if a line of the flavour is dropped.

    What the fragment comes to is shelved: make asks a compiler some hundred questions for it, and
    no edit of code changes an answer.
    """
    made_of: dict[str, Json] = {
        "flavour": flavour.fragment,
        "make": [*ARM64.line("allnoconfig")],
        "toolchain": toolchain.digest,
        "tree without code": Repository(tree.source.repository).without_code(tree.commit),
    }

    def fill(folder: Path) -> None:
        (folder / "config").write_text(make.configured())

    config = (store.ensure("configurations", made_of, fill) / "config").read_text()
    make.put(config)
    got = kconfig.settings(config)
    gone = kconfig.dropped(kconfig.settings(flavour.fragment), got)
    if not gone:
        return
    every = kconfig.Definitions(reader(lane.source))
    reasons = "\n".join(
        f"  CONFIG_{drop.symbol}: asked {drop.asked}, got {drop.got}\n"
        f"    {every.explain(drop.symbol, got)}"
        for drop in gone
    )
    raise KconfigDropped(
        f"{tree.source.kernel} {tree.source.version} does not give what flavour "
        f"{flavour.name} asks for\n{reasons}"
    )


@dataclass(frozen=True, slots=True)
class _Pace:
    """What builds in a lane took: steps from nothing, and seconds an object of the last one.

    object_s: 0 where none was long enough to tell.
    """

    steps: int = _FIRST_GUESS_STEPS
    object_s: float = 0.0

    @classmethod
    def read(cls, path: Path) -> "_Pace":
        """Return the pace that was noted, else a first guess."""
        try:
            steps, object_s, *_ = (*path.read_text()[:40].split(), "0")
            return cls(max(int(steps), 1), max(float(object_s), 0.0))
        except (OSError, ValueError):
            return cls()

    def about(self, objects: int) -> str:
        """Return how long so many objects take, as the end of a sentence."""
        seconds = self.object_s * objects
        if not seconds >= _LEAST_TOLD_S:
            return ""
        return f", about {seconds / 60:.0f} min" if seconds >= 90 else f", about {seconds:.0f} s"


def _compile(make: Make, name: str, lane: Lane, story: Story) -> None:
    note = lane.logs / f"steps-{name}"
    pace = _Pace.read(note)
    clean = not files.exists(lane.objects, "System.map")
    expected, counted, unit = pace.steps, _STEP, "steps"
    if not clean:
        price = outdated.outdated(lane.objects, lane.source)
        story.say(f"{price}{pace.about(price.count)}")
        # The version is always compiled: it has the key.
        expected, counted, unit = price.count + 1, _COMPILES, "objects"
    steps = objects = 0
    began = time.monotonic()
    with story.meter(f"building {name}", expected, unit) as meter:

        def count(line: str) -> None:
            nonlocal steps, objects
            objects += bool(_COMPILES.match(line))
            steps += bool(counted.match(line))
            meter.at(min(steps, expected))

        done = make(_TARGET, on_line=count)

    log = lane.logs / f"build-{name}.log"
    log.write_text(done.said + "\n")
    if ended(done, name, log, lane.objects):
        timed = objects >= _LEAST_TIMED
        object_s = (time.monotonic() - began) / objects if timed else pace.object_s
        note.write_text(f"{max(steps, 1) if clean else pace.steps} {object_s:.3f}\n")
        return
    first = next(iter(buildlog.errors(done.said)), "") or tail(done.said)
    raise BuildFailed(f"{name} does not build\n  {first}\n  log: {log}")


def _image(folder: Path, made_of: dict[str, Json], tree: Tree, flavour: Flavour) -> Image:
    return Image(
        key=key(made_of),
        path=folder / "Image",
        # As its build says: localversion files and EXTRAVERSION are part of it.
        release=_release(folder / "release"),
        series=tree.series.name,
        tree_id=tree.id,
        flavour=flavour.name,
    )


def _local_version(made_of: dict[str, Json]) -> str:
    return f"-pb-{key(made_of)[:12]}"
