"""Which entries of a manifest are new, known, changed or gone. Pure: no IO, no clock.

What is already in the state file is recognised by content first, then by id, so that the order
and the neighbours of an entry never matter, and a changed entry is never mistaken for a new one.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from runner.jobs import Body, Edited, Entry, Event, Job, Renamed, Repriced, Status

_FREE_TO_EDIT = frozenset({Status.PLANNED, Status.FAILED})


class Reason(StrEnum):
    """Why an entry is held for a person instead of being submitted."""

    CHANGED = "changed"
    EXISTS = "exists"


@dataclass(frozen=True, slots=True)
class Match:
    """An entry and the job it was recognised as."""

    entry: Entry
    job: Job


@dataclass(frozen=True, slots=True)
class Held:
    """An entry that may not be bought unasked.

    CHANGED: its content was paid for as `job` and differs now, in `differences`
    (field -> what was paid for, what is asked now). EXISTS: a file stands where its video
    would go, and this state file knows nothing of it.
    """

    entry: Entry
    reason: Reason
    job: Job | None = None
    differences: tuple[tuple[str, str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Admission:
    """A manifest held against a state file, in the order of the manifest.

    `edited` are matches whose new content simply counts; `removed` are the jobs whose entries
    are gone from the manifest: their running tasks are brought home, nothing new is bought.
    `order` maps the id of every other job to its place in the manifest.
    """

    known: tuple[Match, ...]
    edited: tuple[Match, ...]
    new: tuple[Entry, ...]
    held: tuple[Held, ...]
    removed: tuple[Job, ...]
    order: Mapping[str, int]

    def changes(self) -> Iterator[tuple[Job, Event]]:
        """The events that bring the state file in line with the manifest."""
        for match in self.edited:
            entry = match.entry
            yield match.job, Edited(entry.id, entry.derived, entry.body, entry.cost)
        for match in self.known:
            entry, job = match.entry, match.job
            if (job.id, job.derived) != (entry.id, entry.derived):
                yield job, Renamed(entry.id, entry.derived)
            elif job.cost != entry.cost and job.status in _FREE_TO_EDIT:
                yield job, Repriced(entry.cost)


def admit(
    entries: Sequence[Entry], jobs: Sequence[Job], *, accept_changes: bool = False
) -> Admission:
    """Recognise each entry among the jobs.

    A derived id keeps the number its job already has, and a new entry never takes the id of
    another job. With `accept_changes`, a changed entry is new, and what was paid for stays.
    """
    found = _recognise(entries, jobs)
    explicit = {entry.id for entry in entries if not entry.derived}
    numbers = _Numbers({job.id for job in jobs} | explicit)
    known: list[Match] = []
    edited: list[Match] = []
    new: list[Entry] = []
    held: list[Held] = []
    order: dict[str, int] = {}
    for index, asked in enumerate(entries):
        job = found.get(index)
        entry = asked
        if asked.derived:
            keeps = job is not None and job.id not in explicit
            id = job.id if job and keeps else numbers.free(asked.id, asked.derived)
            entry = replace(asked, id=id)
        order[entry.id] = index
        if job is None:
            new.append(entry)
        elif job.content == entry.content:
            known.append(Match(entry, job))
        elif job.status in _FREE_TO_EDIT:
            edited.append(Match(entry, job))
        elif accept_changes and job.status is not Status.UNCERTAIN:
            new.append(entry)
        else:
            changes = differences(job.body, entry.body)
            held.append(Held(entry, Reason.CHANGED, job, changes))
    wanted = {match.job.key for match in (*known, *edited)}
    wanted |= {item.job.key for item in held if item.job}
    removed = tuple(job for job in jobs if job.key not in wanted)
    return Admission(tuple(known), tuple(edited), tuple(new), tuple(held), removed, order)


def hold_existing(
    admission: Admission, occupied: Collection[str], jobs: Iterable[Job]
) -> Admission:
    """Hold the new entries whose place on disk is occupied by a file of unknown origin.

    `occupied` are ids. This is what keeps a lost or deleted state file from paying for a whole
    catalog again; an id that the state file knows is no stranger.
    """
    strangers = set(occupied) - {job.id for job in jobs}
    if not strangers:
        return admission
    return replace(
        admission,
        new=tuple(entry for entry in admission.new if entry.id not in strangers),
        held=admission.held
        + tuple(Held(entry, Reason.EXISTS) for entry in admission.new if entry.id in strangers),
    )


def differences(paid: Body, asked: Body) -> tuple[tuple[str, str, str], ...]:
    """What differs between two requests: (field, before, now), "" for a field that is not set."""
    names = sorted(paid.keys() | asked.keys())
    return tuple(
        (name, _shown(paid, name), _shown(asked, name))
        for name in names
        if paid.get(name) != asked.get(name)
    )


def _shown(body: Body, name: str) -> str:
    return str(body[name]) if name in body else ""


def _recognise(entries: Sequence[Entry], jobs: Sequence[Job]) -> dict[int, Job]:
    """Entry index -> job: by content and id, then content, then id, then the derived family.

    Last comes the same image under another derived id. Of several jobs that answer to the same
    key, the newest is taken.
    """
    free = {job.key for job in jobs}
    found: dict[int, Job] = {}

    def pair(
        key_of_entry: Callable[[Entry], Hashable], key_of_job: Callable[[Job], Hashable]
    ) -> None:
        waiting: dict[Hashable, list[Job]] = defaultdict(list)
        for job in jobs:
            if job.key in free and (key := key_of_job(job)) is not None:
                waiting[key].append(job)
        for index, entry in enumerate(entries):
            if index in found or (key := key_of_entry(entry)) is None:
                continue
            if candidates := waiting.get(key):
                job = candidates.pop()
                free.discard(job.key)
                found[index] = job

    pair(lambda entry: (entry.content, entry.id), lambda job: (job.content, job.id))
    pair(lambda entry: entry.content, lambda job: job.content)
    pair(lambda entry: entry.id, lambda job: job.id)
    pair(lambda entry: entry.derived or None, lambda job: job.derived or None)
    # A derived id changes with the values of a matrix. What was paid for and would now be gone
    # is rather the same image with an edited value, than one entry deleted and another added.
    pair(
        lambda entry: entry.body["promptImage"] if entry.derived else None,
        lambda job: job.body["promptImage"] if job.derived and _was_paid(job) else None,
    )
    return found


def _was_paid(job: Job) -> bool:
    return job.status not in _FREE_TO_EDIT


class _Numbers:
    """Hands out derived ids that nobody has."""

    def __init__(self, taken: set[str]) -> None:
        self._taken = taken
        self._next: dict[str, int] = defaultdict(lambda: 2)

    def free(self, id: str, base: str) -> str:
        """The id itself where it is free, else the base with the next free number."""
        while id in self._taken:
            id = f"{base}-{self._next[base]}"
            self._next[base] += 1
        self._taken.add(id)
        return id
