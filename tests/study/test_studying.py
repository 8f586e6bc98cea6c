# SPDX-License-Identifier: GPL-2.0-only
"""A study under way: what is run in which order, what a budget skips, what is carried on."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest

from patchbench.catalog import Catalog
from patchbench.errors import LostGuest
from patchbench.model import Machine
from patchbench.pipeline import Pipeline
from patchbench.runs.benching import BenchRequest
from patchbench.study import folder as studies
from patchbench.study import loading, studying
from patchbench.study import plan as study
from patchbench.study.folder import LegEntry, Logbook
from patchbench.study.running import Runner
from patchbench.study.weigh import Conclusion, Outcome, Weighed
from tests.fakes import Listener
from tests.recorded import PROJECT


@pytest.fixture
def logbook() -> Logbook:
    """Return a study of v0 of which nothing was run."""
    plan = loading.load(PROJECT, "v0")
    legs = [LegEntry(leg) for leg in study.legs(plan, "small")]
    name, versions = "20260101T000000-study-v0-small", {"mainline": "7.3.4"}
    return Logbook(name, "./bootstrap study", "key", "small", plan, legs, versions)


class Clock:
    """Time that passes while legs run, and the legs that ran."""

    def __init__(self, seconds_a_boot: float) -> None:
        self.now = 0.0
        self.ran: list[str] = []
        self.coming: list[list[str]] = []
        self._seconds = seconds_a_boot

    def __call__(self) -> float:
        return self.now

    def run(self, one: LegEntry, coming: Sequence[LegEntry]) -> None:
        self.coming.append([each.leg.key for each in coming])
        self.ran.append(one.leg.key)
        one.seconds, one.booted = one.leg.boots * self._seconds, one.leg.boots
        self.now += one.seconds
        one.state = "done"


def walk(logbook: Logbook, clock: Clock, budget_s: float | None = None) -> list[str]:
    story = Listener()
    asked = [one.leg for one in logbook.legs]
    studying.walk(logbook, asked, budget_s, story, clock.run, clock)
    return story.heard


def test_the_most_valuable_legs_are_run_first_and_the_end_is_foretold(logbook: Logbook) -> None:
    clock = Clock(2.0)
    said = walk(logbook, clock)
    assert clock.ran == [one.leg.key for one in logbook.legs]
    assert clock.coming[0] == clock.ran[1:]
    values = [one.leg.value for one in logbook.legs]
    assert values == sorted(values, reverse=True)
    assert said[0].startswith(f"study: 0 of {len(values)} legs, 0 min gone, about ")
    last = len(values) - 1
    assert said[-1].startswith(f"study: {last} of {len(values)} legs, ")
    assert said[-1].endswith(f"next: {logbook.legs[-1].leg.key}")


def test_what_was_timed_says_how_long_the_rest_takes(logbook: Logbook) -> None:
    first, *_, last = (one for one in logbook.legs if one.leg.machine == "exact")
    before = studying.estimate(logbook, last)
    first.state, first.seconds, first.booted = "done", first.leg.boots * 60.0, first.leg.boots
    assert studying.estimate(logbook, last) == last.leg.boots * 60.0 > before


def test_boots_from_the_shelf_do_not_say_how_long_a_look_with_twice_the_seeds_takes(
    logbook: Logbook,
) -> None:
    """A study whose first look was shelved ran half an hour beyond its budget in the next."""
    for one in logbook.legs:
        one.state, one.seconds = "done", 0.5
    shelved, booted, *_ = (one for one in logbook.legs if one.leg.machine == "exact")
    assert studying.estimate(logbook, shelved) < 1, "a first look goes by what others took"
    shelved.leg, shelved.looked = replace(shelved.leg, seeds=2 * shelved.leg.seeds), 2
    new = shelved.leg.boots / 2
    assert studying.estimate(logbook, shelved) > new, "nobody knows yet what a boot takes"
    booted.seconds, booted.booted = 40.0, 4
    assert studying.estimate(logbook, shelved) == 10 * new


def test_a_budget_runs_what_is_worth_most_and_names_what_it_skipped(logbook: Logbook) -> None:
    clock = Clock(6.0)
    said = walk(logbook, clock, budget_s=200)
    assert clock.now <= 200
    assert 0 < len(clock.coming[0]) < len(logbook.legs) - 1, "no more than the budget may hold"
    assert clock.ran[0] == logbook.legs[0].leg.key
    left = [one for one in logbook.legs if one.state == "skipped"]
    assert {one.why for one in left} == {"skipped, beyond the budget of 200 s"}
    assert len(left) + len(clock.ran) == len(logbook.legs)
    assert f"study: {left[0].leg.key} skipped, beyond the budget" in said


def test_a_study_that_is_carried_on_runs_no_leg_twice(logbook: Logbook, tmp_path: Path) -> None:
    first, again = Clock(6.0), Clock(6.0)
    walk(logbook, first, budget_s=300)
    studies.save(tmp_path, logbook)
    later = studies.read(tmp_path)
    assert later == logbook
    walk(later, again)
    assert not {*first.ran} & {*again.ran}


def test_the_command_repeats_what_was_asked() -> None:
    request = studying.StudyRequest("v0", "full", ("Q3", "Q7"), ("lts",), 7200.0)
    assert request.command() == (
        "./bootstrap study --series v0 --scale full --only Q3,Q7 --kernel lts --budget 7200s"
    )


class BrokenPipeline:
    """Cannot prepare the first run, and says so as a stage does; the second is interrupted."""

    def __init__(self, results: Path) -> None:
        self.results, self.story, self.engine = results, Listener(), self
        self.catalog = Catalog(PROJECT)
        self.asked: list[str] = []
        self.carried_on = self.boots_made = 0

    def prepare(self, request: BenchRequest, *, run: str) -> None:
        self.asked.append(run)
        if len(self.asked) > 1:
            raise KeyboardInterrupt
        raise LostGuest(f"{request.workload} did not come up")

    def carry_on(self) -> None:
        self.carried_on += 1


class Plain:
    """A pipeline of which only names and keys are asked."""

    def new_name(self, what: str) -> str:
        return f"20260101T000000-{what}"

    def __init__(self, results: Path) -> None:
        self.root, self.results, self.story = PROJECT, results, Listener()
        self.catalog = Catalog(PROJECT)
        self.version = self.digest = self.key = self.id = "the same"
        self.toolchain = self

    def source(self, kernel: str) -> "Plain":
        return self

    def apply(self, source: "Plain", series: str) -> "Plain":
        return self

    def guest(self, program: str) -> "Plain":
        return self

    def check_machine(self, machine: Machine) -> None:
        """Refuse none."""


def test_a_finished_study_is_weighed_again_without_a_boot_when_it_is_reworded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ran: list[str] = []

    class Runner:
        def __init__(self, *_: object, **__: object) -> None: ...

        def __call__(self, one: LegEntry, _: Sequence[LegEntry]) -> None:
            ran.append(one.leg.key)
            one.state, one.seconds = "done", 1

    monkeypatch.setattr(studying, "Runner", Runner)
    pipeline, request = cast(Pipeline, Plain(tmp_path)), studying.StudyRequest("v0")
    first = studying.study_series(pipeline, request)
    legs = len(ran)
    assert legs == len(study.legs(loading.load(PROJECT, "v0"), "small"))
    plan = loading.load(PROJECT, "v0")
    other = replace(plan, statements=plan.statements[1:])
    monkeypatch.setattr(loading, "load", lambda *_: other)
    assert studying.study_series(pipeline, request) == first
    assert (len(ran), studies.read(first).plan) == (legs, other)
    studying.study_series(pipeline, request)
    assert len(ran) == 2 * legs, "a finished study with the same statements is begun anew"


@pytest.mark.parametrize(("only", "looks"), [(("Q11b",), 1), (("Q6", "Q11b"), 4)])
def test_only_what_was_asked_about_is_looked_at_again(
    only: tuple[str, ...], looks: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Q6 is never decided, and one of its legs is Q11b's as well, which one look decides."""

    class Runner:
        def __init__(self, *_: object, **__: object) -> None: ...

        def __call__(self, one: LegEntry, _: Sequence[LegEntry]) -> None:
            one.state, one.seconds = "done", 1

    def judged(*_: object) -> SimpleNamespace:
        outcomes: dict[str, Outcome] = {"Q6": "undecided", "Q11b": "confirmed"}
        conclusions = [
            Conclusion(one, outcome, tuple(Weighed(rule, outcome) for rule in one.rules))
            for one in loading.load(PROJECT, "v0").statements
            if (outcome := outcomes.get(one.id))
        ]
        return SimpleNamespace(conclusions=conclusions, controls=())

    monkeypatch.setattr(studying, "Runner", Runner)
    monkeypatch.setattr("patchbench.study.evidence.study_of", judged)
    request = studying.StudyRequest("v0", "full", only, until_decided=True)
    folder = studying.study_series(cast(Pipeline, Plain(tmp_path)), request)
    shared = "camera-pressed/mainline/exact8"
    (leg,) = (one for one in studies.read(folder).legs if one.leg.key == shared)
    assert leg.looked == looks


