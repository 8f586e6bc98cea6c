# SPDX-License-Identifier: GPL-2.0-only
"""Signatures of files by an SSH key, made and checked by ssh-keygen."""

import re
from pathlib import Path

from patchbench.errors import BadInput, ToolFailed
from patchbench.tools import process

#: What a signature is for; one that was made for git or mail does not count here.
_NAMESPACE = "patchbench"
SUFFIX = ".sig"


def sign(path: Path, key: Path) -> Path:
    """Sign a file by a private key, or by a public one whose other half an agent has.

    Returns FILE.sig. Raises BadInput if the key cannot sign.
    """
    if not key.is_file():
        raise BadInput(f"--sign {key}: there is no such key")
    place = path.with_name(path.name + SUFFIX)
    place.unlink(missing_ok=True)
    try:
        process.run(["ssh-keygen", "-q", "-Y", "sign", "-f", str(key), "-n", _NAMESPACE, str(path)])
    except ToolFailed as err:
        raise BadInput(f"--sign {key}: {err}") from err
    return place


def signer(path: Path) -> str:
    """Return the fingerprint of the key that signed a file; empty if nobody did.

    Whose key it is, the reader has to know. Raises BadInput if the signature is of other bytes.
    """
    place = path.with_name(path.name + SUFFIX)
    if not place.is_file():
        return ""
    command = ["ssh-keygen", "-Y", "check-novalidate", "-n", _NAMESPACE, "-s", str(place)]
    try:
        said = process.run(command, stdin=path)
    except ToolFailed as err:
        raise BadInput(f"{place} is no signature of {path.name}: {err}") from err
    found = re.search(r"SHA256:\S+", said)
    if not found:
        raise BadInput(f"{place}: ssh-keygen names no key: {said.strip()}")
    return found[0]
