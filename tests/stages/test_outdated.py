# SPDX-License-Identifier: GPL-2.0-only
"""What make is going to compile again, and for which files."""

import os
from pathlib import Path

import pytest

from patchbench.stages.outdated import Outdated, outdated

BUILT_S = 1000


@pytest.fixture
def lane(tmp_path: Path) -> Path:
    """Return a lane with two objects, both newer than all that they were compiled from."""
    for name in ("mm/swap.c", "mm/zswap.c", "include/swap.h"):
        (tmp_path / "source" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "source" / name).touch()
        write_at(tmp_path, name, BUILT_S - 1)
    (tmp_path / "objects/mm").mkdir(parents=True)
    for name in ("swap", "zswap"):
        built = tmp_path / f"objects/mm/{name}.o"
        built.touch()
        os.utime(built, (BUILT_S, BUILT_S))
        # As fixdep writes it.
        (tmp_path / f"objects/mm/.{name}.o.cmd").write_text(
            f"savedcmd_mm/{name}.o := gcc -I/src/include -c -o mm/{name}.o /src/mm/{name}.c\n\n"
            f"source_mm/{name}.o := /src/mm/{name}.c\n\ndeps_mm/{name}.o := \\\n"
            "    $(wildcard include/config/SWAP) \\\n  /src/include/swap.h \\\n\n"
            f"mm/{name}.o: $(deps_mm/{name}.o)\n"
        )
    return tmp_path


def write_at(lane: Path, name: str, when_s: int) -> None:
    os.utime(lane / "source" / name, (when_s, when_s))


def test_nothing_is_outdated_where_no_source_is_newer(lane: Path) -> None:
    assert outdated(lane / "objects", lane / "source") == Outdated(0, 2)


def test_a_header_costs_every_object_that_includes_it(lane: Path) -> None:
    write_at(lane, "include/swap.h", BUILT_S + 1)
    write_at(lane, "mm/swap.c", BUILT_S + 1)
    found = outdated(lane / "objects", lane / "source")
    assert found == Outdated(2, 2, ("include/swap.h", "mm/swap.c"))


def test_a_source_that_is_gone_is_a_cause(lane: Path) -> None:
    (lane / "source/mm/zswap.c").unlink()
    assert outdated(lane / "objects", lane / "source") == Outdated(1, 2, ("mm/zswap.c",))


def test_a_link_in_the_place_of_what_make_noted_is_not_followed(lane: Path) -> None:
    (lane / "objects/mm/.swap.o.cmd").rename(lane / "elsewhere")
    (lane / "objects/mm/.swap.o.cmd").symlink_to(lane / "elsewhere")
    assert outdated(lane / "objects", lane / "source").whole == 1


@pytest.mark.parametrize(
    ("causes", "why"),
    [
        (("a.h",), "because of a.h"),
        (("a.h", "b.c"), "because of a.h and b.c"),
        (("a.h", "b.c", "c.c", "d.c"), "because of a.h and 3 others"),
    ],
)
def test_the_price_names_what_is_felt_most(causes: tuple[str, ...], why: str) -> None:
    assert str(Outdated(1190, 1290, causes)) == f"1,190 of 1,290 objects will be built, {why}"
