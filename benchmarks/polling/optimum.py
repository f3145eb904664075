"""The fewest polls at a mean lag, for somebody who knows the law: dynamic programming."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate, pairwise

from benchmarks.polling.laws import Cost, Law

PRICES = (
    0.5,
    1,
    1.5,
    2,
    3,
    4,
    5,
    6,
    7,
    8,
    10,
    12,
    14,
    16,
    18,
    20,
    23,
    27,
    32,
    40,
    50,
    70,
    100,
    400,
)


def optimum(law: Law, gap: float, prices: Sequence[float] = PRICES, fine: int = 20) -> list[Cost]:
    """The curve of fewest polls, least lag first; `prices` are polls for a gap less of lag.

    For each price the least of polls + price * lag over all sequences of ages at least a gap
    apart, on a grid of `fine` cells a gap, from the last age to the first. The searched range
    shrinks with the age since the best next poll never comes earlier for a later age.
    """
    cell = gap / fine
    ready = [law.ready(place * cell) for place in range(int((law.top + 6 * gap) / cell))]
    area = list(accumulate(((a + b) / 2 * cell for a, b in pairwise(ready)), initial=0.0))
    costs = {_least(ready, area, fine, cell, price / gap) for price in prices}
    return sorted((Cost(polls, lag) for polls, lag in costs), key=lambda cost: cost.lag)


def _least(
    ready: list[float], area: list[float], fine: int, cell: float, worth: float
) -> tuple[float, float]:
    last = len(ready) - 1
    value = [1 - chance for chance in ready]
    polls = list(value)
    lags = [0.0] * len(ready)
    best = last
    for here in range(last - fine, -1, -1):
        chance = ready[here] * cell
        _, best = min(
            (worth * (area[there] - chance * there) + value[there], there)
            for there in range(here + fine, best + 1)
        )
        lag = area[best] - area[here] - chance * (best - here)
        polls[here] = 1 - ready[here] + polls[best]
        lags[here] = lag + lags[best]
        value[here] = polls[here] + worth * lags[here]
    return polls[0], lags[0]


def fewest(curve: Sequence[Cost], lag: float) -> float:
    """The optimum's polls at this mean lag; between two schedules, some tasks get one of each."""
    if lag <= curve[0].lag:
        return curve[0].polls
    for low, high in pairwise(curve):
        if lag <= high.lag:
            part = (lag - low.lag) / (high.lag - low.lag)
            return low.polls + part * (high.polls - low.polls)
    return curve[-1].polls
