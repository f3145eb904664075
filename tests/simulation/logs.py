"""The whole event log of a batch: what is in the state file, and what is in the archives."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from runner.jobs import Status
from runner.ledger import Ledger, PastEvent, archives_of


@dataclass(frozen=True, slots=True)
class Log:
    """Every event that is kept, oldest first, and the numbers that they have.

    `contradictions` are numbers under which archive and state file tell different things.
    """

    past: list[PastEvent]
    numbers: set[int]
    contradictions: list[str]


def whole_log(ledger: Ledger) -> Log:
    """Read the archives beside a state file, then what it still has itself."""
    found: dict[int, PastEvent] = {}
    wrong = []
    kept = 'SELECT seq, job, at, event, "from", "to", detail FROM events'
    told = [*_archived(archives_of(ledger.path))]
    told += [
        (seq, PastEvent(job, at, event, Status(before), Status(after), json.loads(detail)))
        for seq, job, at, event, before, after, detail in ledger.connection.execute(kept)
    ]
    for number, event in told:
        if found.setdefault(number, event) != event:
            wrong.append(f"event {number} is {event} and {found[number]}")
    return Log([found[number] for number in sorted(found)], set(found), wrong)


def _archived(archives: Iterable[Path]) -> Iterable[tuple[int, PastEvent]]:
    for archive in archives:
        for text in archive.read_bytes().split(b"\n"):
            try:
                line = json.loads(text)
            except ValueError:
                continue  # a line that a power cut took a part of
            for event in line.get("events", ()):
                yield event["seq"], _past(line["job"], event)


def _past(job: int, event: Mapping[str, Any]) -> PastEvent:
    before, after = Status(event["from"]), Status(event["to"])
    return PastEvent(job, event["at"], event["event"], before, after, event["detail"])
