# SPDX-License-Identifier: GPL-2.0-only
"""Containers, on any engine that speaks Docker's API.

Whatever compiles or runs a patch runs here: no network, no capability, no new privileges, not
root, a read-only root file system, bounded memory, processes and time. The engine's socket,
the home folder and the repository never enter a container.
"""

import io
import os
import re
import shutil
import tarfile
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import docker
import requests
from docker.errors import APIError, DockerException, ImageNotFound
from docker.types import LogConfig, Mount, Ulimit

from patchbench.errors import PipelineError, ToolFailed
from patchbench.tools import process

#: Labels every container with the cache it works for; see Engine.reap.
_LABEL = "patchbench.cache"
#: Who root's containers run as. Any number but root's would do.
_UNPRIVILEGED = 65534
#: What a container may say and write, should a patch want to fill memory or disk.
_MAX_LINES = 200_000
_MAX_LOG = "100m"
#: Runs a command and says on stdout, after all that it said there, what CPU time it used.
_TIMED = (
    "bash",
    "-c",
    "exec 3>&2 2>&1; TIMEFORMAT=$'\\ncpu seconds %U %S'; time \"$@\" 2>&3 3>&-",
    "timed",
)
#: So many lines on stderr may come after it, as the engine brings two streams together.
_MAX_LATE_LINES = 50
_CPU_SECONDS = re.compile(r"cpu seconds ([0-9.]+) ([0-9.]+)")


class EngineMissing(PipelineError):
    """No container engine answers."""


@dataclass(frozen=True, slots=True)
class Bind:
    """A host folder or file seen by a container; read-only unless said otherwise."""

    host: Path
    inside: str
    writable: bool = False


@dataclass(frozen=True, slots=True)
class Limits:
    """What a container may use."""

    timeout_s: float
    memory_gib: int = 8
    processes: int = 4096
    file_bytes: int = 4 << 30  # of each file that is written


@dataclass(frozen=True, slots=True)
class Finished:
    """How a container ended: a status of None means that its time was up.

    `started` and `ended` are the process's own, in seconds since the epoch.
    """

    status: int | None
    said: str
    started: float
    ended: float

    @property
    def seconds(self) -> float:
        """Return how long the process ran."""
        return self.ended - self.started


def find_engine() -> str:
    """Return the URL of the first engine that answers; EngineMissing if none does."""
    tried = []
    for url in _candidates():
        if not url.startswith(("unix://", "npipe://", "tcp://127.0.0.1", "tcp://localhost")):
            tried.append(f"{url}: not on this host, whose folders a container needs to see")
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


