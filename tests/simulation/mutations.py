"""Deliberate bugs, each a mistake that a good programmer could make. All must be found out."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import anyio
from anyio.lowlevel import checkpoint

from runner import (
    admission,
    engine,
    events,
    jobs,
    lifecycle,
    policy,
    provider,
    recognition,
    underway,
)
from runner.bookkeeping import Bookkeeper
from runner.events import Event, NotSent, SubmitStarted
from runner.jobs import Job, Problem, Status, Submit
from runner.ledger import Ledger
from runner.ledger.reading import Reader
from simulation.seams import all_replaced

Replacements = list[tuple[Any, str, object]]
MUTATIONS: dict[str, Mutation] = {}


@dataclass(frozen=True, slots=True)
class Mutation:
    """One bug: what it is, and what it puts in the place of what."""

    words: str
    make: Callable[[], Replacements]

    def planted(self) -> AbstractContextManager[None]:
        """The program with this bug in it."""
        return all_replaced(self.make())


def mutation(make: Callable[[], Replacements]) -> Callable[[], Replacements]:
    """Put a bug on the list under the name of the function that makes it."""
    MUTATIONS[make.__name__] = Mutation(make.__doc__ or "", make)
    return make


# ---------------------------------------------------------------- engine


@mutation
def intent_after_post() -> Replacements:
    """The intent to pay is committed with the answer instead of before the request."""
    waiting: dict[int, tuple[Job, Event, Job, float]] = {}
    record, next_planned = Ledger.record, Ledger.next_planned

    def late(self: Ledger, before: Job, event: Event, after: Job, at: float) -> None:
        if isinstance(event, SubmitStarted):
            waiting[before.key] = (before, event, after, at)
            return
        if before.key in waiting:
            record(self, *waiting.pop(before.key))
        record(self, before, event, after, at)

    def not_waiting(self: Ledger) -> Job | None:
        job = next_planned(self)
        return None if job and job.key in waiting else job

    def fresh(self: Bookkeeper) -> list[Job]:
        waiting.clear()
        return recover(self)

    recover = Bookkeeper.recover
    return [
        (Ledger, "record", late),
        (Reader, "next_planned", not_waiting),
        (Bookkeeper, "recover", fresh),
    ]


def _buying(between: Callable[[], Awaitable[None]], *, shield: bool) -> Replacements:
    async def buy(self: Any, job: Job) -> None:
        with anyio.CancelScope(shield=True):
            event = await self._perform(Submit(job))
            if shield:
                await between()
        if not shield:
            await between()
        await self._follow(self._take(job, self._books.judged(job, event)))

    return [(engine.Engine, "_buy", buy)]


@mutation
def awaits_before_commit() -> Replacements:
    """The task awaits between the answer and its commit, where a drain can cut it off."""
    return _buying(checkpoint, shield=False)


@mutation
def dawdles_before_commit() -> Replacements:
    """Time passes between the answer and its commit, shielded from everything but a crash."""
    return _buying(partial(anyio.sleep, 0.5), shield=True)


@mutation
def drain_drops_submits() -> Replacements:
    """A drain does not wait for the submits in the air."""

    async def buy(self: Any, job: Job) -> None:
        event = await self._perform(Submit(job))
        await self._follow(self._take(job, self._books.judged(job, event)))

    return [(engine.Engine, "_buy", buy)]


@mutation
def submitting_is_planned_again() -> Replacements:
    """A submit that the last run died in is taken for one that was never sent."""
    recover = Bookkeeper.recover

    def hopeful(self: Any) -> list[Job]:
        for job in self._ledger.jobs({Status.SUBMITTING}):
            self._store(job, NotSent(Problem("interrupted", "surely it was not sent")))
        return recover(self)

    return [(Bookkeeper, "recover", hopeful)]


@mutation
def resumed_tasks_have_no_slot() -> Replacements:
    """Tasks of an earlier run don't count as tasks at the provider."""
    place, real = underway.Underway.place, Bookkeeper.recover
    resumed: set[int] = set()

    def recover(self: Any) -> list[Job]:
        resumed.clear()
        waiting = real(self)
        resumed.update(job.key for job in waiting)
        return waiting

    def forgetful(self: Any, job: Job, now: float) -> None:
        place(self, job, now)
        if job.key in resumed:
            self.at_provider.discard(job.key)

    return [(underway.Underway, "place", forgetful), (Bookkeeper, "recover", recover)]


# ---------------------------------------------------------------- provider and policy


@mutation
def retries_read_timeouts() -> Replacements:
    """A paid request without an answer is taken for one that was not sent."""
    submit = provider.Provider._submit

    async def optimistic(self: Any, job: Job) -> Event:
        event = await submit(self, job)
        lost = isinstance(event, events.Lost) and event.problem.code == "no_answer"
        return NotSent(event.problem) if lost else event  # type: ignore[union-attr]

    return [(provider.Provider, "_submit", optimistic)]


@mutation
def retries_server_errors() -> Replacements:
    """A 5xx on a paid request is retried, as the provider's pages advise."""
    read = provider.read_submit

    def obedient(answer: Any, now: float) -> Event:
        event = read(answer, now)
        if isinstance(event, events.Lost) and answer.status >= 500:
            return NotSent(event.problem)
        return event

    return [(provider, "read_submit", obedient)]


@mutation
def unknown_task_is_bought_again() -> Replacements:
    """A task that a poll does not find is submitted once more."""
    judge = policy.judge
    table = {**lifecycle.TRANSITIONS, (Status.RUNNING, NotSent): Status.PLANNED}

    def hasty(job: Job, event: Event, *others: Any) -> Event:
        judged = judge(job, event, *others)
        return NotSent(judged.problem) if isinstance(judged, events.Invisible) else judged

    return [(policy, "judge", hasty), (lifecycle, "TRANSITIONS", table)]


@mutation
def gives_up_without_the_id() -> Replacements:
    """A job that waited too long loses its task id."""
    apply = lifecycle.apply

    def careless(job: Job, event: Event, now: float) -> Job:
        after = apply(job, event, now)
        return replace(after, task_id="") if isinstance(event, events.GaveUp) else after

    return [(lifecycle, "apply", careless)]


@mutation
def doubts_cost_nothing() -> Replacements:
    """Submissions in doubt give their budget back."""
    apply = lifecycle.apply

    def generous(job: Job, event: Event, now: float) -> Job:
        after = apply(job, event, now)
        return lifecycle._refunded(after) if isinstance(event, events.Lost) else after

    return [(lifecycle, "apply", generous)]


@mutation
def doubts_have_no_slot() -> Replacements:
    """Submissions in doubt don't count as tasks at the provider."""
    return [(policy, "in_doubt_for", lambda job, limits, now: 0.0)]


@mutation
def changes_are_new() -> Replacements:
    """Entries are recognised by their ids alone, so a renamed one is bought again."""

    def by_id(
        entries: Sequence[jobs.Entry], known: recognition.Known
    ) -> Iterator[tuple[int, jobs.Entry, jobs.Identity]]:
        ids = {job.id: job for job in known.identities()}
        return ((n, e, ids[e.id]) for n, e in enumerate(entries) if e.id in ids)

    return [(admission, "recognise", by_id)]
