"""Where the simulated machine is put under the real program: files, SQLite, pieces of downloads."""

from __future__ import annotations

import builtins
import errno
import io
import os
import sqlite3
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

from runner.errors import StateError
from runner.events import Accepted, Event
from runner.jobs import Job
from runner.ledger import Ledger
from simulation.disk import Disk
from simulation.machine import Machine

_PASSED_BY = ("SELECT", "PRAGMA", "BEGIN", "ROLLBACK", "EXPLAIN", "SAVEPOINT", "RELEASE")


@contextmanager
def replaced(owner: Any, name: str, value: object) -> Iterator[None]:
    """Put something in another's place for a while."""
    before = owner.__dict__[name]
    setattr(owner, name, value)
    try:
        yield
    finally:
        setattr(owner, name, before)


@contextmanager
def all_replaced(values: list[tuple[Any, str, object]]) -> Iterator[None]:
    """Put several things in others' places for a while."""
    if not values:
        yield
        return
    (owner, name, value), *others = values
    with replaced(owner, name, value), all_replaced(others):
        yield


@contextmanager
def installed(
    machine: Machine,
    disk: Disk,
    noted: Callable[[Ledger, Event, Job], None],
    rescued: Callable[[str], None],
) -> Iterator[None]:
    """Everything that runs inside works on this machine and this disk."""
    files = _Files(machine, disk)
    connect = sqlite3.connect
    record, together = Ledger.record, Ledger.together
    recorded: list[tuple[Ledger, Event, Job]] | None = None

    def connect_here(path: Any, *given: Any, **options: Any) -> sqlite3.Connection:
        if not str(path).startswith(str(disk.root)):
            return connect(path, *given, **options)
        connection = connect(path, *given, factory=_connection(machine, disk), **options)
        connection.execute("PRAGMA wal_autocheckpoint=0")
        return connection

    def record_here(ledger: Ledger, before: Job, event: Event, after: Job, at: float) -> None:
        machine.event = type(event).__name__
        try:
            record(ledger, before, event, after, at)
            if recorded is None:
                noted(ledger, event, after)
            else:
                recorded.append((ledger, event, after))
        except StateError:
            if isinstance(event, Accepted):
                machine.unstored = ""
                rescued(event.task_id)
            raise
        finally:
            machine.event = ""

    @contextmanager
    def together_here(ledger: Ledger) -> Iterator[None]:
        nonlocal recorded
        recorded = []
        try:
            with together(ledger):
                yield
                machine.event = type(recorded[-1][1]).__name__ if recorded else ""
            for each in recorded:
                noted(*each)
        finally:
            recorded, machine.event = None, ""

    async def as_they_come(
        response: httpx.Response, size: int | None = None
    ) -> AsyncIterator[bytes]:
        async for piece in aiter_raw(response):
            yield piece

    aiter_raw = httpx.Response.aiter_raw
    with all_replaced(
        [
            *files.replacements(),
            (sqlite3, "connect", connect_here),
            (Ledger, "record", record_here),
            (Ledger, "together", together_here),
            (httpx.Response, "aiter_raw", as_they_come),
        ]
    ):
        yield


def _connection(machine: Machine, disk: Disk) -> type[sqlite3.Connection]:
    """A connection whose statements are points, and whose synced commits the disk hears of."""

    class Connection(sqlite3.Connection):
        def execute(self, sql: str, *given: Any) -> sqlite3.Cursor:
            word = sql.split(None, 1)[0].upper().rstrip(";")
            if word in _PASSED_BY and "wal_checkpoint" not in sql:
                if machine.dead:
                    machine.point("after death")
                return super().execute(sql, *given)
            machine.commit_point("before commit" if word == "COMMIT" else "statement")
            _refuse_if_full(machine)
            cursor = super().execute(sql, *given)
            self._note(word)
            return cursor

        def executemany(self, sql: str, *given: Any) -> sqlite3.Cursor:
            machine.commit_point("statement")
            _refuse_if_full(machine)
            cursor = super().executemany(sql, *given)
            self._note("")
            return cursor

        def _note(self, word: str) -> None:
            if self.in_transaction:
                return
            if super().execute("PRAGMA synchronous").fetchone()[0] >= 2:
                disk.synced_log()
            if machine.event == "Accepted":
                machine.stored()
            if word == "COMMIT":
                machine.commit_point("after commit")

    return Connection


