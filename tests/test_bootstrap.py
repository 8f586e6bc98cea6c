# SPDX-License-Identifier: GPL-2.0-only
"""The set-up of a machine, with a Python that only pretends."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PYTHON = """#!/bin/sh
case "$*" in
-V*) echo "Python 3.11.2" ;;
-c*) echo "$0" ;;
"-m patchbench.verbs"*) echo "${NEEDS-}" ;;
"-m venv"*) mkdir -p "$4/bin" && cp "$0" "$4/bin/python" && touch "$4/bin/shellcheck" &&
	chmod +x "$4/bin/shellcheck" && printf '#!/bin/sh\\necho "ran $*"' >"$4/bin/invoke" &&
	chmod +x "$4/bin/invoke" ;;
esac
"""


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    for path in (ROOT / "bootstrap", *ROOT.glob("requirements*.lock")):
        shutil.copy(path, tmp_path / path.name)
    python = tmp_path / "path/python3"
    python.parent.mkdir()
    python.write_text(PYTHON)
    python.chmod(0o755)
    return tmp_path


def bootstrap(checkout: Path, needs: str = "") -> tuple[str, str]:
    """Return what `./bootstrap list` prints on stdout and on stderr, if it needs this."""
    path = f"{checkout / 'path'}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        [checkout / "bootstrap", "list"],
        env={**os.environ, "PATH": path, "NEEDS": needs},
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    return done.stdout.strip(), done.stderr


def test_a_machine_that_is_set_up_hears_nothing_and_gets_its_verb(checkout: Path) -> None:
    assert "there is none yet" in bootstrap(checkout)[1]
    assert bootstrap(checkout) == (f"ran --search-root {checkout} list", "")


def test_an_environment_is_made_again_for_a_reason_that_is_given(checkout: Path) -> None:
    bootstrap(checkout)
    with (checkout / "requirements.lock").open("a") as lock:
        lock.write("# another\n")
    assert "changed: requirements.lock" in bootstrap(checkout)[1]
    moved = checkout.rename(checkout.with_name("moved"))
    assert f"changed: checkout: {moved}" in bootstrap(moved)[1]


def test_an_environment_that_was_cut_off_is_made_again(checkout: Path) -> None:
    bootstrap(checkout)
    (checkout / ".venv/made-of").unlink()
    assert "never finished" in bootstrap(checkout)[1]


@pytest.mark.parametrize(("need", "what"), [("hosts", "what reaches other hosts"), ("b4", "b4")])
def test_an_extra_is_added_once_and_only_for_a_verb_that_wants_it(
    checkout: Path, need: str, what: str
) -> None:
    assert f"adding {what}" not in bootstrap(checkout)[1]
    assert f"adding {what} to .venv" in bootstrap(checkout, need)[1]
    assert bootstrap(checkout, need)[1] == ""
