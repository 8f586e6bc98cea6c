# SPDX-License-Identifier: GPL-2.0-only
"""Stand-ins for the outside world, each a few lines, and small things to feed the stages."""

import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from itertools import repeat
from pathlib import Path

from patchbench.findings import CheckResult, Finding, FindingState
from patchbench.model import (
    NONE,
    Arm,
    ArmNote,
    Boot,
    DebianOrigin,
    Guest,
    Image,
    KernelSpec,
    Machine,
    Origin,
    Plan,
    Platform,
    Record,
    Source,
    Workload,
)
from patchbench.records import parse
from patchbench.stages import fetch
from patchbench.stages.boot import CanBoot
from patchbench.stages.pool import LocalPool
from patchbench.story import Meter, Silence, Story
from patchbench.tools.qemu import CONSOLE, RESULTS, Ran
from patchbench.tools.slots import Slots

RELEASE = "7.3.4-pb-0123456789ab"
CLEAN_CONSOLE = "[    0.000000] Booting Linux\n[    0.300000] Run /init as init process\n"


def results(
    exit_ns: object = 100, drain_ns: object = 200, *, release: str = RELEASE, counter: int = 0
) -> str:
    """Return a whole results log of a small workload."""
    moved = f"meta vmstat.async_swap_count {counter}\n" if counter else ""
    return (
        f"patchbench 1\nmeta release {release}\n{moved}"
        "metric exit_ns ns lower\nmetric drain_ns ns lower\n"
        f"sample exit_ns {exit_ns} victim-0\nsample drain_ns {drain_ns}\nend ok\n"
    )


class Listener(Silence):
    """A Story that remembers what it heard."""

    def __init__(self) -> None:
        self.heard: list[str] = []
        self.meters: list[str] = []

    def say(self, text: str) -> None:
        self.heard.append(text)

    @contextmanager
    def meter(self, title: str, total: float, unit: str) -> Iterator[Meter]:
        self.meters.append(title)
        with super().meter(title, total, unit) as meter:
            yield meter


@dataclass
class FakeHypervisor:
    """Boots nothing: writes the logs it was given for a release and seed, and counts."""

    logs: dict[tuple[str, int], tuple[str, str]] = field(default_factory=dict)
    timed_out: bool = False
    booted: list[tuple[str, int]] = field(default_factory=list)
    stopped: bool = False
    delays_pct: Iterator[float] = field(default_factory=lambda: repeat(0.0))  # of each boot

    def run(
        self,
        machine: Machine,
        workload: Workload,
        *,
        image: Path,
        initrd: Path,
        seed: int,
        out: Path,
        platform: Platform | None = None,
    ) -> Ran:
        release = image.name
        self.booted.append((release, seed))
        out.mkdir(parents=True, exist_ok=True)
        measured, console = self.measured(release, seed)
        (out / RESULTS).write_text(measured)
        (out / CONSOLE).write_text(console)
        disturbance = {"delayed_pct": next(self.delays_pct)}
        return Ran(1.5, self.timed_out, orderly=not self.timed_out, host=disturbance)

    def measured(self, release: str, seed: int) -> tuple[str, str]:
        """Return the logs that a boot leaves: results and console."""
        usual = results(100 + seed, release=release), CLEAN_CONSOLE
        return self.logs.get((release, seed), usual)

    def stop(self) -> None:
        self.stopped = True


class FreeSlots(Slots):
    """The slots of a host on which nobody waits."""

    def __init__(self) -> None:
        super().__init__(Path("/nowhere"), [0], print)

    @contextmanager
    def one(self) -> Iterator[None]:
        yield

    whole = one


def local(hypervisor: CanBoot) -> LocalPool:
    """Return a hypervisor as a pool of one host on which nobody waits."""
    return LocalPool(hypervisor, FreeSlots())


def machine(name: str = "exact", **changes: object) -> Machine:
    """Return a machine; exact unless its accel is changed."""
    usual: dict[str, object] = {
        "summary": "a test's",
        "cannot_show": "anything",
        "accel": "icount",
        "cpu": "cortex-a76",
        "vcpus": 1,
        "memory_mib": 64,
        "zram_mib": 32,
        "zram_algorithm": "lz4",
        "seeds": 2,
        "boot_timeout_s": 5,
        "icount_shift": 1,
    }
    return Machine(name, **{**usual, **changes})  # type: ignore[arg-type]


def workload() -> Workload:
    """Return a workload with one parameter."""
    return Workload("storm", "a test's", "storm", {"victims": 2})