def _refuse_if_full(machine: Machine) -> None:
    if machine.full:
        raise sqlite3.OperationalError("database or disk is full")


class _Writer:
    """A file being written: each piece is a point."""

    def __init__(self, file: Any, machine: Machine) -> None:
        self._file = file
        self._machine = machine

    def write(self, data: bytes) -> int:
        self._machine.point("piece written")
        if self._machine.full:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        written: int = self._file.write(data)
        self._machine.point("piece written")
        return written

    def __enter__(self) -> _Writer:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)


class _Files:
    """The system's calls on files, each a point before and after."""

    def __init__(self, machine: Machine, disk: Disk) -> None:
        self._machine = machine
        self._disk = disk
        self._real_open = io.open
        self._real = {
            name: getattr(os, name)
            for name in ("link", "rename", "replace", "unlink", "mkdir", "open", "write")
        }

    def replacements(self) -> list[tuple[Any, str, object]]:
        """What is put in the place of what."""
        return [
            (os, "link", self._link),
            (os, "rename", lambda a, b: self._move("rename", a, b)),
            (os, "replace", lambda a, b: self._move("replace", a, b)),
            (os, "unlink", self._unlink),
            (os, "remove", self._unlink),
            (os, "mkdir", self._mkdir),
            (os, "fsync", self._fsync),
            (os, "fdatasync", self._fsync),
            (os, "open", self._open_low),
            (os, "write", self._write_low),
            (io, "open", self._open),
            (builtins, "open", self._open),
        ]

    def _open(self, path: Any, mode: str = "r", *given: Any, **options: Any) -> Any:
        if not self._disk.concerns(path) or not set(mode) & set("wax+"):
            return self._real_open(path, mode, *given, **options)
        self._machine.point("piece written")
        file = self._real_open(path, mode, 512)
        self._disk.created(Path(path))
        return _Writer(file, self._machine)

    def _open_low(self, path: Any, flags: int, *given: Any, **options: Any) -> int:
        if not flags & os.O_CREAT or not self._disk.concerns(path):
            descriptor: int = self._real["open"](path, flags, *given, **options)
            return descriptor
        self._machine.point("piece written")
        descriptor = self._real["open"](path, flags, *given, **options)
        self._disk.created(Path(path))
        return descriptor

    def _write_low(self, descriptor: int, data: Any) -> int:
        if not self._disk.concerns(Path(f"/proc/self/fd/{descriptor}").readlink()):
            return self._real["write"](descriptor, data)
        self._machine.point("piece written")
        if self._machine.full:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        written: int = self._real["write"](descriptor, data)
        self._machine.point("piece written")
        return written

    def _link(self, source: Any, target: Any) -> None:
        if not self._disk.concerns(target):
            self._real["link"](source, target)
            return
        self._machine.point("before link or rename")
        self._real["link"](source, target)
        self._disk.linked(Path(target))
        self._machine.point("after link or rename")

    def _move(self, name: str, source: Any, target: Any) -> None:
        if not self._disk.concerns(target):
            self._real[name](source, target)
            return
        self._machine.point("before link or rename")
        self._real[name](source, target)
        self._disk.renamed(Path(source), Path(target))
        self._machine.point("after link or rename")

    def _unlink(self, path: Any, **options: Any) -> None:
        if not self._disk.concerns(path):
            self._real["unlink"](path, **options)
            return
        self._machine.point("before unlink")
        self._real["unlink"](path)
        self._disk.unlinked(Path(path))
        self._machine.point("after unlink")

    def _mkdir(self, path: Any, *given: Any) -> None:
        if not self._disk.concerns(path):
            self._real["mkdir"](path, *given)
            return
        self._machine.point("folder made")
        self._real["mkdir"](path, *given)
        self._disk.made_folder(Path(path))
        self._machine.point("folder made")

    def _fsync(self, descriptor: int) -> None:
        path = Path(f"/proc/self/fd/{descriptor}").readlink()
        if path != self._disk.root and not self._disk.concerns(path):
            return  # what no power cut can reach here costs only time
        what, done = "file", self._disk.synced_file
        if path.is_dir():
            what, done = "folder", self._disk.synced_folder
        self._machine.point(f"before {what} sync")
        done(path)
        self._machine.point(f"after {what} sync")
