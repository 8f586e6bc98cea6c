# SPDX-License-Identifier: GPL-2.0-only
"""What `profile` does with the pipeline: it builds, boots plain and profiled, and counts."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from patchbench.errors import BadInput
from patchbench.model import Plan
from patchbench.pipeline import Pipeline, kernel_flag
from patchbench.profile import boots, counting
from patchbench.profile.sorting import Profiles
from patchbench.stages import splats


@dataclass(frozen=True, slots=True)
class ProfileRequest:
    """The flags of `profile`; series, machine: one, or several with commas."""

    series: str
    against: str
    kernel: str
    tree: str
    workload: str
    machine: str
    flavour: str
    seed: int
    parameters: Mapping[str, int]
    dirty: bool = False  # of the tree, take what no commit holds as well
    run: str = ""  # a name for its folder
    typed: str = ""  # the command as it was typed, where a series is a source of mails

    def on(self, choose: Callable[[], str]) -> "ProfileRequest":
        """Return it with the kernel that is chosen where none was asked for."""
        return replace(self, kernel=self.kernel or choose())

    def command(self) -> str:
        """Return the one command that repeats it."""
        if self.typed:
            return self.typed
        words = [
            f"./bootstrap profile --series {self.series} --against {self.against}",
            kernel_flag(self.kernel, self.tree, dirty=self.dirty),
            f"--workload {self.workload} --machine {self.machine} --seed {self.seed}",
            *([f"--flavour {self.flavour}"] if self.flavour != "bench" else []),
            *(f"--set {name}={value}" for name, value in self.parameters.items()),
        ]
        return " ".join(words)


def of_run(plan: Plan, seed: int) -> ProfileRequest:
    """Return what to profile for a run: its arms, under its conditions, on its exact machines.

    Raises BadInput if the run has no exact machine.
    """
    exact = [machine.name for machine in plan.machines if machine.exact]
    if not exact:
        raise BadInput(f"run {plan.run} has no exact machine, and a profile needs one")
    return ProfileRequest(
        series=plan.test.series,
        against=plan.base.series,
        kernel=plan.kernel,
        tree="",
        workload=plan.workload.name,
        machine=",".join(exact),
        flavour=plan.flavour,
        seed=seed,
        parameters=plan.workload.parameters,
    )


def by_machine(run: Pipeline, request: ProfileRequest) -> tuple[Path, tuple[Profiles, ...]]:
    """Profile on each machine of the request; return the folder of them all, and the profiles."""
    machines = [run.catalog.machine(name) for name in request.machine.split(",")]
    for machine in machines:
        boots.check_machine(machine)
    found = []
    for machine in machines:
        folder, profiles = profile(run, replace(request, machine=machine.name))
        request = replace(request, run=folder.name)
        found.append(profiles)
    return folder, tuple(found)


def profile(run: Pipeline, request: ProfileRequest) -> tuple[Path, Profiles]:
    """Boot the arms plain and profiled on one machine; return the run's folder and the profiles.

    The first arm is `against`; a series against itself is one arm.
    """
    machine = run.catalog.machine(request.machine)
    boots.check_machine(machine)
    workload = run.workload(request.workload, request.parameters, machine)
    grouping = run.catalog.profile_map()
    source = run.source(request.kernel, request.tree)
    names = dict.fromkeys((request.against, *request.series.split(",")))
    arms = run.arms(source, names, flavour=request.flavour, machine=machine, workload=workload)
    profiler = counting.profiler(run)
    name = request.run or run.new_name(f"profile-{'-'.join(names)}-{source.kernel}")
    folder = run.results / "runs" / name
    profiled = boots.run(
        run.pool(),
        profiler,
        arms,
        request.seed,
        folder,
        policy=splats.load(run.root),
        story=run.story,
    )
    return folder, Profiles(
        title=f"{', '.join(names)} on {source.kernel} {source.version}, {request.workload} on "
        f"{machine.name}, seed {request.seed}",
        command=request.command(),
        arms=tuple(one.profile for one in profiled),
        map=grouping,
        machine=machine.name,
        ns_per_instruction=machine.nanoseconds_per_instruction,
        every_instructions=counting.EVERY_INSTRUCTIONS,
        overheads={one.profile.series: one.seconds for one in profiled},
    )
