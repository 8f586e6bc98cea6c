# SPDX-License-Identifier: GPL-2.0-only
"""Lets the host fail while a verb runs: its disks, its clock, its engine, its patience.

A run on a host that fails may end with status 30, and must not say a word against a series. The
next run on a sound host must be right, to the byte.
"""

import errno
import os
import random
import resource
import shutil
import signal
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

from patchbench.errors import PipelineError, ToolFailed
from tests.command import Done, invoke
from tests.engine import FakeEngine
from tests.faults.place import VERBS, Left, Place, at_point, forked, orphans, run, start, wait

#: Verbs that build, boot and judge.
_STRUCK = ("bench", "bench", "gate", "check")
_MOST_FILE_BYTES = 8192
_STOPPED_S = 0.3
_FAR_S = 10 * 365 * 24 * 3600
#: Files of the cache by kind; a byte is flipped in one of each.
_FILES = (
    *("shelf/images/*/*", "shelf/boots/*/*", "shelf/functions/*/*", "shelf/guests/*/*"),
    *("shelf/programs/*/*", "shelf/toolchain/*/*", "shelf/configurations/*/*"),
    "kernels/*/source.json",
    *("kernels/*/repo.git/objects/pack/*.pack", "kernels/*/repo.git/objects/pack/*.idx"),
    *("kernels/*/repo.git/objects/??/*", "kernels/*/repo.git/refs/patchbench/*"),
    *("kernels/*/repo.git/config", "kernels/*/repo.git/worktrees/*/index"),
    *("kernels/*/repo.git/worktrees/*/HEAD", "logs/**/*", "work/lanes/**/source/Makefile"),
)


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault, and all that is wrong about what came of it: nothing, if all is well."""

    kind: str
    verb: str
    status: int
    wrong: list[str]


def faults(place: Place, seed: int, rounds: int) -> Iterator[Fault]:
    """Let each kind of fault happen so often at drawn points, and say what came of it."""
    draw = random.Random(seed)
    for number in range(rounds):
        verb = _STRUCK[number % len(_STRUCK)]
        for kind, work in _AT_A_POINT.items():
            point = draw.randint(1, place.whole(verb)[0])
            place.restore(verb)
            yield _fault(place, kind, verb, partial(work, place, verb, point))
        for pattern in _FILES:
            yield _flip(place, pattern, draw)
        yield _stopped(place, verb, draw)
        yield _two_at_once(place)
        yield _two_caches(place)
        yield _elsewhere(place, _COPIED)
        yield _elsewhere(place, _MOVED)


def _fault(place: Place, kind: str, verb: str, work: Callable[[], Any]) -> Fault:
    _, wanted = place.whole(verb)
    done = forked(work)
    allowed = {wanted.status, PipelineError.exit_code}
    wrong = [] if done["status"] in allowed else [f"status {done['status']}: {done['stderr']}"]
    wrong += orphans() + place.halves()
    wrong += place.left(run(VERBS[verb])).differences(wanted)
    return Fault(kind, verb, done["status"], wrong)


def _fails_below(part: str, error: int, place: Place, verb: str, point: int) -> Any:
    """Run a verb while nothing below a part of the place can be written from a point on."""
    folder: Path = getattr(place, part)
    points = 0

    def fail(path: str) -> None:
        nonlocal points
        points += 1
        if points >= point and Path(path).is_relative_to(folder):
            raise OSError(error, os.strerror(error), path)

    at_point(fail)
    return asdict(invoke(*VERBS[verb]))


def _short_files(_: Place, verb: str, point: int) -> Any:
    """Run a verb while no file, git's own among them, can become larger than a drawn size."""
    size = point % _MOST_FILE_BYTES
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))
    return asdict(invoke(*VERBS[verb]))


def _engine_goes(_: Place, verb: str, point: int) -> Any:
    """Run a verb while the engine answers no more from a container on."""
    left, answer = 1 + point % 20, FakeEngine.run

    def answer_or_fail(engine: FakeEngine, *rest: Any, **more: Any) -> Any:
        nonlocal left
        left -= 1
        if left < 0:
            raise ToolFailed("the container engine could not run it: connection refused")
        return answer(engine, *rest, **more)

    setattr(FakeEngine, "run", answer_or_fail)  # noqa: B010  # mypy knows no other way
    return asdict(invoke(*VERBS[verb]))


def _clock_jumps(by_s: float, _: Place, verb: str, point: int) -> Any:
    """Run a verb while the clock is set otherwise at a point."""
    points, true_time = 0, time.time

    def jump(_path: str) -> None:
        nonlocal points
        points += 1
        if points == point:
            time.time = lambda: true_time() + by_s

    at_point(jump)
    return asdict(invoke(*VERBS[verb]))


