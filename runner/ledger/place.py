"""Whether an open state file still stands where it was opened, under no other name.

Under a second name (a hard link) it would have a second lock and a second log, and everything in
it would be bought twice. Moved away or deleted, it would take along what is stored from then on:
the next run would find nothing there, and buy everything again.
"""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing, suppress
from pathlib import Path

from runner.errors import StateError


class Place:
    """A state file that was just opened. Raises `StateError` when it has more than one name."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file = _identity(path)
        if (names := path.stat().st_nlink) > 1:
            raise StateError(
                f"{path}: has {names} names (hard links), and runs under different names would not "
                f"see each other: remove the others (find / -samefile {path}), or copy it (cp) "
                "and use the copy"
            )

    def is_kept(self) -> bool:
        """Whether the very file still stands there."""
        return _identity(self.path) == self._file

    def put_back(self, connection: sqlite3.Connection) -> Path:
        """Write all that the open file holds where it stood, or beside what stands there now.

        Raises `OSError` and SQLite's errors.
        """
        place = self.path
        if os.path.lexists(place):
            place = place.with_name(f"{place.name}.kept")
        place.parent.mkdir(parents=True, exist_ok=True)
        part = place.with_name(f"{place.name}.part")
        part.unlink(missing_ok=True)
        os.close(os.open(part, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
        with closing(sqlite3.connect(part)) as copy:
            connection.backup(copy)
        for suffix in ("-wal", "-shm"):  # of the file that is gone; the copy has all of it
            with suppress(OSError):
                place.with_name(place.name + suffix).unlink()
        part.replace(place)
        return place


def _identity(path: Path) -> tuple[int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino
