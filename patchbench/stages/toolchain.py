# SPDX-License-Identifier: GPL-2.0-only
"""Stage 0: a recipe such as configs/toolchain in, the Toolchain image out."""

import re
from collections.abc import Callable, Mapping
from pathlib import Path

from patchbench.errors import BadInput, ToolFailed
from patchbench.model import Json, Toolchain
from patchbench.store import Store, file_sha256, key
from patchbench.story import Story
from patchbench.tools.container import Engine, Limits

BASE = "debian:trixie-slim"
_BASE_TAG = "patchbench/base:trixie"
#: The label that says where an image's base came from; one from a registry has none.
ORIGIN_LABEL = "patchbench.base"
#: What brings a kernel's source; a base of another time has it as well.
_FETCH = "fetch-source"
_SNAPSHOT = re.compile(r"\d{8}T\d{6}Z", re.ASCII)


def ensure(
    engine: Engine,
    store: Store,
    recipe: Path,
    story: Story,
    *,
    bootstrap_base: Callable[[str], None],
    snapshot: str = "",
) -> Toolchain:
    """Return the toolchain image of the recipe folder, building what is not there yet.

    `bootstrap_base` makes the base image, under the tag it is given, where no registry answers.
    snapshot: build it as it would have been built then, see `ensure_base`.
    """
    sums, tag = _sums(recipe), _tag(recipe, snapshot)
    if engine.image_id(tag) is None:
        if snapshot:
            base = ensure_base(
                engine, recipe, story, bootstrap_base=bootstrap_base, snapshot=snapshot
            )
        else:
            base = _base(engine, story, bootstrap_base)
        _build(engine, recipe, tag, base=base, story=story)
    return _describe(engine, store, tag, sums)


def is_there(engine: Engine, recipe: Path) -> bool:
    """Return whether today's image of a recipe has been built."""
    return engine.image_id(_tag(recipe, "")) is not None


def ensure_base(
    engine: Engine,
    recipe: Path,
    story: Story,
    *,
    bootstrap_base: Callable[[str], None],
    snapshot: str = "",
) -> str:
    """Return the tag of a base image with what fetches a kernel's source, built if need be.

    snapshot: as Debian's archive was then, a time in UTC, as 20261126T171041Z. Whatever apt brings
    into the image later is of that time too. apt knows where Debian's snapshots are, and a mirror
    may say where its own are. Raises BadInput for another text, ToolFailed if it cannot be had.
    """
    if snapshot and not _SNAPSHOT.fullmatch(snapshot):
        raise BadInput(f"snapshot {snapshot!r} is no time in UTC such as 20261126T171041Z")
    with_fetching = recipe.parent / "toolchain-base"
    sums = {**_sums(with_fetching), _FETCH: file_sha256(recipe / _FETCH)}
    tag = f"patchbench/base:{snapshot or 'now'}-{key({'files': dict(sums)})[:12]}"
    if engine.image_id(tag) is None:
        _build(
            engine, with_fetching, tag, base=_base(engine, story, bootstrap_base), story=story,
            more={_FETCH: (recipe / _FETCH).read_bytes()}, arguments={"SNAPSHOT": snapshot},
        )  # fmt: skip
    return tag


def extend(
    engine: Engine, store: Store, toolchain: Toolchain, recipe: Path, story: Story
) -> Toolchain:
    """Return the image that a recipe makes of a toolchain, built if it is not there yet."""
    sums = _sums(recipe)
    tag = f"patchbench/{recipe.name}:{key({'base': toolchain.image_id, 'files': dict(sums)})[:12]}"
    if engine.image_id(tag) is None:
        _build(engine, recipe, tag, base=toolchain.image_id, story=story)
    return _describe(engine, store, tag, sums)


def _tag(recipe: Path, snapshot: str) -> str:
    then = {"snapshot": snapshot} if snapshot else {}
    return f"patchbench/{recipe.name}:{key({'files': dict(_sums(recipe)), **then})[:12]}"


def _sums(recipe: Path) -> dict[str, str]:
    return {path.name: file_sha256(path) for path in sorted(recipe.iterdir()) if path.is_file()}


def _build(
    engine: Engine,
    recipe: Path,
    tag: str,
    *,
    base: str,
    story: Story,
    more: Mapping[str, bytes] | None = None,
    arguments: Mapping[str, str] | None = None,
) -> None:
    """Build a recipe's image on a base, and pass on where that came from."""
    files = {path.name: path.read_bytes() for path in sorted(recipe.iterdir()) if path.is_file()}
    origin = engine.labels(base).get(ORIGIN_LABEL, "registry")
    with story.meter(f"{recipe.name} image", 400, "packages") as meter:
        unpacked = 0

        def count(line: str) -> None:
            nonlocal unpacked
            unpacked += line.startswith(("Unpacking", "Setting up"))
            meter.at(unpacked)

        engine.build(
            {**files, **(more or {})},
            tag,
            arguments={"BASE": base, **(arguments or {})},
            labels={ORIGIN_LABEL: origin},
            on_line=count,
        )


def _base(engine: Engine, story: Story, bootstrap_base: Callable[[str], None]) -> str:
    """Return the tag of the base image, brought or made if it is not there yet."""
    if engine.image_id(_BASE_TAG) is None:
        story.say(f"toolchain: asking the registry for {BASE}")
        if not engine.pull(BASE, _BASE_TAG):
            story.say(
                "toolchain: no registry answers, bootstrapping the base from Debian's archive"
            )
            bootstrap_base(_BASE_TAG)
    return _BASE_TAG


def _describe(engine: Engine, store: Store, tag: str, sums: dict[str, str]) -> Toolchain:
    image_id = engine.image_id(tag) or tag
    ingredients: dict[str, Json] = {"image": image_id, "files": dict(sums)}

    def fill(new: Path) -> None:
        (new / "toolchain.txt").write_text(_interrogate(engine, tag))

    shelved = store.ensure("toolchain", ingredients, fill)
    packages, _, rest = (shelved / "toolchain.txt").read_text().partition("\n\n")
    gcc, binutils, qemu, busybox = rest.splitlines()
    return Toolchain(
        image_id=image_id,
        digest=key({"busybox": busybox, "files": dict(sums), "packages": packages}),
        base=engine.labels(tag).get(ORIGIN_LABEL, "unknown"),
        gcc=gcc,
        binutils=binutils.rpartition(" ")[2],
        qemu=qemu.removeprefix("QEMU emulator version "),
        packages=tuple(packages.splitlines()),
    )


def _interrogate(engine: Engine, tag: str) -> str:
    """Return the packages of the image, an empty line, and four lines on its tools."""
    done = engine.run(tag, ["describe-toolchain"], Limits(timeout_s=60))
    if done.status != 0 or len(done.said.partition("\n\n")[2].splitlines()) != 4:
        raise ToolFailed(f"the toolchain image {tag} is broken:\n{done.said[-2000:]}")
    return done.said
