"""The one writer of the truth. Synchronous on purpose: nothing is awaited inside a transaction.

What SQLite is asked for, and what that guarantees: `journal_mode=WAL`, so that whoever looks never
waits for the run and a commit is one append; `synchronous=FULL`, so that a commit is synced before
it returns and a power cut takes back nothing that was committed: the intent, the id, the video
(three syncs a job). Under `synchronous=NORMAL`, for the moment of one write, goes what a question
finds out again: it outlives a crash of the program, and a power cut may take it back, never
leaving the file damaged.
"""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from sqlite_utils import Database

from runner.errors import StateError, StateWriteError
from runner.jobs import (
    Accepted,
    Body,
    Edited,
    Entry,
    Event,
    FetchFailed,
    Identity,
    Invisible,
    Job,
    PollFailed,
    Problem,
    Rendered,
    RenderFailed,
    Status,
    StillRunning,
    SubmitStarted,
)
from runner.ledger.migrations import migrations
from runner.ledger.rescue import Rescued, RescueFile, kept_ids

# Lost in a power cut, these are found out again by asking; everything else is synced at once.
_RELAXED = (StillRunning, Invisible, PollFailed, FetchFailed, Rendered)

# How far back in the event log the newest renders are looked for.
_RECENT = 50_000

_STATUSES = {status.value: status for status in Status}

# How many rows are read at once where a reading may take long.
_AT_ONCE = 500

# How long another program may keep the file to itself before that is an error.
_BUSY_SECONDS = 5

_COLUMNS = (
    "id",
    "derived",
    "status",
    "task_id",
    "attempts",
    "spent",
    "cost",
    "content",
    "body",
    "output",
    "sha256",
    "size",
    "remote_status",
    "error_code",
    "error_message",
    "error_request_id",
    "url",
    "submitted_at",
    "since",
    "finished_at",
)
_SELECT = f"SELECT key, {', '.join(_COLUMNS)} FROM jobs"
_PLANNED = "FROM jobs WHERE status = 'planned' AND position >= 0 ORDER BY position"
_PLANNED_CHOSEN = (
    "FROM chosen CROSS JOIN jobs ON jobs.status = 'planned' AND jobs.position = chosen.position "
    "WHERE chosen.status = 'planned' ORDER BY chosen.position"
)
_CHOSEN_FOLLOW = (
    f"UPDATE chosen SET status = 'planned' WHERE position IN (SELECT position {_PLANNED})",
    "CREATE INDEX temp.chosen_by_status ON chosen (status, position)",
    "CREATE TEMP TRIGGER chosen_follow AFTER UPDATE OF status ON main.jobs BEGIN "
    "UPDATE chosen SET status = new.status WHERE position = new.position; END",
)
_INSERT = (
    f"INSERT INTO jobs ({', '.join(_COLUMNS)}, position) "
    f"VALUES ({', '.join('?' * len(_COLUMNS))}, ?)"
)
_UPDATE = (
    f"UPDATE jobs SET {', '.join(f'{name} = ?' for name in _COLUMNS)} WHERE key = ? AND status = ?"
)


@dataclass(frozen=True, slots=True)
class Origin:
    """Whom the task ids in a state file belong to."""

    provider: str
    base_url: str

    def __str__(self) -> str:
        return f"{self.provider} at {self.base_url}"


@dataclass(frozen=True, slots=True)
class PastEvent:
    """One line of the event log; `detail` holds the event's own fields."""

    job: int
    at: float
    event: str
    before: Status
    after: Status
    detail: Mapping[str, Any]


