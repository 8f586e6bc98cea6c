# SPDX-License-Identifier: GPL-2.0-only
"""The verb `calibrate`, from a policy to docs/calibration.md; git, make and QEMU are fakes."""

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from patchbench import noise
from patchbench.model import Source
from patchbench.pipeline import Pipeline
from patchbench.stages.planted import Plant
from tests.command import Done, in_checkout, invoke
from tests.gate.named import Guests, Named, limit, pipeline, policy

pytestmark = pytest.mark.slow

SEEDS = 5
PATCH = """From: A Hacker <hacker@example.org>
Subject: [PATCH] mm: do more

---
diff --git a/mm/swapfile.c b/mm/swapfile.c
--- a/mm/swapfile.c
+++ b/mm/swapfile.c
"""


def write(plant: Plant, source: Source, root: Path, name: str, scratch: Path, size: int) -> None:
    """Write a planted series without asking git for its patch."""
    port = root / "patches" / name / source.line
    port.mkdir(parents=True, exist_ok=True)
    (port.parent / "series.toml").write_text(f'title = "{name}"\n')
    (port / "0001-planted.patch").write_text(PATCH)


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A checkout with a policy of its own, in which the verbs work."""
    named = pipeline(tmp_path, policy(limit("cpu_ns"), looks=f"[{SEEDS}]"))
    in_checkout(monkeypatch, named.root)

    @contextmanager
    def opened(*_: object) -> Iterator[Pipeline]:
        with named:
            yield named

    monkeypatch.setattr("patchbench.pipeline.opened", opened)
    monkeypatch.setattr("patchbench.stages.planted.write", write)
    return named.root


def calibrate() -> Done:
    return invoke("calibrate", "--kernel", "small", "--policy", "gate.toml", "--trials", "50")


def test_a_calibration_prints_its_rules_and_keeps_its_boots_its_floors_and_its_page(
    checkout: Path,
) -> None:
    done = calibrate()
    assert done.status == 0, done.stderr
    (gate,) = [line.split("│") for line in done.stdout.splitlines() if "this gate" in line]
    assert [cell.strip() for cell in gate] == [
        "", "exit-storm on exact", "this gate", "0.0%", "[0.0%, 8.4%]", "1.2 %", ""
    ]  # fmt: skip
    stored = json.loads((checkout / noise.DATA).read_text())
    (cell,) = stored["cells"]
    assert [*cell["slower"]] == ["2", "4", "8", "12", "16", "32"]
    (floors,) = noise.stored(checkout)
    assert floors.pct == {"cpu_ns": {4: 0.0, 5: 0.0}, "exit_ns": {4: 0.0, 5: 0.0}}
    assert floors.conditions.parameters["victims"] == 10
    page = (checkout / "docs/calibration.md").read_text()
    assert "`./bootstrap calibrate --kernel small --policy gate.toml`" in page
    assert (checkout / "docs/calibration-exit-storm-exact.svg").is_file()


def test_two_workloads_on_one_machine_have_each_their_own_boots(
    checkout: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Up to 26a29aba2076: the second took the first one's boots for its own, and shelved them.
    booted = []
    for workloads in (1, 2):
        guests = Guests()
        monkeypatch.setattr(Named, "guests", guests)
        second = limit("cpu_ns").replace("exit-storm", "exit-storm-scattered")
        limits = [limit("cpu_ns"), second][:workloads]
        (checkout / "gate.toml").write_text(policy(*limits, looks="[6]"))
        shutil.rmtree(checkout.parent / "cache", ignore_errors=True)
        assert calibrate().status == 0
        booted.append(len(guests.booted))
    assert booted[1] == 2 * booted[0]


def test_a_kernel_that_loses_a_boot_is_named_and_nothing_is_kept(
    checkout: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Named, "guests", Guests(lost="relink-3"))
    done = calibrate()
    assert (done.status, done.stdout) == (23, "")
    assert "none~relink-3 seed 1 has no usable samples" in done.stderr
    assert not (checkout / "docs").exists()
