# SPDX-License-Identifier: GPL-2.0-only
"""The gate on real kernels: what it passes, what it stops, and what it leaves open."""

import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from patchbench.errors import HostOverloaded, PipelineError
from patchbench.gate import gating
from patchbench.gate.request import GateRequest
from patchbench.model import Source
from patchbench.pipeline import Pipeline
from patchbench.runs import folder as runs
from patchbench.runs import verifying
from patchbench.stages import planted
from tests.e2e.conftest import KERNEL, ROOT

Write = Callable[[Source, str, str, str, str], None]
# Revisions of one series: what comes later builds where the first did.
COMMENT, RELINK, SLOWER = "e2e-gate0", "e2e-gate1", "e2e-gate2"
# So small a storm differs by a seed or a relink as much as by 15 percent: the limit is far beyond
# that, and the slow-down far beyond the limit.
POLICY = """
error_rate = 0.05
looks = [6]
[[limits]]
workload = "small-storm"
machine = "exact"
metric = "exit_ns"
better = "lower"
max_regression_pct = 30.0
[[limits]]
workload = "small-storm"
machine = "exact"
metric = "swapoff_ns"
better = "lower"
max_regression_pct = 50.0
"""


@pytest.fixture
def gated(copied: Pipeline, write_series: Write) -> Pipeline:
    """Return a project with a policy on a small storm, and two revisions to judge."""
    (copied.root / "gate.toml").write_text(POLICY)
    storm = (copied.root / "workloads/exit-storm.toml").read_text()
    small = storm.replace("victims = 10", "victims = 4").replace("mib = 32", "mib = 8")
    (copied.root / "workloads/small-storm.toml").write_text(small)
    source, plants = copied.source(KERNEL), planted.load(ROOT)
    comment = f"{plants.relink.find}\n/* A comment, and nothing else. */\n"
    write_series(source, COMMENT, plants.relink.file, plants.relink.find, comment)
    for name, plant in ((RELINK, plants.relink), (SLOWER, plants.slower)):
        write_series(source, name, plant.file, plant.find, plant.put.replace("{n}", "3000"))
    return copied


def request(series: str, **changes: float | None) -> GateRequest:
    return GateRequest(series, "none", KERNEL, policy=Path("gate.toml"), **changes)  # type: ignore[arg-type]


def test_what_is_neutral_passes_and_a_planted_slow_down_fails_by_its_metric(
    gated: Pipeline,
) -> None:
    comment = gating.gate_series(gated, request(COMMENT))
    assert (comment.ruled, comment.seeds) == ("PASS", 0)
    assert "only in names, build id and line numbers" in comment.reasons[0]

    relink = gating.gate_series(gated, request(RELINK))
    assert (relink.ruled, relink.seeds) == ("PASS", 6)
    assert all("within the limit" in ruling.why for ruling in relink.rulings)

    slower = gating.gate_series(gated, request(SLOWER))
    assert slower.ruled == "FAIL"
    assert [(one.limit.metric, one.ruled) for one in slower.rulings] == [
        ("exit_ns", "FAIL"),
        ("swapoff_ns", "PASS"),
    ]
    # How much depends on what is shelved; that none is spent would be no measurement.
    assert slower.cpu_seconds > 0
    summary = gated.results / "reports" / slower.gate / "summary.md"
    assert "small-storm exact exit_ns" in summary.read_text()

    # More seeds than are shelved, and no time to boot them: too few is neither PASS nor FAIL.
    short = gating.gate_series(gated, request(SLOWER, seeds=8, budget_s=0.001))
    assert short.ruled == "INCONCLUSIVE"
    assert "the budget of 0 s was spent after 6 of the 8 seeds" in short.reasons[0]


@contextmanager
def load(processes: int) -> Iterator[None]:
    """Let so many processes want a CPU."""
    spin = ["sh", "-c", "while :; do :; done"]
    spinning = [subprocess.Popen(spin) for _ in range(processes)]
    try:
        yield
    finally:
        for process in spinning:
            process.kill()
        for process in spinning:
            process.wait()


def ruled_or_status(gated: Pipeline, request: GateRequest) -> str | int:
    """Return the verdict, or the exit status of what kept it from being reached."""
    try:
        return gating.gate_series(gated, request).ruled
    except PipelineError as err:
        return err.exit_code


@pytest.mark.nightly
@pytest.mark.parametrize(
    ("processes", "machine"), [(12, "exact"), (12, "parallel"), (200, "exact")]
)
def test_a_host_under_load_is_never_held_against_a_series(
    gated: Pipeline, processes: int, machine: str
) -> None:
    (gated.root / "gate.toml").write_text(POLICY.replace('"exact"', f'"{machine}"'))
    gated.images(gated.source(KERNEL), ["none", RELINK], "bench")
    with load(processes):
        said = ruled_or_status(gated, request(RELINK, fresh=True))
    assert said in ("PASS", "INCONCLUSIVE", HostOverloaded.exit_code)


def test_a_series_against_the_same_tree_has_nothing_to_measure(gated: Pipeline) -> None:
    twin = gated.root / "patches/e2e-twin"
    twin.symlink_to(gated.root / "patches" / COMMENT)
    verdict = gating.gate_series(
        gated, GateRequest("e2e-twin", COMMENT, KERNEL, policy=Path("gate.toml"))
    )
    assert verdict.ruled == "PASS"
    assert "trees are the same" in verdict.reasons[0]
    assert verdict.runs == ()


@pytest.mark.parametrize("folder", [*(ROOT / "results/published").glob("*/")], ids=str)
def test_what_is_published_has_its_seal(folder: Path) -> None:
    runs.check_seal(folder)


def test_a_published_run_is_repeated_to_the_byte_unless_what_it_is_made_of_moved_on(
    run: Pipeline,
) -> None:
    folder = ROOT / "results/published/v0-exit-storm-7.3"
    verified = verifying.verify(run, folder, everything=False)
    assert [one.machine for one in verified.replays] == [
        name for name in ("exact", "exact2", "exact8", "phone") for _ in ("none", "v0")
    ]
    moved = [one.name for one in verified.ingredients if not one.same]
    differing = [one for one in verified.replays if one.difference]
    assert moved or not differing, verified.rows()
    # A newer package may change the bytes; then the error says which.
    assert all(name in str(verified.error()) for name in moved if differing)
