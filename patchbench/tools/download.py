# SPDX-License-Identifier: GPL-2.0-only
"""Files from a URL or a local path: whole and with the right sum, or not at all."""

import http.client
import shutil
import urllib.error
import urllib.request
from pathlib import Path

from patchbench.errors import BadInput, ToolFailed
from patchbench.store import file_sha256
from patchbench.story import Story


def fetch(url: str, sha256: str, folder: Path, story: Story) -> Path:
    """Return the file of that sum in `folder`, downloading it first where it is not there."""
    final = folder / sha256
    if final.is_file() and file_sha256(final) == sha256:
        return final
    folder.mkdir(parents=True, exist_ok=True)
    part = folder / f"{sha256}.part"
    address = url if "://" in url else Path(url).expanduser().resolve().as_uri()
    try:
        with urllib.request.urlopen(address, timeout=60) as reply, part.open("wb") as out:
            total = int(reply.headers.get("Content-Length") or 0)
            with story.meter(f"downloading {Path(url).name}", total or 1, "bytes") as meter:
                while chunk := reply.read(1 << 20):
                    out.write(chunk)
                    meter.at(out.tell())
            if total and out.tell() != total:
                raise ConnectionError(f"it broke off after {out.tell()} of {total} bytes")
    except (urllib.error.URLError, http.client.HTTPException, OSError) as err:
        part.unlink(missing_ok=True)
        raise ToolFailed(f"{url} cannot be downloaded: {err}") from err
    found = file_sha256(part)
    if found != sha256:
        part.unlink()
        raise BadInput(f"{url} has sha256 {found},\n  the kernel file asks for {sha256}")
    shutil.move(part, final)
    return final
