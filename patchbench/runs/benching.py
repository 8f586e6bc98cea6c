# SPDX-License-Identifier: GPL-2.0-only
"""What `bench` does with the pipeline: it builds and plans the arms, and boots them."""

import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path

from patchbench.errors import BadInput
from patchbench.model import (
    AUTO,
    Arm,
    ArmNote,
    Boot,
    CodeMap,
    Comparison,
    Image,
    Machine,
    Plan,
    Tree,
)
from patchbench.pipeline import Pipeline, kernel_flag
from patchbench.profile import counting, covering, proof
from patchbench.report import tables
from patchbench.report.numbers import quantity
from patchbench.runs import folder as runs
from patchbench.runs import reading, times
from patchbench.stages import boots as booting
from patchbench.stages.boots import Booter
from patchbench.tools import files, host

_PROVED_SEED = 1
_FIRST_SEED = 1


@dataclass(frozen=True, slots=True)
class BenchRequest:
    """The flags of `bench`; series: one, or several with commas, each a test arm."""

    series: str
    against: str
    kernel: str
    tree: str
    workload: str
    machines: tuple[str, ...]
    flavour: str
    seeds: int | None  # None: as many as the machine's file says
    fresh: bool
    parameters: Mapping[str, int]
    typed: str = ""  # the command as it was typed, where a series is a source of mails
    dirty: bool = False  # of the tree, take what no commit holds as well
    run: str = ""  # the run to carry on, which has a plan; empty for a new one

    @property
    def tests(self) -> tuple[str, ...]:
        """Return the series of the test arms."""
        return tuple(self.series.split(","))

    def on(self, choose: Callable[[], str]) -> "BenchRequest":
        """Return it with the kernel that is chosen where none was asked for."""
        return replace(self, kernel=self.kernel or choose())

    def command(self) -> str:
        """Return the one command that repeats the run."""
        if self.typed:
            return self.typed
        words = ["./bootstrap bench", kernel_flag(self.kernel, self.tree, dirty=self.dirty)]
        words += [
            f"--series {self.series}",
            f"--against {self.against}",
            f"--workload {self.workload}",
            f"--machine {','.join(self.machines)}",
        ]
        words += [f"--flavour {self.flavour}"] if self.flavour != "bench" else []
        words += [f"--seeds {self.seeds}"] if self.seeds else []
        words += [f"--set {name}={value}" for name, value in self.parameters.items()]
        return " ".join(words)


@dataclass(slots=True)
class Prepared:
    """A run whose kernels are built and whose boots are planned.

    codes say of each test arm whether there is anything to measure. order draws the order of the
    arms in each block; its seed is the run's name.
    """

    plan: Plan
    arms: tuple[tuple[Arm, ...], ...]  # for each machine: base, then the test arms
    folder: Path
    codes: tuple[CodeMap, ...]
    booter: Booter
    order: random.Random
    _boots: list[Boot] = field(default_factory=list)
    _proved: bool = False

    @property
    def code(self) -> CodeMap:
        """Return how the code of the first test arm differs from the base's."""
        return self.codes[0]

    def to_boot(self, *, fresh: bool) -> Iterator[tuple[Arm, ...]]:
        """Give each machine's arms without those that are the base's kernel under another name.

        With `fresh` they are booted as well. No arms at all where nothing is left to compare.
        """
        for base, *tests in self.arms:
            differ = [
                test
                for test, code in zip(tests, self.codes, strict=True)
                if fresh or not code.equal
            ]
            if differ:
                yield (base, *differ)

    @property
    def boots(self) -> list[Boot]:
        """Return the boots made so far with the plan's seeds."""
        return [one for one in self._boots if one.seed in self.plan.seeds[one.machine]]

    def lacking(self) -> list[Callable[[], None]]:
        """Return the boots of its exact machines that neither shelf nor run has, each as work."""
        jobs = [
            booting.Job(arm, seed)
            for arms in self.to_boot(fresh=False)
            if arms[0].machine.exact
            for seed in self.plan.seeds[arms[0].machine.name]
            for arm in arms
        ]
        return self.booter.lacking(jobs)

    def boot(
        self, arms: Sequence[Arm], seeds: Sequence[int], *, fresh: bool, prove: bool = True
    ) -> None:
        """Boot these arms of a machine with these seeds.

        prove: on an exact machine, boot one that is shelved again to see it repeat.
        """
        if arms[0].machine.exact:
            jobs = [booting.Job(arm, seed) for seed in seeds for arm in arms]
            self._boots += self.booter.exact(jobs, fresh=fresh, pick=self.order if prove else None)
        else:
            self._boots += self.booter.blocks(arms, seeds, self.order)

    def boot_and_prove(
        self, pipeline: Pipeline, arms: Sequence[Arm], seeds: Sequence[int], *, fresh: bool
    ) -> None:
        """Boot, and find out what runs: meanwhile, where that disturbs no boot."""
        if not arms[0].machine.exact:
            self.prove(pipeline)
        with ThreadPoolExecutor(1) as pool:
            proved = pool.submit(self.prove, pipeline)
            self.boot(arms, seeds, fresh=fresh)
            proved.result()

    def booted(self, arms: Sequence[Arm], seeds: Sequence[int]) -> tuple[int, ...]:
        """Return those of the seeds of which no boot was skipped for lack of time."""
        skipped = {job.seed for job in self.booter.skipped if job.arm in arms}
        return tuple(seed for seed in seeds if seed not in skipped)

    def amend(self, seeds: Mapping[str, tuple[int, ...]]) -> None:
        """Record which machines were booted with which seeds, if not as planned."""
        machines = tuple(arms[0].machine for arms in self.arms if arms[0].machine.name in seeds)
        self.plan = replace(self.plan, seeds=seeds, machines=machines)
        runs.amend(self.folder, self.plan)

    def compare(self, root: Path) -> Comparison:
        """Return what the boots made so far say of the first test arm."""
        return reading.compare(root, self.folder, self.plan, self.boots)

    def compare_on(self, root: Path, machine: str) -> Comparison:
        """Return what the boots of one machine say of the first test arm.

        Whether a function that differs ran is not known before `prove`.
        """
        machines = tuple(one for one in self.plan.machines if one.name == machine)
        plan = replace(self.plan, machines=machines)
        return reading.compare(
            root, self.folder, plan, [one for one in self.boots if one.machine == machine]
        )

    def prove(self, pipeline: Pipeline) -> None:
        """Find out, once, which of the functions that differ run in each test arm."""
        if self._proved:
            return
        countable = [arms for arms in self.arms if counting.can_count(arms[0].machine)]
        # Which functions a workload runs hardly depends on the machine.
        _, *tests = countable[0] if countable else self._on_exact(pipeline)
        for test, note, code in zip(tests, self.plan.arms[1:], self.codes, strict=True):
            if not code.equal:
                place = runs.arm_folder(self.folder, self.plan, note)
                proof.write(place, counting.prove(pipeline, code, test, _PROVED_SEED))
        self._proved = True

    def _on_exact(self, pipeline: Pipeline) -> list[Arm]:
        exact, workload = pipeline.catalog.machine("exact"), self.arms[0][0].workload
        return [pipeline.arm(arm.image, exact, workload) for arm in self.arms[0]]

    def finish(self, pipeline: Pipeline) -> None:
        """Note what ran when, and seal the run's folder against later changes."""
        times.write(self.folder, pipeline.timings())
        files.remove_whole(self.folder / "jobs")  # done by now, and as large as the kernels
        runs.seal(self.folder)


