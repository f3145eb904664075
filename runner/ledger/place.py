"""That an open state file keeps its place: where the next run looks, and under no other name.

Under a second name (a hard link) it would have a second lock and a second log, and everything in
it would be bought twice. Moved away or deleted, it would take along what is stored from then on,
and the next run would buy that again. SQLite goes on with such a file as if nothing were, so it is
this room's to look.
"""

from __future__ import annotations

import os
import re
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import closing, suppress
from itertools import chain, count
from pathlib import Path

from runner.errors import DisplacedError, StateError

_LOGS = ("-wal", "-shm")  # SQLite's own, beside a file that is in use
_KEPT = ".kept"

Identity = tuple[int, int]


def refuse_lost(path: Path) -> None:
    """Raise `StateError` where only the log of a state file is: SQLite would delete it."""
    log = path.with_name(f"{path.name}-wal")
    if not path.exists() and log.exists() and log.stat().st_size:
        raise StateError(
            f"{path}: is not there, but {log.name} is, which may hold its newest entries: put the "
            f"file back. Without {log.name}, what was bought last would be bought again"
        )


def refuse_unsafe(path: Path) -> None:
    """Raise `StateError` for a state file by which something could be paid twice."""
    if not path.parent.is_dir():
        return
    refuse_lost(path)
    kept = re.compile(re.escape(path.name + _KEPT) + r"-\d+")
    if found := sorted(each for each in path.parent.iterdir() if kept.fullmatch(each.name)):
        raise StateError(
            f"{path}: another file took its place during a run, which kept all that it had stored "
            f"in {found[0]}: see which of the two is right (runner status --state FILE), give it "
            f"the name {path.name}, and remove the other"
        )
    if path.exists() and (names := path.stat().st_nlink) > 1:
        raise StateError(
            f"{path}: has {names} names (hard links), and runs under different names would not see "
            "each other, and pay twice. While none is at work, keep the name that has a -wal file "
            f"beside it, if one has, and remove the other (find / -samefile {path})"
        )


class Place:
    """Where a state file was opened, its own log beside it."""

    def __init__(self, path: Path) -> None:
        self._path = path.absolute()
        self._file = _identity(self._path)
        self._logs = {log: _identity(log) for log in self._beside()}

    def _beside(self) -> Iterator[Path]:
        return (self._path.with_name(self._path.name + suffix) for suffix in _LOGS)

    def is_kept(self) -> bool:
        """Whether the very file stands there; a disk that does not answer is no proof of less."""
        try:
            return _identity(self._path) == self._file
        except OSError:
            return True

    def refuse_displaced(self) -> None:
        """Raise `DisplacedError` when the file is not there any more: buy nothing."""
        if not self.is_kept():
            raise DisplacedError(f"{self._path}: was moved or deleted while it was in use")

    def keep(self, connection: sqlite3.Connection) -> None:
        """Before the file is closed: put it back if it is gone, and raise `DisplacedError`.

        Raises `OSError` and SQLite's errors when it could be put nowhere.
        """
        if self.is_kept():
            return
        with suppress(sqlite3.Error):  # a file that was moved should have all of it, too
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        place = self._put_back(connection)
        if place == self._path:
            words = (
                f"{place}: was moved or deleted while it was in use; no more was bought, and all "
                "that was stored is back in its place: run again, with this file and no moved one"
            )
        else:
            words = (
                f"{self._path}: was moved or deleted while it was in use, and can't be put back; "
                f"no more was bought, and all that was stored is in {place}: give that its name, "
                "if it is the right one, before the next run"
            )
        raise DisplacedError(words)

    def _put_back(self, connection: sqlite3.Connection) -> Path:
        """Write all that the open file holds where it stood, or as near as can be; where that is.

        Beside what stands there by now, and in the folder for temporary files where there is
        neither room nor a folder any more.
        """
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            part = _copy(connection, self._path)
        except (OSError, sqlite3.Error):
            elsewhere = Path(tempfile.gettempdir(), self._path.name + _KEPT)
            return _publish(_copy(connection, elsewhere), elsewhere)
        for log in self._beside():  # of the file that is gone: another's, it would spoil
            with suppress(OSError):
                if _identity(log) == self._logs[log]:
                    log.unlink()
        return _publish(part, self._path)


def _identity(path: Path) -> Identity | None:
    """Which file it is, not one that a link leads to; None for none."""
    try:
        found = path.lstat()
    except (FileNotFoundError, NotADirectoryError):
        return None
    return found.st_dev, found.st_ino


def _copy(connection: sqlite3.Connection, place: Path) -> Path:
    """A whole copy beside a place, readable by its owner only."""
    part = place.with_name(f"{place.name}.{os.getpid()}.part")
    try:
        os.close(os.open(part, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
        with closing(sqlite3.connect(part)) as copy:
            connection.backup(copy)
    except BaseException:
        part.unlink(missing_ok=True)
        raise
    return part


def _publish(part: Path, place: Path) -> Path:
    """Give a copy its name, or the nearest that no file has; which it is."""
    spare = (place.with_name(f"{place.name}{_KEPT}-{number}") for number in count(1))
    for name in chain((place,), spare):
        try:
            os.link(part, name)
        except FileExistsError:
            continue
        except OSError:  # a file system without hard links
            if os.path.lexists(name):
                continue
            part.rename(name)
        else:
            part.unlink()
        place = name
        break
    sync_folder(place.parent)
    return place


def sync_folder(folder: Path) -> None:
    """Have the names in a folder on disk before this returns. Raises `OSError`."""
    fd = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def make_folders_last(path: Path) -> None:
    """Sync the names of the folders that lead to a file: a power cut could take a new one back."""
    for folder in path.absolute().parent.parents:
        with suppress(OSError):  # not ours to open, so not ours to have made
            sync_folder(folder)