def arm(series: str = "none", on: Machine | None = None) -> Arm:
    """Return an arm whose image's file name is its release, which FakeHypervisor looks at."""
    release = f"7.3.4-pb-{series}"
    image = Image(f"key-{series}", Path("/shelf") / release, release, series, "tree", "bench")
    return Arm(image, Guest("guest", Path("/shelf/initrd")), on or machine(), workload(), "10.0.13")


def plan(*machines: Machine, seeds: int = 2, engaged: str | None = None) -> Plan:
    """Return the plan of v0 against none on the machines."""
    machines = machines or (machine(),)
    return Plan(
        run="20260101T000000-v0-against-none-mainline",
        command="./bootstrap bench",
        kernel="mainline",
        version="7.3.4",
        provenance="a test's",
        flavour="bench",
        base=ArmNote("none", "tree-none", "key-none", "7.3.4-pb-none"),
        test=ArmNote("v0", "tree-v0", "key-v0", "7.3.4-pb-v0", engaged),
        workload=workload(),
        machines=machines,
        seeds={one.name: tuple(range(1, seeds + 1)) for one in machines},
        toolchain={"gcc": "14.2.0"},
        guest="guest",
        host={"cores": "2"},
    )


def boot(series: str, seed: int, log: str, on: str = "exact") -> Boot:
    """Return a good boot with the samples of a results log."""
    return Boot(on, series, seed, parse(log))


def lost(series: str, seed: int, on: str = "exact") -> Boot:
    """Return a boot that gave nothing."""
    return Boot(on, series, seed, Record(False, (), (), {}, ""), "it hung", 23)


def condition(
    series: str, state: FindingState, on: str = "left_pages", **fields: object
) -> Finding:
    """Return a finding on a condition of the hazard residue."""
    finding = Finding("condition", "mainline", "7.3.4", series, "residue", state, "5120", on=on)
    return replace(finding, **fields)  # type: ignore[arg-type]


def check_result(*found: Finding, series: str = "v0", against: str = NONE) -> CheckResult:
    """Return the result of a check with these findings."""
    kernels = {one.kernel: one.version for one in found}
    return CheckResult(series, against, "./bootstrap check", kernels, found)


def kernel_spec(origin: Origin) -> KernelSpec:
    return KernelSpec("small", "a test's", origin)


def no_debian(origin: DebianOrigin, _: Path) -> tuple[Path, str]:
    raise AssertionError(f"nobody asked for {origin.package}")


def fetched_from(origin: Origin, cache: Path, story: Story | None = None) -> Source:
    return fetch.fetch(kernel_spec(origin), cache, story or Listener(), debian=no_debian)


def git(folder: Path, *arguments: str) -> str:
    """Run git in a folder, as nobody in particular."""
    identity = ["-c", "user.name=A Hacker", "-c", "user.email=hacker@example.org"]
    done = subprocess.run(
        ["git", *identity, *arguments], cwd=folder, check=True, capture_output=True, text=True
    )
    return done.stdout.strip()


KERNEL_FILES: Mapping[str, str] = {
    "Makefile": "VERSION = 7\nPATCHLEVEL = 3\nSUBLEVEL = 4\nEXTRAVERSION =\n",
    "mm/swapfile.c": "".join(f"line {number}\n" for number in range(1, 41)),
    # A packaged kernel's own: with it, a plain `git add` adds nothing.
    ".gitignore": "/*\n",
}


def small_kernel(folder: Path) -> Path:
    """Write a kernel tree of three files, and return it."""
    for name, text in KERNEL_FILES.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return folder


def small_repository(folder: Path) -> Path:
    """Return the small kernel as a git repository with one commit."""
    small_kernel(folder)
    git(folder, "init", "--quiet")
    git(folder, "add", "--all", "--force")
    git(folder, "commit", "--quiet", "--message", "base")
    return folder


def write_patch(folder: Path, number: int, old: str, new: str, repository: Path) -> Path:
    """Write a mail that changes a line of mm/swapfile.c, made by git itself."""
    source = repository / "mm/swapfile.c"
    source.write_text(source.read_text().replace(f"{old}\n", f"{new}\n"))
    git(repository, "commit", "--all", "--quiet", "--message", f"mm: say {new}\n\nBecause.")
    mail = git(repository, "format-patch", "-1", "--stdout", "--no-signature")
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{number:04}-mm-say.patch"
    path.write_text(mail + "\n")
    return path
