"""Ways of polling, each against a law: fixed intervals, the official SDK's, and the runner's."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from random import Random
from statistics import fmean

from benchmarks.polling.laws import Cost, Exact, Law
from runner.polling import Render, Rhythm

GAP = 5.0


def fixed(exact: Exact, interval: float) -> Cost:
    """A poll every so many seconds."""
    return exact.cost(lambda age: age + interval)


def watch(wait: Callable[[float], float], render: float) -> tuple[int, Render]:
    """The polls until a render that takes so many seconds is noticed, and how it was seen."""
    polls, after, by = 0, 0.0, 0.0
    while by < render:
        after, by = by, by + wait(by)
        polls += 1
    return polls, Render(after, by)


def official(law: Law, seed: int, renders: int) -> Cost:
    """The SDK's wait_for_task_output: 6 s give or take 1.5 s, first after the first sleep."""
    random = Random(seed)
    sleep = _sleep(random)
    seen = []
    for _ in range(renders):
        render = law.draw(random)
        polls, sight = watch(sleep, render)
        seen.append((polls, sight.by - render))
    lags = sorted(lag for _, lag in seen)
    return Cost(fmean(polls for polls, _ in seen), fmean(lags), lags[int(0.95 * len(lags))])


def _sleep(random: Random) -> Callable[[float], float]:
    return lambda _: random.uniform(4.5, 7.5)


def learned(law: Law, seed: int, counts: Sequence[int], jitter: float = 0.0) -> dict[int, Rhythm]:
    """What the runner knows after so many renders, each watched with what it knew by then."""
    random = Random(seed)
    rhythm = Rhythm.of((), GAP)
    kept = {0: rhythm}
    for count in range(1, max(counts) + 1):
        rhythm = rhythm.learn(watch(_shaken(rhythm, random, jitter), law.draw(random))[1])
        kept[count] = rhythm
    return {count: kept[count] for count in counts}


def _shaken(rhythm: Rhythm, random: Random, jitter: float) -> Callable[[float], float]:
    """The engine may wait a little longer, by chance."""
    return lambda age: rhythm.wait(age) + jitter * GAP * random.random()


def ours(exact: Exact, rhythms: Iterable[Rhythm]) -> Cost:
    """The mean cost over several histories of the same law."""
    costs = [exact.cost(rhythm.schedule.next_age) for rhythm in rhythms]
    return Cost(
        fmean(cost.polls for cost in costs),
        fmean(cost.lag for cost in costs),
        fmean(cost.lag95 for cost in costs),
    )


def drifting(
    law: Law, scale: Callable[[int], float], windows: Sequence[range], seeds: Iterable[int]
) -> list[tuple[Cost, Cost]]:
    """For each window of renders our cost and the SDK's, when render i takes `scale(i)` as long."""
    mine: list[list[tuple[int, float]]] = [[] for _ in windows]
    theirs: list[list[tuple[int, float]]] = [[] for _ in windows]
    for seed in seeds:
        random = Random(seed)
        rhythm = Rhythm.of((), GAP)
        sleep = _sleep(random)
        for number in range(windows[-1].stop):
            render = law.draw(random) * scale(number)
            polls, sight = watch(rhythm.wait, render)
            asked, found = watch(sleep, render)
            rhythm = rhythm.learn(sight)
            for place, window in enumerate(windows):
                if number in window:
                    mine[place].append((polls, sight.by - render))
                    theirs[place].append((asked, found.by - render))
    return [(_mean(m), _mean(t)) for m, t in zip(mine, theirs, strict=True)]


def _mean(pairs: list[tuple[int, float]]) -> Cost:
    lags = sorted(lag for _, lag in pairs)
    return Cost(fmean(polls for polls, _ in pairs), fmean(lags), lags[int(0.95 * len(lags))])
