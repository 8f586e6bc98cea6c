# SPDX-License-Identifier: GPL-2.0-only
"""One gate under way: its steps, the likely to fail and cheap first, until one of them fails.

Boots with the seeds of the first look come first, then hazards, then rows of the matrix, then
boots for the limits that are still undecided. What fails ends the trial, as nothing that follows
could change the verdict; what was not looked at then is kept by name.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial

from patchbench.check import checking
from patchbench.check.request import HAZARDS, MATRIX, CheckRequest
from patchbench.errors import GateFailed, HostOverloaded, PipelineError, Undecided
from patchbench.gate import rules, waivers
from patchbench.gate.limits import Policy, Ruled, Ruling
from patchbench.gate.request import GateRequest
from patchbench.gate.seeds import draw
from patchbench.gate.waivers import Waiver
from patchbench.model import Comparison
from patchbench.pipeline import Pipeline
from patchbench.runs import benching, reading
from patchbench.runs.benching import Prepared

#: A workload and a machine: what is booted and judged at once.
Place = tuple[str, str]


@dataclass
class Trial:
    """One gate under way; `until` is on time.monotonic's clock."""

    pipeline: Pipeline
    request: GateRequest
    policy: Policy
    until: float | None
    waivers: Sequence[Waiver] = ()
    prepared: dict[str, Prepared] = field(default_factory=dict)  # by workload
    rulings: tuple[Ruling, ...] = ()
    reasons: list[str] = field(default_factory=list)
    not_looked_at: list[str] = field(default_factory=list)
    _failed: bool = False  # for a reason besides the limits
    _open: bool = False  # likewise
    _no_more_boots: bool = False
    _booted: dict[Place, tuple[int, ...]] = field(default_factory=dict)  # seeds

    @property
    def seeds(self) -> int:
        """Return how many seeds per arm were booted, at the place that needed most."""
        return max((len(seeds) for seeds in self._booted.values()), default=0)

    def run(self) -> None:
        """Build, boot and judge; raise what keeps a comparison from being relied on."""
        if self._same_tree():
            return
        self._prepare()
        boots = self.request.fresh or not self._same_code()
        looks = range(len(self.policy.looks)) if boots else range(0)
        for look in looks[:1]:
            self._look(look, self._places())
        if boots and self.policy.hazards:
            names = ", ".join(self.policy.hazards)
            self._step(f"hazards {names}", partial(self.check, HAZARDS))
        if self.policy.matrix != "none":  # other configurations may have other code
            rows = f"{self.policy.matrix} rows of the matrix"
            self._step(rows, partial(self.check, MATRIX))
        for look in looks[1:]:
            undecided = rules.undecided(self.rulings) & self._booted.keys()
            self._look(look, [place for place in self._places() if place in undecided])
        for one in self.prepared.values():
            one.finish(self.pipeline)

    def ruled(self) -> Ruled:
        """Return the verdict so far in one word."""
        limits = rules.overall(self.rulings)
        if self._failed:
            return "FAIL"
        return "INCONCLUSIVE" if self._open and limits == "PASS" else limits

    def check(self, part: str) -> None:
        """Boot the policy's hazards or build its rows, and see what only the series breaks.

        Raises KernelSplat if the kernel warns without any series, and what keeps a row from
        being configured.
        """
        request = CheckRequest(
            self.request.series,
            (self.request.kernel,),
            self.policy.hazards,
            fresh=self.request.fresh,
            quick=self.policy.matrix == "quick",
            parts=(part,),
            tree=self.request.tree,
            against=self.request.against,
            first_patches=False,
            style=False,
        )
        checked = checking.check(self.pipeline, request)
        match checking.verdict_error(checked.result, checked.errors):
            case GateFailed():
                self._failed = True
            case Undecided():
                self._open = True
            case PipelineError() as error:
                raise error
            case None:
                pass
        self.reasons += checking.problems(checked.result)

    def _step(self, name: str, step: Callable[[], None]) -> None:
        """Take a step, unless the verdict is FAIL already."""
        if self.ruled() == "FAIL" and not self.request.everything:
            self.not_looked_at.append(name)
        else:
            step()

    def _same_tree(self) -> bool:
        """Return whether both arms are the same source, and record what that means."""
        source = self.pipeline.source(self.request.kernel, self.request.tree)
        names = (self.request.against, self.request.series)
        base, test = (self.pipeline.apply(source, name) for name in names)
        if base.id != test.id:
            return False
        self._pass(f"trees are the same, {test.id[:12]}", "the same tree")
        return True

    def _prepare(self) -> None:
        """Build the images and open one run for each workload of the policy."""
        for workload in dict.fromkeys(limit.workload for limit in self.policy.limits):
            machines = dict.fromkeys(
                limit.machine for limit in self.policy.limits if limit.workload == workload
            )
            request = self.request.bench(workload, tuple(machines))
            self.prepared[workload] = benching.prepare(self.pipeline, request)
        for one in self.prepared.values():
            one.booter.until = self.until

    def _same_code(self) -> bool:
        """Return whether both arms are one kernel under two names, and record what it means."""
        if not all(one.code.equal for one in self.prepared.values()):
            return False
        self._pass("kernels differ only in names, build id and line numbers", "the same code")
        return True

    def _pass(self, what: str, why: str) -> None:
        names = f"{self.request.series}'s and {self.request.against}'s"
        self.reasons.append(f"{names} {what}, so there is nothing to measure")
        self.rulings = tuple(Ruling(limit, "PASS", why) for limit in self.policy.limits)

    def _places(self) -> list[Place]:
        """Return where the limits are measured, the exact machines first: they decide sooner."""
        places = dict.fromkeys((one.workload, one.machine) for one in self.policy.limits)
        return sorted(places, key=lambda place: not self.pipeline.catalog.machine(place[1]).exact)

    def _look(self, look: int, places: Sequence[Place]) -> None:
        """Boot these places up to a look's seeds, and judge each as soon as it is booted."""
        looked: list[Place] = []
        for place in places:
            name = f"{place[0]} on {place[1]} with {self.policy.looks[look]} seeds"
            self._step(name, partial(self._boot_and_judge, look, place, looked))

    def _boot_and_judge(self, look: int, place: Place, looked: list[Place]) -> None:
        if self._no_more_boots:
            return
        workload, machine = place
        prepared, seeds = self.prepared[workload], self.policy.looks[look]
        have = self._booted.get(place, ())
        plan = prepared.plan
        more = draw(plan.test.tree_id, plan.base.tree_id, seeds)[len(have) :]
        (arms,) = (arms for arms in prepared.arms if arms[0].machine.name == machine)
        prepared.boot_and_prove(self.pipeline, arms, more, fresh=self.request.fresh)
        self._booted[place] = (*have, *prepared.booted(arms, more))
        prepared.amend(
            {name: booted for (of, name), booted in self._booted.items() if of == workload}
        )
        if len(self._booted[place]) < seeds:
            self._stop_for_budget(look, place)
            return
        looked.append(place)
        self._judge(look, looked)

    def _stop_for_budget(self, look: int, place: Place) -> None:
        self._no_more_boots = True
        self.reasons.append(
            f"the budget of {self.request.budget_s:.0f} s was spent after "
            f"{len(self._booted[place])} of the {self.policy.looks[look]} seeds of look "
            f"{look + 1}; what was undecided stays undecided"
        )
        if not self.rulings:
            self.rulings = tuple(
                Ruling(limit, "INCONCLUSIVE", "too few seeds to judge it")
                for limit in self.policy.limits
            )

    def _judge(self, look: int, places: Sequence[Place]) -> None:
        """Rule on the limits of these places; boots that only the series lost fail it at once."""
        workloads = dict.fromkeys(workload for workload, _ in places)
        comparisons = {name: self._comparison(self.prepared[name]) for name in workloads}
        for one in comparisons.values():
            if one.failures:
                self._failed = self._no_more_boots = True
                self.reasons += [f"{one.plan.workload.name}: {text}" for text in one.failures]
        ruled = rules.judge(self.policy, look, comparisons, places, self.rulings)
        self.rulings = waivers.apply(self.waivers, ruled, self.request.series)

    def _comparison(self, prepared: Prepared) -> Comparison:
        comparison = prepared.compare(self.pipeline.root)
        failures = zip(comparison.failed_arms, comparison.failure_statuses, strict=True)
        guilty = {arm for arm, status in failures if status != HostOverloaded.exit_code}
        if guilty == {comparison.plan.test.series}:
            return comparison  # only the tested series broke: that is a verdict
        if error := reading.verdict_error(comparison):
            prepared.finish(self.pipeline)
            raise error
        return comparison
