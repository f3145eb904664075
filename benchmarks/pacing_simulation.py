"""A provider with hidden slots and a runner that seeks its level, in virtual time.

The decisions are the real ones (`runner.pacing`, `runner.policy`); simulated are the provider,
the network and the time. A submit takes 0.5 to 2 s, and the provider decides half-way; a poll
comes when `policy.delay` says (5 to 5.5 s) and takes 0.2 s; a video takes 90 s (lognormal, sigma
0.3, so 94 s on average).
"""

from __future__ import annotations

import heapq
import itertools
import random
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from math import inf, log

from runner import pacing, policy
from runner.events import Accepted, Event, Rendered, StillRunning, Throttled
from runner.jobs import Job, Limits, Problem, Tally

HOUR = 3600.0
DAY = 24 * HOUR
CEILING = 10_000
LIMITS = Limits(concurrency=CEILING, auto=True)
BUSY = Throttled(Problem("429", "busy"))
POLL_LATENCY = 0.2
POLL_JITTER = 0.1

Span = tuple[float, float]


@dataclass(frozen=True, slots=True)
class World:
    """A provider, and how long it is used. Times in seconds.

    `queues` says what the provider does beyond its slots: accept and say THROTTLED, or refuse.
    `change` is (when, slots) later on; in each of `bursts` it refuses a submit with the chance
    `burst_chance`; `daily` is how many it accepts a day. `stops` are from when to when the runner
    stands still, to go on with what it remembers. What happens before `warm_up` is not counted.
    """

    name: str
    slots: int
    queues: bool = False
    time: float = 12 * HOUR
    warm_up: float = HOUR
    change: tuple[float, int] | None = None
    bursts: Sequence[Span] = ()
    burst_chance: float = 1.0
    daily: int = 0
    stops: Sequence[Span] = ()
    seed: int = 1


@dataclass(slots=True)
class Figures:
    """What came of a world; counts of submits, and seconds of slots.

    `refused_early` counts before the warm-up ended, since the last change; all else after it.
    """

    used: float = 0.0
    possible: float = 0.0
    accepted: int = 0
    refused: int = 0
    refused_early: int = 0
    full_at: float = inf
    levels: list[tuple[float, int]] = field(default_factory=list)

    @property
    def used_share(self) -> float:
        """Slots at work, of the slots there were while the runner ran."""
        return self.used / self.possible

    @property
    def refused_share(self) -> float:
        """Submits refused, of all submits."""
        return self.refused / max(1, self.refused + self.accepted)


@dataclass(eq=False, slots=True)
class Task:
    """A job, and when its rendering ends: known once it has a slot."""

    job: Job
    ends: float = inf


class Agenda:
    """Virtual time: what happens when, in order."""

    def __init__(self) -> None:
        self.now = 0.0
        self._acts: list[tuple[float, int, Callable[[], object]]] = []
        self._order = itertools.count()

    def at(self, time: float, act: Callable[[], object]) -> None:
        """Do something then."""
        heapq.heappush(self._acts, (time, next(self._order), act))

    def play(self, end: float) -> None:
        """Let the time pass, and everything happen."""
        while self._acts and self._acts[0][0] < end:
            self.now, _, act = heapq.heappop(self._acts)
            act()
        self.now = end


