# SPDX-License-Identifier: GPL-2.0-only
"""A place where a verb runs under a fault: put back before each run, looked at afterwards.

Every run is a process of its own, forked from one that has imported everything; the engine is the
one that starts nothing, all else is real.
"""

import io
import json
import os
import re
import shutil
import sys
import time
from collections.abc import Callable
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from patchbench.store import Store, file_sha256
from tests import engine
from tests.command import Done, invoke

VERBS: dict[str, list[str]] = {
    "bench": ["bench", "--machine", "exact", "--json"],
    "gate": ["gate", "--series", "v1", "--against", "v0", "--json"],
    "check": ["check", "--series", "v0", "--quick", "--json"],
    "publish": ["publish", "--name", "kept"],
    "study": ["study", "--series", "v0", "--only", "Q3"],
    "calibrate": ["calibrate", "--trials", "2", "--machine", "exact"],
}
#: What these verbs need to have been done before.
BEFORE = {"publish": ["bench", "--machine", "exact"]}
#: Python tells an audit hook of each of these before it happens.
_EFFECTS = ("os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.symlink", "os.utime", "os.chmod")
_MARK = "PATCHBENCH_FAULT"
_ORPHANS_END_S = 10
#: When a run began, in its name, with the number of a second one of that second; and facts of the
#: host or of the moment, which no two runs share.
_BEGAN = re.compile(r"\b2\d{7}T\d{6}-([\w@-]*?)(-\d+)?(?=[^\w@-]|$)")
_OF_THE_MOMENT = re.compile(r'"(host|wall_seconds)": ?[^,\n]*')


@dataclass(frozen=True, slots=True)
class Left:
    """What a run left: its status, what it printed, the exact boots and what is published."""

    status: int
    printed: str
    boots: dict[str, str]
    published: dict[str, str]

    def differences(self, wanted: "Left") -> list[str]:
        """Return in what it is not what was wanted."""
        mine, theirs = asdict(self), asdict(wanted)
        return [
            f"{name} differs: {mine[name]} is not {theirs[name]}"
            for name in mine
            if mine[name] != theirs[name]
        ]


class Place:
    """A project and a cache that are put back as they were before each run."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "place"
        self.cache = self.folder / "cache"
        self.results = self.folder / "project/results"
        self._templates = folder / "templates"
        self._whole: dict[str, tuple[int, Left]] = {}
        patch = pytest.MonkeyPatch()
        engine.checkout(self.folder, patch)
        engine.draw_nothing(patch)
        self._keep("fresh")

    def whole(self, verb: str) -> tuple[int, Left]:
        """Return how many points a run without a fault has, and what it leaves."""
        if verb not in self._whole:
            self.restore(verb)
            points, done = forked(partial(_counted, verb))
            self._whole[verb] = points, self.left(Done(**done))
        return self._whole[verb]

    def restore(self, verb: str) -> None:
        """Bring the place to what a verb finds: nothing done, or what it needs to have been."""
        self.restore_after(BEFORE.get(verb, []))

    def restore_after(self, command: list[str]) -> None:
        """Bring the place to where a command was run."""
        name = "-".join(command) or "fresh"
        if not (self._templates / name).exists():
            self._load("fresh")
            run(command)
            self._keep(name)
        self._load(name)

    def left(self, done: Done) -> Left:
        """Return what a run left behind here."""
        boots = {
            f"{path.parent.name}/{path.name}": file_sha256(path)
            for path in self.cache.glob("shelf/boots/*/*.log")
        }
        return Left(done.status, self.printed(done.stdout), boots, self.published())

    @staticmethod
    def printed(text: str) -> str:
        """Return what a run printed, without what no two runs share."""
        return _OF_THE_MOMENT.sub("", _BEGAN.sub(r"\1", text))

    def published(self) -> dict[str, str]:
        """Return the checksums of what is published, by path."""
        kept = self.results / "published"
        return {
            str(path.relative_to(kept)): file_sha256(path)
            for path in sorted(kept.rglob("*"))
            if path.is_file()
        }

    def halves(self) -> list[str]:
        """Return what on the shelf looks whole to a listing, and is not."""
        damaged = Store(self.cache / "shelf").damaged()
        return [f"{path} is half-made" for path in damaged if not path.name.startswith(".")]

    def _keep(self, name: str) -> None:
        self._templates.mkdir(exist_ok=True)
        shutil.copytree(self.folder, self._templates / name, symlinks=True)

    def _load(self, name: str) -> None:
        shutil.rmtree(self.folder)
        shutil.copytree(self._templates / name, self.folder, symlinks=True)


def run(command: list[str]) -> Done:
    """Run a command to its end in a process of its own."""
    return Done(**forked(lambda: asdict(invoke(*command))))


def at_point(strike: Callable[[str], None]) -> None:
    """Call `strike` before each change of the file system, with its path, and each program."""

    def hear(event: str, arguments: tuple[Any, ...]) -> None:
        writes = event == "open" and isinstance(arguments[2], int) and arguments[2] & 3
        if writes or event in _EFFECTS:
            strike(os.fsdecode(arguments[0]) if isinstance(arguments[0], str | bytes) else "")
        elif event == "subprocess.Popen":
            strike("")

    sys.addaudithook(hear)


def _counted(verb: str) -> tuple[int, dict[str, Any]]:
    points = 0

    def count(_: str) -> None:
        nonlocal points
        points += 1

    at_point(count)
    done = invoke(*VERBS[verb])
    return points, asdict(done)


def forked(work: Callable[[], Any]) -> Any:
    """Return what a piece of work returns in a process of its own; None if that was killed."""
    child, reading = start(work)
    return wait(child, reading)


def start(work: Callable[[], Any]) -> tuple[int, int]:
    """Start a process, and return it with the pipe that says what it returned."""
    reading, writing = os.pipe()
    if child := os.fork():
        os.close(writing)
        return child, reading
    os.close(reading)
    os.environ[_MARK] = "1"
    status = 1
    try:
        with redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()):
            text = json.dumps(work())
        status = 0
    except BaseException as err:  # noqa: BLE001  # nothing of the parent's may run here
        text = f"{type(err).__name__}: {err}"
    os.write(writing, text.encode())
    os._exit(status)


def wait(child: int, reading: int) -> Any:
    """Return what a process that was started returned; None if it was killed."""
    with open(reading, "rb") as pipe:  # a descriptor
        answer = pipe.read()
    _, status = os.waitpid(child, 0)
    if os.WIFSIGNALED(status):
        return None
    if status:
        raise RuntimeError(answer.decode(errors="replace"))
    return json.loads(answer)


def orphans() -> list[str]:
    """Return what still runs of a run that is gone, after some time to end."""
    ends = time.monotonic() + _ORPHANS_END_S
    while (left := _marked()) and time.monotonic() < ends:
        time.sleep(0.02)
    return [f"{name} outlives the run" for name in left]


def _marked() -> list[str]:
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if f"{_MARK}=1\0" in (process / "environ").read_text(errors="replace"):
                found.append((process / "cmdline").read_text().replace("\0", " "))
        except OSError:
            continue
    return found
