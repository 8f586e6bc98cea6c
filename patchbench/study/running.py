# SPDX-License-Identifier: GPL-2.0-only
"""Runs the legs of a study as ordinary runs: benches, profiles, hazards.

The boots that several benches lack wait in one queue: a leg has some twenty, and hosts by the
dozen would idle as each waits for its last.
"""

import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from patchbench.check import checking
from patchbench.check.request import CheckRequest
from patchbench.errors import PipelineError
from patchbench.model import NONE
from patchbench.pipeline import Pipeline
from patchbench.profile import profiling
from patchbench.profile.profiling import ProfileRequest
from patchbench.runs import benching
from patchbench.runs import folder as runs
from patchbench.runs.benching import BenchRequest, Prepared
from patchbench.study import evidence
from patchbench.study import folder as studies
from patchbench.study.folder import LegEntry, Logbook
from patchbench.study.plan import Leg

#: So many boots for each slot wait at once, or all that are left: the last of them leave slots
#: idle for an eighth of that time. The more legs are under way, the later the first is done.
_WAITING = 8


class _Ahead:
    """A bench that was prepared before its turn, or what was wrong with it."""

    def __init__(self, prepare: Callable[[], Prepared]) -> None:
        self._prepared: Prepared | None = None
        self.error: PipelineError | None = None
        self.boots = 0
        try:
            self._prepared = prepare()
        except PipelineError as err:
            self.error = err

    def lacking(self) -> list[Callable[[], None]]:
        """Return the exact boots that it lacks, each as work whose errors wait for `taken`."""
        work = self._prepared.lacking() if self._prepared else []
        self.boots = len(work)
        return [partial(self._do, one) for one in work]

    def taken(self) -> Prepared:
        """Return the bench; raises what was wrong with it."""
        if self.error:
            raise self.error
        assert self._prepared  # for mypy: there is one or the other
        return self._prepared

    def _do(self, work: Callable[[], None]) -> None:
        try:
            if not self.error:
                work()
        except PipelineError as err:
            self.error = err


class Runner:
    """Runs one leg after the other, and enters the state of each before the next begins."""

    def __init__(
        self, pipeline: Pipeline, folder: Path, logbook: Logbook, *, fresh: bool = False
    ) -> None:
        self._pipeline = pipeline
        self._folder = folder
        self._logbook = logbook
        self._fresh = fresh
        self._ahead: dict[str, _Ahead] = {}  # by the leg's key

    def __call__(self, one: LegEntry, coming: Sequence[LegEntry]) -> None:
        """Run a leg, and with its exact boots those of as many that come next as are worth it."""
        if self._has_queue(one.leg) and one.leg.key not in self._ahead:
            self._boot_together([one, *(each for each in coming if self._has_queue(each.leg))])
        began, made = time.monotonic(), self._pipeline.boots_made
        kinds = {"bench": self._bench, "profile": self._profile, "hazard": self._hazard}
        try:
            kinds[one.leg.kind](one.leg, self._logbook.run(one.leg))
        except PipelineError as err:
            one.state, one.why, one.status = "failed", str(err), err.exit_code
            self._pipeline.story.say(f"study: {one.leg.key} failed: {err}")
            self._pipeline.engine.carry_on()  # a leg that fails stops what runs beside it
        else:
            one.state, one.why, one.status = "done", "", 0
        one.seconds += time.monotonic() - began
        one.booted += self._pipeline.boots_made - made
        studies.save(self._folder, self._logbook)

    def _has_queue(self, leg: Leg) -> bool:
        """Return whether a leg's boots may wait with those of others."""
        exact = self._pipeline.catalog.machine(leg.machine).exact
        return exact and leg.kind == "bench" and not self._fresh and not self._is_sealed(leg)

    def _boot_together(self, legs: Sequence[LegEntry]) -> None:
        """Boot what the first of these legs lack from one queue, which is as long as it needs."""
        began = time.monotonic()
        opened: list[tuple[LegEntry, _Ahead]] = []
        queue: list[Callable[[], None]] = []
        for one in legs:
            ahead = self._ahead[one.leg.key] = _Ahead(partial(self._prepare, one.leg))
            opened.append((one, ahead))
            queue += ahead.lacking()
            if ahead.error or len(queue) >= _WAITING * self._pipeline.pool().slots:
                break
        if queue:
            what = f"{len(opened)} legs" if len(opened) > 1 else legs[0].leg.key
            self._pipeline.booter(self._folder).queue(queue, what)
        for one, ahead in opened:
            one.seconds += (time.monotonic() - began) * ahead.boots / max(1, len(queue))
            one.booted += ahead.boots

    def _is_sealed(self, leg: Leg) -> bool:
        """Return whether a leg was run, and the study killed before its entry."""
        return (self._pipeline.results / "runs" / self._logbook.run(leg) / runs.SUMS).is_file()

    def _prepare(self, leg: Leg) -> Prepared:
        request = BenchRequest(
            series=leg.series,
            against=NONE,
            kernel=leg.kernel,
            tree="",
            workload=leg.workload,
            machines=(leg.machine,),
            flavour="bench",
            seeds=leg.seeds,
            fresh=self._fresh,
            parameters=leg.parameters,
        )
        return benching.prepare(self._pipeline, request, run=self._logbook.run(leg))

    def _bench(self, leg: Leg, _: str) -> None:
        if self._is_sealed(leg):
            return
        ahead = self._ahead.pop(leg.key, None)
        prepared = ahead.taken() if ahead else self._prepare(leg)
        for arms in prepared.to_boot(fresh=False):
            prove = leg.machine not in self._logbook.proved
            prepared.boot(arms, range(1, leg.seeds + 1), fresh=self._fresh, prove=prove)
            if arms[0].machine.exact and prove:
                self._logbook.proved.append(leg.machine)
        prepared.finish(self._pipeline)

    def _profile(self, leg: Leg, run: str) -> None:
        request = ProfileRequest(
            series=leg.series,
            against=NONE,
            kernel=leg.kernel,
            tree="",
            workload=leg.workload,
            machine=leg.machine,
            flavour="bench",
            seed=1,
            parameters=leg.parameters,
            run=run,
        )
        folder, profiled = profiling.profile(self._pipeline, request)
        evidence.keep_shares(folder, profiled)

    def _hazard(self, leg: Leg, run: str) -> None:
        request = CheckRequest(
            leg.series,
            (leg.kernel,),
            (leg.workload,),
            machine=leg.machine,
            seeds=leg.seeds,
            fresh=self._fresh,
            parts=("hazards",),
            first_patches=not leg.whole,
            run=run,
        )
        checking.check(self._pipeline, request)