def _flip(place: Place, pattern: str, draw: random.Random) -> Fault:
    """Flip a bit in a file of a cache in which all is shelved; the bench is right, or is mended."""
    bench = VERBS["bench"]
    _, wanted = place.whole("bench")
    place.restore_after(bench)
    paths = [path for path in sorted(place.cache.glob(pattern)) if path.is_file()]
    paths = [path for path in paths if path.stat().st_size]
    kind = f"a bit flips in {pattern}"
    if not paths:
        return Fault(kind, "bench", 0, ["there is no such file"])
    path = draw.choice(paths)
    data = bytearray(path.read_bytes())
    data[draw.randrange(len(data))] ^= 1 << draw.randrange(8)
    path.chmod(0o644)
    path.write_bytes(data)
    found = place.left(run(bench))
    status = found.status
    if status == PipelineError.exit_code:
        mended = run(["doctor", "--cache"])
        found = place.left(run(bench))
        if mended.status:
            return Fault(kind, "bench", status, [mended.stderr])
    wrong = [f"{path.relative_to(place.cache)}: {text}" for text in found.differences(wanted)]
    return Fault(kind, "bench", status, wrong)


def _stopped(place: Place, verb: str, draw: random.Random) -> Fault:
    """Stop a run for a while, and let it go on."""
    _, wanted = place.whole(verb)
    place.restore(verb)
    child, pipe = start(lambda: asdict(invoke(*VERBS[verb])))
    time.sleep(draw.random())
    os.kill(child, signal.SIGSTOP)
    time.sleep(_STOPPED_S)
    os.kill(child, signal.SIGCONT)
    done = wait(child, pipe)
    return Fault(_STOPPED, verb, done["status"], _wrong(place, done, wanted))


def _two_at_once(place: Place) -> Fault:
    """Bench twice at once, on one cache."""
    _, wanted = place.whole("bench")
    place.restore("bench")
    started = [start(lambda: asdict(invoke(*VERBS["bench"]))) for _ in range(2)]
    ended = [wait(*one) for one in started]
    wrong = [text for done in ended for text in _wrong(place, done, wanted)]
    return Fault(_TWO, "bench", max(one["status"] for one in ended), wrong)


def _two_caches(place: Place) -> Fault:
    """Bench twice at once, on two caches and into one folder of results."""
    _, wanted = place.whole("bench")
    place.restore("bench")
    caches = [place.cache, place.folder / "other cache"]
    ended = [wait(*one) for one in [start(partial(_on_cache, "bench", one)) for one in caches]]
    wrong = [text for done in ended for text in _wrong(place, done, wanted)]
    wrong += [] if len([*place.results.glob("runs/*/SHA256SUMS")]) == 2 else ["a run is missing"]
    return Fault(_OTHERS, "bench", max(one["status"] for one in ended), wrong)


def _on_cache(verb: str, cache: Path) -> Any:
    os.environ["PATCHBENCH_CACHE"] = str(cache)
    return asdict(invoke(*VERBS[verb]))


def _elsewhere(place: Place, how: str) -> Fault:
    """Gate on a cache that was copied or moved after a bench; the old one stays as it was."""
    _, wanted = place.whole("gate")
    place.restore_after(VERBS["bench"])
    new = place.folder / "elsewhere"
    if how == _COPIED:
        shutil.copytree(place.cache, new, symlinks=True)
    else:
        place.cache.rename(new)
    before = _contents(place.cache)
    done = forked(partial(_on_cache, "gate", new))
    wrong = [] if _contents(place.cache) == before else ["the old cache is not as it was"]
    if place.printed(done["stdout"]) != wanted.printed:
        wrong.append(f"it printed {done['stdout']} {done['stderr']}")
    return Fault(how, "gate", done["status"], wrong)


def _contents(folder: Path) -> dict[Path, tuple[int, bytes]]:
    """Return the time and bytes of every file below a folder."""
    files = (path for path in sorted(folder.rglob("*")) if path.is_file())
    return {path: (path.stat().st_mtime_ns, path.read_bytes()) for path in files}


def _wrong(place: Place, done: dict[str, Any], wanted: Left) -> list[str]:
    return place.left(Done(**done)).differences(wanted)


_AT_A_POINT: Mapping[str, Callable[[Place, str, int], Any]] = {
    "the cache's disk is full": partial(_fails_below, "cache", errno.ENOSPC),
    "the results' disk is full": partial(_fails_below, "results", errno.ENOSPC),
    "the cache is read-only": partial(_fails_below, "cache", errno.EROFS),
    "the results are read-only": partial(_fails_below, "results", errno.EROFS),
    "files can be no larger": _short_files,
    "the engine goes away": _engine_goes,
    "the clock jumps back": partial(_clock_jumps, -_FAR_S),
    "the clock jumps ahead": partial(_clock_jumps, _FAR_S),
}
_STOPPED, _TWO = "the run is stopped", "two runs on one cache"
_OTHERS = "two runs on two caches"
_COPIED, _MOVED = "the cache was copied", "the cache was moved"
#: All of them, but for the bits that flip in each kind of file.
KINDS = (*_AT_A_POINT, _STOPPED, _TWO, _OTHERS, _COPIED, _MOVED)
