# SPDX-License-Identifier: GPL-2.0-only
"""Verbs of hosts that boot for others: work, worker, cluster."""

from pathlib import Path

from invoke.context import Context
from invoke.tasks import task

from patchbench.errors import BadInput
from patchbench.verbs.common import ROOT, exits
from patchbench.verbs.needs import needs


@task(positional=["job"], help={"job": "a file that --plan-only of `bench` or `check` wrote"})
@needs("engine")
def work(_: Context, job: str) -> None:
    """Do one job, unless it was done before, and leave what came of it in the run's folder."""
    from patchbench import pipeline
    from patchbench.check import rowmaking
    from patchbench.tools.terminal import Terminal
    from patchbench.work import working

    file = Path(job)
    row = rowmaking.holds_row(file)
    with exits(), pipeline.opened(ROOT, Terminal(), shared=not row) as run:
        print(*(rowmaking.work(run, file) if row else working.work(run, file)), sep="\n")


@task(
    help={
        "scheduler": "its address: tcp://127.0.0.1:8786, tls://HOST:8786",
        "name": "what reports call this host; default: its own name",
        "port": "the port of a worker that is reached through a tunnel",
    }
)
@needs("engine", "hosts")
def worker(_: Context, scheduler: str, name: str = "", port: int = 0) -> None:
    """Boot for whoever asks SCHEDULER, until that is gone."""
    from patchbench.tools.terminal import Terminal
    from patchbench.work import serving

    with exits():
        serving.serve(ROOT, scheduler, name, port, Terminal())


@task(
    positional=["action", "hosts"],
    help={"action": "up", "hosts": "a file with the hosts, as docs/scale.md describes it"},
)
@needs("hosts")
def cluster(_: Context, action: str, hosts: str) -> None:
    """`cluster up HOSTS.toml`: start a scheduler here and workers by ssh, until interrupted."""
    from patchbench.work import serving

    with exits():
        if action != "up":
            raise BadInput(f"cluster {action}: the one action is `up`")
        serving.start_all(ROOT, Path(hosts), print)
