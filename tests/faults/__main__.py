# SPDX-License-Identifier: GPL-2.0-only
"""`python -m tests.faults FOLDER SEED KILLS ROUNDS` prints a line of JSON for each fault.

A process of its own, with one thread: the faults fork from it.
"""

import json
import sys
from dataclasses import asdict
from pathlib import Path

from tests.faults import hosts, kills
from tests.faults.place import Place

folder, seed, count, rounds = sys.argv[1:]
place = Place(Path(folder))
for one in kills.kills(place, int(seed), int(count)):
    sys.stdout.write(json.dumps({"kind": "SIGKILL", **asdict(one)}) + "\n")
    sys.stdout.flush()
for other in hosts.faults(place, int(seed), int(rounds)):
    sys.stdout.write(json.dumps(asdict(other)) + "\n")
    sys.stdout.flush()
