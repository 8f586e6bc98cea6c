# SPDX-License-Identifier: GPL-2.0-only
"""What `gate` does with the pipeline: boots look by look, until all limits are decided."""

import shlex
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from patchbench import noise
from patchbench.check import checking
from patchbench.check.request import CheckRequest
from patchbench.errors import GateFailed, HostOverloaded, PipelineError, Undecided
from patchbench.gate import policy as policies
from patchbench.gate import rules, verdicts
from patchbench.model import Comparison, Policy, Ruled, Ruling, Verdict
from patchbench.pipeline import Pipeline, kernel_flag
from patchbench.runs import benching, reading
from patchbench.runs.benching import BenchRequest, Prepared


@dataclass(frozen=True, slots=True)
class GateRequest:
    """What `gate` was asked for."""

    series: str
    against: str
    kernel: str
    tree: str = ""
    flavour: str = "bench"
    policy: Path = policies.DEFAULT
    seeds: int | None = None  # None: as many as the policy's looks say
    budget_s: float | None = None
    fresh: bool = False
    typed: str = ""  # the command as it was typed, where a series is a source of mails

    def command(self) -> str:
        """Return the one command that repeats the gate."""
        if self.typed:
            return self.typed
        told = [f"./bootstrap gate --series {self.series} --against {self.against}"]
        told += [kernel_flag(self.kernel, self.tree)]
        told += [f"--flavour {self.flavour}"] if self.flavour != "bench" else []
        told += [f"--policy {shlex.quote(str(self.policy))}"] * (self.policy != policies.DEFAULT)
        told += [f"--seeds {self.seeds}"] if self.seeds else []
        return " ".join(told)

    def bench(self, workload: str, machines: tuple[str, ...]) -> BenchRequest:
        """Return the bench that measures one workload for the gate."""
        return BenchRequest(
            series=self.series,
            against=self.against,
            kernel=self.kernel,
            tree=self.tree,
            workload=workload,
            machines=machines,
            flavour=self.flavour,
            seeds=None,
            fresh=self.fresh,
            parameters={},
        )


def gate_series(pipeline: Pipeline, request: GateRequest) -> Verdict:
    """Build, boot and judge a series; its verdict is written to results/reports/GATE.

    Raises BadInput and UnknownName as policy.load does, before anything is built; and what
    keeps a comparison from being relied on, unless it is the tested series that lost its boots.
    """
    began, cpu_before = time.monotonic(), pipeline.engine.cpu_seconds
    policy = policies.load(pipeline.catalog, pipeline.root / request.policy, request.seeds)
    stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%S")
    source = pipeline.source(request.kernel, request.tree)
    trial = _Trial(
        pipeline, request, policy, began + request.budget_s if request.budget_s else None
    )
    if not trial.same_tree():
        trial.prepare()
        if request.fresh or not trial.same_code():
            trial.boot()
            trial.check("matrix", "hazards")
        else:
            trial.check("matrix")  # other configurations may have other code
        trial.finish()
    verdict = Verdict(
        gate=f"{stamp}-gate-{request.series}-against-{request.against}-{source.kernel}",
        series=request.series,
        against=request.against,
        kernel=f"{source.kernel} {source.version}",
        ruled=trial.ruled(),
        rulings=trial.rulings,
        reasons=(*trial.reasons, *_within_noise(pipeline.root, policy)),
        runs=tuple(one.plan.run for one in trial.prepared.values()),
        error_rate=policy.error_rate,
        seeds=trial.seeds,
        cpu_seconds=pipeline.engine.cpu_seconds - cpu_before,
        wall_seconds=time.monotonic() - began,
        command=request.command(),
    )
    verdicts.write(pipeline.results / "reports" / verdict.gate, verdict)
    return verdict


def _within_noise(root: Path, policy: Policy) -> list[str]:
    """Return the limits that two kernels of the same work were seen to come near, or to break."""
    told = []
    for limit in policy.limits:
        floors = noise.floors(root, limit.workload)
        floor, bound = floors.get((limit.machine, limit.metric)), limit.max_regression_pct
        if floor is not None and bound is not None and bound < floor:
            told.append(
                f"the limit of {bound:g} % for {limit.metric} on {limit.machine} lies within the "
                f"A/A noise of ±{floor:.2f} %: where the code lies may decide it"
            )
    return told


