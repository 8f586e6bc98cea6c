# SPDX-License-Identifier: GPL-2.0-only
"""A posting as a folder of patches, ROOT/patches/NAME/LINE, with where it came from."""

import re
import shutil
import tempfile
import unicodedata
from pathlib import Path

from patchbench.errors import BadInput
from patchbench.intake.postings import Posting
from patchbench.store import write_whole

_LORE = "https://lore.kernel.org/r/"


def keep(posting: Posting, root: Path, name: str, line: str, *, source: str) -> Path:
    """Write a posting's port to a kernel line, and return its folder.

    Nothing is there before all of it is. Raises BadInput if the port exists.
    """
    if not re.fullmatch(r"[a-z0-9][a-z0-9._-]{0,63}", name) or name == "none":
        raise BadInput(
            f"--name {name}: a series' name has small letters, digits, dots and dashes, 64 at most"
        )
    port = root / "patches" / name / line
    if port.exists():
        raise BadInput(f"{port} is there already; choose another --name, or remove it")
    port.parent.mkdir(parents=True, exist_ok=True)
    aside = Path(tempfile.mkdtemp(prefix=".taking-", dir=port.parent))
    try:
        for number, mail in enumerate(posting.patches, start=1):
            (aside / f"{number:04}-{_slug(mail.subject.title)}.patch").write_bytes(mail.raw)
        if not (port.parent / "series.toml").exists():
            write_whole(port.parent / "series.toml", provenance(posting, source))
        aside.chmod(0o755)
        aside.rename(port)
    except BaseException:
        shutil.rmtree(aside, ignore_errors=True)
        raise
    return port


def provenance(posting: Posting, source: str) -> str:
    """Return a series.toml that says where a posting came from and what was done with it."""
    ids = [mail.message_id for mail in posting.patches if mail.message_id]
    lines = [
        "# SPDX-License-Identifier: GPL-2.0-only",
        f"title = {_quoted(posting.title)}",
        f"author = {_quoted(posting.author)}",
        f"source = {_quoted(source)}",
        f"revision = {posting.revision}",
    ]
    if posting.cover and posting.cover.message_id:
        lines.append(f"cover = {_quoted(posting.cover.message_id)}")
    lines += [f"message_ids = [{', '.join(_quoted(one) for one in ids)}]"] if ids else []
    first = posting.cover.message_id if posting.cover else next(iter(ids), "")
    lines += [f"link = {_quoted(_LORE + first)}"] if first else []
    lines += [f"base_commit = {_quoted(posting.base_commit)}"] if posting.base_commit else []
    lines += [f"change_id = {_quoted(posting.change_id)}"] if posting.change_id else []
    if posting.prerequisites:
        wanted = ", ".join(_quoted(f"{key}: {value}") for key, value in posting.prerequisites)
        lines.append(f"prerequisites = [{wanted}]")
    if posting.taken_over:
        numbers = ", ".join(str(number) for number in posting.taken_over)
        lines.append(f"taken_over = [{numbers}]  # from the revision before")
    return "\n".join(lines) + "\n"


def _slug(title: str) -> str:
    plain = unicodedata.normalize("NFKD", title).encode("ascii", "ignore").decode()
    return re.sub(r"[^A-Za-z0-9.]+", "-", plain).strip("-.")[:52] or "patch"


def _quoted(text: str) -> str:
    """Return a TOML basic string."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    shown = (char if char.isprintable() else f"\\U{ord(char):08x}" for char in escaped)
    return f'"{"".join(shown)}"'
