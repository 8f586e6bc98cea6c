# SPDX-License-Identifier: GPL-2.0-only
"""What `study` does with the pipeline: run a plan leg by leg, and carry on where it stopped.

A study's folder, results/studies/STUDY, holds study.json: the plan, and the state of each leg.
Every leg is an ordinary run in results/runs/, named after study and leg.
"""

import shlex
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from patchbench import store
from patchbench.catalog import adapter
from patchbench.errors import BadInput
from patchbench.model import NONE, Json, Source
from patchbench.pipeline import Pipeline
from patchbench.story import Story
from patchbench.study import evidence, loading, looks
from patchbench.study import folder as studies
from patchbench.study import plan as plans
from patchbench.study.folder import LegEntry, Logbook
from patchbench.study.plan import Leg, Scale, StudyPlan
from patchbench.study.running import Runner
from patchbench.tools.git import Repository

#: How long a boot takes, until one of this study was timed.
_BOOT_S = 3.5
#: How long a leg takes beside its boots.
_LEG_S = 2.0


@dataclass(frozen=True, slots=True)
class StudyRequest:
    """What `study` was asked for; empty `only` and `kernels` mean all."""

    series: str
    scale: Scale = "small"
    only: tuple[str, ...] = ()
    kernels: tuple[str, ...] = ()
    budget_s: float | None = None
    fresh: bool = False
    until_decided: bool = False

    @property
    def looks(self) -> int:
        """Return how many times a leg whose rules stay undecided is looked at."""
        return looks.MOST if self.until_decided else 1

    def command(self) -> str:
        """Return the one command that repeats the study."""
        words = [f"./bootstrap study --series {self.series} --scale {self.scale}"]
        words += [f"--only {shlex.quote(','.join(self.only))}"] if self.only else []
        words += [f"--kernel {','.join(self.kernels)}"] if self.kernels else []
        words += [f"--budget {self.budget_s:.0f}s"] if self.budget_s else []
        words += ["--until-decided"] if self.until_decided else []
        return " ".join(words)


def study_series(pipeline: Pipeline, request: StudyRequest) -> Path:
    """Run what is left of a study, and return its folder; a leg that fails stops no other.

    Raises BadInput before the first boot, for a plan that cannot run or a name that it lacks.
    """
    plan = loading.load(pipeline.root, request.series)
    every = plans.legs(plan, request.scale)
    asked = plans.needed(plan, every, request.only) if request.only else every
    for kernel in request.kernels:
        pipeline.catalog.kernel(kernel)
    asked = tuple(leg for leg in asked if not request.kernels or leg.kernel in request.kernels)
    if not asked:
        names = [f"--only {','.join(request.only)}"] if request.only else []
        names += [f"--kernel {','.join(request.kernels)}"] if request.kernels else []
        raise BadInput(f"{' '.join(names)} selects no cell of {plans.FOLDER}/{plan.name}.toml")
    for leg in asked:
        pipeline.check_machine(pipeline.catalog.machine(leg.machine))
    folder, logbook = _begin(pipeline, plan, every, request)
    runner = Runner(pipeline, folder, logbook, fresh=request.fresh)
    began = time.monotonic()
    while asked:
        gone = time.monotonic() - began
        left = None if request.budget_s is None else max(request.budget_s - gone, 0.0)
        walk(logbook, asked, left, pipeline.story, runner)
        beyond = keep_earlier_looks(logbook)
        studies.save(folder, logbook)
        asked = tuple(leg for leg in asked if leg.key not in beyond)
        asked = _look_again(pipeline, folder, logbook, asked, request.only)
    return folder