def test_a_leg_that_fails_keeps_its_status_and_stops_no_other(
    logbook: Logbook, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = BrokenPipeline(tmp_path)
    monkeypatch.setattr("patchbench.runs.benching.prepare", BrokenPipeline.prepare)
    runner = Runner(broken, tmp_path, logbook)  # type: ignore[arg-type]
    asked = [one.leg for one in logbook.legs]
    with pytest.raises(KeyboardInterrupt):
        studying.walk(logbook, asked, None, Listener(), runner)
    first = studies.read(tmp_path).legs[0]
    assert (first.state, first.status) == ("failed", LostGuest.exit_code)
    assert first.why == "exit-storm did not come up"
    assert broken.asked == [logbook.run(leg) for leg in asked[:2]]
    assert broken.carried_on == 1


class Bench:
    """A prepared run whose boots are told apart by name, and one of which may be lost."""

    def __init__(self, name: str, made: list[str], boots: int, *, lost: bool = False) -> None:
        self.name, self._made, self._boots, self._lost = name, made, boots, lost
        self.booter = self

    def lacking(self) -> list[Callable[[], None]]:
        return [partial(self._boot, number) for number in range(self._boots)]

    def _boot(self, number: int) -> None:
        self._made.append(f"{self.name} {number}")
        if self._lost:
            raise LostGuest(f"{self.name} was lost")

    def to_boot(self, *, fresh: bool) -> list[object]:
        self._made.append(f"{self.name} is taken")
        return []

    def finish(self, _: object) -> None:
        """Have nothing to finish."""


class TwoSlots(BrokenPipeline):
    """Has two slots, and does what waits in a queue in its order."""

    slots = 2

    def pool(self) -> "TwoSlots":
        return self

    def booter(self, _: Path) -> "TwoSlots":
        return self

    def queue(self, work: Sequence[Callable[[], None]], what: str) -> None:
        self.asked.append(f"{what}: {len(work)} boots")
        for one in work:
            one()


def run_legs(
    logbook: Logbook, folder: Path, monkeypatch: pytest.MonkeyPatch, *, lost: str = ""
) -> tuple[list[str], list[str], list[LegEntry]]:
    """Run the first five exact benches of six boots; return queues, boots, and the entries."""
    pipeline, made = TwoSlots(folder), list[str]()

    def prepare(_: object, request: BenchRequest, *, run: str) -> Bench:
        return Bench(run, made, 6, lost=run == lost)

    monkeypatch.setattr("patchbench.runs.benching.prepare", prepare)
    exact = [one for one in logbook.legs if one.leg.kind == "bench" and one.leg.machine == "exact"]
    logbook.legs = exact[:5]
    runner = Runner(pipeline, folder, logbook)  # type: ignore[arg-type]
    studying.walk(logbook, [one.leg for one in logbook.legs], None, Listener(), runner)
    return pipeline.asked, made, logbook.legs


def test_the_boots_of_several_legs_wait_in_one_queue_that_is_eight_times_the_slots(
    logbook: Logbook, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    queues, made, legs = run_legs(logbook, tmp_path, monkeypatch)
    assert queues == ["3 legs: 18 boots", "2 legs: 12 boots"]
    assert [one.state for one in legs] == ["done"] * 5
    assert len({*made}) == len(made) == 5 * (6 + 1)
    assert all(one.seconds > 0 for one in legs)


def test_a_boot_that_is_lost_in_the_common_queue_fails_its_own_leg_alone(
    logbook: Logbook, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    benches = (one.leg for one in logbook.legs if one.leg.kind == "bench")
    _, second, *_ = [leg for leg in benches if leg.machine == "exact"]
    run = logbook.run(second)
    _, made, legs = run_legs(logbook, tmp_path, monkeypatch, lost=run)
    assert [one.state for one in legs] == ["done", "failed", "done", "done", "done"]
    assert legs[1].why == f"{run} was lost"
    assert [one for one in made if one.startswith(run)] == [f"{run} 0"]


def test_a_look_beyond_the_budget_leaves_what_the_one_before_said(logbook: Logbook) -> None:
    first, *_ = logbook.legs
    first.looked = 2
    seeds = first.leg.seeds
    first.leg = replace(first.leg, seeds=2 * seeds)
    first.state, first.why = "skipped", "skipped, beyond the budget of 1 s"
    assert studying.keep_earlier_looks(logbook) == {first.leg.key}
    assert (first.state, first.why, first.looked, first.leg.seeds) == ("done", "", 1, seeds)
    assert {one.state for one in logbook.legs[1:]} == {"to do"}
