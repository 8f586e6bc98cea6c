# SPDX-License-Identifier: GPL-2.0-only
"""What a check is asked for, and the command that asks for it again."""

from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest

from patchbench.check.request import CheckRequest
from patchbench.model import Source
from patchbench.pipeline import Pipeline

PLAIN = CheckRequest("v0", ("mainline", "lts"))
SOURCE = Source("mainline", "7.3.4", "a test's", Path(), "c0", "")


@pytest.mark.parametrize(
    ("request_", "words"),
    [
        (PLAIN, ""),
        (CheckRequest("v0", PLAIN.kernels, parts=("matrix",)), " --matrix"),
        (CheckRequest("v0", PLAIN.kernels, quick=True, parts=("matrix",)), " --matrix --quick"),
        (CheckRequest("v0", PLAIN.kernels, rows=("a", "b"), parts=("matrix",)), " --rows a,b"),
        (CheckRequest("v0", PLAIN.kernels, parts=("hazards",)), " --hazards all"),
        (CheckRequest("v0", PLAIN.kernels, parts=("style",)), " --style"),
        (
            CheckRequest("v0", PLAIN.kernels, ("residue",), "debug", "exact4", 3, quick=True),
            " --matrix --quick --hazards residue --flavour debug --machine exact4 --seeds 3",
        ),
    ],
)
def test_the_command_repeats_what_was_asked(request_: CheckRequest, words: str) -> None:
    command = f"./bootstrap check --series v0 --kernel mainline,lts{words}"
    assert request_.command() == command


def test_the_command_names_what_the_series_is_compared_with() -> None:
    request = CheckRequest("v1", ("mainline",), against="v0")
    plain = "./bootstrap check --series v1 --against v0 --kernel mainline"
    assert request.command() == plain
    assert request.part_command(SOURCE, "--rows a") == f"{plain} --rows a"


def test_a_series_that_was_judged_alone_is_judged_alone_again() -> None:
    request = CheckRequest("v1", ("mainline",), first_patches=False)
    alone = "./bootstrap check --series v1 --kernel mainline --whole"
    assert request.command() == alone
    assert request.part_command(SOURCE, "") == alone
    assert request.prefixes(cast(Pipeline, None), SOURCE) == ("v1",)


@pytest.mark.parametrize(
    ("series", "prefixes"),
    [
        ("v0", ("v0@1", "v0@2", "v0")),
        ("v0+small", ("v0@1+small", "v0@2+small", "v0+small")),
        ("v0@2", ("v0@2",)),
        ("none", ("none",)),
    ],
)
def test_a_whole_series_is_judged_patch_by_patch_and_a_part_of_one_once(
    series: str, prefixes: tuple[str, ...]
) -> None:
    three = SimpleNamespace(patches=(1, 2, 3))
    pipeline = cast(Pipeline, SimpleNamespace(series=lambda *_: three))
    assert CheckRequest(series, ("mainline",)).prefixes(pipeline, SOURCE) == prefixes
