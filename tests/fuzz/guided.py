# SPDX-License-Identifier: GPL-2.0-only
"""`python -m tests.fuzz.guided SEED RUNS FOLDER [TARGET]...`: led by the code that a case reaches.

Needs atheris, which nothing else here does and not every Python can have: `pip install atheris`. It
found at once what blind mutations had not. What a target failed on is kept in FOLDER.
"""

import re
import subprocess
import sys
import tempfile
from pathlib import Path

import atheris  # type: ignore[import-untyped]

with atheris.instrument_imports(include=["patchbench"], enable_loader_override=False):
    from tests.fuzz.mutating import MOST_BYTES
    from tests.fuzz.running import attempt, in_memory
    from tests.fuzz.targets import TARGETS, Target

#: What a run is told that feeds one target, which it does not return from.
_LEAD = "--lead"


def _lead(target: Target, seed: str, runs: str, folder: Path, scratch: Path) -> None:
    """Feed one target; does not return, as libFuzzer ends the process."""
    wrong: set[str] = set()
    corpus = scratch / "corpus"
    corpus.mkdir()
    for number, data in enumerate(target.seeds):
        (corpus / str(number)).write_bytes(data[:MOST_BYTES])

    def one(data: bytes) -> None:
        place, _ = attempt(lambda: target.parse(data, scratch))
        if place and place not in wrong:
            wrong.add(place)
            sys.stdout.write(f"{target.name}: {place}\n")
            sys.stdout.flush()
            name = re.sub(r"[^A-Za-z0-9.]+", "-", f"{target.name}-{place}")
            (folder / name).write_bytes(data)

    limits = [f"-runs={runs}", f"-seed={seed}", f"-max_len={MOST_BYTES}", "-print_final_stats=1"]
    atheris.Setup([sys.argv[0], str(corpus), *limits], one)
    atheris.Fuzz()


def _lead_each(names: list[str], arguments: list[str]) -> None:
    for name in names:
        with tempfile.TemporaryDirectory(prefix="patchbench-fuzz-", dir=in_memory()) as scratch:
            command = [sys.executable, "-m", "tests.fuzz.guided", _LEAD, *arguments, name, scratch]
            done = subprocess.run(command, capture_output=True, text=True, check=False)
        executed = re.search(r"number_of_executed_units: (\d+)", done.stderr)
        cases = int(executed[1]) if executed else 0
        sys.stdout.write(f"{done.stdout}{name}: {cases} cases, status {done.returncode}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    every = {one.name: one for kind in TARGETS.values() for one in kind}
    if sys.argv[1] == _LEAD:
        _, seed, runs, folder, name, scratch = sys.argv[1:]
        _lead(every[name], seed, runs, Path(folder), Path(scratch))
    seed, runs, folder, *chosen = sys.argv[1:]
    if unknown := set(chosen) - every.keys():
        sys.exit(f"no such target: {', '.join(unknown)}; known: {', '.join(every)}")
    Path(folder).mkdir(parents=True, exist_ok=True)
    _lead_each(chosen or [*every], [seed, runs, folder])
