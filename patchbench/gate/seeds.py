# SPDX-License-Identifier: GPL-2.0-only
"""The seeds with which a tree is judged, drawn from what it contains. Pure."""

import hashlib
from collections.abc import Iterator
from itertools import count

#: Few digits, as a seed is part of folder names and commands.
_MOST = 99_999
#: How many seeds a base has. Each of its boots serves every revision that draws the seed: of 9
#: seeds, a fifth revision finds 8.
_POOL = 24


def draw(tree_id: str, base_id: str, wanted: int) -> tuple[int, ...]:
    """Return so many different seeds, 1 to 99999; the first of them are the same for any number.

    They are drawn from those of the base, in an order that follows from the tree alone, so that a
    gate repeats, and changes with every line of the tree, so that no revision is tuned to the luck
    of some seeds. Where more are wanted than a base has, the tree's own follow.
    """
    pool = [seed for seed, _ in zip(_hashed(base_id), range(_POOL), strict=False)]
    pool.sort(key=lambda seed: hashlib.sha256(f"{tree_id} {seed}".encode()).digest())
    seeds = dict.fromkeys(pool[:wanted])
    more = _hashed(tree_id)
    while len(seeds) < wanted:
        seeds[next(more)] = None
    return tuple(seeds)


def _hashed(tree_id: str) -> Iterator[int]:
    """Give a tree's seeds without end, none twice."""
    seen: set[int] = set()
    for place in count():
        hashed = hashlib.sha256(f"{tree_id} {place}".encode()).digest()
        seed = int.from_bytes(hashed[:8], "big") % _MOST + 1
        if seed not in seen:
            seen.add(seed)
            yield seed
