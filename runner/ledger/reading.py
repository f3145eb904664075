"""What a state file can be asked. Nothing in here writes."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from sqlite_utils import Database

from runner.errors import StateError
from runner.events import (
    Event,
    Rendered,
    RenderFailed,
    SubmitStarted,
)
from runner.jobs import Body, Identity, Job, Status
from runner.ledger.rescue import Rescued, kept_ids
from runner.ledger.rows import COLUMNS, SELECT, PastEvent, digest_of, job_of, job_of_state

# How far back in the event log the newest renders are looked for.
RECENT = 50_000

# How many rows are read at once where a reading may take long.
_AT_ONCE = 500

# What nobody wants to see any more; an entry of the manifest brings it back.
_SHOWN = "NOT (forgotten AND position IS NULL)"

_STATUSES = {status.value: status for status in Status}

PLANNED = "FROM jobs WHERE status = 'planned' AND position >= 0 ORDER BY position"


@dataclass(frozen=True, slots=True)
class Origin:
    """Whom the task ids in a state file belong to."""

    provider: str
    base_url: str

    def __str__(self) -> str:
        return f"{self.provider} at {self.base_url}"


class Reader:
    """Every question that a state file answers.

    Raises `StateError` when the file is damaged, or holds what no one can read.
    """

    def __init__(self, path: Path, connection: sqlite3.Connection) -> None:
        self.path = path
        self._planned = PLANNED
        self._db = Database(connection, execute_plugins=False)

    @property
    def connection(self) -> sqlite3.Connection:
        """SQLite's own, for the other modules of this room."""
        connection: sqlite3.Connection = self._db.conn
        return connection

    def origin(self) -> Origin | None:
        """The provider that this file is pinned to, or None for a new file."""
        with explained(self.path):
            row = self._db.execute("SELECT provider, base_url FROM origin").fetchone()
        return Origin(*row) if row else None

    def at_stake(self, free: Iterable[type[Event]]) -> bool:
        """Whether anything was ever charged, or in doubt; `free` are the events that tell of none.

        What is not known to be free is a stake, and so is a log that was moved to an archive.
        """
        names = [kind.__name__ for kind in free]
        query = (
            "SELECT EXISTS (SELECT 1 FROM jobs WHERE task_id <> '' OR attempts > 0 "
            "OR status NOT IN ('planned', 'failed')) OR EXISTS (SELECT 1 FROM archived) OR EXISTS "
            f"(SELECT 1 FROM events WHERE event NOT IN ({', '.join('?' * len(names))}))"
        )
        with explained(self.path):
            (staked,) = self._db.execute(query, names).fetchone()
        return bool(staked) or bool(self.rescued())

    def refuse_other(self, origin: Origin, free: Iterable[type[Event]] = ()) -> None:
        """Raise `StateError` when anything in here is another provider's; `free` as above."""
        present = self.origin()
        if present not in {None, origin} and self.at_stake(free):
            raise StateError(
                f"{self.path}: its task ids belong to {present}, not to {origin}; "
                "use that provider again, or another state file (--state)"
            )

    def jobs(self, statuses: Collection[Status] = frozenset(Status)) -> list[Job]:
        """Every job with one of these statuses, oldest first."""
        where, wanted = "", sorted(set(statuses))
        if len(wanted) < len(Status):  # of all, so that a row in no known status is not overlooked
            where = f" WHERE status IN ({', '.join('?' * len(wanted))})"
        else:
            wanted = []
        with explained(self.path):
            return [
                job_of(row) for row in self._db.execute(f"{SELECT}{where} ORDER BY key", wanted)
            ]

    def has_planned(self) -> bool:
        """Whether any job of the manifest waits to be submitted, of those that were chosen."""
        query = f"SELECT 1 {self._planned} LIMIT 1"
        with explained(self.path):
            return self._db.execute(query).fetchone() is not None

    def total(self) -> int:
        """How many jobs there are."""
        return sum(self.counts().values())

    def counts(self) -> dict[str, int]:
        """Status -> number of jobs, every status named."""
        query = "SELECT status, count(*) FROM jobs GROUP BY status"
        counts = {status.value: 0 for status in Status}
        with explained(self.path):
            for status, number in self._db.execute(query):
                counts[Status(status).value] = number
        return counts

    def identities(self) -> Iterator[Identity]:
        """The light part of every job, the newest first, read as it is asked for."""
        query = f"SELECT {', '.join(Identity._fields)} FROM jobs ORDER BY key DESC"
        with explained(self.path):
            for key, id, derived, content, cost, status, place, gone in self._db.execute(query):
                known = _STATUSES.get(status) or Status(status)
                yield Identity(key, id, derived, content, cost, known, place, bool(gone))

    def job(self, key: int) -> Job:
        """One job."""
        with explained(self.path):
            row = self._db.conn.execute(f"{SELECT} WHERE key = ?", [key]).fetchone()
            if row is None:
                raise ValueError(f"there is no job with the key {key}")
            return job_of(row)

    def outputs(self) -> Iterator[str]:
        """Where the videos of the finished jobs are, read as it is asked for; no forgotten ones."""
        query = f"SELECT output FROM jobs WHERE status = ? AND {_SHOWN}"
        with explained(self.path):
            for (output,) in self._db.execute(query, [Status.DONE]):
                yield output

    def finished(self) -> Iterator[Job]:
        """Every finished job that is not forgotten, oldest first.

        They are read some at a time: no reading lasts while it is used.
        """
        query = f"{SELECT} WHERE status = ? AND {_SHOWN} AND key > ? ORDER BY key LIMIT ?"
        last = 0
        while True:
            with explained(self.path):
                rows = self._db.execute(query, [Status.DONE, last, _AT_ONCE]).fetchall()
                jobs = [job_of(row) for row in rows]
            if not jobs:
                return
            yield from jobs
            last = jobs[-1].key

    @contextmanager
    def still(self) -> Iterator[None]:
        """While this lasts, every reading is of the same moment, whatever a run goes on writing."""
        with explained(self.path):
            self._db.conn.execute("BEGIN")
            try:
                yield
            finally:
                self._db.conn.execute("ROLLBACK")

    def writes(self) -> int:
        """How many rows were written since the file was opened."""
        return self._db.conn.total_changes

    def next_planned(self) -> Job | None:
        """The first job of the manifest that waits to be submitted, of those that were chosen."""
        query = f"SELECT key, {', '.join(f'jobs.{name}' for name in COLUMNS)} {self._planned}"
        with explained(self.path):
            row = self._db.execute(f"{query} LIMIT 1").fetchone()
            return job_of(row) if row else None

    def position(self, job: Job) -> int | None:
        """A job's place in the manifest when that was last read, None when it had none."""
        with explained(self.path):
            query = "SELECT position FROM jobs WHERE key = ?"
            row = self._db.conn.execute(query, [job.key]).fetchone()
        return row[0] if row else None

    def owner(self, task_id: str) -> Job | None:
        """The job that has this task's id, if one has: one task makes one video."""
        with explained(self.path):
            query = f"{SELECT} WHERE task_id = ? AND task_id <> '' ORDER BY key LIMIT 1"
            row = self._db.execute(query, [task_id]).fetchone()
            return job_of(row) if row else None

    def knows(self, task_id: str) -> bool:
        """Whether a job has this task's id already."""
        return self.owner(task_id) is not None

    def spent(self) -> tuple[int, int]:
        """Paid submissions ever (those in doubt included), and their cost in millionths."""
        query = "SELECT coalesce(sum(attempts), 0), coalesce(sum(spent), 0) FROM jobs"
        with explained(self.path):
            attempts, cost = self._db.execute(query).fetchone()
        return int(attempts), int(cost)

    def rescued(self) -> list[Rescued]:
        """The task ids that earlier runs could not store here."""
        return kept_ids(self.path)

    def events(self, job: Job | None = None) -> list[PastEvent]:
        """What happened, oldest first: to one job, or to all."""
        query = 'SELECT job, at, event, "from", "to", detail FROM events'
        where, arguments = (" WHERE job = ?", [job.key]) if job else ("", [])
        with explained(self.path):
            rows = self._db.execute(f"{query}{where} ORDER BY seq", arguments).fetchall()
            return [
                PastEvent(key, at, event, Status(before), Status(after), json.loads(detail))
                for key, at, event, before, after, detail in rows
            ]

    def archived(self) -> Iterator[tuple[Job, bool]]:
        """What the logs that were archived had led to, and whether that is what it was then.

        There the log goes on. As long as nothing more has happened to it, it is the job itself.
        """
        query = "SELECT job, digest, state FROM archived ORDER BY job"
        with explained(self.path):
            for key, digest, state in self._db.execute(query):
                job = job_of_state(key, json.loads(state)) if state else self.job(key)
                yield job, digest_of(job) == digest

    def paying(self, since: float, statuses: Collection[Status]) -> Iterator[PastEvent]:
        """What happened from a moment on to jobs with one of these statuses, as it is asked for."""
        places = ", ".join("?" * len(statuses))
        query = (
            'SELECT job, at, event, "from", "to", detail FROM events '
            f'WHERE at >= ? AND "from" IN ({places}) ORDER BY seq'
        )
        with explained(self.path):
            for row in self._db.execute(query, [since, *statuses]):
                key, at, event, before, after, detail = row
                yield PastEvent(key, at, event, Status(before), Status(after), json.loads(detail))

    def renders(self, newest: int) -> list[tuple[Body, float, float]]:
        """The newest renders, oldest first: what was asked, and between which ages they ended.

        The ages are `pending` and `ready` of `Rendered` and `RenderFailed`, in seconds.
        """
        query = (
            "SELECT body, detail FROM events JOIN jobs ON key = job "
            "WHERE event IN (?, ?) AND seq > (SELECT max(seq) FROM events) - ? "
            "ORDER BY seq DESC LIMIT ?"
        )
        with explained(self.path):
            kinds = [Rendered.__name__, RenderFailed.__name__]
            rows = self._db.execute(query, [*kinds, RECENT, newest]).fetchall()
            told = [(json.loads(body), json.loads(detail)) for body, detail in reversed(rows)]
        return [(body, said["pending"], said["ready"]) for body, said in told if said.get("ready")]

    def submits(self, newest: int) -> list[float]:
        """When the newest submits began, oldest first, refused ones included."""
        query = "SELECT at FROM events WHERE event = ? ORDER BY seq DESC LIMIT ?"
        with explained(self.path):
            rows = self._db.execute(query, [SubmitStarted.__name__, newest]).fetchall()
        return [at for (at,) in reversed(rows)]

    def images(self, since: float) -> dict[str, object]:
        """The images found well since then: digest of the address -> what it was, as JSON."""
        query = "SELECT address, picture FROM images WHERE at >= ?"
        with explained(self.path):
            return {address: json.loads(text) for address, text in self._db.execute(query, [since])}

    def recall(self, name: str) -> object:
        """What an earlier run remembered under this name; None when nothing readable is there."""
        with explained(self.path):
            query = "SELECT value FROM memory WHERE name = ?"
            row = self._db.execute(query, [name]).fetchone()
        try:
            return json.loads(row[0]) if row else None
        except (ValueError, TypeError):
            return None

    def defects(self) -> list[str]:
        """What SQLite itself finds wrong with the file; empty when it is sound."""
        with explained(self.path):
            rows = self._db.conn.execute("PRAGMA integrity_check").fetchall()
            orphans = self._db.conn.execute("PRAGMA foreign_key_check").fetchall()
        found = [f"{self.path}: {words}" for (words,) in rows if words != "ok"]
        return found + [f"{self.path}: {len(orphans)} events without their job"] * bool(orphans)


@contextmanager
def explained(path: Path) -> Iterator[None]:
    """SQLite's and the system's errors, and rows that no one can read, as ones for people."""
    try:
        yield
    except sqlite3.DatabaseError as error:
        raise StateError(f"{path}: the state file can't be used: {error}") from error
    except OSError as error:
        raise StateError(f"{path}: the state file can't be used: {error.strerror}") from error
    except (ValueError, OverflowError) as error:
        raise StateError(f"{path}: the state file can't hold or give a value: {error}") from error
