# SPDX-License-Identifier: GPL-2.0-only
"""Which container engine there is: any on this host that speaks Docker's API."""

import os
from pathlib import Path

import docker
import requests
from docker.errors import DockerException

from patchbench.errors import PipelineError

_LOCAL = ("unix://", "npipe://", "tcp://127.0.0.1", "tcp://localhost")


class EngineMissing(PipelineError):
    """No container engine answers."""


def find_engine() -> str:
    """Return the URL of the first engine that answers; EngineMissing if none does."""
    tried = []
    for url in _candidates():
        if not url.startswith(_LOCAL):
            tried.append(f"{url}: not on this host, and a container needs its folders")
            continue
        if url.startswith("unix://") and not Path(url.removeprefix("unix://")).exists():
            tried.append(f"{url}: not there")
            continue
        try:
            client = docker.DockerClient(base_url=url, timeout=10)
            client.ping()
            client.close()
            return url
        except (DockerException, requests.RequestException, OSError) as err:
            tried.append(f"{url}: {err}")
    raise EngineMissing(
        "no container engine answers\n  "
        + "\n  ".join(tried)
        + "\n  `./bootstrap doctor` says what to do; DOCKER_HOST names another socket"
    )


def _candidates() -> list[str]:
    if os.environ.get("DOCKER_HOST"):
        return [os.environ["DOCKER_HOST"]]
    runtime = os.environ.get("XDG_RUNTIME_DIR", f"/run/user/{os.getuid()}")
    return [
        "unix:///var/run/docker.sock",
        f"unix://{runtime}/docker.sock",
        f"unix://{runtime}/podman/podman.sock",
        "unix:///run/podman/podman.sock",
    ]