def by_workload(pipeline: Pipeline, request: BenchRequest) -> list[BenchRequest]:
    """Return the request for each workload that AUTO stands for, or as it is.

    Raises NotEngaged if no workload runs what any of the series changes.
    """
    if request.workload != AUTO:
        return [request]
    source = pipeline.source(request.kernel, request.tree)
    machines = map(pipeline.catalog.machine, request.machines)
    machine = next((one.name for one in machines if counting.can_count(one)), "exact")
    names: dict[str, None] = {}
    for test in request.tests:
        pair = request.against, test
        reached = covering.chosen(pipeline, source, pair, machine=machine, hazards=False)
        names |= dict.fromkeys(one.workload for one in reached)
    return [
        replace(
            request,
            workload=name,
            typed=request.typed.replace(f"--workload {AUTO}", f"--workload {name}"),
        )
        for name in names
    ]


def bench(pipeline: Pipeline, request: BenchRequest) -> Prepared:
    """Build all arms, boot them on every machine, and return the finished run.

    A kernel that equals the base's is not booted, unless everything is to be booted again.
    """
    prepared = prepare(pipeline, request, run=request.run, early=not request.fresh)
    machines = [*prepared.to_boot(fresh=request.fresh)]
    for number, arms in enumerate(machines, start=1):
        name = arms[0].machine.name
        seeds = prepared.plan.seeds[name]
        if number < len(machines):
            prepared.boot(arms, seeds, fresh=request.fresh)
            _tell(pipeline, prepared, name)
        else:
            prepared.boot_and_prove(pipeline, arms, seeds, fresh=request.fresh)
    prepared.prove(pipeline)
    prepared.finish(pipeline)
    return prepared


def _tell(pipeline: Pipeline, prepared: Prepared, machine: str) -> None:
    """Report what one machine says while the others have still to boot."""
    compared = prepared.compare_on(pipeline.root, machine)
    plan = compared.plan
    pipeline.story.say(
        f"{plan.test.series} against {plan.base.series}, {machine}; the rest follows"
    )
    for line in tables.lines(compared):
        pipeline.story.say(f"  {line}")


