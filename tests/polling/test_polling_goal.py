"""The goal itself: near the fewest polls that anybody could make, and never worse than the SDK."""

from __future__ import annotations

from functools import cache

import pytest

from benchmarks.polling.laws import LAWS, Cost, Exact
from benchmarks.polling.optimum import fewest, optimum
from benchmarks.polling.ways import GAP, learned, official, ours

EARLY = (0, 1, 2, 4, 8, 16, 32)
LATER = (50, 75, 100)
STATED = {"narrow": 2.3, "wide": 1.4, "bimodal": 2.6, "uniform": 2.0}


def costs(name: str, counts: tuple[int, ...], histories: int) -> dict[int, Cost]:
    """Our mean costs after so many renders, over so many histories."""
    exact = Exact(LAWS[name], 0.1)
    known = [learned(LAWS[name], seed, counts) for seed in range(histories)]
    return {count: ours(exact, [each[count] for each in known]) for count in counts}


@cache
def curve(name: str) -> list[Cost]:
    """The optimum that knows the law."""
    return optimum(LAWS[name], GAP, (1, 2, 4, 7, 10, 15, 20, 30, 50, 200), fine=10)


@cache
def sdk(name: str) -> Cost:
    """The official SDK."""
    return official(LAWS[name], 1, 20_000)


@pytest.mark.parametrize("name", LAWS)
def test_the_optimum_and_the_sdk_are_as_stated(name: str) -> None:
    """The yardstick is right: the SDK's polls over the fewest at its lag of 3.06 s."""
    assert sdk(name).lag == pytest.approx(3.06, abs=0.05)
    assert sdk(name).polls / fewest(curve(name), sdk(name).lag) == pytest.approx(
        STATED[name], rel=0.1
    )


@pytest.mark.parametrize("name", LAWS)
def test_within_15_percent_of_the_optimum_from_50_renders_on(name: str) -> None:
    """At the same mean lag."""
    for count, cost in costs(name, LATER, 6).items():
        assert cost.polls <= 1.15 * fewest(curve(name), cost.lag), (count, cost)


@pytest.mark.parametrize("name", LAWS)
def test_never_worse_than_the_sdk(name: str) -> None:
    """Neither more polls nor more lag, with no history or little."""
    theirs = sdk(name)
    for count, cost in costs(name, EARLY, 20).items():
        assert cost.polls <= theirs.polls, (count, cost)
        assert cost.lag <= theirs.lag, (count, cost)
