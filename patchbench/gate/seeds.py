# SPDX-License-Identifier: GPL-2.0-only
"""The seeds with which a tree is judged, drawn from what it contains. Pure."""

import hashlib
from itertools import count

#: Few digits, as a seed is part of folder names and commands.
_MOST = 99_999


def draw(tree_id: str, wanted: int) -> tuple[int, ...]:
    """Return so many different seeds, 1 to 99999; the first of them are the same for any number.

    They follow from the tree alone, so that a gate repeats, and change with every line of it, so
    that no revision is tuned to the luck of some seeds.
    """
    seeds: dict[int, None] = {}
    for place in count():
        if len(seeds) == wanted:
            break
        drawn = hashlib.sha256(f"{tree_id} {place}".encode()).digest()
        seeds[int.from_bytes(drawn[:8], "big") % _MOST + 1] = None
    return tuple(seeds)
