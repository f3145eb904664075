"""How fast one run goes: when it may submit, and when it asks. No clock and no dice of its own.

`wall` is in seconds since 1970, for ages and for what the next run should know; `now` is in
seconds of the event loop, on which is waited and which no clock change disturbs.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping
from math import ceil

from runner import pacing, policy
from runner.events import Event, Throttled
from runner.jobs import Body, Job, Limits, Tally
from runner.polling import LONGEST, Render, Rhythm, group

# A part of the least time between two polls, so that tasks submitted together part company.
JITTER = 0.05

# Seconds between two new schedules of one kind of render: one takes some 40 ms to make.
UNHURRIED = 5.0

# A task that waits at the provider is asked for again after so much of its age, with `auto`.
SOON = 0.25

BEAT = 0.01  # seconds
_EARLY = 0.1  # of a beat: so much sooner is soon enough


class SubmitPace:
    """When the next submits may leave: as the level, the rate and the pauses allow."""

    def __init__(
        self, limits: Limits, memory: object, submits: Iterable[float], wall: float, now: float
    ) -> None:
        self._limits = limits
        known = memory if isinstance(memory, Mapping) else None
        self._level = pacing.from_memory(known, limits.concurrency, wall)
        self._rate = limits.rate
        times = pacing.recalled(submits, wall, now)
        self._submits = deque(times, maxlen=limits.rate.count if limits.rate else 0)
        self._refusals = 0
        self._gate = 0.0

    @property
    def allowed(self) -> int:
        """How many tasks may be at the provider at this moment."""
        return self._level.allowed if self._limits.auto else self._limits.concurrency

    def room(self, tally: Tally) -> int:
        """How many submits may leave together now, pauses and the rate aside."""
        flight = self._level.flight if self._limits.auto else policy.SUBMITS_AT_ONCE
        room = policy.room(tally, self.allowed, flight)
        return min(room, 1) if self._rate else room

    def wait(self, now: float) -> float:
        """Seconds until the next submit may leave, because of pauses and the rate."""
        return max(self._gate - now, pacing.wait_for(self._rate, self._submits, now))

    def left(self, now: float) -> None:
        """Take note of a submit that leaves now."""
        if self._rate:
            self._submits.append(now)

    def resume(self, refusals: int, pause: float, now: float) -> None:
        """Take up the strain that an earlier pass left."""
        self._refusals = refusals
        self._gate = now + pause

    def strained(self, now: float) -> tuple[int, float]:
        """The refused submits in a row, and the seconds left of the pause they led to."""
        return self._refusals, max(0.0, self._gate - now)

    def accepted(self) -> None:
        """Take note of a submit that was accepted: the refusals in a row are over."""
        self._refusals = 0

    def paused(self, event: Event, now: float, chance: float) -> None:
        """Submit nothing for a while, longer with each refusal in a row."""
        self._refusals += 1
        pause = policy.pause(event, self._refusals, chance)
        if self._limits.auto and isinstance(event, Throttled):  # those in the air together are one
            pause = policy.pause(event, self._level.refused, chance)
            pause = max(pause, pacing.pause(self._level, chance))
        self._gate = max(self._gate, now + pause)

    def learn(self, job: Job, event: Event, tally: Tally, wall: float) -> Mapping[str, float]:
        """With `auto`, learn from an answer; what the next run should know, if that changed.

        `job` and `tally` are those from before the event.
        """
        before = self._level
        self._level = pacing.learn(before, job, event, tally.at_provider, wall)
        same = (before.size, before.held) == (self._level.size, self._level.held)
        return {} if same else pacing.to_memory(self._level, wall)


class PollPace:
    """When to ask for a task next, by the renders seen so far.

    `told` are earlier renders, oldest first: what was asked, and the ages (in seconds) of the
    last answer that said it was not over, and of the one that said it was.
    """

    def __init__(self, limits: Limits, told: Iterable[tuple[Body, float, float]]) -> None:
        self._gap = limits.poll_interval
        self._auto = limits.auto
        self._longest = min(LONGEST, limits.visibility_grace / 5, limits.task_timeout / 20)
        history: dict[str, list[Render]] = {}
        for body, pending, ready in told:
            history.setdefault(group(body), []).append(Render(pending, ready))
        self._news: dict[str, list[Render]] = {}
        self._made: dict[str, float] = {}
        self._rhythms = {kind: self._rhythm(renders) for kind, renders in history.items()}
        self._unknown = self._rhythm(())

    def _rhythm(self, renders: Iterable[Render]) -> Rhythm:
        return Rhythm.of(renders, self._gap, self._longest)

    def learn(self, body: Body, pending: float, ready: float, now: float) -> None:
        """One more render is over. What many at once tell is learnt from together."""
        kind = group(body)
        news = self._news.setdefault(kind, [])
        news.append(Render(pending, ready))
        if now - self._made.get(kind, -UNHURRIED) < UNHURRIED:
            return
        before = self._rhythms.get(kind, self._unknown)
        self._rhythms[kind] = after = before.learn(*news)
        news.clear()
        if after.schedule is not before.schedule:
            self._made[kind] = now

    def wait(self, job: Job, wall: float, chance: float) -> float:
        """Seconds from now, when a task is accepted or was just asked about, until the next poll.

        While the level is to be found, whether a task is at work must be known soon. The first
        poll is spread a little, so that tasks that were accepted together part for good.
        """
        age = max(0.0, wall - job.since)
        wait = self._rhythms.get(group(job.body), self._unknown).wait(age)
        if self._auto and not pacing.is_at_work(job):
            wait = min(wait, age * SOON)
        spread = JITTER * self._gap * chance if age < self._gap else 0.0
        return max(self._gap, wait) + spread


def on_the_beat(now: float, wait: float, asked: float | None = None) -> float:
    """A wait that is a little longer, so that it ends on a beat of the clock that `now` is of.

    To wake up costs as much as half a poll: what is due at almost the same moment is done together.
    An answer within a beat counts from when it was `asked` for, so that a rhythm stays one.
    """
    if not wait:
        return 0.0
    start = asked if asked is not None and now - asked < BEAT else now
    return max(0.0, ceil((start + wait) / BEAT - _EARLY) * BEAT - now)
