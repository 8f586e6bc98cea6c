# SPDX-License-Identifier: GPL-2.0-only
"""Kernel sources from Debian's archive, fetched in a container: any host will do."""

import re
from pathlib import Path

from patchbench.errors import BadInput, ToolFailed
from patchbench.model import DebianOrigin
from patchbench.store import file_sha256
from patchbench.story import Story
from patchbench.tools import files
from patchbench.tools.container import Bind, Engine, Limits

#: As Debian's policy has them. Anything else could be an option of apt's, which can run programs.
_NAME = re.compile(r"[a-z0-9][a-z0-9+.-]*", re.ASCII)
_NO_SUCH_PACKAGE = 3  # what configs/toolchain/fetch-source leaves
#: Where a mirror's snapshots are, apt may learn at its first look at the mirror; so it looks twice.
_TWICE = ("sh", "-uc", '"$@" || "$@"', "sh")


def fetch_source(
    engine: Engine, image: str, origin: DebianOrigin, downloads: Path, story: Story
) -> tuple[Path, str]:
    """Return a linux-source package's tarball, named by its sha256, and the package's version.

    image: with configs/toolchain/fetch-source in it. Older versions leave the archive, so the
    newest of the suite is taken, and kept. Raises BadInput if the suite has no such package.
    """
    for name in (origin.package, origin.suite):
        if not _NAME.fullmatch(name):
            raise BadInput(f"{name!r} is no name of a package or a suite of Debian's")
    asked = ["fetch-source", origin.package, origin.suite, "/out"]
    if origin.snapshot:
        asked = [*_TWICE, *asked]
    then = f" of {origin.snapshot}" if origin.snapshot else ""
    folder = downloads / f"{origin.package}.new"
    files.remove(folder)
    folder.mkdir(parents=True)
    answer: dict[str, str] = {}
    with story.meter(f"downloading {origin.package} from {origin.suite}{then}", 1, "done") as meter:

        def listen(line: str) -> None:
            word, _, rest = line.partition(" ")
            answer[word] = rest

        def arrived() -> None:
            size = sum(path.stat().st_size for path in folder.glob("**/*.deb*"))
            meter.at(min(size / int(answer.get("expect") or size or 1), 1))

        done = engine.run(
            image,
            asked,
            Limits(timeout_s=1800),
            binds=[Bind(folder, "/out", writable=True)],
            trusted=True,
            on_line=listen,
            poll=arrived,
        )
    if done.status == _NO_SUCH_PACKAGE:
        raise BadInput(
            f"{origin.suite}{then} has no package {origin.package}; a newer kernel may have taken "
            "its place: see the suite's linux-source packages, then mend configs/kernels/"
        )
    if done.status != 0:
        raise ToolFailed(f"{origin.package} cannot be fetched:\n{done.said[-2000:]}")
    tarball = downloads / file_sha256(folder / "linux.tar.xz")
    (folder / "linux.tar.xz").rename(tarball)
    files.remove(folder)
    return tarball, answer["version"]
