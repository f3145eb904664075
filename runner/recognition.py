"""Which job an entry of a manifest is. Pure: no IO, no clock.

Made for a million of each: both sides are read as streams, as often as it takes, and what is
remembered of them between two readings is a byte or a number each.
"""

from __future__ import annotations

from array import array
from collections import defaultdict, deque
from collections.abc import Callable, Hashable, Iterator, Sequence, Set
from functools import cache
from itertools import zip_longest
from typing import Protocol

from runner.compact import Entries, Recurring
from runner.jobs import FREE_TO_EDIT, Asked, Entry, Identity, Job


class Known(Protocol):
    """The jobs on record. They may not change while a manifest is held against them."""

    def total(self) -> int:
        """How many there are."""

    def identities(self) -> Iterator[Identity]:
        """Each of them, the newest first."""

    def job(self, key: int) -> Job:
        """All that is known of one."""


class Listed:
    """Jobs that are held in memory, oldest first."""

    def __init__(self, jobs: Sequence[Job] = ()) -> None:
        self._jobs = {job.key: job for job in jobs}

    def total(self) -> int:
        """How many there are."""
        return len(self._jobs)

    def identities(self) -> Iterator[Identity]:
        """Each of them, the newest first."""
        for job in reversed(self._jobs.values()):
            light = (job.key, job.id, job.derived, job.content, job.cost, job.status)
            yield Identity(*light, None, job.forgotten)

    def job(self, key: int) -> Job:
        """All that is known of one."""
        return self._jobs[key]


def recognise(entries: Sequence[Entry], jobs: Known) -> Iterator[tuple[int, Asked, Identity]]:
    """Pairs of an entry, its number first, and the job it is; of entries with ids of their own.

    By content and id, then content, then id, then the derived family; last comes the same image
    under another derived id. Of several jobs that answer to the same key, one whose id no other
    entry has is taken, and of those the newest.
    """
    found, taken = bytearray(len(entries)), bytearray(jobs.total())
    for index, asked, rank, job in _unchanged(entries, jobs):
        found[index] = taken[rank] = True
        yield index, asked, job
    pairs = array("q", [-1]) * len(taken)
    for key_of_entry, key_of_job in _keys(jobs):
        if 0 not in found or 0 not in taken:
            break
        waiting = _Queues()
        for rank, job in enumerate(jobs.identities()):
            if not taken[rank] and (key := key_of_job(job)) is not None:
                waiting.add(key, rank)
        if contested := waiting.contested():
            waiting.put_last(_claimed(entries, found, jobs, contested))
        for index, entry in enumerate(entries):
            if not found[index] and (first := waiting.next(key_of_entry(entry))) is not None:
                found[index] = taken[first] = True
                pairs[first] = index
    if any(index >= 0 for index in pairs):
        for index, job in zip(pairs, jobs.identities(), strict=True):
            if index >= 0:
                yield index, _light(entries[index]), job


def _claimed(
    entries: Sequence[Entry], found: bytearray, jobs: Known, contested: Set[int]
) -> Set[int]:
    """Of these jobs, those whose id an entry has that is not found yet.

    Else the renamed one of two equal entries could take the job of the other, and that one, edited
    at the same time, would be taken for a new one and bought again.
    """
    ranks: defaultdict[str, list[int]] = defaultdict(list)
    for rank, job in enumerate(jobs.identities()):
        if rank in contested:
            ranks[job.id].append(rank)
    claimed: set[int] = set()
    for index, entry in enumerate(entries):
        if not found[index]:
            claimed.update(ranks.get(entry.id, ()))
    return claimed


