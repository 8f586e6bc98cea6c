# SPDX-License-Identifier: GPL-2.0-only
"""Several runs on one cache: one of them makes, the others boot.

What makes something - an image, a work tree, a source - has `lock` alone. A boot needs none of
that: it reads the shelf, and adds to it what only it has. So a run lets go of the lock while it
boots, and the next one builds meanwhile. Each run has a file in `in-use/`, locked for as long as
it lives: what a killed one left behind is told by that, and the shelf is cleared only by a run that
is alone. The locks are the kernel's (flock), so whoever dies lets go of them.
"""

import fcntl
import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from patchbench.errors import PipelineError, ToolFailed
from patchbench.tools import process

#: The caches that are locked here, by thread: who opens one again would wait for itself.
_locked: set[tuple[int, Path]] = set()


class Share:
    """A run's share of a cache, from `enter` to `leave`.

    boots_only: it makes nothing, and so never has the lock. A share that is entered in a thread
    that has one of the same cache already works under that one's lock.
    """

    def __init__(self, cache: Path, say: Callable[[str], None], *, boots_only: bool) -> None:
        self._cache = cache
        self._say = say
        self._boots_only = boots_only
        self._mine: TextIO | None = None
        self._lock: TextIO | None = None
        self.within = False
        #: By this a run is told from others: what it starts carries it.
        self.name = f"{os.getpid()}-{threading.get_ident()}-{time.monotonic_ns()}"

    def enter(self) -> None:
        """Take the lock, and say so if another run has it."""
        self._cache.mkdir(parents=True, exist_ok=True)
        self._place = threading.get_ident(), self._cache.resolve()
        if self._place in _locked:
            self.within = True
            return
        self._lock = (self._cache / "lock").open("w")
        # Who only boots must not appear while another run takes itself to be alone.
        self._take(fcntl.LOCK_SH if self._boots_only else fcntl.LOCK_EX)
        self._in_use.mkdir(exist_ok=True)
        self._mine = (self._in_use / self.name).open("w")
        fcntl.flock(self._mine, fcntl.LOCK_EX)
        if self._boots_only:
            fcntl.flock(self._lock, fcntl.LOCK_UN)
            return
        process.hold(self._lock.fileno())
        _locked.add(self._place)

    def leave(self) -> None:
        """Let go of all of it."""
        if self._mine:
            (self._in_use / self.name).unlink(missing_ok=True)
            self._mine.close()
        if self._lock:
            if not self._boots_only:
                _locked.discard(self._place)
                process.let_go(self._lock.fileno())
            self._lock.close()

    @contextmanager
    def booting(self) -> Iterator[None]:
        """Let others make things while the block runs."""
        if self._boots_only or self._lock is None:
            yield
            return
        fcntl.flock(self._lock, fcntl.LOCK_UN)
        try:
            yield
        except PipelineError:
            self._take(fcntl.LOCK_EX)  # a run may go on without what failed
            raise
        self._take(fcntl.LOCK_EX)

    def others(self) -> set[str]:
        """Return the other runs that live; the files of those that died are removed."""
        alive = set()
        for path in [*self._in_use.glob("*")]:
            if path.name == self.name:
                continue
            if _is_held(path):
                alive.add(path.name)
            else:
                path.unlink(missing_ok=True)
        return alive

    def require_alone(self) -> None:
        """Raise ToolFailed if another run boots from this cache."""
        if self.others():
            raise ToolFailed(
                f"another run boots from {self._cache}, and needs what is there\n"
                "  wait until it ends, or stop it"
            )

    @property
    def _in_use(self) -> Path:
        return self._cache / "in-use"

    def _take(self, how: int) -> None:
        assert self._lock is not None  # it was entered
        try:
            fcntl.flock(self._lock, how | fcntl.LOCK_NB)
        except BlockingIOError:
            self._say(f"another run is using {self._cache}; waiting until it boots or ends")
            fcntl.flock(self._lock, how)


def _is_held(path: Path) -> bool:
    try:
        with path.open("r") as held:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except FileNotFoundError:
        return False
    return False
