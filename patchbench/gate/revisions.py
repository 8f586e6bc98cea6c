# SPDX-License-Identifier: GPL-2.0-only
"""Which series a branch touches, and what each is judged against."""

import re
from dataclasses import replace
from pathlib import Path

from patchbench.errors import BadInput
from patchbench.gate.request import GateRequest
from patchbench.pipeline import Pipeline
from patchbench.stages import series
from patchbench.tools.git import Repository

#: In a series' folder: the improvements without which it is not what it says it is.
PROMISED = "gate.toml"


def changed(pipeline: Pipeline, request: GateRequest, since: str) -> list[GateRequest]:
    """Return what to gate for a branch that left the commit `since`: each port that it touches.

    A port is touched as well where it is on a series that is.

    Each is judged against its predecessor, if there is one, and against none. The predecessor is
    the same folder as it was at `since`, or the series with the next smaller number: v0 for v1.
    A series with a policy of its own is judged against none by that as well.
    Raises BadInput for an unknown commit, or a port whose line no kernel file has.
    """
    project = Repository(pipeline.root)
    commit = project.fork_point(since)
    edited = {_port(path) for path in project.changed(commit, "patches")}
    touched = {
        (name, line)
        for name, line in series.ports(pipeline.root)
        if not edited.isdisjoint((one, line) for one in series.stack(pipeline.root, name))
    }
    requests = []
    for name, line in sorted(touched):
        kernel = _kernel(pipeline, request.kernel, line)
        before = _before(pipeline, project, commit, name, line)
        requests += [
            replace(request, series=name, against=against, kernel=kernel)
            for against in (*before, "none")
        ]
        if (pipeline.root / (promised := Path("patches", name, PROMISED))).is_file():
            requests.append(
                replace(request, series=name, against="none", kernel=kernel, policy=promised)
            )
    return requests


def _port(path: str) -> tuple[str, str]:
    """Return series and kernel line of a patch's path in the project; empty for other files."""
    match Path(path).parts:
        case ("patches", name, line, _) if path.endswith(".patch"):
            return name, line
        case _:
            return "", ""


def _kernel(pipeline: Pipeline, first: str, line: str) -> str:
    names = [first, *(name for name in pipeline.catalog.kernels_of_ports() if name != first)]
    for name in names:
        if pipeline.source(name).line == line:
            return name
    raise BadInput(f"no kernel in configs/kernels is of line {line}, whose port was changed")


def _before(
    pipeline: Pipeline, project: Repository, commit: str, name: str, line: str
) -> list[str]:
    if project.has(commit, f"patches/{name}/{line}"):
        return [f"{name}~{commit[:12]}"]
    match = re.fullmatch(r"(.*?)(\d+)", name)
    if not match:
        return []
    stem, number = match[1], int(match[2])
    older = [f"{stem}{one}" for one in range(number - 1, -1, -1)]
    ports = (one for one in older if (pipeline.root / "patches" / one / line).is_dir())
    return [one for one in [next(ports, "")] if one]
