# SPDX-License-Identifier: GPL-2.0-only
"""A signature is of these bytes, by a key that is named, or it is none."""

from pathlib import Path

import pytest

from patchbench.errors import BadInput
from patchbench.runs import folder
from patchbench.tools import process, signing

pytestmark = pytest.mark.slow  # starts ssh-keygen


@pytest.fixture
def signed(tmp_path: Path) -> Path:
    """Return the checksums of a folder, signed."""
    process.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(tmp_path / "key")])
    (tmp_path / "run").mkdir()
    (tmp_path / "run/plan.json").write_text("{}")
    folder.seal(tmp_path / "run")
    signing.sign(tmp_path / "run" / folder.SUMS, tmp_path / "key")
    return tmp_path / "run" / folder.SUMS


def test_the_signer_is_named_by_the_fingerprint_of_its_key(signed: Path) -> None:
    key = signed.parents[1] / "key"
    assert signing.signer(signed) in process.run(["ssh-keygen", "-l", "-f", str(key)])


def test_what_was_changed_since_is_not_signed(signed: Path) -> None:
    signed.write_text(signed.read_text().replace("plan", "plane"))
    with pytest.raises(BadInput, match="is no signature of SHA256SUMS"):
        signing.signer(signed)


def test_a_folder_that_is_sealed_again_has_no_signature(signed: Path) -> None:
    folder.seal(signed.parent)
    assert signing.signer(signed) == ""


def test_a_key_that_is_none_is_refused(signed: Path) -> None:
    signed.parent.joinpath("plan.json").write_text("no key")
    for key in ("missing", "plan.json"):
        with pytest.raises(BadInput, match=f"--sign .*{key}"):
            signing.sign(signed, signed.parent / key)
