# SPDX-License-Identifier: GPL-2.0-only
"""Other hosts, by dask.distributed: a scheduler that they join, and calls on each of them.

The only user of that library, which is there only where it was asked for. Whoever reaches a
scheduler's or a worker's port can run code there, so ports are on loopback or speak TLS, whose
files the library's own settings name (distributed.comm.tls).
"""

import asyncio
import importlib
import ipaddress
import logging
import threading
import time
import uuid
from collections.abc import Callable, Mapping
from concurrent.futures import CancelledError
from contextlib import suppress
from typing import Any
from urllib.parse import urlsplit

from patchbench.errors import BadInput, HostLost, HostSilent, NotReached, ToolFailed

_CONNECT_S = 10
_LOOK_S = 2.0
_CALL_S = 30.0
_INSECURE = "insecure-tcp"
#: One death of a worker ends no other's work: who asked for it knows what is left, and asks again.
#: Nothing moves from the host that it was meant for.
_DEFAULTS = {
    "distributed": {
        "scheduler": {
            "allowed-failures": 0,
            "work-stealing": False,
            "no-workers-timeout": "60s",
            "worker-ttl": "30s",
        },
    }
}


def check_address(address: str) -> str:
    """Return the address as the library takes it.

    Raises BadInput unless nobody but this host's users and who has a certificate gets at it.
    """
    parts = urlsplit(address)
    try:
        host, port = parts.hostname, parts.port
    except ValueError:
        host = port = None
    if parts.scheme not in ("tcp", "tls", _INSECURE) or not host or port is None:
        raise BadInput(f"{address!r} is not an address: tcp://127.0.0.1:8786 or tls://HOST:8786")
    if parts.scheme == "tcp" and not _is_loopback(host):
        raise BadInput(
            f"{address}: whoever reaches a scheduler's port can run code as its user, and as every "
            f"worker's\n  use tls://, or an ssh tunnel to tcp://127.0.0.1:{port}; if nobody else "
            f"is on that network, say so: {_INSECURE}://{parts.netloc}"
        )
    return address.replace(f"{_INSECURE}://", "tcp://", 1)


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def versions() -> dict[str, str]:
    """Return the versions of which client, scheduler and workers must have the same."""
    library = _library()
    dask = importlib.import_module("dask")
    return {"distributed": library.__version__, "dask": dask.__version__}


def _library() -> Any:
    try:
        library = importlib.import_module("distributed")
    except ImportError as err:
        raise ToolFailed(
            "dask.distributed, for work on other hosts, is not installed\n"
            "  ./bootstrap installs it for a verb with --hosts, or: "
            "pip install --require-hashes -r requirements-scale.lock"
        ) from err
    logging.getLogger("distributed").setLevel(logging.CRITICAL)
    return library


def _security(library: Any, address: str) -> Any:
    """Return what the library's own settings say of certificates; for TLS it must be all."""
    return library.Security(require_encryption=True) if address.startswith("tls://") else None


