# SPDX-License-Identifier: GPL-2.0-only
"""A study under way: what is run in which order, what a budget leaves out, what is carried on."""

from dataclasses import replace
from pathlib import Path
from typing import cast

import pytest

from patchbench.catalog import Catalog
from patchbench.errors import BadInput, LostGuest
from patchbench.pipeline import Pipeline
from patchbench.runs.archive import STUDY
from patchbench.runs.benching import BenchRequest
from patchbench.study import folder as studies
from patchbench.study import plan as study
from patchbench.study import studying
from patchbench.study.folder import LegNote, Note
from tests.fakes import Listener
from tests.recorded import PROJECT


@pytest.fixture
def note() -> Note:
    """Return a study of v0 of which nothing was run."""
    plan = study.load(PROJECT, "v0")
    legs = [LegNote(leg) for leg in study.legs(plan, "small")]
    return Note("20260101T000000-study-v0-small", "./bootstrap study", "key", "small", plan, legs,
                {"mainline": "7.3.4"})  # fmt: skip


class Clock:
    """Time that passes while legs run, and the legs that ran."""

    def __init__(self, seconds_a_boot: float) -> None:
        self.now = 0.0
        self.ran: list[str] = []
        self._seconds = seconds_a_boot

    def __call__(self) -> float:
        return self.now

    def run(self, one: LegNote) -> None:
        self.ran.append(one.leg.key)
        one.seconds = one.leg.boots * self._seconds
        self.now += one.seconds
        one.state = "done"


def walk(note: Note, clock: Clock, budget_s: float | None = None) -> list[str]:
    story = Listener()
    asked = [one.leg for one in note.legs]
    studying.walk(note, asked, budget_s, story, clock.run, clock)
    return story.told


def test_the_most_valuable_legs_are_run_first_and_the_end_is_foretold(note: Note) -> None:
    clock = Clock(2.0)
    told = walk(note, clock)
    assert clock.ran == [one.leg.key for one in note.legs]
    values = [one.leg.value for one in note.legs]
    assert values == sorted(values, reverse=True)
    assert told[0].startswith(f"study: 0 of {len(values)} legs, 0 min gone, about ")
    last = len(values) - 1
    assert told[-1].startswith(f"study: {last} of {len(values)} legs, ")
    assert told[-1].endswith(f"next: {note.legs[-1].leg.key}")


def test_what_was_timed_tells_how_long_the_rest_takes(note: Note) -> None:
    first, *_, last = (one.leg for one in note.legs if one.leg.machine == "exact")
    before = studying.estimate(note, last)
    done = next(one for one in note.legs if one.leg == first)
    done.state, done.seconds = "done", first.boots * 60.0
    assert studying.estimate(note, last) == last.boots * 60.0 > before


def test_a_budget_runs_what_is_worth_most_and_says_what_it_left_out(note: Note) -> None:
    clock = Clock(6.0)
    told = walk(note, clock, budget_s=200)
    assert clock.now <= 200
    assert clock.ran[0] == note.legs[0].leg.key
    left = [one for one in note.legs if one.state == "left out"]
    assert {one.why for one in left} == {"left out for the budget of 200 s"}
    assert len(left) + len(clock.ran) == len(note.legs)
    assert f"study: {left[0].leg.key} left out for the budget" in told


def test_a_study_that_is_carried_on_runs_no_leg_twice(note: Note, tmp_path: Path) -> None:
    first, again = Clock(6.0), Clock(6.0)
    walk(note, first, budget_s=300)
    studies.save(tmp_path, note)
    later = studies.read(tmp_path)
    assert later == note
    walk(later, again)
    assert not {*first.ran} & {*again.ran}
    assert {*first.ran, *again.ran} == {one.leg.key for one in note.legs}


def test_a_damaged_study_is_bad_input(note: Note, tmp_path: Path) -> None:
    studies.save(tmp_path, note)
    path = tmp_path / STUDY
    path.write_text(path.read_text().replace('"schema": 1', '"schema": 2'))
    with pytest.raises(BadInput, match="has schema 2: update patchbench"):
        studies.read(tmp_path)
    path.write_text("{")
    with pytest.raises(BadInput, match="is not a study this version reads"):
        studies.read(tmp_path)


def test_the_command_repeats_what_was_asked() -> None:
    told = studying.StudyRequest("v0", "full", ("Q3", "Q7"), ("lts",), 7200.0)
    assert told.command() == (
        "./bootstrap study --series v0 --scale full --only Q3,Q7 --kernel lts --budget 7200s"
    )


class BrokenPipeline:
    """Cannot prepare the first run, and says so as a stage does; the second is interrupted."""

    def __init__(self, results: Path) -> None:
        self.results, self.story, self.engine = results, Listener(), self
        self.asked: list[str] = []
        self.carried_on = 0

    def prepare(self, request: BenchRequest, *, run: str) -> None:
        self.asked.append(run)
        if len(self.asked) > 1:
            raise KeyboardInterrupt
        raise LostGuest(f"{request.workload} did not come up")

    def carry_on(self) -> None:
        self.carried_on += 1


class Plain:
    """A pipeline of which only names and keys are asked."""

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


def test_a_finished_study_is_weighed_again_without_a_boot_when_it_is_put_otherwise(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ran: list[str] = []

    class Runner:
        def __init__(self, *_: object) -> None: ...

        def __call__(self, one: LegNote) -> None:
            ran.append(one.leg.key)
            one.state, one.seconds = "done", 1

    monkeypatch.setattr(studying, "_Runner", Runner)
    pipeline, request = cast(Pipeline, Plain(tmp_path)), studying.StudyRequest("v0")
    first = studying.study_series(pipeline, request)
    legs = len(ran)
    assert legs == len(study.legs(study.load(PROJECT, "v0"), "small"))
    plan = study.load(PROJECT, "v0")
    other = replace(plan, statements=plan.statements[1:])
    monkeypatch.setattr(study, "load", lambda *_: other)
    assert studying.study_series(pipeline, request) == first
    assert (len(ran), studies.read(first).plan) == (legs, other)
    studying.study_series(pipeline, request)
    assert len(ran) == 2 * legs, "one that is finished and put the same is begun anew"


def test_a_leg_that_fails_keeps_its_status_and_stops_no_other(
    note: Note, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = BrokenPipeline(tmp_path)
    monkeypatch.setattr("patchbench.runs.benching.prepare", BrokenPipeline.prepare)
    runner = studying._Runner(broken, tmp_path, note, studying.StudyRequest("v0"))  # type: ignore[arg-type]
    asked = [one.leg for one in note.legs]
    with pytest.raises(KeyboardInterrupt):
        studying.walk(note, asked, None, Listener(), runner)
    first = studies.read(tmp_path).legs[0]
    assert (first.state, first.status) == ("failed", LostGuest.exit_code)
    assert first.why == "exit-storm did not come up"
    assert broken.asked == [note.run(leg) for leg in asked[:2]]
    assert broken.carried_on == 1
