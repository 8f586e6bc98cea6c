# SPDX-License-Identifier: GPL-2.0-only
"""Who may boot on this host now, whoever asks: files that are locked, one for each core.

A boot on an exact machine takes a slot; one whose clock is the host's takes the whole host. The
locks are the kernel's (flock), so whoever dies lets go of them.
"""

import fcntl
import os
import tempfile
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from patchbench.errors import ToolFailed

_LOOK_S = 0.02
_OWN_LOOKS = 3
#: Behind this a second one waits, so that whoever wants the whole host gets it in the end.
_TURN, _HOST = "turn", "host"


def default_folder() -> Path:
    """Return where the locks of this host are: $PATCHBENCH_SLOTS, else one place for all users."""
    return Path(os.environ.get("PATCHBENCH_SLOTS") or Path(tempfile.gettempdir(), "patchbench"))


class Slots:
    """A host's slots, as one process sees them: those of the cores that it may use.

    say: what hears, once, that others keep it waiting. One thread may keep another waiting too;
    that is nobody's news.
    """

    def __init__(self, folder: Path, cores: Iterable[int], say: Callable[[str], None]) -> None:
        self._folder = folder
        self._cores = [f"core-{number}" for number in sorted(cores)]
        self._say = say
        self._closed = self._said = False
        self._lock = threading.Lock()
        self._ours = 0  # of the slots

    @contextmanager
    def one(self) -> Iterator[None]:
        """Hold one slot while the block runs; ToolFailed if `close` came first."""
        with self._any(self._cores, fcntl.LOCK_EX), self._counted(), self._host(fcntl.LOCK_SH):
            yield

    @contextmanager
    def whole(self) -> Iterator[None]:
        """Hold all of the host while the block runs; ToolFailed if `close` came first."""
        with self._host(fcntl.LOCK_EX):
            yield

    def close(self) -> None:
        """Let nobody in this process wait any longer."""
        self._closed = True

    @contextmanager
    def _counted(self) -> Iterator[None]:
        with self._lock:
            self._ours += 1
        try:
            yield
        finally:
            with self._lock:
                self._ours -= 1

    @contextmanager
    def _host(self, how: int) -> Iterator[None]:
        with self._any([_TURN], fcntl.LOCK_EX):
            host = self._wait([_HOST], how)
        try:
            yield
        finally:
            os.close(host)

    @contextmanager
    def _any(self, names: Sequence[str], how: int) -> Iterator[None]:
        descriptor = self._wait(names, how)
        try:
            yield
        finally:
            os.close(descriptor)

    def _wait(self, names: Sequence[str], how: int) -> int:
        """Return the first of these files that can be locked, open and locked."""
        looks = 0
        while not self._closed:
            for name in names:
                descriptor = _opened(self._folder, name)
                try:
                    fcntl.flock(descriptor, how | fcntl.LOCK_NB)
                except BlockingIOError:
                    os.close(descriptor)
                else:
                    return descriptor
            looks += 1
            # The first looks may see a slot that goes from one of our threads to another.
            if looks > _OWN_LOOKS and not (names is self._cores and self._ours == len(names)):
                self._tell()
            time.sleep(_LOOK_S)
        raise ToolFailed("the run is being stopped")

    def _tell(self) -> None:
        if not self._said:
            self._said = True
            self._say("other boots keep this host busy; waiting for a slot")


def _opened(folder: Path, name: str) -> int:
    """Open a lock file to read: to lock one, nobody has to be allowed to write to it."""
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC
    try:
        return os.open(folder / name, flags)
    except FileNotFoundError:
        folder.mkdir(parents=True, exist_ok=True)
        if folder.stat().st_uid == os.getuid():
            folder.chmod(0o1777)
        return os.open(folder / name, flags | os.O_CREAT, 0o644)
