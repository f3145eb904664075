"""The event log, played again: it must lead to exactly the rows that are there."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import fields, replace
from typing import Any

from runner import events, lifecycle
from runner.events import Event
from runner.jobs import Job, Problem, Status
from runner.ledger import PastEvent

_ENDS = {
    Status.DONE: {"Renamed", "Forgotten", "FileMissed"},
    Status.FAILED: {"Renamed", "Forgotten", "RetryOrdered", "Edited"},
}


def breaches(first: Mapping[int, Job], past: Iterable[PastEvent], rows: Iterable[Job]) -> list[str]:
    """Where the rows differ from what the log says, or the log from what may happen."""
    found = []
    present = dict(first)
    for line in past:
        if line.before in _ENDS and line.event not in _ENDS[line.before]:
            found.append(f"{line.event} happened to a job that is {line.before}")
        job = present.get(line.job)
        if job is None or job.status is not line.before:
            found.append(f"{line.event} of job {line.job} does not follow what came before")
            continue
        try:
            present[line.job] = lifecycle.apply(job, revived(line.event, line.detail), line.at)
        except lifecycle.IllegalTransitionError as error:
            found.append(str(error))
    for row in rows:
        told = present.get(row.key)
        if told is None:
            found.append(f"job {row.id} has no beginning")
        elif replace(told, url="") != replace(row, url=""):
            differing = [
                f"{field.name}: {getattr(told, field.name)!r} by the log, "
                f"{getattr(row, field.name)!r} in the row"
                for field in fields(Job)
                if field.name != "url" and getattr(told, field.name) != getattr(row, field.name)
            ]
            found.append(f"job {row.id} is not what its log says ({'; '.join(differing)})")
    return found


def revived(name: str, detail: Mapping[str, Any]) -> Event:
    """An event from its line in the log."""
    values = dict(detail)
    if "problem" in values:
        values["problem"] = Problem(**values["problem"])
    event: Event = getattr(events, name)(**values)
    return event
