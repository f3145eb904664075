"""The logs of jobs read back: from the archives beside a state file, then from the file itself."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from runner.jobs import Status
from runner.ledger.pruning import archives_of
from runner.ledger.reading import Reader, explained
from runner.ledger.rows import PastEvent


@dataclass(frozen=True, slots=True)
class Log:
    """What happened to one job, oldest first; `whole` unless a part was archived and is gone."""

    events: tuple[PastEvent, ...]
    whole: bool = True


def logs_of(ledger: Reader, keys: Collection[int]) -> dict[int, Log]:
    """Job key -> its log, for each of these jobs.

    What is in archive and state file both, after a crash between the two, is told once.
    Raises `StateError` when one of the files can't be read.
    """
    found: dict[int, dict[int, PastEvent]] = {key: {} for key in keys}
    through = _archived(ledger, found)
    for archive in archives_of(ledger.path) if through else ():
        with explained(archive):
            for seq, event in _in_archive(archive, through):
                found[event.job][seq] = event
    whole = {key: last in found[key] for key, last in through.items()}
    kept = 'SELECT seq, job, at, event, "from", "to", detail FROM events WHERE job = ?'
    with explained(ledger.path):
        for key, log in found.items():
            for seq, job, at, event, before, after, detail in ledger.connection.execute(
                kept, [key]
            ):
                log[seq] = PastEvent(
                    job, at, event, Status(before), Status(after), json.loads(detail)
                )
    return {
        key: Log(tuple(log[seq] for seq in sorted(log)), whole.get(key, True))
        for key, log in found.items()
    }


def _archived(ledger: Reader, keys: Collection[int]) -> dict[int, int]:
    """Job key -> its last event in an archive, for those of these jobs that were archived."""
    with explained(ledger.path):
        rows = ledger.connection.execute("SELECT job, through FROM archived")
        return {job: last for job, last in rows if job in keys}


def _in_archive(archive: Path, through: Mapping[int, int]) -> Iterator[tuple[int, PastEvent]]:
    """Number and event of these jobs; what the state file doesn't know as archived is not its."""
    with archive.open("rb") as file:
        for text in file:
            line = _line(text)
            if line.get("through", 0) <= through.get(line.get("job", 0), -1):
                yield from ((each["seq"], _past(line["job"], each)) for each in line["events"])


def _line(text: bytes) -> dict[str, Any]:
    """A line as it was written; {} for one that a power cut took a part of."""
    try:
        line = json.loads(text)
    except ValueError:
        return {}
    return line if isinstance(line, dict) and "events" in line else {}


def _past(job: int, event: Mapping[str, Any]) -> PastEvent:
    before, after = Status(event["from"]), Status(event["to"])
    return PastEvent(job, event["at"], event["event"], before, after, event["detail"])
