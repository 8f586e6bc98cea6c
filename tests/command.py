# SPDX-License-Identifier: GPL-2.0-only
"""The command line, run in this process: a new one takes a second to import what it needs."""

import io
import signal
import sys
from collections.abc import Sequence
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path

import pytest
from invoke.collection import Collection
from invoke.program import Program

import tasks

ROOT = Path(__file__).resolve().parents[1]


@dataclass(frozen=True, slots=True)
class Done:
    """What a command left behind."""

    status: int
    stdout: str
    stderr: str


def invoke(*arguments: str) -> Done:
    """Run `invoke ARGUMENTS` and return its status and what it printed.

    What is not an exit, an error of ours among it, is raised.
    """
    status, out, err = 0, io.StringIO(), io.StringIO()
    ends = signal.getsignal(signal.SIGTERM)
    try:
        with redirect_stdout(out), redirect_stderr(err):
            Program(namespace=_namespace(arguments)).run(["invoke", *arguments])
    except SystemExit as exit_:
        status = exit_.code if isinstance(exit_.code, int) else bool(exit_.code)
    finally:
        signal.signal(signal.SIGTERM, ends)  # verbs take it over
    return Done(status, out.getvalue(), err.getvalue())


def _namespace(arguments: Sequence[str]) -> Collection:
    """Return the named verb alone: Invoke takes 30 ms to copy the flags of all of them."""
    verbs = tasks.namespace.tasks
    named = [verbs[word] for word in arguments if word in verbs]
    return Collection(*named) if named else tasks.namespace


def in_checkout(monkeypatch: pytest.MonkeyPatch, root: Path) -> None:
    """Let the verbs work in another checkout than this one."""
    for name, module in sys.modules.items():
        if name.startswith("patchbench.verbs.") and hasattr(module, "ROOT"):
            monkeypatch.setattr(module, "ROOT", root)