@dataclass
class _Trial:
    """One gate under way."""

    pipeline: Pipeline
    request: GateRequest
    policy: Policy
    until: float | None  # on time.monotonic's clock
    prepared: dict[str, Prepared] = field(default_factory=dict)
    rulings: tuple[Ruling, ...] = ()
    reasons: list[str] = field(default_factory=list)
    broken: bool = False  # by something beside the limits
    open: bool = False  # likewise
    seeds: int = 0

    def same_tree(self) -> bool:
        """Return whether both arms are the same source, and say what that means."""
        source = self.pipeline.source(self.request.kernel, self.request.tree)
        names = (self.request.against, self.request.series)
        base, test = (self.pipeline.apply(source, name) for name in names)
        if base.id != test.id:
            return False
        self._pass(f"trees are the same, {test.id[:12]}", "the same tree")
        return True

    def prepare(self) -> None:
        """Build the images and open one run for each workload of the policy."""
        for workload in dict.fromkeys(limit.workload for limit in self.policy.limits):
            machines = dict.fromkeys(
                limit.machine for limit in self.policy.limits if limit.workload == workload
            )
            request = self.request.bench(workload, tuple(machines))
            self.prepared[workload] = benching.prepare(self.pipeline, request)
        for one in self.prepared.values():
            one.booter.until = self.until

    def same_code(self) -> bool:
        """Return whether both arms are the same kernel under two names, and say what it means."""
        if not all(one.code.equal for one in self.prepared.values()):
            return False
        self._pass("kernels differ in names, build id and line numbers alone", "the same code")
        return True

    def finish(self) -> None:
        """Seal the runs."""
        for one in self.prepared.values():
            one.finish(self.pipeline)

    def boot(self) -> None:
        """Boot and judge, look by look, what is not decided yet."""
        done: dict[tuple[str, str], tuple[int, ...]] = {}
        for look, seeds in enumerate(self.policy.looks):
            todo = rules.undecided(self.rulings) if look else self._everything()
            for workload, machines in todo.items():
                self._boot_look(workload, machines, seeds, done)
            short = [len(those) for those in done.values() if len(those) < seeds]
            self.seeds = max(len(those) for those in done.values())
            if any(one.booter.skipped for one in self.prepared.values()):
                fewest = min(short, default=self.seeds)
                self.reasons.append(
                    f"the budget of {self.request.budget_s:.0f} s was spent after {fewest} of the "
                    f"{seeds} seeds of look {look + 1}; what it had not decided stays so"
                )
                break
            if not self._judge(look) or not rules.undecided(self.rulings):
                break
        if not self.rulings:
            self.rulings = tuple(
                Ruling(limit, "INCONCLUSIVE", "too few seeds to judge it")
                for limit in self.policy.limits
            )

    def check(self, *parts: str) -> None:
        """Build the policy's rows and boot its hazards, and see what only the series breaks.

        Raises KernelSplat if the kernel complains without any series, and what keeps a row from
        being configured.
        """
        wanted = {"matrix": self.policy.matrix != "none", "hazards": bool(self.policy.hazards)}
        if not (parts := tuple(part for part in parts if wanted[part])):
            return
        against = self.request.against
        request = CheckRequest(
            self.request.series,
            (self.request.kernel,),
            self.policy.hazards,
            fresh=self.request.fresh,
            quick=self.policy.matrix == "quick",
            parts=parts,
            tree=self.request.tree,
            against=against,
            first_patches=False,
            style=False,
        )
        told = checking.check(self.pipeline, request)
        match checking.verdict_error(told.result, told.errors):
            case GateFailed():
                self.broken = True
            case Undecided():
                self.open = True
            case PipelineError() as error:
                raise error
            case None:
                pass
        self.reasons += checking.problems(told.result)

    def ruled(self) -> Ruled:
        """Return the verdict in one word."""
        limits = rules.overall(self.rulings)
        if self.broken:
            return "FAIL"
        return "INCONCLUSIVE" if self.open and limits == "PASS" else limits

    def _pass(self, what: str, why: str) -> None:
        names = f"{self.request.series}'s and {self.request.against}'s"
        self.reasons.append(f"{names} {what}, so there is nothing to measure")
        self.rulings = tuple(Ruling(limit, "PASS", why) for limit in self.policy.limits)

    def _everything(self) -> dict[str, list[str]]:
        return {
            workload: [machine.name for machine in one.plan.machines]
            for workload, one in self.prepared.items()
        }

    def _boot_look(
        self,
        workload: str,
        machines: list[str],
        seeds: int,
        done: dict[tuple[str, str], tuple[int, ...]],
    ) -> None:
        prepared = self.prepared[workload]
        for arms in prepared.arms:
            machine = arms[0].machine.name
            if machine in machines:
                have = done.get((workload, machine), ())
                more = range(len(have) + 1, seeds + 1)
                prepared.boot(arms, more, fresh=self.request.fresh)
                whole = prepared.booted(arms, more)
                done[workload, machine] = (*have, *whole)
        prepared.amend({name: those for (of, name), those in done.items() if of == workload})

    def _judge(self, look: int) -> bool:
        """Rule on every limit; False if the tested series lost boots, which fails it at once."""
        told = {name: self._comparison(one) for name, one in self.prepared.items()}
        for one in told.values():
            if one.failures:
                self.broken = True
                self.reasons += [f"{one.plan.workload.name}: {text}" for text in one.failures]
        self.rulings = rules.judge(self.policy, look, told, self.rulings)
        return not self.broken

    def _comparison(self, prepared: Prepared) -> Comparison:
        told = prepared.compare(self.pipeline.root)
        pairs = zip(told.failed_arms, told.failure_statuses, strict=True)
        guilty = {arm for arm, status in pairs if status != HostOverloaded.exit_code}
        if guilty == {told.plan.test.series}:
            return told  # what is tested broke, and the rest did not: that is a verdict
        if error := reading.verdict_error(told):
            prepared.finish(self.pipeline)
            raise error
        return told
