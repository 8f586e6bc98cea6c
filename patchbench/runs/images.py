# SPDX-License-Identifier: GPL-2.0-only
"""The images of a published run, for a replay when its sources or its compiler are long gone.

images/SERIES.xz    the arm's Image
images/initrd.xz    the guest, which both arms boot
"""

import hashlib
import lzma
from pathlib import Path

from patchbench.errors import BadInput
from patchbench.model import Guest, Image, Plan
from patchbench.store import key

FOLDER = "images"
#: More than that is not what a repository should carry beside a run.
MOST_BYTES = 8 << 20
#: No Image or initrd of ours comes near; what unpacks to more was made to.
_MOST_UNPACKED_BYTES = 128 << 20
_INITRD = "initrd"


def keep(plan: Plan, shelf: Path, folder: Path) -> None:
    """Compress what a run booted into a folder that is to be published.

    Raises BadInput if the shelf has it no more, or if it is more than MOST_BYTES.
    """
    wanted = {note.series: shelf / "images" / note.image / "Image" for note in plan.arms}
    wanted[_INITRD] = shelf / "guests" / plan.guest / _INITRD
    if missing := [path for path in wanted.values() if not path.is_file()]:
        raise BadInput(f"{missing[0]} is not there any more: bench again, then publish that run")
    (folder / FOLDER).mkdir()
    size = 0
    for name, path in wanted.items():
        packed = lzma.compress(path.read_bytes(), preset=9 | lzma.PRESET_EXTREME)
        size += len(packed)
        (folder / FOLDER / f"{name}.xz").write_bytes(packed)
    if size > MOST_BYTES:
        raise BadInput(
            f"the images of {plan.run} are {size >> 20} MiB, of {MOST_BYTES >> 20} at most;"
            " publish it without --images, or a run of fewer arms"
        )


def unpack(folder: Path, plan: Plan, into: Path) -> tuple[dict[str, Image], Guest]:
    """Return the images of a published run, by series, and its guest, as files of `into`.

    The folder's checksums are the caller's business. Raises BadInput if it has no images, or if
    one cannot be unpacked.
    """
    if not (folder / FOLDER).is_dir():
        raise BadInput(f"{folder} has no images: verify it without --images, which builds them")
    into.mkdir(parents=True)
    found = {}
    for note in plan.arms:
        path = _unpacked(folder, note.series, into)
        found[note.series] = Image(
            note.image, path, note.release, note.series, note.tree_id, plan.flavour
        )
    initrd = _unpacked(folder, _INITRD, into)
    digest = hashlib.sha256(initrd.read_bytes()).hexdigest()
    return found, Guest(key({"initrd": digest}), initrd)


def _unpacked(folder: Path, name: str, into: Path) -> Path:
    packed = folder / FOLDER / f"{name}.xz"
    try:
        with lzma.open(packed) as file:
            content = file.read(_MOST_UNPACKED_BYTES + 1)
    except (OSError, EOFError, lzma.LZMAError) as err:
        raise BadInput(f"{packed} cannot be unpacked: {err}") from err
    if len(content) > _MOST_UNPACKED_BYTES:
        raise BadInput(f"{packed} unpacks to more than {_MOST_UNPACKED_BYTES >> 20} MiB")
    path = into / name
    path.write_bytes(content)
    return path
