# SPDX-License-Identifier: GPL-2.0-only
"""How long a study takes on more hosts, from boots that were recorded: `python FILE SHELF`.

SHELF: the folder shelf/ of a cache, whose exact boots say how long they took. No host is real: each
has CORES slots, and the run that asks them does one thing at a time, as docs/scale.md measured it.
"""

import heapq
import json
import random
import sys
from pathlib import Path

#: The full study: its legs, and the boots of all of them.
LEGS, BOOTS = 80, 1502
HOSTS = (1, 2, 5, 10, 30, 100)
CORES = 2
#: So many boots a slot wait in one queue, as patchbench/study/running.py has it.
WAITING = 8
#: What the run itself spends on a boot, placing it and keeping its logs. At most: it is all that
#: short boots took beyond their own time, with run, scheduler and workers on two cores.
BOOT_COST_S = 0.08
#: A kernel and its initrd, once a host and arm, over one network card.
ARTEFACTS_MB, NETWORK_MB_S, ARMS = 20.0, 110.0, 2


def recorded(shelf: Path) -> list[float]:
    """Return how long each exact boot of a shelf took, in seconds."""
    notes = shelf.glob("boots/*/host.json")
    return [json.loads(path.read_text())["seconds"] for path in notes]


def wall_s(boots: list[float], hosts: int, *, new_hosts: bool) -> tuple[float, float]:
    """Return how long boots take on so many hosts, and how long the run that asks is busy.

    new_hosts: none of them has the kernels yet.
    """
    free = [(0.0, host) for host in range(hosts) for _ in range(CORES)]
    heapq.heapify(free)
    lacking = dict.fromkeys(range(hosts), ARMS if new_hosts else 0)
    asks_s = busy_s = end_s = 0.0
    for seconds in boots:
        slot_s, host = heapq.heappop(free)
        cost_s = BOOT_COST_S + lacking[host] * ARTEFACTS_MB / NETWORK_MB_S
        lacking[host] = 0
        asks_s = max(asks_s, slot_s) + cost_s
        busy_s += cost_s
        end_s = max(end_s, asks_s + seconds)
        heapq.heappush(free, (asks_s + seconds, host))
    return end_s, busy_s


def together(legs: list[list[float]], slots: int) -> list[list[float]]:
    """Return the boots of legs that wait in one queue, a list a queue, as a study has them."""
    queues: list[list[float]] = [[]]
    for leg in legs:
        if len(queues[-1]) >= WAITING * slots:
            queues.append([])
        queues[-1] += leg
    return queues


def main(shelf: Path) -> None:
    """Print a table: hosts, all boots in one queue, as a study does it, and leg after leg."""
    times, draw = recorded(shelf), random.Random(1)
    boots = [draw.choice(times) for _ in range(BOOTS)]
    legs = [boots[leg::LEGS] for leg in range(LEGS)]
    sys.stdout.write(
        f"{len(times)} boots recorded, {sum(times) / len(times):.1f} s in the mean\n"
        "| hosts | one queue, min | of ideal | the run is busy | a study, min | of ideal "
        "| leg after leg, min | of ideal |\n|---|---|---|---|---|---|---|---|\n"
    )
    for hosts in HOSTS:
        ideal_s = sum(boots) / hosts / CORES
        queue_s, busy_s = wall_s(boots, hosts, new_hosts=True)
        study_s, legs_s = (
            sum(wall_s(one, hosts, new_hosts=not number)[0] for number, one in enumerate(parts))
            for parts in (together(legs, hosts * CORES), legs)
        )
        sys.stdout.write(
            f"| {hosts} | {queue_s / 60:.1f} | {ideal_s / queue_s:.0%} | {busy_s / queue_s:.0%} "
            f"| {study_s / 60:.1f} | {ideal_s / study_s:.0%} "
            f"| {legs_s / 60:.1f} | {ideal_s / legs_s:.0%} |\n"
        )


if __name__ == "__main__":
    main(Path(sys.argv[1]))