def _unchanged(entries: Sequence[Entry], jobs: Known) -> Iterator[tuple[int, Asked, int, Identity]]:
    """The pairs of the same id and content, each side with its number.

    Both streams are read in step, newest first, and only what has not met its like yet is kept:
    next to nothing when the manifest has the order of the state file, a part of both otherwise.
    """
    recurs = _recurring_ids(jobs)
    early_entries: dict[str, tuple[int, Asked]] = {}
    early_jobs: dict[str, list[tuple[int, Identity]]] = {}
    numbers = reversed(range(len(entries)))
    numbered = zip(numbers, _newest_first(entries), strict=True)
    for one, other in zip_longest(numbered, enumerate(jobs.identities())):
        if one and other and not early_jobs and _same(one[1], other[1]):
            yield *one, *other
            continue
        if one is not None:
            index, asked = one
            met = early_jobs.pop(asked.id, None) or ()
            same = next((pair for pair in met if pair[1].content == asked.content), None)
            if same is not None:
                yield index, asked, *same
            elif not met or recurs(asked.id):
                early_entries[asked.id] = one
        if other is not None:
            rank, job = other
            waits = early_entries.get(job.id)
            if waits is None:
                early_jobs.setdefault(job.id, []).append(other)
            elif waits[1].content == job.content:
                del early_entries[job.id]
                yield *waits, rank, job
            elif not recurs(job.id):
                del early_entries[job.id]


def _recurring_ids(jobs: Known) -> Callable[[str], bool]:
    """Tells whether several jobs may have an id; looks at the jobs when it is asked first."""

    @cache
    def look() -> Callable[[str], bool]:
        seen = Recurring()
        for job in jobs.identities():
            seen.add(job.id)
        return seen.found() or (lambda id: False)

    def recurs(id: str) -> bool:
        return look()(id)

    return recurs


def _same(asked: Asked, job: Identity) -> bool:
    return asked.id == job.id and asked.content == job.content


def _newest_first(entries: Sequence[Entry]) -> Iterator[Asked]:
    """The light part of each entry, the last one first; of packed ones nothing else is made."""
    return entries.asked() if isinstance(entries, Entries) else map(_light, reversed(entries))


def _light(entry: Entry) -> Asked:
    return Asked(entry.id, entry.derived, entry.content, entry.cost)


def _keys(
    jobs: Known,
) -> Iterator[tuple[Callable[[Entry], Hashable], Callable[[Identity], Hashable]]]:
    """What else an entry and a job are recognised by, None where they can't be."""
    yield (lambda entry: entry.content), (lambda job: job.content)
    yield (lambda entry: entry.id), (lambda job: job.id)
    yield (lambda entry: entry.derived or None), (lambda job: job.derived or None)

    # A derived id changes with the values of a matrix. What was paid for and would now be gone
    # is rather the same image with an edited value, than one entry deleted and another added.
    def image(job: Identity) -> Hashable:
        was_paid = job.status not in FREE_TO_EDIT
        return jobs.job(job.key).body["promptImage"] if job.derived and was_paid else None

    yield (lambda entry: entry.body["promptImage"] if entry.derived else None), image


class _Queues:
    """Numbers that wait under a key, first come, first served; most keys have one."""

    def __init__(self) -> None:
        self._first: dict[Hashable, int] = {}
        self._more: defaultdict[Hashable, deque[int]] = defaultdict(deque)

    def add(self, key: Hashable, number: int) -> None:
        """Let a number wait under a key."""
        if self._first.setdefault(key, number) != number:
            self._more[key].append(number)

    def contested(self) -> Set[int]:
        """The numbers that don't wait alone."""
        return {number for key, more in self._more.items() for number in (self._first[key], *more)}

    def put_last(self, numbers: Set[int]) -> None:
        """Let these wait behind the others of their key."""
        for key, more in self._more.items():
            queue = sorted((self._first[key], *more), key=numbers.__contains__)
            self._first[key] = queue[0]
            self._more[key] = deque(queue[1:])

    def next(self, key: Hashable) -> int | None:
        """Take the number that has waited longest under a key, if any has."""
        number = self._first.pop(key, None)
        if key in self._more:
            self._first[key] = self._more[key].popleft()
            if not self._more[key]:
                del self._more[key]
        return number
