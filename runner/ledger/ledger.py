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
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from runner.errors import StateError, StateWriteError
from runner.events import (
    Accepted,
    Event,
    FetchFailed,
    Invisible,
    PollFailed,
    Rendered,
    StillRunning,
)
from runner.jobs import ENDED, Entry, Job
from runner.ledger.migrations import migrations
from runner.ledger.place import Place, make_folders_last, refuse_lost, refuse_unsafe
from runner.ledger.reading import PLANNED, Origin, Reader, explained
from runner.ledger.rescue import RescueFile
from runner.ledger.rows import INSERT, UPDATE, detail_of, planned_job, state_of, values_of

# Lost in a power cut, these are found out again by asking; everything else is synced at once.
_RELAXED = (StillRunning, Invisible, PollFailed, FetchFailed, Rendered)

# How long another program may keep the file to itself before that is an error.
_BUSY_SECONDS = 5

_PLANNED_CHOSEN = (
    "FROM chosen CROSS JOIN jobs ON jobs.status = 'planned' AND jobs.position = chosen.position "
    "WHERE chosen.status = 'planned' ORDER BY chosen.position"
)
_CHOSEN_FOLLOW = (
    f"UPDATE chosen SET status = 'planned' WHERE position IN (SELECT position {PLANNED})",
    "CREATE INDEX temp.chosen_by_status ON chosen (status, position)",
    "CREATE TEMP TRIGGER chosen_follow AFTER UPDATE OF status ON main.jobs BEGIN "
    "UPDATE chosen SET status = new.status WHERE position = new.position; END",
)


class Ledger(Reader):
    """An open state file. Every method that writes commits before it returns.

    Raises `StateError` when the file is damaged, newer than this program, or can't be written.
    """

    def __init__(self, path: Path, connection: sqlite3.Connection) -> None:
        super().__init__(path, connection)
        self.run: int | None = None
        self._rescue: RescueFile | None = None
        self._place: Place | None = None

    @classmethod
    def open(cls, path: Path) -> Ledger:
        """Open for writing, made (mode 0600) or migrated as needed. The caller holds the lock."""
        with explained(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            refuse_unsafe(path)
            os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
            ledger = cls(path, sqlite3.connect(path, isolation_level=None, timeout=_BUSY_SECONDS))
            try:
                db = ledger._db
                ledger._refuse_foreign()
                db.enable_wal()
                db.conn.execute("PRAGMA synchronous=FULL")
                ledger._migrate()
                ledger._rescue = RescueFile(path)
                ledger._place = Place(path)
                make_folders_last(path)
            except BaseException:
                ledger.close()
                raise
            return ledger

    @classmethod
    def read(cls, path: Path) -> Ledger | None:
        """Open for reading only, or None where there is no state file. Takes no lock."""
        with explained(path):
            refuse_lost(path)
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
        """Close the file; everything is committed already.

        Raises `DisplacedError` when it was moved or deleted meanwhile: it is put back.
        """
        try:
            self.keep_place()
        finally:
            self._db.close()
            if self._rescue:
                self._rescue.close()

    def keep_place(self) -> None:
        """Put the file back if it was moved or deleted. Raises `DisplacedError` then."""
        if self._place:
            with explained(self.path):
                self._place.keep(self._db.conn)

    def pin(self, origin: Origin, free: Iterable[type[Event]] = ()) -> None:
        """Bind a file to a provider: a new one, or one in which nothing was ever at stake.

        `free` are the kinds of events that stand for no charge, and for no doubt of one.
        Raises `StateError` when it belongs to another.
        """
        self.refuse_other(origin, free)
        if self.origin() != origin:
            with self._transaction():
                self._db.execute("DELETE FROM origin")
                self._db.execute(
                    "INSERT INTO origin VALUES (?, ?)", (origin.provider, origin.base_url)
                )

    def choose(self, positions: Iterable[int]) -> None:
        """Only the jobs at these places of the manifest may be submitted, while the file is open.

        Kept in memory beside the file, which itself knows nothing of it, with the status of each,
        so that the next one is found at once among a million. Call it after `mirror`, once.
        """
        conn = self._db.conn
        with explained(self.path):
            conn.execute("PRAGMA temp_store=MEMORY")
            with self._db.atomic():
                conn.execute("CREATE TEMP TABLE chosen (position INTEGER PRIMARY KEY, status TEXT)")
                places = ((place,) for place in positions)
                conn.executemany("INSERT INTO chosen (position) VALUES (?)", places)
                for statement in _CHOSEN_FOLLOW:
                    conn.execute(statement)
        self._planned = _PLANNED_CHOSEN

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
        if self._place:
            self._place.refuse_displaced()
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
                INSERT, ((*values_of(planned_job(entry)), place) for place, entry in new)
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
        job = planned_job(entry)
        with self._transaction():
            cursor = self._db.conn.execute(INSERT, (*values_of(job), None))
        return replace(job, key=cursor.lastrowid or 0)

    def _write(self, before: Job, event: Event, after: Job, at: float) -> None:
        if before.status in ENDED:
            self._db.conn.execute(
                "UPDATE archived SET state = ? WHERE job = ? AND state IS NULL",
                (json.dumps(state_of(before), ensure_ascii=False), before.key),
            )
        cursor = self._db.conn.execute(UPDATE, (*values_of(after), before.key, before.status))
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
                json.dumps(detail_of(event), ensure_ascii=False),
            ),
        )

    def remember(self, name: str, value: object) -> None:
        """Keep a JSON value for the next run. Not synced: it can be learnt again."""
        with self._transaction(synced=False):
            self._db.conn.execute(
                "INSERT OR REPLACE INTO memory VALUES (?, ?)", (name, json.dumps(value))
            )

    def keep_images(self, found: Mapping[str, object], at: float, since: float) -> None:
        """Keep what was found well, and drop what is older than `since`. Not synced."""
        rows = ((address, at, json.dumps(picture)) for address, picture in found.items())
        with self._transaction(synced=False):
            self._db.conn.execute("DELETE FROM images WHERE at < ?", [since])
            self._db.conn.executemany("INSERT OR REPLACE INTO images VALUES (?, ?, ?)", rows)

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
        with explained(self.path):
            if self._db.conn.in_transaction:  # inside `together`: all of it or nothing
                yield
                return
            if not synced:
                self._db.conn.execute("PRAGMA synchronous=NORMAL")
            try:
                with self._db.atomic():
                    yield
            finally:
                if not synced:
                    self._db.conn.execute("PRAGMA synchronous=FULL")


def _stopped(error: StateError) -> StateWriteError:
    return StateWriteError(f"{error}; the run stopped, nothing is lost: run again")
