# SPDX-License-Identifier: GPL-2.0-only
"""Feeds a parser drawn inputs, in a process that may use so much and no more."""

import os
import random
import resource
import signal
import tempfile
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType

from patchbench.errors import PipelineError
from tests.fuzz.mutating import mutated
from tests.fuzz.targets import Target

#: CPU time, as the host may be busy.
MOST_S = 1.0
#: What a parser may take beside what is in memory already.
MOST_MEMORY_BYTES = 512 << 20


@dataclass(slots=True)
class Fuzzed:
    """What came of a target: how many cases, the slowest, and inputs by what was wrong."""

    target: str
    cases: int = 0
    slowest_s: float = 0.0
    wrong: dict[str, bytes] = field(default_factory=dict)


class _HangError(Exception):
    pass


def fuzz(target: Target, seed: int, *, cases: int = 0, seconds: float = 0.0) -> Fuzzed:
    """Return what came of so many cases, or of as many as there is time for.

    Limits this process for good: fork it first.
    """
    draw, found = random.Random(f"{seed} {target.name}"), Fuzzed(target.name)
    _limit_memory()
    ends = time.monotonic() + seconds
    with tempfile.TemporaryDirectory(prefix="patchbench-fuzz-", dir=in_memory()) as folder:
        while found.cases < cases or time.monotonic() < ends:
            data = mutated(draw, target.seeds) if found.cases else target.seeds[0]
            place, took_s = attempt(lambda data=data: target.parse(data, Path(folder)))  # type: ignore[misc]
            found.cases += 1
            found.slowest_s = max(found.slowest_s, took_s)
            if place:
                found.wrong.setdefault(place, data)
    return found


def attempt(parse: Callable[[], object]) -> tuple[str, float]:
    """Return what was wrong about a case, empty if nothing, and its CPU time."""
    signal.signal(signal.SIGPROF, _hang)
    began_s = time.process_time()
    signal.setitimer(signal.ITIMER_PROF, 2 * MOST_S)
    place = ""
    try:
        parse()
    except PipelineError:
        pass
    except Exception as err:  # noqa: BLE001  # that there is none is what is tested
        place = _place(err)
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
    took_s = time.process_time() - began_s
    return place or (f"took {took_s:.1f} s" if took_s > MOST_S else ""), took_s


def _place(err: Exception) -> str:
    """Return an exception's type and where in our code it came from, to count it once."""
    ours = [
        one for one in traceback.extract_tb(err.__traceback__) if "/patchbench/" in one.filename
    ]
    where = f"{Path(ours[-1].filename).name}:{ours[-1].lineno}" if ours else "outside"
    return f"{type(err).__name__} at {where}"


def _hang(_: int, __: FrameType | None) -> None:
    raise _HangError


def in_memory() -> str | None:
    """Return a folder in memory, where there is one: on a disk, half of a case is opening files."""
    return "/dev/shm" if os.access("/dev/shm", os.W_OK) else None


def _limit_memory() -> None:
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    most = pages * resource.getpagesize() + MOST_MEMORY_BYTES
    resource.setrlimit(resource.RLIMIT_AS, (most, most))