def prepare(
    pipeline: Pipeline, request: BenchRequest, *, run: str = "", early: bool = False
) -> Prepared:
    """Build all arms and open a run's folder, with everything in it except the boots.

    run: a name for it; a run of that name that was begun and not finished is carried on. early:
    say what one boot of the base gives while other kernels have to be built. Raises BadInput if
    the run was begun under other conditions.
    """
    machines = _check(pipeline, request)
    source = pipeline.source(request.kernel, request.tree)
    trees = [pipeline.apply(source, name) for name in (request.against, *request.tests)]
    images = [pipeline.image(trees[0], request.flavour)]
    if early and not all(pipeline.is_built(one, request.flavour) for one in trees[1:]):
        _tell_first(pipeline, request, images[0], machines)
    images += [pipeline.image(one, request.flavour) for one in trees[1:]]
    arms = []
    for machine in machines:
        workload = pipeline.workload(request.workload, request.parameters, machine)
        base, *tests = (pipeline.arm(image, machine, workload) for image in images)
        for test in tests:
            booting.check_comparable(base, test)
        arms.append((base, *tests))

    plan = _plan(pipeline, request, trees, [one[0] for one in arms], images)
    plan = replace(plan, run=run or plan.run)
    codes = tuple(pipeline.code_map(images[0], image) for image in images[1:])
    folder = pipeline.results / "runs" / plan.run
    if run and runs.is_begun(folder):
        runs.carry_on(folder, plan)
    else:
        runs.start(folder, plan, codes)
    pipeline.story.say(f"run {plan.run}")
    order = random.Random(plan.run)
    return Prepared(plan, tuple(arms), folder, codes, pipeline.booter(folder), order)


def _tell_first(
    pipeline: Pipeline, request: BenchRequest, base: Image, machines: Sequence[Machine]
) -> None:
    """Report one boot of the base while the other kernels have still to be built.

    The run finds it on the shelf. One that is lost is lost again there, and told then.
    """
    machine = next((one for one in machines if one.exact), None)
    if machine is None:
        return
    workload = pipeline.workload(request.workload, request.parameters, machine)
    job = booting.Job(pipeline.arm(base, machine, workload), _FIRST_SEED)
    folder = pipeline.cache / "work/first"
    files.remove(folder)
    (booted,) = pipeline.booter(folder).exact([job], fresh=False, pick=None)
    if booted.failure:
        return
    notes = pipeline.catalog.metric_notes()
    times = [one for one in booted.record.metrics if one.unit == "ns" and one.name in notes]
    swept = [one for one in times if notes[one.name].swept]
    numbers = [
        f"{notes[one.name].label} {quantity(booted.value(one.name), one.unit)}"
        for one in swept or times[:3]
    ]
    pipeline.story.say(f"{base.series} on {machine.name}, one boot: {', '.join(numbers)}")


def _check(pipeline: Pipeline, request: BenchRequest) -> list[Machine]:
    """Return the requested machines; refuse what cannot be done before anything is built."""
    if request.against in request.tests:
        raise BadInput(f"--series and --against are both {request.against}: nothing to compare")
    if len(set(request.tests)) < len(request.tests):
        raise BadInput(f"--series {request.series}: each series once")
    if request.seeds is not None and request.seeds < 1:
        raise BadInput(f"--seeds {request.seeds}: at least 1")
    if len(set(request.machines)) < len(request.machines):
        raise BadInput(f"--machine {','.join(request.machines)}: each machine once")
    machines = [pipeline.catalog.machine(name) for name in request.machines]
    for machine in machines:
        pipeline.check_machine(machine)
    if not pipeline.catalog.flavour(request.flavour, "").comparable:
        raise BadInput(
            f"timings of flavour {request.flavour} mean nothing, as its file says; `check` boots it"
        )
    for machine in machines:
        pipeline.workload(request.workload, request.parameters, machine)
    return machines


def _plan(
    pipeline: Pipeline,
    request: BenchRequest,
    trees: Sequence[Tree],
    arms: Sequence[Arm],
    images: Sequence[Image],
) -> Plan:
    source, tools = trees[0].source, pipeline.toolchain
    notes = [
        ArmNote(
            one.series.name,
            one.id,
            image.key,
            image.release,
            one.series.engaged_vmstat,
            one.series.base,
            one.series.message_ids,
        )
        for one, image in zip(trees, images, strict=True)
    ]
    return Plan(
        run=pipeline.new_name(
            f"{'-'.join(request.tests)}-against-{request.against}-{source.kernel}"
        ),
        command=request.command(),
        kernel=source.kernel,
        version=source.version,
        provenance=source.provenance,
        tarball_sha256=source.tarball_sha256,
        fetched=source.fetched,
        packages=tools.packages,
        flavour=request.flavour,
        base=notes[0],
        test=notes[1],
        others=tuple(notes[2:]),
        workload=arms[0].workload,
        machines=tuple(arm.machine for arm in arms),
        seeds={
            arm.machine.name: tuple(range(1, (request.seeds or arm.machine.seeds) + 1))
            for arm in arms
        },
        toolchain={
            "toolchain": tools.digest,
            "toolchain image": tools.image_id,
            "base image": tools.base,
            "container engine": pipeline.engine.version(),
            "gcc": tools.gcc,
            "binutils": tools.binutils,
            "qemu": tools.qemu,
            **{f"platform {arm.machine.name}": arm.platform.key for arm in arms if arm.platform},
        },
        guest=arms[0].guest.key,
        host=host.describe(),
    )