class Ledger:
    """An open state file. Every method that writes commits before it returns.

    Raises `StateError` when the file is damaged, newer than this program, or can't be written.
    """

    def __init__(self, path: Path, connection: sqlite3.Connection) -> None:
        self.path = path
        self.run: int | None = None
        self._planned = _PLANNED
        self._db = Database(connection, execute_plugins=False)
        self._rescue: RescueFile | None = None

    @classmethod
    def open(cls, path: Path) -> Ledger:
        """Open for writing, made (mode 0600) or migrated as needed. The caller holds the lock."""
        with _explained(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
            ledger = cls(path, sqlite3.connect(path, isolation_level=None, timeout=_BUSY_SECONDS))
            try:
                db = ledger._db
                ledger._refuse_foreign()
                db.enable_wal()
                db.conn.execute("PRAGMA synchronous=FULL")
                ledger._migrate()
                ledger._rescue = RescueFile(path)
                _make_folders_last(path)
            except BaseException:
                ledger.close()
                raise
            return ledger

    @classmethod
    def read(cls, path: Path) -> Ledger | None:
        """Open for reading only, or None where there is no state file. Takes no lock."""
        with _explained(path):
            if not path.exists():
                return None
            uri = f"{path.absolute().as_uri()}?mode=ro"
            connection = sqlite3.connect(uri, uri=True, isolation_level=None, timeout=_BUSY_SECONDS)
            ledger = cls(path, connection)
            try:
                ledger._refuse_foreign()
                if migrations.pending(ledger._db):
                    if ledger._db.table("jobs").exists():
                        raise StateError(f"{path}: of an older version: `runner run` upgrades it")
                    ledger.close()
                    return None
            except BaseException:
                ledger.close()
                raise
            return ledger

    def _refuse_foreign(self) -> None:
        """Leave alone what another program, or a newer version of this one, has made."""
        applied = {migration.name for migration in migrations.applied(self._db)}
        tables = set(self._db.table_names()) - {migrations.migrations_table}
        if tables and not applied:
            raise StateError(f"{self.path}: a database of another program, not a state file")
        known = {migration.name for migration in migrations._migrations}
        if unknown := sorted(applied - known):
            raise StateError(
                f"{self.path}: written by a newer version of runner "
                f"({', '.join(unknown)}): upgrade runner, nothing was changed"
            )

    def _migrate(self) -> None:
        """Bring the file to today's shape; one that holds anything is copied first."""
        pending = migrations.pending(self._db)
        if pending and migrations.applied(self._db):
            copy = self.path.with_name(f"{self.path.name}.before-{pending[0].name}")
            os.close(os.open(copy, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
            backup = sqlite3.connect(copy)
            self._db.conn.backup(backup)
            backup.close()
        with self._db.atomic():  # all of them or none, so that no file is left between versions
            migrations.apply(self._db)

    def close(self) -> None:
        """Close the file; everything is committed already."""
        self._db.close()
        if self._rescue:
            self._rescue.close()

    # ------------------------------------------------------------ whose ids these are

    def origin(self) -> Origin | None:
        """The provider that this file is pinned to, or None for a new file."""
        with _explained(self.path):
            row = self._db.execute("SELECT provider, base_url FROM origin").fetchone()
        return Origin(*row) if row else None

    def pin(self, origin: Origin) -> None:
        """Bind a new file to a provider. Raises `StateError` when it belongs to another."""
        present = self.origin()
        if present is None:
            values = (origin.provider, origin.base_url)
            with self._transaction():
                self._db.execute("INSERT INTO origin VALUES (?, ?)", values)
        elif present != origin:
            raise StateError(
                f"{self.path}: its task ids belong to {present}, not to {origin}; "
                "use that provider again, or another state file (--state)"
            )

    # ------------------------------------------------------------ jobs

    def jobs(self, statuses: Collection[Status] = frozenset(Status)) -> list[Job]:
        """Every job with one of these statuses, oldest first."""
        where, wanted = "", sorted(set(statuses))
        if len(wanted) < len(Status):  # of all, so that a row in no known status is not overlooked
            where = f" WHERE status IN ({', '.join('?' * len(wanted))})"
        else:
            wanted = []
        with _explained(self.path):
            return [_job(row) for row in self._db.execute(f"{_SELECT}{where} ORDER BY key", wanted)]

    def has_planned(self) -> bool:
        """Whether any job of the manifest waits to be submitted, of those that were chosen."""
        query = f"SELECT 1 {self._planned} LIMIT 1"
        with _explained(self.path):
            return self._db.execute(query).fetchone() is not None

    def total(self) -> int:
        """How many jobs there are."""
        return sum(self.counts().values())

    def counts(self) -> dict[str, int]:
        """Status -> number of jobs, every status named."""
        query = "SELECT status, count(*) FROM jobs GROUP BY status"
        counts = {status.value: 0 for status in Status}
        with _explained(self.path):
            for status, number in self._db.execute(query):
                counts[Status(status).value] = number
        return counts

    def identities(self) -> Iterator[Identity]:
        """The light part of every job, the newest first, read as it is asked for."""
        query = f"SELECT {', '.join(Identity._fields)} FROM jobs ORDER BY key DESC"
        with _explained(self.path):
            for key, id, derived, content, cost, status, position in self._db.execute(query):
                known = _STATUSES.get(status) or Status(status)
                yield Identity(key, id, derived, content, cost, known, position)

    def job(self, key: int) -> Job:
        """One job."""
        with _explained(self.path):
            row = self._db.conn.execute(f"{_SELECT} WHERE key = ?", [key]).fetchone()
            if row is None:
                raise ValueError(f"there is no job with the key {key}")
            return _job(row)

    def outputs(self) -> Iterator[str]:
        """Where the videos of the finished jobs are, read as it is asked for."""
        query = "SELECT output FROM jobs WHERE status = ?"
        with _explained(self.path):
            for (output,) in self._db.execute(query, [Status.DONE]):
                yield output

    def finished(self) -> Iterator[Job]:
        """Every finished job, oldest first, some at a time: no reading lasts while it is used."""
        query = f"{_SELECT} WHERE status = ? AND key > ? ORDER BY key LIMIT ?"
        last = 0
        while True:
            with _explained(self.path):
                rows = self._db.execute(query, [Status.DONE, last, _AT_ONCE]).fetchall()
                jobs = [_job(row) for row in rows]
            if not jobs:
                return
            yield from jobs
            last = jobs[-1].key

    @contextmanager
    def still(self) -> Iterator[None]:
        """While this lasts, every reading is of the same moment, whatever a run goes on writing."""
        with _explained(self.path):
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
        query = f"SELECT key, {', '.join(f'jobs.{name}' for name in _COLUMNS)} {self._planned}"
        with _explained(self.path):
            row = self._db.execute(f"{query} LIMIT 1").fetchone()
            return _job(row) if row else None

    def position(self, job: Job) -> int | None:
        """A job's place in the manifest when that was last read, None when it had none."""
        with _explained(self.path):
            query = "SELECT position FROM jobs WHERE key = ?"
            row = self._db.conn.execute(query, [job.key]).fetchone()
        return row[0] if row else None

    def choose(self, positions: Iterable[int]) -> None:
        """Only the jobs at these places of the manifest may be submitted, while the file is open.

        Kept in memory beside the file, which itself knows nothing of it, with the status of each,
        so that the next one is found at once among a million. Call it after `mirror`, once.
        """
        conn = self._db.conn
        with _explained(self.path):
            conn.execute("PRAGMA temp_store=MEMORY")
            with self._db.atomic():
                conn.execute("CREATE TEMP TABLE chosen (position INTEGER PRIMARY KEY, status TEXT)")
                places = ((place,) for place in positions)
                conn.executemany("INSERT INTO chosen (position) VALUES (?)", places)
                for statement in _CHOSEN_FOLLOW:
                    conn.execute(statement)
        self._planned = _PLANNED_CHOSEN

    def owner(self, task_id: str) -> Job | None:
        """The job that has this task's id, if one has: one task makes one video."""
        with _explained(self.path):
            query = f"{_SELECT} WHERE task_id = ? AND task_id <> '' ORDER BY key LIMIT 1"
            row = self._db.execute(query, [task_id]).fetchone()
            return _job(row) if row else None

    def knows(self, task_id: str) -> bool:
        """Whether a job has this task's id already."""
        return self.owner(task_id) is not None

    def spent(self) -> tuple[int, int]:
        """Paid submissions ever (those in doubt included), and their cost in millionths."""
        query = "SELECT coalesce(sum(attempts), 0), coalesce(sum(spent), 0) FROM jobs"
        with _explained(self.path):
            attempts, cost = self._db.execute(query).fetchone()
        return int(attempts), int(cost)

    def record(self, before: Job, event: Event, after: Job, at: float) -> None:
        """Commit one event and the row it leads to."""
        try:
            with self._transaction(synced=not isinstance(event, _RELAXED)):
                self._write(before, event, after, at)
        except StateError as error:
            if isinstance(event, Accepted):
                raise self._rescued(before, event.task_id, error) from error
            raise _stopped(error) from error

    @contextmanager
    def together(self) -> Iterator[None]:
        """Commit what is recorded inside as one, synced once; or nothing of it."""
        try:
            with self._transaction():
                yield
        except StateWriteError:
            raise
        except StateError as error:
            raise _stopped(error) from error

    def _rescued(self, job: Job, task_id: str, error: StateError) -> StateWriteError:
        """Keep a paid task's id although the state file can't take it; returns what to say."""
        words = f"{error}; task {task_id} of {job.id} was accepted"
        try:
            if self._rescue:
                self._rescue.save(job, task_id)
                return StateWriteError(f"{words}, its id is kept in {self._rescue.path}: run again")
        except OSError:
            pass
        return StateWriteError(f"{words}: note its id, and tell `runner resolve`")

    def rescued(self) -> list[Rescued]:
        """The task ids that earlier runs could not store here."""
        return kept_ids(self.path)

    def forget_rescued(self) -> None:
        """Clear them, once they are stored."""
        if self._rescue:
            self._rescue.clear()

    def mirror(
        self,
        changes: Iterable[tuple[Job, Event, Job]],
        new: Iterable[tuple[int, Entry]],
        moves: Iterable[tuple[int, int]],
        removed: Iterable[int],
        at: float,
    ) -> None:
        """Bring the planned part of the file in line with a manifest, in one transaction.

        `new` are entries with their places in the manifest; `moves` the keys of jobs that have
        another place now, with that place; `removed` the keys of those that have none any more.
        Of these, one to which nothing ever happened leaves no trace; any other keeps its record.
        """
        with self._transaction():
            for before, event, after in changes:
                self._write(before, event, after, at)
            self._db.conn.executemany(
                _INSERT, ((*_values(_planned(entry)), place) for place, entry in new)
            )
            untouched = "status = 'planned' AND NOT EXISTS (SELECT 1 FROM events WHERE job = key)"
            for key in removed:
                self._db.conn.execute(f"DELETE FROM jobs WHERE key = ? AND {untouched}", [key])
                self._db.conn.execute(
                    "UPDATE jobs SET position = NULL WHERE key = ? AND position IS NOT NULL", [key]
                )
            self._db.conn.executemany(
                "UPDATE jobs SET position = ? WHERE key = ?",
                ((place, key) for key, place in moves),
            )

    def add(self, entry: Entry) -> Job:
        """Add a planned job that is no manifest's: it has no place, so it is never bought."""
        job = _planned(entry)
        with self._transaction():
            cursor = self._db.conn.execute(_INSERT, (*_values(job), None))
        return replace(job, key=cursor.lastrowid or 0)

    def _write(self, before: Job, event: Event, after: Job, at: float) -> None:
        cursor = self._db.conn.execute(_UPDATE, (*_values(after), before.key, before.status))
        if cursor.rowcount != 1:
            raise StateError(f"{self.path}: changed by somebody else; job {before.id} is stale")
        self._db.conn.execute(
            'INSERT INTO events (job, run, at, event, "from", "to", detail) '
            "VALUES (?, ?, ?, ?, ?, ?, ?)",
            (
                before.key,
                self.run,
                at,
                type(event).__name__,
                before.status,
                after.status,
                json.dumps(_detail(event), ensure_ascii=False),
            ),
        )

    # ------------------------------------------------------------ history

    def events(self, job: Job | None = None) -> list[PastEvent]:
        """What happened, oldest first: to one job, or to all."""
        query = 'SELECT job, at, event, "from", "to", detail FROM events'
        where, arguments = (" WHERE job = ?", [job.key]) if job else ("", [])
        with _explained(self.path):
            rows = self._db.execute(f"{query}{where} ORDER BY seq", arguments).fetchall()
            return [
                PastEvent(key, at, event, Status(before), Status(after), json.loads(detail))
                for key, at, event, before, after, detail in rows
            ]

    def paying(self, since: float, statuses: Collection[Status]) -> Iterator[PastEvent]:
        """What happened from a moment on to jobs with one of these statuses, as it is asked for."""
        places = ", ".join("?" * len(statuses))
        query = (
            'SELECT job, at, event, "from", "to", detail FROM events '
            f'WHERE at >= ? AND "from" IN ({places}) ORDER BY seq'
        )
        with _explained(self.path):
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
        with _explained(self.path):
            kinds = [Rendered.__name__, RenderFailed.__name__]
            rows = self._db.execute(query, [*kinds, _RECENT, newest]).fetchall()
            told = [(json.loads(body), json.loads(detail)) for body, detail in reversed(rows)]
        return [(body, said["pending"], said["ready"]) for body, said in told if said.get("ready")]

    def submits(self, newest: int) -> list[float]:
        """When the newest submits began, oldest first, refused ones included."""
        query = "SELECT at FROM events WHERE event = ? ORDER BY seq DESC LIMIT ?"
        with _explained(self.path):
            rows = self._db.execute(query, [SubmitStarted.__name__, newest]).fetchall()
        return [at for (at,) in reversed(rows)]

    def recall(self, name: str) -> object:
        """What an earlier run remembered under this name; None when nothing readable is there."""
        with _explained(self.path):
            query = "SELECT value FROM memory WHERE name = ?"
            row = self._db.execute(query, [name]).fetchone()
        try:
            return json.loads(row[0]) if row else None
        except (ValueError, TypeError):
            return None

    def remember(self, name: str, value: object) -> None:
        """Keep a JSON value for the next run. Not synced: it can be learnt again."""
        with self._transaction(synced=False):
            self._db.conn.execute(
                "INSERT OR REPLACE INTO memory VALUES (?, ?)", (name, json.dumps(value))
            )

    def images(self, since: float) -> dict[str, object]:
        """The images found well since then: digest of the address -> what it was, as JSON."""
        query = "SELECT address, picture FROM images WHERE at >= ?"
        with _explained(self.path):
            return {address: json.loads(text) for address, text in self._db.execute(query, [since])}

    def keep_images(self, found: Mapping[str, object], at: float, since: float) -> None:
        """Keep what was found well, and drop what is older than `since`. Not synced."""
        rows = ((address, at, json.dumps(picture)) for address, picture in found.items())
        with self._transaction(synced=False):
            self._db.conn.execute("DELETE FROM images WHERE at < ?", [since])
            self._db.conn.executemany("INSERT OR REPLACE INTO images VALUES (?, ?, ?)", rows)

    def defects(self) -> list[str]:
        """What SQLite itself finds wrong with the file; empty when it is sound."""
        with _explained(self.path):
            rows = self._db.conn.execute("PRAGMA integrity_check").fetchall()
            orphans = self._db.conn.execute("PRAGMA foreign_key_check").fetchall()
        found = [f"{self.path}: {words}" for (words,) in rows if words != "ok"]
        return found + [f"{self.path}: {len(orphans)} events without their job"] * bool(orphans)

    def begin_run(self, command: str, version: str, manifest: str, at: float) -> None:
        """Note that a command began to work on this file; its events carry the run's number."""
        with self._transaction():
            cursor = self._db.conn.execute(
                "INSERT INTO runs (command, version, manifest, pid, started_at) "
                "VALUES (?, ?, ?, ?, ?)",
                (command, version, manifest, os.getpid(), at),
            )
        self.run = cursor.lastrowid

    def end_run(self, reason: str, exit_code: int, at: float) -> None:
        """Note how the run ended."""
        with self._transaction():
            self._db.execute(
                "UPDATE runs SET ended_at = ?, reason = ?, exit_code = ? WHERE run = ?",
                (at, reason, exit_code, self.run),
            )

    @contextmanager
    def _transaction(self, *, synced: bool = True) -> Iterator[None]:
        with _explained(self.path):
            if not synced:
                self._db.conn.execute("PRAGMA synchronous=NORMAL")
            try:
                with self._db.atomic():
                    yield
            finally:
                if not synced:
                    self._db.conn.execute("PRAGMA synchronous=FULL")


@contextmanager
def _explained(path: Path) -> Iterator[None]:
    """SQLite's and the system's errors, and rows that no one can read, as ones for people."""
    try:
        yield
    except sqlite3.DatabaseError as error:
        raise StateError(f"{path}: the state file can't be used: {error}") from error
    except OSError as error:
        raise StateError(f"{path}: the state file can't be used: {error.strerror}") from error
    except (ValueError, OverflowError) as error:
        raise StateError(f"{path}: the state file can't hold or give a value: {error}") from error


def _make_folders_last(path: Path) -> None:
    """Sync the names of the folders that lead to a file: a power cut could take a new one back."""
    for folder in path.absolute().parent.parents:
        with suppress(OSError):  # not ours to open, so not ours to have made
            fd = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
            try:
                os.fsync(fd)
            finally:
                os.close(fd)


def _stopped(error: StateError) -> StateWriteError:
    return StateWriteError(f"{error}; the run stopped, nothing is lost: run again")


def _planned(entry: Entry) -> Job:
    return Job(0, entry.id, entry.derived, entry.content, entry.body, entry.cost)


def _detail(event: Event) -> dict[str, Any]:
    """An event's own fields; a link keeps its address but not its signature."""
    fields: dict[str, Any] = {name: getattr(event, name) for name in event.__slots__}
    if isinstance(event, Rendered):
        fields["url"] = event.url.partition("?")[0]
    elif isinstance(event, (SubmitStarted, Edited)):
        fields["body"] = dict(event.body)
    elif problem := fields.get("problem"):
        fields["problem"] = asdict(problem)
    return fields


def _values(job: Job) -> tuple[Any, ...]:
    problem = job.problem
    return (
        job.id,
        job.derived,
        job.status,
        job.task_id,
        job.attempts,
        job.spent,
        job.cost,
        job.content,
        json.dumps(dict(job.body), ensure_ascii=False),
        job.output,
        job.sha256,
        job.size,
        job.remote_status,
        problem.code if problem else None,
        problem.message if problem else None,
        problem.request_id if problem else None,
        job.url,
        job.submitted_at,
        job.since,
        job.finished_at,
    )


def _job(row: tuple[Any, ...]) -> Job:
    values = dict(zip(("key", *_COLUMNS), row, strict=True))
    code, message, request_id = (
        values.pop(name) for name in ("error_code", "error_message", "error_request_id")
    )
    values["problem"] = None if code is None else Problem(code, message, request_id)
    values["body"] = json.loads(values["body"])
    values["status"] = Status(values["status"])
    return Job(**values)
