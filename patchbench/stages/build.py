# SPDX-License-Identifier: GPL-2.0-only
"""Stage 3: a Tree and a configuration fragment in, an Image out.

The build runs in a container without network, not as root, on a read-only source. Paths,
user, host and time are the same for everybody, so the same key gives the same bytes; the
release string carries the key, so a guest can prove which image it runs.
"""

import re
import shutil
from pathlib import Path

from patchbench.errors import BuildFailed, KconfigDropped
from patchbench.model import Flavour, Image, Json, Toolchain, Tree
from patchbench.stages import kconfig
from patchbench.stages.make import ARM64, FIXED, Lane, Make, ended, made, reader, tail
from patchbench.store import Store, key
from patchbench.story import Story
from patchbench.tools.container import Engine

_TARGET = "Image"
_KEPT = {
    "Image": "arch/arm64/boot/Image",
    "System.map": "System.map",
    "config": ".config",
    "release": "include/config/kernel.release",
    "vmlinux": "vmlinux",  # the symbols' sizes and code, for profiles
    "vmlinux.o": "vmlinux.o",  # the same before linking, to tell which functions differ
}
_STEP = re.compile(r"^  (?:CC|AS|AR|LD|HOSTCC|GEN|OBJCOPY|NM|KSYMS|UPD|WRAP|VDSO\w*|HOSTLD)\b")
_ERROR = re.compile(
    r"^(?P<where>\S+?:\d+)(?::\d+)?: (?:fatal )?error: (?P<what>.*)$"
    r"|^(?:\S*ld: )?(?P<link>.*(?:undefined reference to|multiple definition of) .*)$"
    r"|^make\S*: \*\*\* (?P<make>.*)$"
)
#: Steps of a build whose count is not known yet; only the first progress bar depends on it.
_FIRST_GUESS_STEPS = 1300


def ingredients(tree: Tree, flavour: Flavour, toolchain: Toolchain) -> dict[str, Json]:
    """Return everything that decides an image's bytes, and which of them are kept."""
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
    return _image(folder, made_of, tree, flavour) if folder else None


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
        story.say(f"the last build of {name} was cut off; building from nothing")
        shutil.rmtree(lane.objects, ignore_errors=True)
    make = Make(engine, toolchain.image_id, lane, flavour.fragment, release=_local_version(made_of))

    # A make that is killed may leave half a file that the next one takes for whole.
    under_way.touch()
    try:
        story.say(f"configuring {name}")
        _configure(make, tree, flavour, lane)
        _compile(make, name, lane, story)
    except (BuildFailed, KconfigDropped):
        under_way.unlink()  # make ended by itself, and cleared up after itself
        raise
    under_way.unlink()

    with store.publish("images", made_of) as folder:
        for kept, where in _KEPT.items():
            (folder / kept).write_bytes(made(lane.objects, where))
    return _image(store.entry("images", made_of), made_of, tree, flavour)


def first_error(log: str) -> str | None:
    """Return the first error of a build log as `file:line: what`, or None if it has none."""
    matches = [match for line in log.splitlines() if (match := _ERROR.match(line))]
    compiler = [match for match in matches if match["where"] or match["link"]]
    for match in [*compiler, *matches]:
        if match["where"]:
            return f"{match['where'].removeprefix('/src/')}: {match['what']}"
        return match["link"] or match["make"]
    return None


def _configure(make: Make, tree: Tree, flavour: Flavour, lane: Lane) -> None:
    """Configure; raise KconfigDropped, with reasons, if not as the flavour asks."""
    got = kconfig.settings(make.configure())
    if gone := kconfig.dropped(kconfig.settings(flavour.fragment), got):
        reasons = "\n".join(
            f"  CONFIG_{drop.symbol}: asked {drop.asked}, got {drop.got}\n"
            f"    {kconfig.explain(drop.symbol, got, reader(lane.source))}"
            for drop in gone
        )
        raise KconfigDropped(
            f"{tree.source.kernel} {tree.source.version} does not give what flavour "
            f"{flavour.name} asks\n{reasons}"
        )


def _compile(make: Make, name: str, lane: Lane, story: Story) -> None:
    counter = lane.logs / f"steps-{name}"
    expected = int(counter.read_text()) if counter.is_file() else _FIRST_GUESS_STEPS
    clean = not (lane.objects / "System.map").exists()
    steps = 0
    with story.meter(f"building {name}", expected, "steps") as meter:

        def count(line: str) -> None:
            nonlocal steps
            steps += bool(_STEP.match(line))
            meter.at(steps)

        done = make(_TARGET, on_line=count)

    log = lane.logs / f"build-{name}.log"
    log.write_text(done.said + "\n")
    if ended(done, name, log, lane.objects):
        if clean:
            counter.write_text(str(max(steps, 1)))
        return
    raise BuildFailed(
        f"{name} does not build\n  {first_error(done.said) or tail(done.said)}\n  log: {log}"
    )


def _image(folder: Path, made_of: dict[str, Json], tree: Tree, flavour: Flavour) -> Image:
    return Image(
        key=key(made_of),
        path=folder / "Image",
        # The kernel's own word: localversion files and EXTRAVERSION have a say in it.
        release=(folder / "release").read_text().strip(),
        series=tree.series.name,
        tree_id=tree.id,
        flavour=flavour.name,
    )


def _local_version(made_of: dict[str, Json]) -> str:
    return f"-pb-{key(made_of)[:12]}"
