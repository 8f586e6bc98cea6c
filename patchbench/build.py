# SPDX-License-Identifier: GPL-2.0-only
"""Stage 3: a Tree and a configuration fragment in, an Image out.

The build runs in a container without network, not as root, on a read-only source. Paths,
user, host and time are the same for everybody, so the same key gives the same bytes; the
release string carries the key, so a guest can prove which image it runs.
"""

import os
import re
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from patchbench import kconfig
from patchbench.errors import BuildFailed, KconfigDropped, ToolFailed
from patchbench.model import Flavour, Image, Json, Toolchain, Tree
from patchbench.store import Store, key
from patchbench.story import Story
from patchbench.tools.container import Bind, Engine, Finished, Limits, own

_TARGET = "Image"
_FIXED = {
    "KBUILD_BUILD_HOST": "patchbench",
    "KBUILD_BUILD_TIMESTAMP": "Thu Jan  1 00:00:00 UTC 1970",
    "KBUILD_BUILD_USER": "patchbench",
    "KBUILD_BUILD_VERSION": "1",
}
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
_TIMEOUT_S = 3600


@dataclass(frozen=True, slots=True)
class Bench:
    """The folders that a build works in, all below the cache; `lane` names whose they are.

    compiler_cache is the lane's own. base_cache is what the kernel as it is compiles to; every
    lane reads it, and only that kernel's own writes it (`base`).
    """

    lane: str
    source: Path
    objects: Path
    compiler_cache: Path
    base_cache: Path
    base: bool
    logs: Path


def ingredients(tree: Tree, flavour: Flavour, toolchain: Toolchain) -> dict[str, Json]:
    """Return everything that decides an image's bytes, and which of them are kept."""
    return {
        "fixed": dict(_FIXED),
        "kept": [*_KEPT],
        "make": [*_make_line(_TARGET)],
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
    bench: Bench,
    story: Story,
) -> Image:
    """Build the tree that is checked out in `bench.source` and shelve its image.

    Raises KconfigDropped when the configuration is not the one asked for, BuildFailed with the
    first error when it does not compile.
    """
    made_of = ingredients(tree, flavour, toolchain)
    name = f"{bench.lane}-{flavour.name}"
    under_way = bench.logs / f"under-way-{name}"
    if under_way.exists():
        story.say(f"the last build of {name} was cut off; building from nothing")
        shutil.rmtree(bench.objects, ignore_errors=True)
    make = _Make(engine, toolchain, bench, flavour, release=_local_version(made_of))

    # A make that is killed may leave half a file that the next one takes for whole.
    under_way.touch()
    try:
        story.say(f"configuring {name}")
        _configure(make, tree, flavour, bench)
        _compile(make, name, bench, story)
    except (BuildFailed, KconfigDropped):
        under_way.unlink()  # make ended by itself, and cleared up after itself
        raise
    under_way.unlink()

    with store.publish("images", made_of) as folder:
        for kept, made in _KEPT.items():
            (folder / kept).write_bytes(_made(bench.objects, made))
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


def _configure(make: "_Make", tree: Tree, flavour: Flavour, bench: Bench) -> None:
    """Write .config, only if it differs, so that make sees no change where there is none."""
    aside, final = bench.objects / ".config.new", bench.objects / ".config"
    aside.unlink(missing_ok=True)
    done = make("allnoconfig", environment={"KCONFIG_CONFIG": "/out/.config.new"})
    if done.status != 0:
        raise BuildFailed(f"make allnoconfig failed:\n{_tail(done.said)}")
    got_text = _made(bench.objects, aside.name).decode()
    if final.is_file() and final.read_text() == got_text:
        aside.unlink()
    else:
        aside.replace(final)

    got = kconfig.settings(got_text)
    if gone := kconfig.dropped(kconfig.settings(flavour.fragment), got):
        reasons = "\n".join(
            f"  CONFIG_{drop.symbol}: asked {drop.asked}, got {drop.got}\n"
            f"    {kconfig.explain(drop.symbol, got, _reader(bench.source))}"
            for drop in gone
        )
        raise KconfigDropped(
            f"{tree.source.kernel} {tree.source.version} does not give what flavour "
            f"{flavour.name} asks\n{reasons}"
        )


