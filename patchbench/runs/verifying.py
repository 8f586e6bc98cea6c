# SPDX-License-Identifier: GPL-2.0-only
"""What `verify` does with the pipeline: it makes a published run again, boot by boot."""

import hashlib
import random
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from patchbench.errors import (
    BadInput,
    ClaimFails,
    HostOverloaded,
    NotComparable,
    NotRepeatable,
    PipelineError,
    ToolFailed,
)
from patchbench.model import Arm, ArmNote, Guest, Image, Machine, Plan, Source, Toolchain
from patchbench.pipeline import Pipeline
from patchbench.runs import folder as runs
from patchbench.runs import images, published, recounting
from patchbench.stages import boot, boots
from patchbench.tools import files, signing
from patchbench.tools.qemu import CONSOLE, RESULTS, Hypervisor

#: How many packages of a toolchain are named that are not as they were.
_SHOWN_PACKAGES = 5
HEADINGS = ("what", "published", "here", "says")


@dataclass(frozen=True, slots=True)
class Ingredient:
    """Something that determines a run's bytes, as published and as it is here."""

    name: str
    published: str
    here: str

    @property
    def same(self) -> bool:
        """Return whether it is as published."""
        return self.published == self.here


@dataclass(frozen=True, slots=True)
class Replay:
    """A boot that was repeated; `difference` is empty if it is the same to the byte."""

    machine: str
    series: str
    seed: int
    difference: str


@dataclass(frozen=True, slots=True)
class Verification:
    """The result of `verify`; `unrepeatable` counts the boots of machines that are not exact.

    signed_by: the fingerprint of the key that signed the checksums, empty if none did. reported:
    how many numbers its report has; wrong: those that the logs do not give, in words.
    """

    name: str
    ingredients: tuple[Ingredient, ...]
    replays: tuple[Replay, ...]
    unrepeatable: int
    signed_by: str = ""
    reported: int = 0
    wrong: tuple[str, ...] = ()

    def rows(self) -> list[tuple[str, str, str, str]]:
        """Return ingredients and boots as rows of text, under HEADINGS."""
        rows = [
            (one.name, one.published, one.here, "identical" if one.same else "DIFFERENT")
            for one in self.ingredients
        ]
        if self.reported:
            right, state = (
                self.reported - len(self.wrong),
                "DIFFERENT" if self.wrong else "identical",
            )
            rows.append(("numbers of the report", str(self.reported), str(right), state))
        for one in self.replays:
            what = f"boot {one.machine} {one.series} seed {one.seed}"
            rows.append(
                (what, "", "", f"DIFFERENT: {one.difference}" if one.difference else "identical")
            )
        return rows

    def error(self) -> PipelineError | None:
        """Return the error to end with, if a number of the report or a boot differs."""
        if self.wrong:
            listed = "\n  ".join(self.wrong)
            return ClaimFails(
                f"{len(self.wrong)} of {self.reported} reported numbers are not those of the logs:"
                f"\n  {listed}"
            )
        bad = [one for one in self.replays if one.difference]
        if not bad:
            return None
        moved = [one.name for one in self.ingredients if not one.same]
        if moved:
            return NotComparable(
                f"{len(bad)} of {len(self.replays)} boots differ, and so do their ingredients: "
                + ", ".join(moved)
            )
        return NotRepeatable(
            f"{len(bad)} of {len(self.replays)} boots differ, with the same ingredients: this host "
            "or its QEMU is not deterministic, or the published result is wrong"
        )


