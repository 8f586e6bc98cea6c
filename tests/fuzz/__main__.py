# SPDX-License-Identifier: GPL-2.0-only
"""`python -m tests.fuzz SEED cases|seconds NUMBER FOLDER [TARGET]...` prints a line a target.

NUMBER: cases for each kind of target, which those of a kind share, or seconds for all of them.
What one fails on is kept in FOLDER.
"""

import json
import os
import re
import sys
from functools import partial
from multiprocessing import get_context
from pathlib import Path

from tests.fuzz.running import Fuzzed, fuzz
from tests.fuzz.targets import TARGETS


def _one(share: tuple[str, int], seed: int, seconds: float) -> Fuzzed:
    name, cases = share
    (target,) = (one for kind in TARGETS.values() for one in kind if one.name == name)
    return fuzz(target, seed, cases=cases, seconds=seconds)


def _keep(found: Fuzzed, folder: Path) -> list[str]:
    folder.mkdir(parents=True, exist_ok=True)
    for place, data in found.wrong.items():
        name = re.sub(r"[^A-Za-z0-9.]+", "-", f"{found.target}-{place}")
        (folder / name).write_bytes(data)
    return [*found.wrong]


if __name__ == "__main__":
    seed, unit, number, folder, *chosen = sys.argv[1:]
    cases = int(number) if unit == "cases" else 0
    shares = [
        (one.name, -(-cases // len(kind)))
        for kind in TARGETS.values()
        for one in kind
        if not chosen or one.name in chosen
    ]
    cores = len(os.sched_getaffinity(0))
    seconds = 0.0 if cases else float(number) * cores / len(shares)
    one = partial(_one, seed=int(seed), seconds=seconds)
    # A process for each target: what one does to its limits is none of another's.
    with get_context("fork").Pool(cores, maxtasksperchild=1) as pool:
        for found in pool.imap(one, shares):
            row = {"target": found.target, "cases": found.cases, "slowest_s": found.slowest_s}
            line = json.dumps({**row, "wrong": _keep(found, Path(folder))})
            sys.stdout.write(line + "\n")
            sys.stdout.flush()