def keep_earlier_looks(logbook: Logbook) -> set[str]:
    """Give legs whose next look is beyond the budget back the one before; return which."""
    beyond = [one for one in logbook.legs if one.state == "skipped" and one.looked > 1]
    for one in beyond:
        one.leg = replace(one.leg, seeds=one.leg.seeds // 2)
        one.looked, one.state, one.why = one.looked - 1, "done", ""
    return {one.leg.key for one in beyond}


def _look_again(
    pipeline: Pipeline, folder: Path, logbook: Logbook, asked: Sequence[Leg], only: Sequence[str]
) -> tuple[Leg, ...]:
    """Reopen the legs whose rules are undecided, with twice the seeds, and return them.

    only: the statements whose rules count; empty for all of them and the controls.
    """
    if logbook.looks == 1:
        return ()
    study = evidence.study_of(pipeline.root, folder)
    judged = [those for those in study.conclusions if not only or those.statement.id in only]
    weighed = [one for those in judged for one in those.weighed]
    weighed += [] if only else study.controls
    looked = {one.leg.key: one.looked for one in logbook.legs if one.state == "done"}
    names = looks.to_look_again(weighed, logbook.plan.rules, looked, logbook.looks)
    names &= {leg.key for leg in asked}
    again = [one for one in logbook.legs if one.leg.key in names]
    for one in again:
        one.leg = replace(one.leg, seeds=2 * one.leg.seeds)
        one.looked, one.state = one.looked + 1, "to do"
    if again:
        pipeline.story.say(f"study: {len(again)} legs stay undecided; each gets twice its seeds")
    return tuple(one.leg for one in again)


def walk(
    logbook: Logbook,
    asked: Sequence[Leg],
    budget_s: float | None,
    story: Story,
    run: Callable[[LegEntry, Sequence[LegEntry]], None],
    clock: Callable[[], float] = time.monotonic,
) -> None:
    """Run the legs that are asked for and not done, in their order, as far as the budget goes.

    run: runs a leg, and enters its state and how long it took; it is told which come after it,
    as far as the budget goes.
    """
    began = clock()
    by_key = {one.leg.key: one for one in logbook.legs}
    todo = [by_key[leg.key] for leg in asked if by_key[leg.key].state != "done"]
    done = len(asked) - len(todo)
    for place, one in enumerate(todo):
        gone, left = clock() - began, sum(estimate(logbook, each) for each in todo[place:])
        wanted = estimate(logbook, one)
        if budget_s is not None and gone + wanted > budget_s:
            one.state, one.why = "skipped", f"skipped, beyond the budget of {budget_s:.0f} s"
            story.say(f"study: {one.leg.key} skipped, beyond the budget")
            continue
        story.say(
            f"study: {done + place} of {len(asked)} legs, {gone / 60:.0f} min gone, "
            f"about {left / 60:.0f} min left; next: {one.leg.key}"
        )
        run(one, [*_within(logbook, todo[place + 1 :], budget_s and budget_s - gone - wanted)])


def _within(
    logbook: Logbook, legs: Sequence[LegEntry], budget_s: float | None
) -> Iterator[LegEntry]:
    """Give the legs until one is beyond the budget."""
    for one in legs:
        if budget_s is not None:
            budget_s -= estimate(logbook, one)
            if budget_s < 0:
                return
        yield one


def estimate(logbook: Logbook, one: LegEntry) -> float:
    """Return how many seconds a leg may take, from the time per boot of others on its machine.

    Those with its workload tell most; where none was on its machine yet, all do. A first look is
    taken to be shelved as far as theirs were. What is new of a later one is taken to be on no
    shelf, so only boots that were made tell how long it takes.
    """
    later = one.looked > 1
    boots = one.leg.boots / 2 if later else one.leg.boots  # half are of the look before
    timed = [
        (each.leg, each.seconds, each.booted if later else each.leg.boots)
        for each in logbook.legs
        if each.seconds and (each.booted or not later)
    ]
    there = [each for each in timed if each[0].machine == one.leg.machine]
    alike = [each for each in there if each[0].workload == one.leg.workload]
    nearest = alike or there or timed
    if not nearest:
        return _LEG_S + boots * _BOOT_S
    return boots * sum(seconds for _, seconds, _ in nearest) / sum(made for *_, made in nearest)


def _begin(
    pipeline: Pipeline, plan: StudyPlan, every: Sequence[Leg], request: StudyRequest
) -> tuple[Path, Logbook]:
    """Return the newest study of these legs on these trees to carry on with, or a new one.

    It is carried on if it is not finished, or if its statements were reworded since: other
    statements about the same legs need no boot.
    """
    sources = {kernel: pipeline.source(kernel) for kernel in {leg.kernel for leg in every}}
    logbook = Logbook(
        study=pipeline.new_name(f"study-{request.series}-{request.scale}"),
        command=request.command(),
        made_of=_made_of(pipeline, every, request),
        scale=request.scale,
        plan=plan,
        legs=[LegEntry(leg) for leg in every],
        versions={kernel: source.version for kernel, source in sources.items()},
        looks=request.looks,
        lines=_lines(pipeline, plan, sources),
    )
    begun = None if request.fresh else _newest(pipeline, logbook.made_of)
    if begun and (begun.plan != plan or any(one.state != "done" for one in begun.legs)):
        done = {one.leg.key: one for one in begun.legs if one.state == "done"}
        logbook.study, logbook.proved = begun.study, begun.proved
        logbook.legs = [_carried_on(done.get(leg.key), leg) for leg in every]
    folder = pipeline.results / "studies" / logbook.study
    folder.mkdir(parents=True, exist_ok=True)
    studies.save(folder, logbook)
    pipeline.story.say(f"study {logbook.study}")
    return folder, logbook


def _lines(
    pipeline: Pipeline, plan: StudyPlan, sources: Mapping[str, Source]
) -> dict[str, tuple[int, int]]:
    """Return how many lines each series of a table of designs adds to the first kernel."""
    if not plan.designs:
        return {}
    source = next(iter(sources.values()))
    repository = Repository(source.repository)
    trees = {name: pipeline.apply(source, name) for name in (plan.series, *plan.rivals)}
    return {name: repository.lines(source.commit, tree.commit) for name, tree in trees.items()}


def _carried_on(done: LegEntry | None, leg: Leg) -> LegEntry:
    """Return the entry of a leg, with the seeds of a later look where there was one."""
    if done is None:
        return LegEntry(leg)
    return replace(done, leg=replace(leg, seeds=done.leg.seeds))


def _newest(pipeline: Pipeline, made_of: str) -> Logbook | None:
    for folder in sorted((pipeline.results / "studies").glob("*/"), reverse=True):
        try:
            logbook = studies.read(folder)
        except BadInput as err:
            pipeline.story.say(f"study: skipped one that cannot be read: {err}")
            continue
        if logbook.made_of == made_of:
            return logbook
    return None


def _made_of(pipeline: Pipeline, every: Sequence[Leg], request: StudyRequest) -> str:
    """Return the key of everything that decides the measurements: a changed patch changes it."""
    arms = {(leg.kernel, name) for leg in every for name in (leg.series, NONE)}
    trees: dict[str, Json] = {
        f"{kernel} {name}": pipeline.apply(pipeline.source(kernel), name).id
        for kernel, name in sorted(arms)
    }
    programs = {pipeline.catalog.workload(leg.workload).program for leg in every}
    guests: dict[str, Json] = {name: pipeline.guest(name).key for name in sorted(programs)}
    legs = sorted((leg.measured for leg in every), key=lambda leg: leg.key)
    stored: Json = adapter(list[Leg]).dump_python(legs, mode="json")
    return store.key(
        {
            "legs": stored,
            "scale": request.scale,
            "trees": trees,
            "guests": guests,
            "toolchain": pipeline.toolchain.digest,
            **({"looks": request.looks} if request.until_decided else {}),
        }
    )