def verify(
    pipeline: Pipeline, folder: Path, *, everything: bool, tree: str = "", kept: bool = False
) -> Verification:
    """Build a published run's images again and boot some of its boots, or all.

    tree: a kernel tree of the user's, for a run whose package has left the archive. kept: boot the
    images that were published with it, and build none. Raises, before anything is built, BadInput
    if the folder is not as it was published, and NotComparable if the tree is not the run's.
    """
    signed_by = signing.signer(folder / runs.SUMS)
    runs.check_seal(folder)
    wrong = tuple(recounting.differences(pipeline.root, folder))
    plan = runs.read_plan(folder)
    _go_back(pipeline, plan)
    made = _kept(pipeline, plan, folder) if kept else _built(pipeline, plan, tree)
    tools = pipeline.toolchain
    ingredients = [
        *made.ingredients,
        Ingredient("toolchain", plan.toolchain["toolchain"][:12], tools.digest[:12]),
        *_packages(plan, tools),
        Ingredient("QEMU", plan.toolchain["qemu"], tools.qemu),
        Ingredient("guest", plan.guest[:12], made.guest.key[:12]),
    ]
    exact = [machine for machine in plan.machines if machine.exact]
    todo = [
        (machine, note, replace(arm, guest=made.guest), seed)
        for machine in exact
        for note in plan.arms
        for arm in [pipeline.arm(made.images[note.series], machine, plan.workload)]
        for seed in _some(plan.seeds[machine.name], everything)
    ]
    ingredients += _platforms(plan, {machine.name: arm for machine, _, arm, _ in todo})
    with pipeline.story.meter("replaying", len(todo), "boots") as meter:
        replays = []
        for number, (machine, note, arm, seed) in enumerate(todo):
            meter.at(number)
            replays.append(_replay(pipeline, folder, machine, note, arm, seed))
        meter.at(len(todo))
    return Verification(
        folder.name,
        tuple(ingredients),
        tuple(replays),
        _noisy(plan),
        signed_by,
        recounting.count(folder),
        wrong,
    )


@dataclass(frozen=True, slots=True)
class _Made:
    """What a replay boots, by series, and what it was made of."""

    images: Mapping[str, Image]
    guest: Guest
    ingredients: tuple[Ingredient, ...]


def _kept(pipeline: Pipeline, plan: Plan, folder: Path) -> _Made:
    """Return what was published; whether a compiler makes the same of the patches is not seen."""
    into = pipeline.cache / "work/verify-images"
    files.remove(into)
    found, guest = images.unpack(folder, plan, into)
    return _Made(found, guest, ())


def _built(pipeline: Pipeline, plan: Plan, tree: str) -> _Made:
    """Return what this checkout and this compiler make."""
    source = pipeline.source(plan.kernel, tree) if tree else _packaged(pipeline, plan)
    ingredients = [Ingredient("kernel", plan.version, source.version)]
    if tree:
        _check_trees(pipeline, plan, source)
    else:
        ingredients.append(Ingredient("kernel package", plan.provenance, source.provenance))
        if plan.tarball_sha256 and source.tarball_sha256:
            theirs, ours = plan.tarball_sha256[:12], source.tarball_sha256[:12]
            ingredients.append(Ingredient("kernel tarball", theirs, ours))
    built = {}
    for note in plan.arms:
        applied = pipeline.apply(source, note.series)
        image = built[note.series] = pipeline.image(applied, plan.flavour)
        ingredients.append(Ingredient(f"tree {note.series}", note.tree_id[:12], applied.id[:12]))
        ingredients.append(Ingredient(f"image {note.series}", note.image[:12], image.key[:12]))
    return _Made(built, pipeline.guest(plan.workload.program), tuple(ingredients))


def _packaged(pipeline: Pipeline, plan: Plan) -> Source:
    """Return the package that a run built; from the archive's snapshots if it has moved on.

    Raises NotComparable if it has, and no snapshot answers.
    """
    here = pipeline.source(plan.kernel)
    if here.provenance == plan.provenance or not plan.fetched:
        return here
    snapshot = _snapshot(plan)
    pipeline.story.say(
        f"the run built {plan.provenance}, and {here.provenance} is here: "
        f"Debian's archive is read as of {snapshot}"
    )
    try:
        package = plan.provenance.partition(" ")[0]
        return pipeline.source_at(plan.kernel, package, snapshot) or here
    except (ToolFailed, BadInput) as err:
        raise NotComparable(
            f"the run built {plan.provenance}, {here.provenance} is here, and its snapshot cannot "
            f"be had: {err}\n  --tree PATH takes a kernel tree of yours, --images boots what was "
            "published with a run"
        ) from err


