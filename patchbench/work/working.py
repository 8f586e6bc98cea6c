# SPDX-License-Identifier: GPL-2.0-only
"""What `work` does with the pipeline: it carries out a job, unless what it left is shelved.

A worker does the same, and so does a run that has no other hosts: all of them boot in the pool of
their own host.
"""

import fcntl
import os
import platform
import shutil
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from patchbench.catalog import adapter
from patchbench.errors import BadInput, HostLost, Unfit
from patchbench.pipeline import Pipeline
from patchbench.stages import boot
from patchbench.store import Store, file_sha256, key
from patchbench.tools import files, host
from patchbench.tools.qemu import PROFILE, Ran
from patchbench.work import jobs
from patchbench.work.jobs import Delivery, HostJob, Labels

_KIND = "jobs"
#: As much as the plugin `profile` has room for; logs are cut where `boot` stops to read them.
_MOST_BYTES = 128 << 20


def code() -> str:
    """Return the hash of this version's own code: of every module of the package."""
    package = Path(__file__).parents[1]
    sums = {str(path.relative_to(package)): file_sha256(path) for path in package.rglob("*.py")}
    return key({"files": dict(sums)})


def labels(run: Pipeline, name: str, versions: dict[str, str]) -> Labels:
    """Return what this host is, and what is on it; the toolchain is made if there is none."""
    return Labels(
        name=name,
        machine=platform.machine(),
        kvm=os.access("/dev/kvm", os.R_OK | os.W_OK),
        cores=host.cores(),
        memory_mib=host.memory_mib(),
        toolchain=run.toolchain.digest,
        code=code(),
        versions=versions,
    )


class Artefacts:
    """Files by the sha256 of their bytes, in a folder; each is checked when it comes in."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def names(self) -> set[str]:
        """Return the sha256 of each file that is here."""
        found = self._folder.glob("[0-9a-f]*") if self._folder.is_dir() else ()
        return {path.name for path in found}

    def path(self, name: Path) -> Path:
        """Return where a file is or would be."""
        return self._folder / name.name

    def put(self, name: str, data: bytes) -> None:
        """Keep a file; BadInput if its bytes have another sha256."""
        self._folder.mkdir(parents=True, exist_ok=True)
        descriptor, new = tempfile.mkstemp(dir=self._folder, prefix=".new-")
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(data)
            os.fchmod(descriptor, 0o644)
        if (found := file_sha256(Path(new))) != name:
            Path(new).unlink()
            raise BadInput(f"an artefact has sha256 {found[:12]}, and {name[:12]} was asked for")
        Path(new).replace(self._folder / name)

    def pull(self, names: Sequence[str], source: Path) -> None:
        """Copy what is not here from another folder of this kind; BadInput as in `put`."""
        for name in names:
            if name in self.names():
                continue
            try:
                data = (source / name).read_bytes()
            except OSError as err:
                raise BadInput(f"artefact {name[:12]} is neither here nor in {source}") from err
            self.put(name, data)


def artefacts(run: Pipeline) -> Artefacts:
    """Return the artefacts that jobs brought to this host."""
    return Artefacts(run.cache / "work/artefacts")


def work(run: Pipeline, file: Path) -> list[Path]:
    """Carry out the job in a file, leave each boot's logs where it says, and return these folders.

    Its artefacts are pulled from the folder beside it. Raises BadInput if the file is no job, or
    one for another toolchain or another version of the code.
    """
    try:
        job = jobs.loads(file.read_text(), str(file))
    except (OSError, UnicodeError) as err:
        raise BadInput(f"{file} cannot be read: {err}") from err
    with alone(run.cache / "work/jobs", "toolchain"):
        here = labels(run, platform.node(), {})
    check(job, here)
    artefacts(run).pull(job.files(), file.parent / "artefacts")
    folders = [(file.parent / one.folder).resolve() for one in job.boots]
    run_folder = file.parent.parent.resolve()
    if alien := [at for at in folders if not at.is_relative_to(run_folder / "boots")]:
        raise BadInput(f"{file}: {alien[0]} is not below {run_folder / 'boots'}")
    delivery = perform(run, job, platform.node())
    for folder, logs, ran in zip(folders, delivery.boots, delivery.ran, strict=True):
        leave(folder, logs, ran, delivery.worker)
    return folders


def check(job: HostJob, here: Labels) -> None:
    """Raise BadInput, naming this host, if a job is not for its toolchain or its code."""
    for what, ours, theirs in (
        ("toolchain", here.toolchain, job.toolchain),
        ("code", here.code, job.code),
    ):
        if ours != theirs:
            raise BadInput(
                f"{here.name} has another {what} than the job: {ours[:12]}, not {theirs[:12]}\n"
                "  check out the same commit on every host"
            )


def perform(run: Pipeline, job: HostJob, worker: str) -> Delivery:
    """Boot what a job asks for on this host, or take what the same job left, and deliver it.

    Raises HostLost if an artefact is not here, and as the boots do.
    """
    with alone(run.cache / "work/jobs", job.key):
        began = time.time()
        # A job costs a boot, not a sync of the disk for each of its files.
        shelf = Store(run.store.root, durable=False)
        if kept := shelf.get(_KIND, job.ingredients()):
            return _delivery(job, kept, worker, began)
        place = artefacts(run)
        if absent := [name for name in job.files() if not place.path(Path(name)).is_file()]:
            raise HostLost(f"it lacks artefact {absent[0][:12]}")
        here = job.with_files(place.path)
        out = run.cache / "work/jobs" / job.key
        files.remove(out)
        folders = [out / str(number) for number in range(len(job.boots))]
        ran = run.pool(here.profiler).boot(
            [(one.arm, one.seed, at) for one, at in zip(here.boots, folders, strict=True)]
        )
        delivery = _delivery(job, out, worker, time.time() - sum(one.seconds for one in ran))
        if all(one.orderly for one in ran):  # what was cut off is to be booted again
            with shelf.publish(_KIND, job.ingredients()) as new:
                for number, logs in enumerate(delivery.boots):
                    leave(new / str(number), logs, delivery.ran[number], "")
        files.remove(out)
        return delivery


@contextmanager
def alone(folder: Path, name: str) -> Iterator[None]:
    """Let nobody else on this host carry out the same job while the block runs."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _delivery(job: HostJob, folder: Path, worker: str, began: float) -> Delivery:
    """Return what lies in the folders 0, 1, ... of a job's, within bounds."""
    logs = tuple(_logs(folder / str(number)) for number in range(len(job.boots)))
    ran = tuple(
        adapter(Ran).validate_json((folder / str(number) / boot.HOST_NOTE).read_bytes())
        for number in range(len(job.boots))
    )
    return Delivery(job.key, worker, logs, ran, began, time.time(), jobs.checksum(logs))


def _logs(folder: Path) -> dict[str, bytes]:
    found = {}
    for name in jobs.LOGS:
        most = _MOST_BYTES if name == PROFILE else boot.MOST_LOG_BYTES + 1
        try:
            found[name] = files.take_head(folder, name, most_bytes=most)
        except Unfit:
            continue
    return found


def leave(folder: Path, logs: Mapping[str, bytes], ran: Ran, worker: str) -> None:
    """Leave a boot's logs in a folder, and last the note without which there was no boot."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for name, data in logs.items():
        (folder / name).write_bytes(data)
    boot.note(folder, ran, worker)
