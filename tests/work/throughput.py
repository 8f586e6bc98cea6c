# SPDX-License-Identifier: GPL-2.0-only
"""What workers cost beside this host's own pool: `python -m tests.work.throughput`.

Two workers of one slot each, and two slots of this host, make the boots of the small project, each
a sleep of 5 s; then the same with three times as many. What a boot takes is the difference, so what
a run does once (build, greet, prove, report) is not in it. Run, scheduler and workers share this
host, so its load is in all of it.
"""

import os
import sys
import tempfile
import time
from contextlib import nullcontext
from pathlib import Path

import pytest

from patchbench import pipeline
from tests import engine
from tests.command import invoke
from tests.work.farm import Farm, farm
from tests.work.preload import BOOT_S, SlowEngine

SLEEP_S = 5.0
SEEDS = (6, 18)  # per arm, of two
SLOTS = 2


def wall_s(root: Path, place: Path, seeds: int, *, workers: bool) -> float:
    """Return how long a bench takes whose boots nobody made before."""
    os.environ["PATCHBENCH_CACHE"] = str(place / "cache")
    os.environ["PATCHBENCH_SLOTS"] = str(place / "slots")
    place.mkdir()
    with farm(root, place / "farm", boot_s=SLEEP_S) if workers else nullcontext() as made:
        flags: tuple[str, ...] = ()
        if isinstance(made, Farm):
            for name in ("alpha", "beta"):
                made.start_worker(name, cores=1)
            made.wait_for("alpha", "beta")
            flags = ("--hosts", made.address)
        began = time.monotonic()
        done = invoke("bench", "--machine", "exact", "--seeds", str(seeds), *flags)
        if done.status:
            raise SystemExit(done.stderr)
        return time.monotonic() - began


def main() -> None:
    """Print what a boot takes on this host's slots and on two workers, and their ratio."""
    os.environ[BOOT_S] = str(SLEEP_S)
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        root = engine.checkout(Path(folder), patch)
        engine.draw_nothing(patch)
        patch.setattr(pipeline, "Engine", SlowEngine)
        patch.setattr("patchbench.tools.host.cores", lambda: SLOTS)
        a_boot_s = {}
        for what, workers in (("this host's slots", False), ("two workers", True)):
            few_s, many_s = (
                wall_s(root, Path(folder) / f"{what}-{seeds}", seeds, workers=workers)
                for seeds in SEEDS
            )
            boots = 2 * (SEEDS[1] - SEEDS[0])
            a_boot_s[what] = (many_s - few_s) / boots * SLOTS
            sys.stdout.write(
                f"{what}: {2 * SEEDS[0]} boots in {few_s:.1f} s, {2 * SEEDS[1]} in {many_s:.1f} s: "
                f"{a_boot_s[what]:.2f} s a boot of {SLEEP_S:.0f} s in each of {SLOTS} slots\n"
            )
        here, there = a_boot_s.values()
        sys.stdout.write(
            f"throughput of two workers: {here / there:.1%} of this host's own; "
            f"load {os.getloadavg()[0]:.1f}\n"
        )


if __name__ == "__main__":
    main()