class Cluster:
    """The scheduler at an address, and the workers that joined it; several threads may call."""

    def __init__(self, address: str) -> None:
        library, self._address = _library(), check_address(address)
        self._closed, self._lock = False, threading.Lock()
        self._workers: tuple[float, dict[str, str]] = (float("-inf"), {})
        try:
            self._client = library.Client(
                self._address,
                security=_security(library, self._address),
                timeout=_CONNECT_S,
                set_as_default=False,
            )
        except (OSError, ValueError, TypeError) as err:
            raise ToolFailed(f"no scheduler answers at {address}: {err}") from err

    def workers(self) -> Mapping[str, str]:
        """Return the workers by address, each with its name. Raises NotReached as `call`."""
        with self._lock:
            looked_s, known = self._workers
            if time.monotonic() - looked_s > _LOOK_S:
                info = self._asked(lambda: self._client.scheduler_info(n_workers=-1))
                known = {address: str(one["name"]) for address, one in info["workers"].items()}
                self._workers = time.monotonic(), known
        return known

    def call(
        self,
        worker: str,
        function: Callable[..., Any],
        *arguments: Any,
        timeout_s: float = _CALL_S,
        resources: Mapping[str, float] | None = None,
    ) -> Any:
        """Return what a function of a module returns on a worker; what it raises is raised.

        Raises HostLost if the worker dies or is gone, HostSilent if it takes too long, NotReached
        if the scheduler is gone.
        """
        future = self._asked(
            lambda: self._client.submit(
                function, *arguments, key=f"{function.__name__}-{uuid.uuid4().hex}",
                workers=[worker], resources=dict(resources or {}), retries=0,
            )
        )  # fmt: skip
        deadline_s = time.monotonic() + timeout_s
        try:
            while True:
                with suppress(TimeoutError):
                    return self._asked(lambda: future.result(timeout=_LOOK_S))
                if worker not in self.workers():
                    raise HostLost("it is gone")
                if time.monotonic() > deadline_s:
                    raise HostSilent(f"it did not answer in {timeout_s:.0f} s")
        finally:
            if not future.done():
                with suppress(Exception):  # with the scheduler gone, so is the future
                    future.cancel()

    def send(self, worker: str, function: Callable[..., Any], *arguments: Any) -> None:
        """Run a function of a module on a worker at once, with arguments of any size."""
        self._asked(lambda: self._client.run(function, *arguments, workers=[worker]))

    def close(self) -> None:
        """Let go of the scheduler; whoever waits for an answer gets NotReached."""
        self._closed = True
        with suppress(Exception):  # it may be gone already
            self._client.close(timeout=1)

    def _asked(self, ask: Callable[[], Any]) -> Any:
        """Return what the library answers, with its errors as ours."""
        library = _library()
        if self._closed:
            raise NotReached("the run is being stopped")
        try:
            return ask()
        except (library.scheduler.KilledWorker, library.scheduler.NoValidWorkerError) as err:
            raise HostLost("it died") from err
        except TimeoutError:
            if self._client.status == "running":
                raise
            raise self._gone() from None
        except (CancelledError, asyncio.CancelledError, library.client.ClosedClientError) as err:
            raise self._gone() from err
        except library.comm.CommClosedError as err:
            if self._client.status == "running":
                raise HostLost("its connection broke") from err
            raise self._gone() from err

    def _gone(self) -> NotReached:
        return NotReached(
            f"the scheduler at {self._address} is gone; what it was asked for and is done is kept\n"
            "  start it, and run the same command again"
        )


def serve_scheduler(address: str, ready: Callable[[str], object]) -> None:
    """Be the scheduler at an address until killed; ready: hears the address, with its port."""
    library, address = _library(), check_address(address)

    async def serve() -> None:
        security = _security(library, address)
        parts = urlsplit(address)
        async with library.Scheduler(
            host=parts.hostname,
            port=parts.port,
            protocol=parts.scheme,
            dashboard=False,
            security=security,
        ) as served:
            ready(served.address)
            await served.finished()

    _run(serve())


def serve_worker(
    scheduler: str, name: str, preload: str, *, threads: int, resources: Mapping[str, float],
    port: int = 0,
) -> None:  # fmt: skip
    """Be a worker of a scheduler until that is gone; ToolFailed if it never was.

    preload: a module whose `dask_setup` gets ready in the worker's own process, which is started
    again when it dies. port: the port of a worker that is reached through a tunnel.
    """
    library, address = _library(), check_address(scheduler)
    loopback = _is_loopback(urlsplit(address).hostname or "")

    async def serve() -> None:
        nanny = library.Nanny(
            address,
            name=name,
            nthreads=threads,
            resources=dict(resources),
            memory_limit=0,
            preload=[preload],
            host="127.0.0.1" if loopback else None,
            worker_port=port or None,
            dashboard=False,
            security=_security(library, address),
        )
        async with nanny:
            await nanny.finished()

    try:
        _run(serve())
    except (OSError, RuntimeError) as err:
        raise ToolFailed(f"no worker could be started for {scheduler}: {err}") from err


def _run(serving: Any) -> None:
    dask = importlib.import_module("dask")
    dask.config.update_defaults(_DEFAULTS)
    asyncio.run(serving)
