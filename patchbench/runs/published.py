# SPDX-License-Identifier: GPL-2.0-only
"""A published run: compact text, for anyone to repeat.

    plan.json, functions.json, proof.json, arms/, profile/  as in the run
    boots/MACHINE/SERIES/seed-N.log      what the guest wrote, as in the run
    boots.json                           of each boot: its console's checksum, its host's overload
    images/                              the arms' images and the guest, if asked for
    comparison.json, report.md, .html    what the run says
    SHA256SUMS                           of all these; SHA256SUMS.sig if an author signed it

A check has findings.json, answers.md, answers.json and SHA256SUMS; study/publishing.py describes
a study's folder.

A console is long and, without splats, of no interest; its checksum proves that a boot repeats.
"""

import hashlib
import json
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from patchbench import records
from patchbench.catalog import PLAIN_NAME, adapter
from patchbench.errors import BadInput
from patchbench.model import Boot, Plan
from patchbench.stages import boot
from patchbench.stages import boots as booting
from patchbench.store import write_whole
from patchbench.tools import files
from patchbench.tools.qemu import CONSOLE, RESULTS

BOOTS = "boots.json"


@dataclass(frozen=True, slots=True)
class BootNote:
    """What is kept of a boot beside its results."""

    console_sha256: str
    overload: str
    again: int = 0
    worker: str = ""


def is_published(folder: Path) -> bool:
    """Return whether a folder holds a published run, and not a run as it was made."""
    return (folder / BOOTS).is_file()


@contextmanager
def publishing(root: Path, name: str) -> Iterator[Path]:
    """Give a folder to fill, which is results/published/NAME when the block ends without an error.

    Raises BadInput for a name that is none, or is taken.
    """
    final = root / "results/published" / name
    if not PLAIN_NAME.fullmatch(name):
        raise BadInput(
            f"--name {name}: a folder's name, of letters, digits and . _ + -; no dash comes first"
        )
    if final.exists():
        raise BadInput(f"{final} is published already; choose another name, or remove it")
    # Outside of published/, where half of it would pass for a whole one.
    new = root / "results" / f".new-{name}"
    files.remove(new)
    new.mkdir(parents=True)
    try:
        yield new
        final.parent.mkdir(exist_ok=True)
        new.rename(final)
    except BaseException:
        files.remove(new)
        raise


def publish(run: Path, boots: Sequence[Boot], folder: Path) -> None:
    """Write a run's plan and boots into a new folder; the caller adds reports and the seal."""
    for name in ("plan.json", "functions.json", "proof.json"):
        if (run / name).is_file():  # a plan always is; older runs kept the one alone
            write_whole(folder / name, (run / name).read_text())
    for name in ("arms", "profile"):
        if (run / name).is_dir():
            shutil.copytree(run / name, folder / name)
    notes = {}
    for one in boots:
        place = booting.boot_folder(run, one.machine, one.series, one.seed)
        log = results_log(folder, one.machine, one.series, one.seed)
        log.parent.mkdir(parents=True, exist_ok=True)
        log.write_bytes(boot.read_log(place, RESULTS) or b"")
        console = hashlib.sha256(boot.read_log(place, CONSOLE) or b"").hexdigest()
        note = BootNote(console, one.overload, one.again, one.worker)
        notes[_place(one.machine, one.series, one.seed)] = asdict(note)
    write_whole(folder / BOOTS, json.dumps(notes, indent=1) + "\n")


def read_boots(folder: Path, plan: Plan) -> list[Boot]:
    """Return the boots of a published run; BadInput if one is missing or broken."""
    kept = notes(folder)
    boots = []
    for machine in plan.machines:
        for arm in plan.arms:
            for seed in plan.seeds[machine.name]:
                log = results_log(folder, machine.name, arm.series, seed)
                if not log.is_file() or _place(machine.name, arm.series, seed) not in kept:
                    raise BadInput(f"{folder} is incomplete: it lacks {log.relative_to(folder)}")
                record = records.parse(log.read_text())
                note = kept[_place(machine.name, arm.series, seed)]
                boots.append(
                    Boot(
                        machine.name,
                        arm.series,
                        seed,
                        record,
                        overload=note.overload,
                        again=note.again,
                        worker=note.worker,
                    )
                )
    return boots


def notes(folder: Path) -> dict[str, BootNote]:
    """Return what is kept of each boot, by MACHINE/SERIES/seed-N."""
    try:
        return adapter(dict[str, BootNote]).validate_json((folder / BOOTS).read_text())
    except (OSError, ValueError) as err:
        raise BadInput(f"{folder / BOOTS} is broken:\n  {err}") from err


def note_of(folder: Path, machine: str, series: str, seed: int) -> BootNote:
    """Return what is kept of one boot."""
    return notes(folder)[_place(machine, series, seed)]


def results_log(folder: Path, machine: str, series: str, seed: int) -> Path:
    """Return where a boot's results are."""
    return folder / "boots" / machine / series / f"seed-{seed}.log"


def _place(machine: str, series: str, seed: int) -> str:
    return f"{machine}/{series}/seed-{seed}"
