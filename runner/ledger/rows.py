"""Rows to jobs and back: how the state file spells a job and an event."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from runner.events import (
    Edited,
    Event,
    Rendered,
    SubmitStarted,
)
from runner.jobs import Entry, Job, Problem, Status

COLUMNS = (
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
SELECT = f"SELECT key, {', '.join(COLUMNS)} FROM jobs"
INSERT = (
    f"INSERT INTO jobs ({', '.join(COLUMNS)}, position) VALUES ({', '.join('?' * len(COLUMNS))}, ?)"
)
UPDATE = (
    f"UPDATE jobs SET {', '.join(f'{name} = ?' for name in COLUMNS)} WHERE key = ? AND status = ?"
)


@dataclass(frozen=True, slots=True)
class PastEvent:
    """One line of the event log; `detail` holds the event's own fields."""

    job: int
    at: float
    event: str
    before: Status
    after: Status
    detail: Mapping[str, Any]


def planned_job(entry: Entry) -> Job:
    """The job that an entry begins as; its key is 0 until it has a row."""
    return Job(0, entry.id, entry.derived, entry.content, entry.body, entry.cost)


def values_of(job: Job) -> tuple[Any, ...]:
    """A job's values in the order of `COLUMNS`."""
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


def job_of(row: tuple[Any, ...]) -> Job:
    """The job of a row: its key, then the values of `COLUMNS`."""
    values = dict(zip(("key", *COLUMNS), row, strict=True))
    code, message, request_id = (
        values.pop(name) for name in ("error_code", "error_message", "error_request_id")
    )
    values["problem"] = None if code is None else Problem(code, message, request_id)
    values["body"] = json.loads(values["body"])
    values["status"] = Status(values["status"])
    return Job(**values)


def detail_of(event: Event) -> dict[str, Any]:
    """An event's own fields; a link keeps its address but not its signature."""
    fields: dict[str, Any] = {name: getattr(event, name) for name in event.__slots__}
    if isinstance(event, Rendered):
        fields["url"] = event.url.partition("?")[0]
    elif isinstance(event, (SubmitStarted, Edited)):
        fields["body"] = dict(event.body)
    elif problem := fields.get("problem"):
        fields["problem"] = asdict(problem)
    return fields
