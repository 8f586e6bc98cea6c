# SPDX-License-Identifier: GPL-2.0-only
"""Every failure a user can act on, and the exit status it leaves.

A message says what is wrong, where, and what to do. Anything that is not a PipelineError is
a bug of ours and leaves status 1 with a traceback.
"""

from pathlib import Path


class PipelineError(Exception):
    """The base of all: something a user, and not a programmer, can put right."""

    exit_code = 30


class GateFailed(PipelineError):
    """A series breaks a limit, or a check found it broken."""

    exit_code = 10


class Undecided(PipelineError):
    """What was measured is too little to pass a series or to fail it."""

    exit_code = 11


class BadInput(PipelineError):
    """A file, a key, a name or a flag is not what it must be."""

    exit_code = 20


class NoMarks(BadInput):
    """A workload never reached its marks, so nothing says which of its instructions count."""


class UnknownName(BadInput):
    """A name that no drop-in file carries; the message lists those that exist."""

    def __init__(self, noun: str, name: str, known: list[str], folder: Path) -> None:
        listed = ", ".join(known) or "none"
        super().__init__(f"no {noun} is called {name!r}\n  known in {folder}: {listed}")


class ClaimFails(PipelineError):
    """A number that a text claims is not what the run's logs say."""

    exit_code = 10


class DoesNotApply(PipelineError):
    """`patch` (a file's name) does not apply to the kernel; `where` has its hunks."""

    exit_code = 21

    def __init__(self, message: str, patch: str, where: str) -> None:
        super().__init__(message)
        self.patch = patch
        self.where = where


class KconfigDropped(PipelineError):
    """The kernel's configuration came out other than it was asked for."""

    exit_code = 22


class BuildFailed(PipelineError):
    """The kernel or a guest program does not compile."""

    exit_code = 22


class Unfit(PipelineError):
    """A file that a container left is not one that the host may read: a link, a FIFO, too large."""

    exit_code = 22


class Overrun(PipelineError):
    """What ran in a container was ended, because it filled the host's disk."""

    exit_code = 22


class BootFailed(PipelineError):
    """One boot gave no samples that can be used; `bench` keeps and counts it."""

    exit_code = 23


class LostGuest(BootFailed):
    """The guest never said `end ok`: it hung, panicked, or its workload gave up."""


class WrongKernel(BootFailed):
    """The guest runs another kernel than the image it was given."""


class BadRecord(BootFailed):
    """The results log breaks the guest protocol."""


class HostOverloaded(BootFailed):
    """The host kept the guest from its end, so whether it would have hung is unknown.

    Its CPUs were others', it was stopped, its disk was full, or QEMU was killed.
    """

    exit_code = 30


class Untested(BootFailed):
    """The kernel lacks what the workload needs, as the guest says."""


class KernelSplat(BootFailed):
    """The kernel warned or oopsed during the boot, so its timings mean nothing."""

    exit_code = 24


class NotComparable(PipelineError):
    """Two arms differ in more than the image, or hold too little to be compared."""

    exit_code = 25


class NotEngaged(NotComparable):
    """Nothing shows that the series did its work: no counter of its own, no changed function."""


class NotRepeatable(PipelineError):
    """A boot on an exact machine gave other bytes than the boot on the shelf."""


class ToolFailed(PipelineError):
    """git, the container engine or QEMU is missing or broken."""


class HostLost(ToolFailed):
    """One of several hosts died, hangs, or is no longer reached; another may do its work."""


class HostSilent(ToolFailed):
    """One of several hosts did not answer in time; what it was asked may still be under way."""


class NotReached(ToolFailed):
    """The scheduler is gone, or the run has let go of it."""


class DiskFull(ToolFailed):
    """The disk is nearly full, whoever filled it."""
