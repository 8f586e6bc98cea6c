# SPDX-License-Identifier: GPL-2.0-only
"""Kills a verb at a drawn point of its work, lets the next run carry on, and compares.

A point is one change of the file system, or the start of a program, of all that the verb makes.
Half of the kills strike there, half of them up to 30 ms later, when git may be at work.
"""

import os
import random
import signal
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial

from tests.command import invoke
from tests.faults.place import BEFORE, VERBS, Place, at_point, forked, orphans, run

#: How often each verb is killed of a hundred times: short ones more often.
_OF_A_HUNDRED = {"bench": 30, "gate": 25, "check": 20, "publish": 15, "study": 6, "calibrate": 4}
_LATER_S = 0.030


@dataclass(frozen=True, slots=True)
class Kill:
    """One kill, and all that is wrong about what came of it: nothing, if all is well."""

    verb: str
    point: int
    of: int
    later_s: float
    killed: bool
    wrong: list[str]


def kills(place: Place, seed: int, count: int) -> Iterator[Kill]:
    """Kill verbs so many times, and say of each kill what came of it."""
    draw = random.Random(seed)
    for verb in _drawn(draw, count):
        points, _ = place.whole(verb)
        yield _kill(place, verb, draw.randint(1, points), draw.choice((0, draw.random())))


def _drawn(draw: random.Random, count: int) -> list[str]:
    """Return verbs in proportion, in a drawn order."""
    every = [verb for verb, often in _OF_A_HUNDRED.items() for _ in range(often)]
    chosen = [every[at * len(every) // count] for at in range(count)]
    draw.shuffle(chosen)
    return chosen


def _kill(place: Place, verb: str, point: int, later: float) -> Kill:
    later_s = later * _LATER_S
    points, wanted = place.whole(verb)
    place.restore(verb)
    killed = forked(partial(_struck, verb, point, later_s)) is None
    wrong = orphans() + place.halves()
    if verb in BEFORE and place.published() == wanted.published:  # it has, and does so once
        return Kill(verb, point, points, later_s, killed, wrong)
    finished = {path: path.stat().st_ino for path in place.cache.glob("shelf/boots/[!.]*")}
    wrong += place.left(run(VERBS[verb])).differences(wanted)
    lost = [path for path, inode in finished.items() if path.stat().st_ino != inode]
    wrong += [f"the finished boot {path.name} was booted again" for path in lost]
    return Kill(verb, point, points, later_s, killed, wrong)


def _struck(verb: str, point: int, later_s: float) -> bool:
    """Run a verb and kill this process at a point; True if it ended before."""
    points = 0

    def strike(_: str) -> None:
        nonlocal points
        points += 1
        if points == point:
            end = partial(os.kill, os.getpid(), signal.SIGKILL)
            threading.Timer(later_s, end).start() if later_s else end()

    at_point(strike)
    invoke(*VERBS[verb])
    return True
