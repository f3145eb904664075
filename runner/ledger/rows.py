"""Rows to jobs and back: how the state file spells a job and an event."""

from __future__ import annotations

import hashlib
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
    "forgotten",
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
        job.forgotten,
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
    values["forgotten"] = bool(values["forgotten"])
    return Job(**values)


def state_of(job: Job) -> dict[str, Any]:
    """What a log has led to, for an archive: the fields that say anything, without the link."""
    blank = Job(job.key, "", "", "", {})
    names = (name for name in Job.__slots__ if name not in {"key", "url"})
    state = {name: getattr(job, name) for name in names}
    state = {name: value for name, value in state.items() if value != getattr(blank, name)}
    if job.problem:
        state["problem"] = asdict(job.problem)
    return state | {"body": dict(job.body)}


def job_of_state(key: int, state: Mapping[str, Any]) -> Job:
    """The job that an archived log led to."""
    values = {"id": "", "derived": "", "content": "", **state}
    if "problem" in state:
        values["problem"] = Problem(**state["problem"])
    values["status"] = Status(state.get("status", Status.PLANNED))
    return Job(key, **values)


def digest_of(job: Job) -> str:
    """What tells whether a job is still what its archived log led to: 32 hex digits."""
    text = json.dumps(state_of(job), sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:32]


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
