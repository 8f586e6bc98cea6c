# SPDX-License-Identifier: GPL-2.0-only
"""Files that once crashed or hung what reads them: see data/fuzz/README.md."""

from collections.abc import Callable
from pathlib import Path

import pytest

from patchbench import records
from patchbench.binaries import addresses, symbols
from patchbench.errors import BadRecord, PipelineError
from patchbench.profile import counts
from tests.elf import NOP, RET, Function, relocatable

FUZZ = Path(__file__).parent / "data/fuzz"


def cases(target: str) -> list[Path]:
    return sorted((FUZZ / target).iterdir())


@pytest.fixture
def valid(tmp_path: Path) -> Path:
    """Return a vmlinux.o with one function."""
    path = tmp_path / "vmlinux.o"
    path.write_bytes(relocatable({"put": Function([NOP, RET])}, {}))
    return path


@pytest.mark.parametrize("read", [addresses.load, lambda path: symbols.compare(path, path)])
@pytest.mark.parametrize("case", cases("elf"), ids=lambda path: path.name)
def test_a_kernel_that_contradicts_itself_is_refused(
    case: Path, read: Callable[[Path], object]
) -> None:
    with pytest.raises(PipelineError, match=case.name):
        read(case)


@pytest.mark.parametrize("case", cases("elf"), ids=lambda path: path.name)
def test_a_kernel_is_not_compared_with_one_that_contradicts_itself(case: Path, valid: Path) -> None:
    with pytest.raises(PipelineError, match=case.name):
        symbols.compare(valid, case)


@pytest.mark.parametrize("case", cases("profile"), ids=lambda path: path.name)
def test_a_damaged_profile_is_refused(case: Path) -> None:
    kernel = addresses.load(Path(__file__).parent / "data/profile/tiny.elf")
    with pytest.raises(PipelineError, match=r"profile|cannot tell where the kernel was"):
        counts.profile(counts.parse(case.read_text(), "storm"), kernel, series="v0", pages=1)


@pytest.mark.parametrize("case", cases("results"), ids=lambda path: path.name)
def test_a_damaged_record_is_refused(case: Path) -> None:
    with pytest.raises(BadRecord, match="results log, line 3"):
        records.parse(case.read_text())