class Engine:
    """A connection to the engine; on leaving the `with` block it kills what still runs."""

    def __init__(self, cache: Path) -> None:
        self.url = find_engine()
        self._cache = str(cache)
        self._client = docker.DockerClient(base_url=self.url, timeout=120, max_pool_size=32)
        with _engine_errors("describe itself"):
            told = self._client.info()
        self._rootless = any("rootless" in str(one) for one in told.get("SecurityOptions") or [])
        self._live: set[Any] = set()
        self._closed = False
        #: What all containers used; one that was killed could not say.
        self.cpu_seconds = 0.0
        #: What ran when: program, start and end, in seconds since the epoch.
        self.busy: list[tuple[str, float, float]] = []

    def __enter__(self) -> "Engine":
        return self

    def __exit__(self, *_: object) -> None:
        self.stop_all()
        self._client.close()

    def stop_all(self) -> None:
        """Kill and remove every container of this connection, and let it start no more."""
        self._closed = True
        for container in list(self._live):
            with suppress(DockerException, requests.RequestException):
                container.remove(force=True)

    def carry_on(self) -> None:
        """Let containers start again after `stop_all`; whatever was stopped must have ended."""
        self._closed = False

    def version(self) -> str:
        """Return the engine's name and version."""
        with _engine_errors("say its version"):
            told = self._client.version()
        return f"{told.get('Platform', {}).get('Name') or 'engine'} {told['Version']}"

    def reap(self) -> int:
        """Kill what a killed run left running, and return how many; call under the lock."""
        with _engine_errors("list containers"):
            orphans = self._client.containers.list(
                all=True, filters={"label": f"{_LABEL}={self._cache}"}
            )
        for container in orphans:
            with suppress(DockerException):
                container.remove(force=True)
        return len(orphans)

    def image_id(self, tag: str) -> str | None:
        """Return the engine's id of a tagged image, or None."""
        with _engine_errors(f"look up {tag}"):
            try:
                return str(self._client.images.get(tag).id)
            except ImageNotFound:
                return None

    def labels(self, tag: str) -> Mapping[str, str]:
        """Return an image's labels."""
        with _engine_errors(f"look up {tag}"):
            return dict(self._client.images.get(tag).labels)

    def pull(self, name: str, tag: str) -> bool:
        """Bring an image from its registry under another tag; False if none answers."""
        try:
            self._client.images.pull(name).tag(tag)
        except (DockerException, requests.RequestException):
            return False
        return True

    def import_root(self, folder: Path, tag: str, label: tuple[str, str]) -> None:
        """Make an image from a root file system on disk, owners and devices as they are."""
        repository, _, version = tag.partition(":")
        change = f"LABEL {label[0]}={label[1]}"
        command = ["tar", "-C", str(folder), "--numeric-owner", "-c", "."]
        with _engine_errors(f"import {tag}"), process.stream(command) as tar:
            self._client.api.import_image_from_stream(
                tar.stdout, repository=repository, changes=[change]
            )
            # Not in one step with the import, where podman takes no notice of a tag.
            self._client.images.get(repository).tag(repository, version)
        if tar.returncode or self.image_id(tag) is None:
            raise ToolFailed(f"{folder} could not be made an image; is the engine's disk full?")

    def build(
        self,
        files: Mapping[str, bytes],
        tag: str,
        *,
        arguments: Mapping[str, str],
        labels: Mapping[str, str],
        on_line: Callable[[str], None],
    ) -> None:
        """Build an image from a context of files; ToolFailed with the last lines if it fails."""
        lines: list[str] = []
        with _engine_errors(f"build {tag}"):
            for message in self._client.api.build(
                fileobj=io.BytesIO(_tar(files)),
                custom_context=True,
                tag=tag,
                buildargs=dict(arguments),
                labels=dict(labels),
                rm=True,
                forcerm=True,
                decode=True,
            ):
                for line in str(message.get("stream", "")).splitlines():
                    lines.append(line)
                    on_line(line)
                if "error" in message:
                    last = "\n  ".join([*lines[-15:], str(message["error"])])
                    raise ToolFailed(f"the image {tag} does not build:\n  {last}")

    def run(
        self,
        image: str,
        argv: Sequence[str],
        limits: Limits,
        *,
        binds: Iterable[Bind] = (),
        environment: Mapping[str, str] | None = None,
        trusted: bool = False,
        on_line: Callable[[str], None] = lambda _: None,
        poll: Callable[[], None] = lambda: None,
    ) -> Finished:
        """Run a command to its end and return its status and all that it said.

        `trusted` is for our own fetching of sources only: root, the network, a writable root.
        """
        mounts = [
            Mount(bind.inside, str(bind.host), type="bind", read_only=not bind.writable)
            for bind in binds
        ]
        with self._container(image, argv, limits, mounts, environment or {}, trusted) as container:
            lines: deque[str] = deque(maxlen=_MAX_LINES)
            reader = threading.Thread(target=_read, args=(container, lines, on_line), daemon=True)
            reader.start()
            deadline = time.monotonic() + limits.timeout_s
            while reader.is_alive() and time.monotonic() < deadline:
                poll()
                reader.join(0.1)
            poll()
            if reader.is_alive():
                with suppress(APIError):
                    container.kill()
                reader.join(10)
                status = None
            else:
                status = int(container.wait()["StatusCode"])
            started, ended = _times(container)
            self.busy.append((argv[0], started, ended))
            self.cpu_seconds += _take_cpu_seconds(lines)
            return Finished(status, "\n".join(lines), started, ended)

    @contextmanager
    def _container(
        self,
        image: str,
        argv: Sequence[str],
        limits: Limits,
        mounts: list[Mount],
        environment: Mapping[str, str],
        trusted: bool,
    ) -> Iterator[Any]:
        restrictions: dict[str, Any] = (
            {}
            if trusted
            else {
                "user": _user(self._rootless),
                "network_mode": "none",
                "cap_drop": ["ALL"],
                "security_opt": ["no-new-privileges"],
                "read_only": True,
                "tmpfs": {"/tmp": "rw,exec,size=2g,mode=1777"},
            }
        )
        if self._closed:
            raise ToolFailed("the run is being stopped")
        with _engine_errors(f"start {argv[0]}"):
            container = self._client.containers.create(
                image,
                [*_TIMED, *argv],
                mounts=mounts,
                environment=dict(environment),
                labels={_LABEL: self._cache},
                mem_limit=f"{limits.memory_gib}g",
                pids_limit=limits.processes,
                log_config=LogConfig(type="json-file", config={"max-size": _MAX_LOG}),
                ulimits=[Ulimit(name="fsize", soft=limits.file_bytes, hard=limits.file_bytes)],
                **restrictions,
            )
            self._live.add(container)
        try:
            # Between the first look and now another thread may have stopped everything.
            if self._closed:
                raise ToolFailed("the run is being stopped")
            with _engine_errors(f"run {argv[0]}"):
                container.start()
                yield container
        finally:
            with suppress(DockerException, requests.RequestException):
                container.remove(force=True)
            self._live.discard(container)


