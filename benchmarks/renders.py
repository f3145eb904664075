"""How long each image renders, and the best schedule there can be for it. Pure."""

from __future__ import annotations

import heapq
import math
import random
from collections.abc import Sequence


def render_time(seed: int, image: str, shortest: float, longest: float) -> float:
    """Seconds that an image renders: drawn by the seed, so the same for every client."""
    return random.Random(f"{seed} {image}").uniform(shortest, longest)


def ideal_wall(renders: Sequence[float], concurrency: int) -> float:
    """Seconds that a client without any cost would take: each slot takes the next job at once."""
    if not renders:
        return 0.0
    slots = [0.0] * min(concurrency, len(renders))
    for render in renders:
        heapq.heapreplace(slots, slots[0] + render)
    return max(slots)


def matching_interval(renders: Sequence[float], polls: float) -> float:
    """The fixed poll interval at which these renders need so many polls a job, on average.

    With it the bare loop makes the same traffic as the client that it is held against, however
    that client chose its moments.
    """
    low, high = 0.001, 2 * max(renders)
    for _ in range(60):
        middle = (low + high) / 2
        made = sum(math.ceil(render / middle) for render in renders) / len(renders)
        low, high = (middle, high) if made > polls else (low, middle)
    return high
