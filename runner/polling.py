"""When to ask for a task: at the ages at which renders like it became ready before. Pure.

A fixed interval either hammers the provider or notices late. The renders seen so far say how
likely one is ready by which age (`survival`), and dynamic programming places the fewest polls
that notice it soon enough (`place`): none until the early quantile, dense around the bulk, sparse
in the tail.

A render is only ever known to an interval: it was not ready at one poll and ready at the next.
Taking the later poll for its time would move the estimate later with each schedule made from it,
so the interval itself is learned from. How near to the optimum this comes, and what each of the
constants below is worth, is measured in benchmarks/README.md.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate, pairwise
from math import exp

from runner.jobs import Body

# Times in gaps scale with the least time between polls; at its default of 5 s, 1.2 gaps are 6 s.

LATE = 0.61
"""Mean lag planned for, in gaps: the official SDK has 3.06 s at 5 s. A poll a gap gives 0.5."""

MARGIN = 0.2
"""How much less lag is planned for, in gaps, while few renders make the plan too sure of itself."""

DEAREST = 40.0
"""Polls spent on one gap less of lag at most: beyond it the lag hardly falls any more."""

FIRST, EARLY, STEP = 2.0, 5.0, 1.2
"""While nothing is known: the age of the first poll, the age until which there is one a gap, and
the step from poll to poll after it, all in gaps. A lag is worse the shorter the render was."""

SHORT = 4.5
"""The official SDK's shortest interval, in seconds. A smaller gap was asked for by somebody who
would rather know than spare polls: where nothing is known, there is one poll a gap."""

EARLIEST, USUAL = 2.0, 15.0
"""The prior, in gaps: nothing before the first, then exponential with the second as its mean, so
that what is left looks the same at every age, as it must to somebody who knows nothing."""

DOUBT = 4.0
"""The prior weighs (DOUBT / (DOUBT + renders)) squared."""

TAIL = 0.04
"""Step over age beyond all that was seen: a provider five times slower is noticed 2 % late."""

LONGEST = 120.0
"""Seconds that a task is left alone for at most: a provider that speeds up must be noticed."""

WINDOW = 150
"""Renders remembered: enough for a good estimate, few enough to follow a provider that drifts."""

STALE = 0.1
"""Part of the remembered renders that may be new before the schedule is made again."""

REACH, SHRINK = 0.3, 0.3
"""A render tells of ages within `REACH / renders ** SHRINK` of its own, as a part of it."""

KERNEL = ((0.75, 1), (0.25, 3))
"""And a quarter of it three times as far, for there is more tail than was seen."""

RECENT = 6
"""Of a render found ready at the first poll, the age is first taken to go with this power: the
first poll stands where few are ready, so it rather became ready just before."""

CELLS, FINEST = 300, 32
"""Cells of the grid at most, over all ages and over one gap: about 5 ms to make a schedule."""

ROUNDS = 5
HALVINGS = 6
LEAST_GAP = 0.01
NOTHING = 1e-12


@dataclass(frozen=True, slots=True)
class Render:
    """One render as it was seen: not ready at the age `after`, ready at the age `by`.

    Ages are seconds since the task was accepted; `after` is 0 when the first poll found it ready.
    """

    after: float
    by: float


def group(body: Body) -> str:
    """Which renders tell of each other at one provider: those of one model and duration."""
    return f"{body.get('model', '')} {body.get('duration', '')}"


# ---------------------------------------------------------------- what the engine keeps


@dataclass(frozen=True, slots=True)
class Schedule:
    """At which age to ask next. `targets[i]` is the age to ask at from the age `i * cell` on.

    `gap` and `longest` are the least and the most seconds between two polls; `tail` is the step
    over the age where the targets end.
    """

    gap: float
    longest: float
    cell: float = 1.0
    targets: tuple[float, ...] = ()
    tail: float = 0.0

    def next_age(self, age: float) -> float:
        """The age of the next poll, given that of the last one (0 when just accepted)."""
        place = max(0, int(age / self.cell))
        if place < len(self.targets):
            target = max(self.targets[place], age + self.gap)
        elif not self.targets and age < EARLY * self.gap:
            target = max(age, (FIRST - 1) * self.gap) + self.gap
        else:
            target = age + max(self._step, self.tail * age)
        return min(target, age + self.longest)

    @property
    def _step(self) -> float:
        return self.gap if self.gap < SHORT else STEP * self.gap


@dataclass(frozen=True, slots=True)
class Rhythm:
    """What is known of one group of renders, oldest first, and the schedule made from it."""

    schedule: Schedule
    history: tuple[Render, ...] = ()
    fresh: int = 0

    @classmethod
    def of(cls, history: Iterable[Render], gap: float, longest: float = LONGEST) -> Rhythm:
        """The rhythm of a history. `gap` and `longest` in seconds; never less than the gap."""
        gap = max(gap, LEAST_GAP)
        longest = max(gap, longest)
        known = tuple(render for render in history if _tells(render, gap, longest))[-WINDOW:]
        return cls(schedule(known, gap, longest), known)

    def learn(self, *renders: Render) -> Rhythm:
        """The rhythm after some more renders; a tenth of new ones makes a new schedule."""
        gap, longest = self.schedule.gap, self.schedule.longest
        new = [render for render in renders if _tells(render, gap, longest)]
        history = (*self.history, *new)[-WINDOW:]
        if new and self.fresh + len(new) >= STALE * len(history):
            return Rhythm.of(history, gap, longest)
        return replace(self, history=history, fresh=self.fresh + len(new))

    def wait(self, age: float) -> float:
        """Seconds from a poll at this age (0 when just accepted) until the next."""
        return self.schedule.next_age(age) - age


def _tells(render: Render, gap: float, longest: float) -> bool:
    """Whether somebody was looking: a wider interval says only that nobody was."""
    return 0 <= render.after < render.by <= render.after + longest + gap


def schedule(seen: Sequence[Render], gap: float, longest: float) -> Schedule:
    """The schedule that the renders seen so far give; without any, a fixed step."""
    if not seen:
        return Schedule(gap, longest)
    doubt = (DOUBT / (DOUBT + len(seen))) ** 2
    late = LATE - MARGIN * doubt**0.25 * (1 - doubt) ** 2
    cell, waiting = survival(seen, gap, doubt)
    targets = tuple(target * cell for target in _cheapest(waiting, cell, gap, late * gap))
    return Schedule(gap, longest, cell, targets, TAIL * (1 - doubt))


# ---------------------------------------------------------------- when renders are ready


def survival(seen: Sequence[Render], gap: float, doubt: float) -> tuple[float, list[float]]:
    """The width of a cell in seconds, and the chance of not being ready at each cell's start.

    Expectation-maximisation with smoothing (Silverman, Jones, Wilson and Nychka 1990), for
    interval-censored times: each round shares every render out over its interval as the estimate
    of the round before has it, spreads the sum a little, and mixes in the prior.
    """
    reach = REACH / len(seen) ** SHRINK
    top = max(gap, max(render.by for render in seen) * (1 + reach))
    cell = max(top / CELLS, gap / FINEST)
    if cell < gap:
        cell = gap / int(gap / cell)
    cells = int(top / cell) + 1
    spans = [_span(render, cell, cells) for render in seen]
    prior = _prior(gap, cell, cells)
    mass = [(place + 0.5) ** RECENT for place in range(cells)]
    for _ in range(ROUNDS):
        known = _spread(_shared(spans, mass), reach)
        mass = [doubt * p + (1 - doubt) * k for p, k in zip(prior, known, strict=True)]
    return cell, [max(0.0, 1 - ready) for ready in accumulate(mass, initial=0.0)]


def _prior(gap: float, cell: float, cells: int) -> list[float]:
    start = int(EARLIEST * gap / cell)
    kept = exp(-cell / (USUAL * gap))
    later = [(1 - kept) * kept**place for place in range(max(0, cells - start))]
    return [0.0] * (cells - len(later)) + later


def _span(render: Render, cell: float, cells: int) -> tuple[int, int]:
    start = min(int(render.after / cell), cells - 1)
    return start, min(cells, max(start + 1, round(render.by / cell)))


def _shared(spans: Sequence[tuple[int, int]], mass: Sequence[float]) -> list[float]:
    """Where the renders are, each shared out over its own cells in proportion to the mass."""
    below = list(accumulate(mass, initial=0.0))
    edges = [0.0] * (len(mass) + 1)
    for start, end in spans:
        share = 1 / len(spans) / max(NOTHING, below[end] - below[start])
        edges[start] += share
        edges[end] -= share
    return [m * max(0.0, s) for m, s in zip(mass, accumulate(edges[:-1]), strict=True)]


def _spread(mass: Sequence[float], reach: float) -> list[float]:
    """The mass of each cell spread evenly over the cells within reach, a part of their age."""
    cells = len(mass)
    edges = [0.0] * (cells + 1)
    for place, here in enumerate(mass):
        if here < NOTHING:
            continue
        for part, times in KERNEL:
            radius = int(place * reach * times + 0.5)
            start, end = max(0, place - radius), min(cells, place + radius + 1)
            level = part * here / (end - start)
            edges[start] += level
            edges[end] -= level
    return [max(0.0, level) for level in accumulate(edges[:-1])]


# ---------------------------------------------------------------- where polls go


def _cheapest(waiting: Sequence[float], cell: float, gap: float, late: float) -> list[int]:
    """The targets with the fewest polls at a mean lag of at most `late` seconds, if there are any.

    The price of lag is halved towards the lowest that gives the lag; at the dearest price the
    lag is what it is.
    """
    low, high = 0.0, DEAREST
    targets, lag = place(waiting, cell, gap, high)
    price = high / 8
    for _ in range(HALVINGS if lag < late else 0):
        trial, lag = place(waiting, cell, gap, price)
        if lag <= late:
            targets, high = trial, price
        else:
            low = price
        price = (low + high) / 2
    return targets


def place(
    waiting: Sequence[float], cell: float, gap: float, price: float
) -> tuple[list[int], float]:
    """For each cell, the cell to ask at next, and the mean lag in seconds from age 0.

    Exact on the grid: the least of polls plus `price` times the lag in gaps, from the last cell
    to the first. The best next poll never comes earlier for a later age, since the cost has
    that shape (a Monge array), so the search goes down only.
    """
    last = len(waiting) - 1
    step = max(1, -int(-gap / cell * (1 - NOTHING) // 1))
    worth = price / gap
    area = list(accumulate(((a + b) / 2 * cell for a, b in pairwise(waiting)), initial=0.0))
    lags = [alive * STEP / 2 * gap for alive in waiting]
    costs = [alive * (USUAL / STEP + worth * STEP / 2 * gap) for alive in waiting]
    targets = [0] * max(0, last + 1 - step)
    best = last
    for here in range(last - step, -1, -1):
        alive = waiting[here]
        slope = alive * worth * cell
        cost, best = min(
            (slope * there - worth * area[there] + costs[there], there)
            for there in range(here + step, best + 1)
        )
        targets[here] = best
        costs[here] = alive + cost - slope * here + worth * area[here]
        lags[here] = alive * (best - here) * cell - (area[best] - area[here]) + lags[best]
    return targets, lags[0]
