# SPDX-License-Identifier: GPL-2.0-only
"""A real profile of a small storm, and what must never pass for one."""

import pytest

from patchbench.errors import BuildFailed, ToolFailed
from patchbench.pipeline import Pipeline
from patchbench.profile import tables
from patchbench.profile.profiling import ProfileRequest, profile
from patchbench.profile.sorting import worst_error_points
from patchbench.tools.qemu import PROFILE
from tests.e2e.conftest import KERNEL

REQUEST = ProfileRequest(
    series="none",
    against="none",
    kernel=KERNEL,
    tree="",
    workload="exit-storm",
    machine="exact",
    flavour="bench",
    seed=1,
    parameters={"victims": 3, "mib": 8},
)


@pytest.fixture
def run(copied: Pipeline) -> Pipeline:
    """Return a pipeline whose runs and plugin are this test's own."""
    return copied


def test_a_profile_repeats_to_the_instruction_and_leaves_the_guest_as_it_was(
    run: Pipeline,
) -> None:
    # That the results are the plain boot's, to the byte, is checked by every profile.
    (first, profiled), (second, again) = profile(run, REQUEST), profile(run, REQUEST)
    raws = [folder / "boots/exact/none/seed-1-profiled" / PROFILE for folder in (first, second)]
    assert raws[0].read_bytes() == raws[1].read_bytes()
    assert profiled.arms == again.arms

    (arm,) = profiled.arms
    total, pages = sum(arm.instructions.values()), 3 * 8 * 256
    assert arm.pages == pages
    assert 300 < total / pages < 5000
    _, groups, contexts, *_ = tables.tables(profiled)
    shares = {row[0]: row[-1] for row in contexts.rows}
    assert float(shares["exits"].rstrip("%")) > 80
    assert {"zsmalloc", "zram", "swap core", "page-table walk"} <= {row[0] for row in groups.rows}
    # Samples and counts come by different ways and must agree.
    assert worst_error_points(arm) < 2


def test_a_plugin_for_another_qemu_fails_with_what_qemu_says(run: Pipeline) -> None:
    header = run.root / "qemu/plugins/qemu_plugin.h"
    header.write_text(header.read_text().replace("PLUGIN_API\t4", "PLUGIN_API\t99"))
    with pytest.raises(ToolFailed, match=r"does not start(.|\n)*version") as caught:
        profile(run, REQUEST)
    assert caught.value.exit_code == 30


def test_a_plugin_that_does_not_compile_says_where(run: Pipeline) -> None:
    source = run.root / "qemu/plugins/profile/profile.c"
    source.write_text(source.read_text() + "int unused(void) { return missing; }\n")
    with pytest.raises(BuildFailed, match=r"profile\.c:\d+"):
        profile(run, REQUEST)