@contextmanager
def _engine_errors(doing: str) -> Iterator[None]:
    """Turn whatever the engine answers, or that it does not, into one kind of failure."""
    try:
        yield
    except (DockerException, requests.RequestException) as err:
        raise ToolFailed(f"the container engine could not {doing}: {err}") from err


def own(folder: Path) -> Path:
    """Make a folder that an untrusted container can write to, and return it."""
    folder.mkdir(parents=True, exist_ok=True)
    if os.getuid() == 0 and folder.stat().st_uid != _UNPRIVILEGED:
        shutil.chown(folder, _UNPRIVILEGED, _UNPRIVILEGED)
    return folder


def _times(container: Any) -> tuple[float, float]:
    """Return when a container's process started and ended, as the engine saw it."""
    container.reload()
    state = container.attrs["State"]
    started, ended = (datetime.fromisoformat(state[name]) for name in ("StartedAt", "FinishedAt"))
    return started.timestamp(), ended.timestamp()


def _user(rootless: bool) -> str:
    """Return who runs inside: never the host's root.

    A rootless engine maps its own user to the container's root, and everybody else to numbers
    that cannot write to that user's folders.
    """
    if rootless:
        return "0:0"
    return f"{os.getuid() or _UNPRIVILEGED}:{os.getgid() or _UNPRIVILEGED}"


def _take_cpu_seconds(lines: "deque[str]") -> float:
    """Take what the shell measured, and the line end before it, out of what a container said."""
    for place in range(len(lines) - 1, max(-1, len(lines) - 1 - _MAX_LATE_LINES), -1):
        if match := _CPU_SECONDS.fullmatch(lines[place]):
            del lines[place]
            if place and not lines[place - 1]:
                del lines[place - 1]
            return float(match[1]) + float(match[2])
    return 0.0


def _read(container: Any, lines: "deque[str]", on_line: Callable[[str], None]) -> None:
    rest = b""
    # The stream breaks off when the container is killed; what was said until then counts.
    with suppress(DockerException, requests.RequestException, OSError):
        for chunk in container.logs(stream=True, follow=True):
            *whole, rest = (rest + chunk).split(b"\n")
            for line in whole:
                lines.append(line.decode(errors="replace"))
                on_line(lines[-1])
    if rest:
        lines.append(rest.decode(errors="replace"))


def _tar(files: Mapping[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for name, data in files.items():
            member = tarfile.TarInfo(name)
            member.size, member.mode = len(data), 0o755
            tar.addfile(member, io.BytesIO(data))
    return buffer.getvalue()