def _compile(make: "_Make", name: str, bench: Bench, story: Story) -> None:
    counter = bench.logs / f"steps-{name}"
    expected = int(counter.read_text()) if counter.is_file() else _FIRST_GUESS_STEPS
    clean = not (bench.objects / "System.map").exists()
    steps = 0
    with story.meter(f"building {name}", expected, "steps") as meter:

        def count(line: str) -> None:
            nonlocal steps
            steps += bool(_STEP.match(line))
            meter.at(steps)

        done = make(_TARGET, on_line=count)

    log = bench.logs / f"build-{name}.log"
    log.write_text(done.said + "\n")
    if done.status == 0:
        if clean:
            counter.write_text(str(max(steps, 1)))
        return
    if "No space left on device" in done.said:
        raise ToolFailed(f"the disk is full; make room below {bench.objects}, then run again")
    if done.status is None:
        raise ToolFailed(f"{name} was not built within {_TIMEOUT_S} s\n  log: {log}")
    if done.status > 128:  # 128 and the signal's number
        raise ToolFailed(f"make was killed while it built {name}; is memory short?\n  log: {log}")
    raise BuildFailed(
        f"{name} does not build\n  {first_error(done.said) or _tail(done.said)}\n  log: {log}"
    )


class _Make:
    """`make` on one tree, in a container."""

    def __init__(
        self, engine: Engine, toolchain: Toolchain, bench: Bench, flavour: Flavour, *, release: str
    ) -> None:
        self._engine = engine
        self._image = toolchain.image_id
        bench.logs.mkdir(parents=True, exist_ok=True)
        fragment = bench.logs / "fragment.config"
        fragment.write_text(flavour.fragment)
        self._binds = [
            Bind(bench.source, "/src"),
            Bind(own(bench.objects), "/out", writable=True),
            Bind(own(bench.compiler_cache), "/ccache", writable=True),
            Bind(own(bench.base_cache), "/ccache-base", writable=bench.base),
            Bind(fragment, "/fragment"),
        ]
        self._environment = {
            **_FIXED,
            # Dependencies come from the compiler itself: no second preprocessor run on a miss.
            "CCACHE_DEPEND": "1",
            "CCACHE_DIR": "/ccache",
            "CCACHE_NOCOMPRESS": "1",
            "CCACHE_REMOTE_STORAGE": "file:/ccache-base" + ("" if bench.base else "|read-only"),
            **({"CCACHE_REMOTE_ONLY": "1"} if bench.base else {}),
            "HOME": "/tmp",
            "KCONFIG_ALLCONFIG": "/fragment",
            "LOCALVERSION": release,
        }

    def __call__(
        self,
        target: str,
        *,
        environment: Mapping[str, str] | None = None,
        on_line: Callable[[str], None] = lambda _: None,
    ) -> Finished:
        return self._engine.run(
            self._image,
            [*_make_line(target), f"-j{len(os.sched_getaffinity(0)) + 1}"],
            Limits(timeout_s=_TIMEOUT_S),
            binds=self._binds,
            environment={**self._environment, **(environment or {})},
            on_line=on_line,
        )


def _make_line(target: str) -> list[str]:
    compiler = ["CROSS_COMPILE=aarch64-linux-gnu-", "CC=ccache aarch64-linux-gnu-gcc"]
    return ["make", "-C", "/src", "O=/out", "ARCH=arm64", *compiler, target]


def _reader(root: Path) -> Callable[[str], str | None]:
    """Return a reader of the source's files that follows no link out of it."""

    def read(name: str) -> str | None:
        path = root / name
        if not path.resolve().is_relative_to(root.resolve()) or not path.is_file():
            return None
        return path.read_text(errors="replace")

    return read


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


def _made(objects: Path, name: str) -> bytes:
    """Return a file that the build made; a link could lead anywhere on the host."""
    path = objects / name
    if path.resolve() != objects.resolve() / name or not path.is_file():
        raise BuildFailed(f"the build left no regular file {path}; a patch may have seen to that")
    return path.read_bytes()


def _tail(text: str) -> str:
    return "\n".join(f"  {line}" for line in text.splitlines()[-15:])
