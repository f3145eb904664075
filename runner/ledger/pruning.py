"""Old logs moved out of the state file into an archive beside it, so that it is small again.

What a job is recognised by, what was paid for it and where its video is stay where they are: only
the log of how it came about goes. The archive is synced before anything is deleted, and what is
deleted goes in one transaction together with the record of it. Killed in between,
the next time writes the same lines again, as `job` and `through` tell.
"""

from __future__ import annotations

import glob
import json
import os
import shutil
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import Any

from runner.events import Rendered, RenderFailed
from runner.jobs import Status
from runner.ledger.ledger import Ledger
from runner.ledger.place import sync_folder
from runner.ledger.reading import RECENT, explained
from runner.ledger.rows import digest_of, state_of

# Finished jobs whose log is all of before the moment; not the one with the newest event, since
# numbers of events are never given twice, nor those whose renders the next run learns from.
_PRUNABLE = """
CREATE TEMP TABLE prunable AS SELECT key FROM jobs
WHERE status IN (:done, :failed) AND EXISTS (SELECT 1 FROM events WHERE job = key)
AND NOT EXISTS (SELECT 1 FROM events WHERE job = key AND at >= :before)
AND key <> (SELECT job FROM events ORDER BY seq DESC LIMIT 1)
AND key NOT IN (
    SELECT job FROM events WHERE event IN (:rendered, :render_failed)
    AND seq > (SELECT max(seq) FROM events) - :recent ORDER BY seq DESC LIMIT :renders
)
"""
_EVENTS = (
    'SELECT job, seq, run, at, event, "from", "to", detail FROM prunable '
    "JOIN events ON job = key ORDER BY job, seq"
)
_RUNS = (
    "FROM runs WHERE started_at < ? AND run < (SELECT max(run) FROM runs) AND run NOT IN "
    "(SELECT run FROM events WHERE run IS NOT NULL AND job NOT IN (SELECT key FROM prunable))"
)
_RUN_COLUMNS = ("run", "command", "version", "manifest", "started_at", "ended_at", "exit_code")


@dataclass(frozen=True, slots=True)
class Prunable:
    """What may go: the logs of so many jobs, their events, and the records of runs."""

    jobs: int
    events: int
    runs: int


def archive_of(state_file: Path, now: float) -> Path:
    """Where the logs of a state file go that are archived in this year."""
    year = datetime.fromtimestamp(now, UTC).year
    return state_file.with_name(f"{state_file.stem}-archive-{year}.jsonl")


def archives_of(state_file: Path) -> list[Path]:
    """The archives that there are beside a state file, the oldest first."""
    pattern = f"{glob.escape(state_file.stem)}-archive-[0-9][0-9][0-9][0-9].jsonl"
    return sorted(state_file.parent.glob(pattern))


def prunable(ledger: Ledger, before: float, renders: int) -> Prunable:
    """What may go of what ended before a moment; the newest `renders` stay. Changes nothing.

    Asked once of an open file: what was found is what `archive_logs` takes.
    """
    values = {
        "done": Status.DONE,
        "failed": Status.FAILED,
        "before": before,
        "rendered": Rendered.__name__,
        "render_failed": RenderFailed.__name__,
        "recent": RECENT,
        "renders": renders,
    }
    conn = ledger.connection
    with explained(ledger.path):
        conn.execute(_PRUNABLE, values)
        (jobs,) = conn.execute("SELECT count(*) FROM prunable").fetchone()
        (events,) = conn.execute(
            "SELECT count(*) FROM prunable JOIN events ON job = key"
        ).fetchone()
        (runs,) = conn.execute(f"SELECT count(*) {_RUNS}", [before]).fetchone()
    return Prunable(jobs, events, runs)


def archive_logs(ledger: Ledger, archive: Path, before: float, now: float) -> None:
    """Append what `prunable` found to the archive, sync it, and delete it from the state file.

    Raises `StateError` when the archive or the state file can't be written: nothing is deleted.
    """
    conn = ledger.connection
    with explained(archive):
        _append(archive, _lines(ledger, before, now))
    with explained(ledger.path), ledger.together():
        conn.execute("INSERT OR REPLACE INTO archived SELECT *, NULL FROM archiving")
        conn.execute("DELETE FROM events WHERE job IN (SELECT job FROM archiving)")
        conn.execute(f"DELETE {_RUNS}", [before])


def _lines(ledger: Ledger, before: float, now: float) -> Iterator[dict[str, Any]]:
    """What goes, a line a job and a line a run; notes what each log had led to on the way."""
    conn, origin = ledger.connection, ledger.origin()
    yield {
        "archive": 1,
        "at": now,
        "state_file": ledger.path.name,
        "provider": origin.provider if origin else "",
        "base_url": origin.base_url if origin else "",
    }
    conn.execute("CREATE TEMP TABLE archiving (job INTEGER, through INTEGER, digest TEXT)")
    names = ("seq", "run", "at", "event", "from", "to")
    for key, rows in groupby(conn.execute(_EVENTS), itemgetter(0)):
        events = [
            dict(zip(names, row[1:7], strict=True)) | {"detail": json.loads(row[7])} for row in rows
        ]
        job, through = ledger.job(key), events[-1]["seq"]
        conn.execute("INSERT INTO archiving VALUES (?, ?, ?)", (key, through, digest_of(job)))
        yield {"job": key, "through": through, "events": events, "state": state_of(job)}
    for run in conn.execute(f"SELECT {', '.join(_RUN_COLUMNS)} {_RUNS}", [before]):
        yield dict(zip(_RUN_COLUMNS, run, strict=True))


def _append(archive: Path, lines: Iterator[dict[str, Any]]) -> None:
    """Add lines to a file (mode 0600), on disk before this returns; all of them or none."""
    fd = os.open(archive, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
    try:
        size = os.fstat(fd).st_size
        torn = size and os.pread(fd, 1, size - 1) != b"\n"
        try:
            _write(fd, b"\n" if torn else b"")  # a line that was cut off stays alone
            for line in lines:
                _write(fd, json.dumps(line, ensure_ascii=False).encode() + b"\n")
            os.fsync(fd)
        except BaseException:
            os.ftruncate(fd, size)
            raise
    finally:
        os.close(fd)
    sync_folder(archive.absolute().parent)


def _write(fd: int, data: bytes) -> None:
    while data:
        data = data[os.write(fd, data) :]


def shrink(ledger: Ledger) -> str:
    """Give the space of what was deleted back to the disk; returns why not, or ""."""
    conn = ledger.connection
    with explained(ledger.path):
        pages, free, size = (
            conn.execute(f"PRAGMA {name}").fetchone()[0]
            for name in ("page_count", "freelist_count", "page_size")
        )
        needed = 2 * (pages - free) * size  # once beside the file, and once in its log of changes
        if shutil.disk_usage(ledger.path.absolute().parent).free < needed:
            return f"{needed >> 20} MiB of free disk are needed for it"
        try:
            conn.execute("VACUUM")
            conn.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        except sqlite3.OperationalError as error:
            return str(error)
    return ""