class Provider:
    """Renders as many tasks at once as it has slots, which it tells nobody."""

    def __init__(self, world: World, agenda: Agenda, figures: Figures, dice: random.Random) -> None:
        self._world = world
        self._agenda = agenda
        self._figures = figures
        self._dice = dice
        self._slots = world.slots
        self._working = 0
        self._waiting: deque[Task] = deque()
        self._accepted: dict[int, int] = {}
        self._booked = 0.0
        if world.change:
            agenda.at(world.change[0], self._change)

    def offer(self, task: Task) -> bool:
        """Take a task, or refuse it."""
        day = int(self._agenda.now // DAY)
        counted = self._agenda.now >= self._world.warm_up
        if self._refuses(day):
            self._figures.refused += counted
            self._figures.refused_early += not counted
            return False
        self._figures.accepted += counted
        self._accepted[day] = self._accepted.get(day, 0) + 1
        self._waiting.append(task)
        self._serve()
        return True

    def book(self) -> None:
        """Count the slots at work since the last time; stops of the runner don't count."""
        since, self._booked = self._booked, self._agenda.now
        idle = any(stop <= since < start for stop, start in self._world.stops)
        if since >= self._world.warm_up and not idle:
            self._figures.used += (self._booked - since) * min(self._working, self._slots)
            self._figures.possible += (self._booked - since) * self._slots

    def _refuses(self, day: int) -> bool:
        world, now = self._world, self._agenda.now
        if not world.queues and self._working >= self._slots:
            return True
        if world.daily and self._accepted.get(day, 0) >= world.daily:
            return True
        burst = any(start <= now < end for start, end in world.bursts)
        return burst and self._dice.random() < world.burst_chance

    def _serve(self) -> None:
        self.book()
        while self._waiting and self._working < self._slots:
            task = self._waiting.popleft()
            self._working += 1
            task.ends = self._agenda.now + self._dice.lognormvariate(log(90), 0.3)
            self._agenda.at(task.ends, self._finish)
        if self._working >= 0.9 * self._slots:
            self._figures.full_at = min(self._figures.full_at, self._agenda.now)

    def _finish(self) -> None:
        self.book()
        self._working -= 1
        self._serve()

    def _change(self) -> None:
        assert self._world.change
        self.book()
        self._slots = self._world.change[1]
        self._figures.full_at = inf
        self._figures.refused_early = 0
        self._serve()


class Runner:
    """Submits as the level, and the pauses after refusals, allow; there is always more to do."""

    def __init__(
        self,
        world: World,
        agenda: Agenda,
        provider: Provider,
        figures: Figures,
        dice: random.Random,
    ) -> None:
        self._agenda = agenda
        self._provider = provider
        self._figures = figures
        self._dice = dice
        self._level = pacing.from_memory(None, CEILING, 0.0)
        self._at_provider = 0
        self._in_the_air = 0
        self._gate = 0.0
        self._gated = False
        agenda.at(0.0, self._submit_all)
        for stop, start in world.stops:
            agenda.at(stop, partial(self._restart, start))

    def _restart(self, until: float) -> None:
        """Forget all but what the state file keeps, and come back later."""
        memory = pacing.to_memory(self._level, self._agenda.now)
        self._level = pacing.from_memory(memory, CEILING, until)
        self._gate = until

    def _submit_all(self) -> None:
        while self._has_room():
            if self._gate > self._agenda.now:
                if not self._gated:
                    self._gated = True
                    self._agenda.at(self._gate, self._open)
                return
            self._at_provider += 1
            self._in_the_air += 1
            task = Task(Job(0, "", "", "", {}, submitted_at=self._agenda.now))
            half = self._dice.uniform(0.5, 2.0) / 2
            self._agenda.at(self._agenda.now + half, partial(self._answer_later, task, half))

    def _has_room(self) -> bool:
        tally = Tally(at_provider=self._at_provider, submitting=self._in_the_air)
        return policy.room(tally, self._level.allowed, self._level.flight) > 0

    def _open(self) -> None:
        self._gated = False
        self._submit_all()

    def _answer_later(self, task: Task, half: float) -> None:
        taken = self._provider.offer(task)
        act = self._accepted if taken else self._refused
        self._agenda.at(self._agenda.now + half, partial(act, task))

    def _accepted(self, task: Task) -> None:
        self._in_the_air -= 1
        self._learn(task, Accepted("task"))
        task.job = replace(task.job, since=self._agenda.now)
        self._poll_later(task)
        self._submit_all()

    def _refused(self, task: Task) -> None:
        self._in_the_air -= 1
        self._learn(task, BUSY)
        self._at_provider -= 1
        chance = self._dice.random()
        pause = max(
            policy.pause(BUSY, self._level.refused, chance), pacing.pause(self._level, chance)
        )
        self._gate = max(self._gate, self._agenda.now + pause)
        self._submit_all()

    def _poll_later(self, task: Task) -> None:
        """At the next poll that has news; those between say RUNNING once more."""
        event = StillRunning(task.job.remote_status)
        time = self._agenda.now
        while True:
            chance = self._dice.random()
            interval = LIMITS.poll_interval * (1 + POLL_JITTER * chance)
            time += POLL_LATENCY + policy.delay(event, policy.Streak(), interval, chance)
            if task.job.remote_status != "RUNNING" or time >= task.ends:
                break
        self._agenda.at(time, partial(self._poll, task))

    def _poll(self, task: Task) -> None:
        if self._agenda.now >= task.ends:
            self._learn(task, Rendered("https://films.example/x.mp4"))
            self._at_provider -= 1
        else:
            word = "THROTTLED" if task.ends == inf else "RUNNING"
            self._learn(task, StillRunning(word))
            task.job = replace(task.job, remote_status=word)
            self._poll_later(task)
        self._submit_all()

    def _learn(self, task: Task, event: Event) -> None:
        now = self._agenda.now
        self._level = pacing.learn(self._level, task.job, event, self._at_provider, now)
        levels = self._figures.levels
        if not levels or levels[-1][1] != self._level.allowed:
            levels.append((now, self._level.allowed))


def play(world: World) -> Figures:
    """Let a world's time pass."""
    agenda, figures, dice = Agenda(), Figures(), random.Random(world.seed)
    provider = Provider(world, agenda, figures, dice)
    Runner(world, agenda, provider, figures, dice)
    agenda.at(world.warm_up, provider.book)
    for span in world.stops:
        for time in span:
            agenda.at(time, provider.book)
    agenda.play(world.time)
    provider.book()
    return figures