def _go_back(pipeline: Pipeline, plan: Plan) -> None:
    """Have a pipeline build and boot with the packages of a run's toolchain, if they can be had."""
    if not plan.fetched or set(plan.packages) <= set(pipeline.toolchain.packages):
        return
    snapshot = _snapshot(plan)
    pipeline.story.say(f"the toolchain has changed since: it is built as of {snapshot}")
    try:
        pipeline.toolchain = pipeline.toolchain_at(snapshot)
    except ToolFailed as err:
        why = str(err).splitlines()[-1].strip()
        pipeline.story.say(f"that cannot be had ({why}); today's toolchain is taken")


def _snapshot(plan: Plan) -> str:
    """Return when a run's package was fetched, as the archive's snapshots are named."""
    try:
        fetched = datetime.fromisoformat(plan.fetched)
    except ValueError as err:
        raise BadInput(f"run {plan.run}: fetched {plan.fetched!r} is no time") from err
    return fetched.astimezone(UTC).strftime("%Y%m%dT%H%M%SZ")


def _packages(plan: Plan, tools: Toolchain) -> Iterator[Ingredient]:
    """Give the toolchain's packages that a run had otherwise, the first of them."""
    theirs, ours = (
        {one.partition("=")[0]: one for one in of} for of in (plan.packages, tools.packages)
    )
    moved = [name for name, one in theirs.items() if ours.get(name) != one]
    for name in moved[:_SHOWN_PACKAGES]:
        version = ours.get(name, "").partition("=")[2]
        yield Ingredient(f"package {name}", theirs[name].partition("=")[2], version or "none")
    if more := len(moved[_SHOWN_PACKAGES:]):
        yield Ingredient("more such packages", "", str(more))


def _check_trees(pipeline: Pipeline, plan: Plan, source: Source) -> None:
    """Raise NotComparable if a source, with the series of an arm, is another tree than the run's.

    Two trees of one id have the same files, wherever they come from.
    """
    for note in plan.arms:
        found = pipeline.apply(source, note.series).id
        if found != note.tree_id:
            raise NotComparable(
                f"{source.provenance} with {note.series} is tree {found[:12]}, and the run built "
                f"{note.tree_id[:12]}: check out {plan.version} as {plan.provenance} has it"
            )


def _platforms(plan: Plan, arms: Mapping[str, Arm]) -> Iterator[Ingredient]:
    """Give what QEMU loads for each machine with a clock for each vCPU."""
    for name, arm in arms.items():
        if arm.platform:
            what = f"platform {name}"
            yield Ingredient(what, plan.toolchain.get(what, "")[:12], arm.platform.key[:12])


def _some(seeds: Iterable[int], everything: bool) -> list[int]:
    """Return all seeds, or one of them: another each time, so that all get their turn."""
    return [*seeds] if everything else [random.choice([*seeds])]  # not for secrets


def _noisy(plan: Plan) -> int:
    return sum(len(plan.arms) * len(plan.seeds[one.name]) for one in plan.machines if not one.exact)


def _replay(
    pipeline: Pipeline, folder: Path, machine: Machine, note: ArmNote, arm: Arm, seed: int
) -> Replay:
    out = pipeline.cache / "work/verify"
    files.remove(out)
    ran = boot.run(Hypervisor(pipeline.engine, pipeline.toolchain), arm, seed, out)
    if not ran.orderly and (why := ran.ended_by_host or boot.find_overload(ran.host)):
        raise HostOverloaded(f"{note.series} seed {seed} did not finish when booted again; {why}")
    theirs = published.results_log(folder, machine.name, note.series, seed).read_bytes()
    ours = boot.read_log(out, RESULTS) or b""
    difference = boots.describe_difference(theirs, ours)
    if not difference:
        console = published.note_of(folder, machine.name, note.series, seed).console_sha256
        same = hashlib.sha256(boot.read_log(out, CONSOLE) or b"").hexdigest() == console
        difference = "" if same else "the console, not the results"
    return Replay(machine.name, note.series, seed, difference)
