# SPDX-License-Identifier: GPL-2.0-only
"""Containers, on any engine that speaks Docker's API.

Whatever compiles or runs a patch runs here: no network, no capability, no new privileges, not
root, few system calls, a read-only root file system, bounded memory, processes and time. The
engine's socket, the home folder and the repository never enter a container.
"""

import io
import os
import shutil
import tarfile
import threading
import time
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
from urllib3.exceptions import HTTPError

from patchbench.errors import ToolFailed
from patchbench.tools import disk, process, seccomp
from patchbench.tools.engines import find_engine
from patchbench.tools.output import Output

#: Labels every container with the cache it works for; see Engine.reap.
_LABEL, _RUN_LABEL = "patchbench.cache", "patchbench.run"
#: Who root's containers run as. Any number but root's would do.
_UNPRIVILEGED = 65534
#: What the engine itself keeps of a container's output.
_MAX_LOG = "100m"
#: What is left to the host of its memory, at least.
_HOST_MIB = 512
#: What one look at a container counts at most towards its timeout. A process that was stopped, or a
#: host that slept, has not waited meanwhile.
_LONGEST_LOOK_S = 2.0
#: Above it, a status is that of a signal; a program's own that are as high are few.
_SIGNALLED = 128
#: How long after an end its event may come.
_EVENT_S = 2.0
#: Runs a command and prints on stdout, after its own output, what CPU time it used.
_TIMED = (
    "bash",
    "-c",
    "exec 3>&2 2>&1; TIMEFORMAT=$'\\ncpu seconds %U %S'; time \"$@\" 2>&3 3>&-",
    "timed",
)


@dataclass(frozen=True, slots=True)
class Bind:
    """A host folder or file seen by a container; read-only unless said otherwise."""

    host: Path
    inside: str
    writable: bool = False


@dataclass(frozen=True, slots=True)
class Limits:
    """What a container may use: disk_gib in all that it writes, file_bytes in each file."""

    timeout_s: float
    memory_gib: int = 8
    processes: int = 4096
    disk_gib: int = 8
    file_bytes: int = 4 << 30


