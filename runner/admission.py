"""Which entries of a manifest are new, known, changed or gone. Pure: no IO, no clock.

What is already in the state file is recognised by content first, then by id, so that the order
and the neighbours of an entry never matter, and a changed entry is never mistaken for a new one.
"""

from __future__ import annotations

from array import array
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import IntEnum, StrEnum

from runner.compact import OnDemand
from runner.events import Edited, Event, Renamed, Repriced
from runner.jobs import FREE_TO_EDIT, Asked, Body, Entry, Identity, Job, Status
from runner.recognition import Known, recognise

_STATUSES = tuple(Status)
_CODES = {status: code for code, status in enumerate(_STATUSES)}


class Verdict(IntEnum):
    """What became of an entry, or of a job whose entry is gone."""

    NEW = 0
    KNOWN = 1
    EDITED = 2
    CHANGED = 3
    EXISTS = 4
    REMOVED = 5


_VERDICTS = tuple(Verdict)


class Reason(StrEnum):
    """Why an entry is held for a person instead of being submitted."""

    CHANGED = "changed"
    EXISTS = "exists"


_HELD = {Verdict.CHANGED: Reason.CHANGED, Verdict.EXISTS: Reason.EXISTS}


@dataclass(frozen=True, slots=True)
class Held:
    """An entry that may not be bought unasked.

    CHANGED: its content was paid for as `job` and differs now. EXISTS: a file stands where its
    video would go, and this state file knows nothing of it.
    """

    entry: Entry
    reason: Reason
    job: Job | None = None

    @property
    def differences(self) -> tuple[tuple[str, str, str], ...]:
        """Field -> what was paid for, what is asked now."""
        return differences(self.job.body, self.entry.body) if self.job else ()


@dataclass(frozen=True, slots=True)
class Admission:
    """A manifest held against a state file: one row an entry, in the order of the manifest.

    Then one row for each job whose entry is gone: running tasks are brought home, nothing new is
    bought. `verdicts`, `codes` and `keys` (0 for none) are the rows' verdicts, statuses and jobs.
    `ids` has the entries whose id is not the one asked for. `restated` are the rows whose job may
    have something to learn from its entry, `moved` those whose job stands in another place now.
    Entries and jobs are made when they are asked for: a million of them would not fit.
    """

    entries: Sequence[Entry]
    jobs: Known
    verdicts: bytes
    codes: bytes
    keys: Sequence[int]
    ids: Mapping[int, str]
    restated: Sequence[int]
    moved: Sequence[int]

    def entry(self, row: int) -> Entry | None:
        """What is asked in a row, under the id that it has."""
        return self._asked(row) if row < len(self.entries) else None

    def job(self, row: int) -> Job | None:
        """What is known of a row."""
        return self.jobs.job(self.keys[row]) if self.keys[row] else None

    def verdict(self, row: int) -> Verdict:
        """What became of a row."""
        return _VERDICTS[self.verdicts[row]]

    def status(self, row: int) -> Status:
        """How a row stands; what is to be submitted is planned."""
        return _STATUSES[self.codes[row]]

    def standings(self) -> Iterator[tuple[Verdict, Status]]:
        """The verdict and the status of each row."""
        verdicts = map(_VERDICTS.__getitem__, self.verdicts)
        return zip(verdicts, map(_STATUSES.__getitem__, self.codes), strict=True)

    def held(self, row: int) -> Held | None:
        """Why a row is held, or None."""
        return self._held(row) if self.verdict(row) in _HELD else None

    def _held(self, row: int) -> Held:
        return Held(self._asked(row), _HELD[self.verdict(row)], self.job(row))

    def held_for(self, reason: Reason) -> Sequence[Held]:
        """What is held for this reason."""
        (verdict,) = (verdict for verdict, each in _HELD.items() if each is reason)
        return OnDemand(self.rows(verdict), self._held)

    def rows(self, verdict: Verdict) -> Sequence[int]:
        """The rows of one verdict."""
        return array("q", (row for row, each in enumerate(self.verdicts) if each == verdict))

    @property
    def new(self) -> Sequence[Entry]:
        """What would be bought."""
        return OnDemand(self.rows(Verdict.NEW), self._asked)

    @property
    def removed(self) -> Sequence[int]:
        """The keys of the jobs whose entries are gone."""
        return self.keys[len(self.entries) :]

    def changes(self) -> Iterator[tuple[Job, Event]]:
        """The events that bring the state file in line with the manifest."""
        for row in self.restated:
            entry, job = self._asked(row), self.jobs.job(self.keys[row])
            if self.verdicts[row] == Verdict.EDITED:
                yield job, Edited(entry.id, entry.derived, entry.body, entry.cost)
            elif (job.id, job.derived) != (entry.id, entry.derived):
                yield job, Renamed(entry.id, entry.derived)
            elif job.cost != entry.cost and job.status in FREE_TO_EDIT:
                yield job, Repriced(entry.cost)

    def additions(self) -> Iterator[tuple[int, Entry]]:
        """What is new, with its place in the manifest."""
        return ((row, self._asked(row)) for row in self.rows(Verdict.NEW))

    def moves(self) -> Iterator[tuple[int, int]]:
        """The jobs that stand in another place now: their keys, with that place."""
        return ((self.keys[row], row) for row in self.moved)

    def ids_asked(self) -> Iterator[str]:
        """The id of each entry, under which it is or will be known."""
        return (self.ids.get(row, entry.id) for row, entry in enumerate(self.entries))

    def _asked(self, row: int) -> Entry:
        entry = self.entries[row]
        return replace(entry, id=self.ids[row]) if row in self.ids else entry


