"""What a power cut may take from a state file: the commits that were not synced."""

from __future__ import annotations

import random
import shutil
import sqlite3
import tempfile
from pathlib import Path

# Committed without a sync, because asking again finds them out again.
RELAXED = {"StillRunning", "Invisible", "PollFailed", "FetchFailed", "Rendered"}
HEADER, FRAME_HEADER = 32, 24


def rob(database: Path, dice: random.Random) -> int:
    """Cut up to all trailing unsynced commits off the write-ahead log; returns how many."""
    log = database.with_name(database.name + "-wal")
    if not log.exists() or log.stat().st_size <= HEADER:
        return 0
    unsynced = _trailing_relaxed(database, log)
    if not unsynced:
        return 0
    cut = dice.randint(1, unsynced)
    ends = _commit_ends(log.read_bytes())
    if len(ends) <= cut:
        return 0
    # The rest of a torn frame may have reached the disk too.
    torn = dice.randint(0, ends[-cut] - ends[-cut - 1] - 1)
    with log.open("r+b") as file:
        file.truncate(ends[-cut - 1] + torn)
    return cut


def _trailing_relaxed(database: Path, log: Path) -> int:
    """How many of the newest commits were made without a sync, read from a copy."""
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / database.name
        shutil.copy2(database, copy)
        shutil.copy2(log, copy.with_name(copy.name + "-wal"))
        connection = sqlite3.connect(copy)
        try:
            rows = connection.execute("SELECT event FROM events ORDER BY seq DESC").fetchall()
            ended = connection.execute("SELECT ended_at FROM runs ORDER BY run DESC").fetchone()
        except sqlite3.DatabaseError:
            return 0
        finally:
            connection.close()
    if ended is None or ended[0] is not None:
        return 0  # the newest commit is the end of a run, which was synced
    names = [name for (name,) in rows]
    return next((place for place, name in enumerate(names) if name not in RELAXED), len(names))


def _commit_ends(log: bytes) -> list[int]:
    """Where each commit of a write-ahead log ends (see SQLite's file format, section 4)."""
    page = int.from_bytes(log[8:12], "big")
    salts = log[16:24]
    ends = []
    place = HEADER
    while place + FRAME_HEADER + page <= len(log):
        header = log[place : place + FRAME_HEADER]
        if header[8:16] != salts:
            break
        place += FRAME_HEADER + page
        if int.from_bytes(header[4:8], "big"):
            ends.append(place)
    return ends
