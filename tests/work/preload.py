# SPDX-License-Identifier: GPL-2.0-only
"""Makes a worker's process one of the small project's, with the engine that starts nothing.

But for a boot: that starts a program in QEMU's place, which outlives whoever started it, as a
container does, until `reap`. The environment says how long it takes, and what is wrong with it.
"""

import os
import signal
import subprocess
import time
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from patchbench import pipeline
from patchbench.tools.container import Finished
from patchbench.work import worker, working
from tests.engine import FakeEngine

ROOT, BOOT_S, FAULT = "PATCHBENCH_TEST_ROOT", "PATCHBENCH_TEST_BOOT_S", "PATCHBENCH_TEST_FAULT"
QEMU = "PATCHBENCH_TEST_QEMU"


class SlowEngine(FakeEngine):
    """Boots take their time, in a process of their own."""

    def run(self, *arguments: Any, **more: Any) -> Finished:
        _image, argv, *_ = arguments
        if argv[0] == "timeout":
            self._stand_in(float(os.environ[BOOT_S]))
        return super().run(*arguments, **more)

    def _stand_in(self, seconds: float) -> None:
        pids = self.cache / "qemu"
        pids.mkdir(exist_ok=True)
        environment = {**os.environ, QEMU: str(self.cache)}
        with subprocess.Popen(
            ["sleep", str(seconds)], env=environment, start_new_session=True
        ) as started:
            (pids / str(started.pid)).touch()
            started.wait()
        (pids / str(started.pid)).unlink()

    def reap(self, _: Iterable[str]) -> int:
        left = [*(self.cache / "qemu").glob("*")]
        for one in left:
            with suppress(ProcessLookupError):
                os.kill(int(one.name), signal.SIGKILL)
            one.unlink()
        return len(left)


def _lie(perform: Any, text: str) -> Any:
    """Deliver other logs than those that the checksum is of."""
    told = perform(text)
    logs = tuple({**one, "results.log": b"made up"} for one in told.boots)
    return replace(told, boots=logs)


def _hang(_perform: Any, _text: str) -> Any:
    time.sleep(1000)


def _twice(perform: Any, text: str) -> Any:
    """Do a job twice over, and deliver the second time."""
    perform(text)
    return perform(text)


_FAULTS = {"lie": _lie, "hang": _hang, "twice": _twice}


def dask_setup(joining: Any) -> None:
    """Get ready as `invoke worker` does, in the small project."""
    setattr(pipeline, "Engine", SlowEngine)  # noqa: B010  # mypy knows no other way
    worker._ROOT = Path(os.environ[ROOT])
    fault = os.environ.get(FAULT, "")
    if fault in _FAULTS:
        perform = worker.perform
        setattr(worker, "perform", lambda text: _FAULTS[fault](perform, text))  # noqa: B010
    elif fault == "code":
        setattr(working, "code", lambda: "another")  # noqa: B010
    worker.dask_setup(joining)
    (worker.cache() / "pid").write_text(str(os.getpid()))


dask_teardown = worker.dask_teardown