@dataclass(frozen=True, slots=True)
class Finished:
    """How a container ended: a status of None means that it hit its timeout.

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


class Engine:
    """A connection to the engine; on leaving the `with` block it kills what still runs."""

    def __init__(self, cache: Path, run: str) -> None:
        self.url = find_engine()
        self._labels = {_LABEL: str(cache), _RUN_LABEL: run}
        self._client = docker.DockerClient(base_url=self.url, timeout=120, max_pool_size=32)
        with _engine_errors("describe itself"):
            engine, version = self._client.info(), self._client.version()
        has = [str(one) for one in engine.get("SecurityOptions") or []]
        self._rootless = any("rootless" in one for one in has)
        self._security = ["no-new-privileges"]
        # Podman takes a file of its own host here, and keeps to a default like Docker's.
        if any("seccomp" in one for one in has) and "Podman" not in str(version):
            self._security.append(f"seccomp={seccomp.profile()}")
        self._live: set[Any] = set()
        self._closed = False
        #: What all containers used; one that was killed printed nothing about it.
        self.cpu_seconds = 0.0
        #: What ran when: program, start and end, in seconds since the epoch.
        self.busy: list[tuple[str, float, float]] = []

    def __enter__(self) -> "Engine":
        return self

    def __exit__(self, *_: object) -> None:
        self.stop_all()
        self._client.close()

    def stop_all(self) -> None:
        """Kill and remove every container of this connection, and start no more."""
        self._closed = True
        for container in list(self._live):
            with suppress(DockerException, requests.RequestException):
                container.remove(force=True)

    def carry_on(self) -> None:
        """Start containers again after `stop_all`; whatever was stopped must have ended."""
        self._closed = False

    def version(self) -> str:
        """Return the engine's name and version."""
        with _engine_errors("say its version"):
            answer = self._client.version()
        return f"{answer.get('Platform', {}).get('Name') or 'engine'} {answer['Version']}"

    def reap(self, alive: Iterable[str]) -> int:
        """Kill what runs on this cache that are not alive left running, and return how many."""
        with _engine_errors("list containers"):
            # A container of another run may end between being listed and being looked at.
            found = self._client.containers.list(
                all=True,
                filters={"label": f"{_LABEL}={self._labels[_LABEL]}"},
                ignore_removed=True,
            )
        alive = {*alive, self._labels[_RUN_LABEL]}
        orphans = [one for one in found if one.labels.get(_RUN_LABEL) not in alive]
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
        """Pull an image from its registry under another tag; False if none answers."""
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
            # Not in one step with the import, where podman ignores a tag.
            self._client.images.get(repository).tag(repository, version)
        if tar.returncode or self.image_id(tag) is None:
            raise ToolFailed(f"{folder} cannot be turned into an image; is the engine's disk full?")

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
        binds: Sequence[Bind] = (),
        environment: Mapping[str, str] | None = None,
        trusted: bool = False,
        on_line: Callable[[str], None] = lambda _: None,
        poll: Callable[[], None] = lambda: None,
    ) -> Finished:
        """Run a command to its end and return its status and what it printed, within bounds.

        Raises Overrun if it wrote more than it may, DiskFull if the disk is nearly full.
        `trusted` is for our own fetching of sources only: root, the network, a writable root.
        """
        writable = [bind.host for bind in binds if bind.writable]
        watch = disk.DiskWatch(writable, limits.disk_gib << 30)
        watch.look()
        with self._container(image, argv, limits, binds, environment or {}, trusted) as (
            container,
            printed,
        ):
            output = Output(on_line)
            reader = threading.Thread(target=_read, args=(printed, output), daemon=True)
            reader.start()
            left_s = limits.timeout_s
            while reader.is_alive() and left_s > 0:
                began = time.monotonic()
                poll()
                watch.look()
                reader.join(0.1)
                left_s -= min(time.monotonic() - began, _LONGEST_LOOK_S)
            poll()
            if reader.is_alive():
                with suppress(APIError):
                    container.kill()
                reader.join(10)
                status = None
            else:
                status = int(container.wait()["StatusCode"])
            started, ended = _times(container)
            if status and status > _SIGNALLED and self._was_ended(container, started):
                raise ToolFailed(f"the container engine was ended, or ended {argv[0]}")
            self.busy.append((argv[0], started, ended))
            used = output.take_cpu_seconds()
            # The shell prints it last of all, unless something killed it.
            if used is None and status is not None and status <= _SIGNALLED:
                raise ToolFailed(f"the container engine lost a part of what {argv[0]} printed")
            # A program may print such a line itself; it cannot have used more than there was.
            had = (ended - started) * len(os.sched_getaffinity(0))
            self.cpu_seconds += min(used or 0.0, had)
            return Finished(status, output.text(), started, ended)

    def _was_ended(self, container: Any, started: float) -> bool:
        """Return whether the engine ended a container, by somebody's wish or with itself.

        One that dies for want of memory dies of the host's kernel, and no engine says that it
        killed it. One that is back after it was ended itself knows nothing of a death before.
        """
        ends = time.monotonic() + _EVENT_S
        while True:
            said = self._client.events(
                since=int(started),
                until=int(time.time()) + 1,
                filters={"container": container.id},
                decode=True,
            )
            actions = {event["Action"] for event in said}
            if "die" in actions or time.monotonic() > ends:
                return "kill" in actions or "die" not in actions

    @contextmanager
    def _container(
        self,
        image: str,
        argv: Sequence[str],
        limits: Limits,
        binds: Sequence[Bind],
        environment: Mapping[str, str],
        trusted: bool,
    ) -> Iterator[tuple[Any, Iterable[bytes]]]:
        restrictions: dict[str, Any] = (
            {}
            if trusted
            else {
                "user": _user(self._rootless),
                "network_mode": "none",
                "cap_drop": ["ALL"],
                "security_opt": self._security,
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
                mounts=[
                    Mount(one.inside, str(one.host), type="bind", read_only=not one.writable)
                    for one in binds
                ],
                environment=dict(environment),
                labels=self._labels,
                mem_limit=f"{min(limits.memory_gib << 10, _most_memory_mib())}m",
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
                # Attached before it starts. A log that is followed breaks off without an error if
                # the program ends while much of it is unread: Docker 20.10 lost the end of 67 in
                # 160 outputs of 2.7 MB, four side by side on two cores.
                printed = container.attach(stream=True)
                container.start()
                yield container, printed
        finally:
            with suppress(DockerException, requests.RequestException):
                container.remove(force=True)
            self._live.discard(container)


@contextmanager
def _engine_errors(doing: str) -> Iterator[None]:
    """Turn an error that the engine answers, or its silence, into ToolFailed."""
    try:
        yield
    except (DockerException, requests.RequestException) as err:
        raise ToolFailed(f"the container engine could not {doing}: {err}") from err


def own(folder: Path) -> Path:
    """Make a folder that an untrusted container can write to, and return it.

    Its time becomes now, by which those are known that nobody uses any more.
    """
    folder.mkdir(parents=True, exist_ok=True)
    os.utime(folder)
    if os.getuid() == 0 and folder.stat().st_uid != _UNPRIVILEGED:
        shutil.chown(folder, _UNPRIVILEGED, _UNPRIVILEGED)
    return folder


def _most_memory_mib() -> int:
    """Return what a container may have of this host's memory at most."""
    pages = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return max(int(pages >> 20) - _HOST_MIB, _HOST_MIB)


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


def _read(printed: Iterable[bytes], output: Output) -> None:
    # The stream breaks off when the container is killed; what was printed until then counts.
    with suppress(DockerException, requests.RequestException, HTTPError, OSError):
        for chunk in printed:
            output.feed(chunk)
    output.close()


def _tar(files: Mapping[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for name, data in files.items():
            member = tarfile.TarInfo(name)
            member.size, member.mode = len(data), 0o755
            tar.addfile(member, io.BytesIO(data))
    return buffer.getvalue()