def admit(entries: Sequence[Entry], jobs: Known, *, accept_changes: bool = False) -> Admission:
    """Recognise each entry among the jobs. The entries' ids are all different.

    A derived id keeps the number its job already has, and a new entry never takes the id of
    another job. With `accept_changes`, a changed entry is new, and what was paid for stays.
    """
    rows = _Rows(len(entries))
    if jobs.total():
        for row, asked, job in recognise(entries, jobs):
            rows.settle(row, asked, job, accept_changes=accept_changes)
        rows.number(entries, jobs)
        rows.append_removed(jobs)
    return Admission(
        entries,
        jobs,
        bytes(rows.verdicts),
        bytes(rows.codes),
        rows.keys,
        rows.ids,
        rows.restated,
        rows.moved,
    )


class _Rows:
    """The rows of an admission while they are being found out."""

    def __init__(self, size: int) -> None:
        self.verdicts = bytearray(size)
        self.codes = bytearray(size)
        self.keys = array("q", bytes(8 * size))
        self.ids: dict[int, str] = {}
        self.restated = array("q")
        self.moved = array("q")
        self._same_id = bytearray(size)
        self._other_ids: dict[int, str] = {}
        self._recognised = 0

    def settle(self, row: int, asked: Asked, job: Identity, *, accept_changes: bool) -> None:
        """Draw the consequences of an entry being a job."""
        if job.id == asked.id:
            self._same_id[row] = True
        else:
            self._other_ids[row] = job.id
        editable = job.status in FREE_TO_EDIT
        if job.content == asked.content:
            verdict, status = Verdict.KNOWN, job.status
            repriced = editable and job.cost != asked.cost
            restated = repriced or (job.id, job.derived) != (asked.id, asked.derived)
        elif editable:
            verdict, status, restated = Verdict.EDITED, Status.PLANNED, True
        elif accept_changes and job.status is not Status.UNCERTAIN:
            return
        else:
            verdict, status, restated = Verdict.CHANGED, job.status, False
        self.verdicts[row] = verdict
        self.codes[row] = _CODES[status]
        self.keys[row] = job.key
        self._recognised += 1
        if restated:
            self.restated.append(row)
        if job.position != row:
            self.moved.append(row)

    def number(self, entries: Sequence[Entry], jobs: Known) -> None:
        """Settle the derived ids that differ from those of the jobs, or have none."""
        if 0 not in self._same_id:
            return
        loose = array("q")
        explicit = set()
        for row, entry in enumerate(entries):
            if not entry.derived:
                explicit.add(entry.id)
            elif not self._same_id[row]:
                loose.append(row)
        if not loose:
            return
        numbers = _Numbers({job.id for job in jobs.identities()} | explicit)
        for row in loose:
            kept, entry = self._other_ids.get(row, ""), entries[row]
            keeps = kept and kept not in explicit
            id = kept if keeps else numbers.free(entry.id, entry.derived)
            if id != entry.id:
                self.ids[row] = id

    def append_removed(self, jobs: Known) -> None:
        """Add the jobs that no entry was recognised as, oldest first; not the forgotten ones."""
        if self._recognised == jobs.total():
            return
        wanted = set(self.keys)
        gone = [
            (job.key, job.status)
            for job in jobs.identities()
            if job.key not in wanted and not job.forgotten
        ]
        for key, status in reversed(gone):
            self.keys.append(key)
            self.verdicts.append(Verdict.REMOVED)
            self.codes.append(_CODES[status])


def hold_existing(admission: Admission, occupied: Collection[str]) -> Admission:
    """Hold the new entries whose place on disk is occupied by a file of unknown origin.

    `occupied` are ids. This is what keeps a lost or deleted state file from paying for a whole
    catalog again; an id that the state file knows is no stranger.
    """
    strangers = set(occupied)
    if strangers:
        strangers.difference_update(job.id for job in admission.jobs.identities())
    if not strangers:
        return admission
    verdicts = bytearray(admission.verdicts)
    for row, entry in admission.additions():
        if entry.id in strangers:
            verdicts[row] = Verdict.EXISTS
    return replace(admission, verdicts=bytes(verdicts))


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
