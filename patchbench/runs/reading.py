# SPDX-License-Identifier: GPL-2.0-only
"""What a run says: the plan and the logs of its folder in, a Comparison out."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TypeAlias

from patchbench import noise
from patchbench.binaries import codemap
from patchbench.catalog import Catalog
from patchbench.errors import (
    BootFailed,
    HostOverloaded,
    KernelSplat,
    LostGuest,
    NotEngaged,
    PipelineError,
)
from patchbench.model import PER_PAGE, ArmNote, Boot, Comparison, Delta, Plan
from patchbench.noise import Floors
from patchbench.profile import proof
from patchbench.runs import across, archive, folder
from patchbench.stages import boot
from patchbench.stages import compare as stage

#: A comparison, and its boots.
Compared: TypeAlias = tuple[Comparison, list[Boot]]

#: Why a run of two equal kernels has no boots.
_NOTHING_TO_MEASURE = (
    "both kernels are the same byte for byte, except for their names, build ids and the line "
    "numbers of warnings (`bench --fresh` boots them anyway)"
)


def read(root: Path, run: Path) -> Compared:
    """Return what the run in a folder says of its first test arm, and their boots, lost included.

    A run without its seal is invalid. Raises BadInput if the plan is broken or too new, or a
    sealed file was changed.
    """
    return read_all(root, run)[0]


def read_all(root: Path, run: Path, *, pairs: bool = False) -> list[Compared]:
    """Return what a run says of each test arm against its base, each as `read` does.

    pairs: then also of each test arm against those before it.
    """
    plan, boots = _read(root, run)
    base, *tests = plan.arms
    arm_pairs = [(base, test) for test in tests]
    if pairs:
        arm_pairs += [(one, other) for at, other in enumerate(tests) for one in tests[:at]]
    return [
        (_with_seal(_compare(root, run, plan, pair, boots), run), [*_of(boots, plan.pair(*pair))])
        for pair in arm_pairs
    ]


def comparison(root: Path, run: Path) -> Comparison:
    """Return what the run in a folder says, as `read` does."""
    return read(root, run)[0]


def compare(root: Path, run: Path, plan: Plan, boots: Sequence[Boot]) -> Comparison:
    """Return what boots of a run say of its first test arm, finished or not.

    Two equal kernels without a boot have nothing to measure, which is no fault of the run.
    """
    return _compare(root, run, plan, (plan.base, plan.test), boots)


def _compare(
    root: Path, run: Path, whole: Plan, pair: tuple[ArmNote, ArmNote], everybodys: Sequence[Boot]
) -> Comparison:
    """Return what boots say of two arms, with all else that the run's folder holds of them."""
    plan, against_base = whole.pair(*pair), pair[0] == whole.base
    boots, place = [*_of(everybodys, plan)], folder.arm_folder(run, whole, plan.test)
    code = codemap.read(place) if against_base and codemap.kept(place) else None
    if code and code.equal and not any(run.glob(f"boots/*/{plan.test.series}")):
        nothing = Comparison(plan, (), {}, (), (), (), ())
        return replace(nothing, nothing_to_measure=_NOTHING_TO_MEASURE, code=code)
    profiles = {path.stem: path.read_text() for path in sorted(run.glob("profile/*.svg"))}
    compared = _with_floors(root, stage.compare(plan, boots, Catalog(root).metric_notes()))
    kept = proof.read(place) if against_base else None
    nothing_ran = [] if kept is None else stage.nothing_ran(plan, compared.engaged, kept)
    return replace(
        compared,
        code=code,
        proof=kept,
        profiles=profiles,
        invalid=(*compared.invalid, *nothing_ran),
    )


def _of(boots: Iterable[Boot], plan: Plan) -> Iterator[Boot]:
    """Give the boots of a plan's arms."""
    names = {arm.series for arm in plan.arms}
    return (boot for boot in boots if boot.series in names)


def comparisons(root: Path) -> Iterator[tuple[str, Comparison | PipelineError]]:
    """Give every run's name and what it says, or why it cannot be read, oldest first."""
    for name, run in archive.benches(root / "results").items():
        try:
            yield name, comparison(root, run)
        except PipelineError as err:
            yield name, err


def compare_arms(root: Path, base: str, test: str, machines: Sequence[str]) -> Comparison:
    """Return one stored arm compared with another, each named as RUN or RUN:SERIES.

    A run alone stands for its test arm. Raises NotComparable as across.join does.
    """
    sides = []
    for name in (base, test):
        run, _, series = name.partition(":")
        place = archive.find_bench(root / "results", run)
        plan, boots = _read(root, place)
        sides.append((place, plan, across.arm(plan, series), boots))
    (here, ours, base_arm, base_boots), (there, theirs, test_arm, test_boots) = sides
    plan = across.join((ours, base_arm), (theirs, test_arm), machines)
    compared = stage.compare(
        plan,
        [
            *across.boots(base_boots, base_arm.series, plan.base.series, plan),
            *across.boots(test_boots, test_arm.series, plan.test.series, plan),
        ],
        Catalog(root).metric_notes(),
    )
    return _with_floors(root, _with_seal(_with_seal(compared, here), there))


def verdict_error(compared: Comparison) -> PipelineError | None:
    """Return why a comparison cannot be relied on, as the error to end with."""
    if compared.failures and all(boot.NOT_BOOTED in failure for failure in compared.failures):
        return LostGuest(
            f"the run was cut off: {len(compared.failures)} boots were never made\n"
            f"  make it again: {compared.plan.command}"
        )
    if compared.failures:
        # The worst of them: 24, then 23, and 30 only where the host alone is to blame.
        statuses = compared.failure_statuses
        kinds: tuple[type[BootFailed], ...] = (KernelSplat, LostGuest, HostOverloaded)
        kind = next((kind for kind in kinds if kind.exit_code in statuses), LostGuest)
        return kind(f"{len(compared.failures)} boots gave no usable samples; the report says which")
    if compared.invalid:
        return NotEngaged("\n  ".join(compared.invalid))
    return None


def _read(root: Path, run: Path) -> tuple[Plan, list[Boot]]:
    plan = folder.read_plan(run)
    if folder.is_sealed(run):
        folder.check_seal(run)
    return plan, folder.read_boots(root, run, plan)


def _with_floors(root: Path, compared: Comparison) -> Comparison:
    """Return a comparison with the noise floors that were measured under its conditions.

    With too few pairs for an interval there is none: of two pairs any change may be noise.
    """
    floors = noise.floors(root, compared.plan)
    deltas = (
        _with_floor(one, floors[one.machine])
        if one.low_pct is not None and one.machine in floors
        else one
        for one in compared.deltas
    )
    return replace(compared, deltas=tuple(deltas))


def _with_floor(delta: Delta, floors: Floors) -> Delta:
    name, per_page, pairs = delta.metric.name, delta.per_page, len(delta.values)
    if per_page:
        per_page = replace(per_page, floor_pct=floors.floor_pct(name + PER_PAGE, pairs))
    return replace(delta, floor_pct=floors.floor_pct(name, pairs), per_page=per_page)


def _with_seal(compared: Comparison, run: Path) -> Comparison:
    """Return the comparison, invalid if the run was not finished."""
    if folder.is_sealed(run):
        return compared
    return replace(
        compared, invalid=(*compared.invalid, f"the run did not finish: it has no {folder.SUMS}")
    )
