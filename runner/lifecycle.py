"""The life of a job: which event may happen in which status, and the job that it leads to. Pure."""

from __future__ import annotations

from dataclasses import replace

from runner.events import (
    Abandoned,
    Accepted,
    AccountRefused,
    Adopted,
    ConfirmedUnpaid,
    Edited,
    Event,
    FetchFailed,
    FileMissed,
    Forgotten,
    FoundRemote,
    GaveUp,
    Invisible,
    LinkExpired,
    Lost,
    NotSent,
    PollFailed,
    Refused,
    Renamed,
    Rendered,
    RenderFailed,
    Repriced,
    RetryOrdered,
    RiskAccepted,
    Saved,
    StillRunning,
    SubmitStarted,
    Throttled,
    Unserved,
    WrongAddress,
)
from runner.jobs import (
    Job,
    Status,
    content_digest,
)

# Nothing is on its way and nothing in doubt: such a job may be forgotten.
SETTLED = frozenset({Status.PLANNED, Status.DONE, Status.FAILED})

TRANSITIONS: dict[tuple[Status, type[Event]], Status] = {
    (Status.PLANNED, SubmitStarted): Status.SUBMITTING,
    (Status.PLANNED, Refused): Status.FAILED,
    (Status.PLANNED, Edited): Status.PLANNED,
    (Status.PLANNED, Repriced): Status.PLANNED,
    (Status.PLANNED, Adopted): Status.RUNNING,
    (Status.FAILED, Repriced): Status.FAILED,
    (Status.SUBMITTING, Accepted): Status.RUNNING,
    (Status.SUBMITTING, NotSent): Status.PLANNED,
    (Status.SUBMITTING, Throttled): Status.PLANNED,
    (Status.SUBMITTING, Unserved): Status.PLANNED,
    (Status.SUBMITTING, AccountRefused): Status.PLANNED,
    (Status.SUBMITTING, WrongAddress): Status.PLANNED,
    (Status.SUBMITTING, Refused): Status.FAILED,
    (Status.SUBMITTING, Lost): Status.UNCERTAIN,
    (Status.RUNNING, StillRunning): Status.RUNNING,
    (Status.RUNNING, Invisible): Status.RUNNING,
    (Status.RUNNING, PollFailed): Status.RUNNING,
    (Status.RUNNING, AccountRefused): Status.RUNNING,
    (Status.RUNNING, Rendered): Status.RENDERED,
    (Status.RUNNING, RenderFailed): Status.FAILED,
    (Status.RUNNING, GaveUp): Status.UNCERTAIN,
    (Status.RENDERED, Saved): Status.DONE,
    (Status.RENDERED, FetchFailed): Status.RENDERED,
    (Status.RENDERED, LinkExpired): Status.RUNNING,
    (Status.DONE, FileMissed): Status.RUNNING,
    (Status.UNCERTAIN, FoundRemote): Status.RUNNING,
    (Status.UNCERTAIN, ConfirmedUnpaid): Status.PLANNED,
    (Status.UNCERTAIN, RiskAccepted): Status.PLANNED,
    (Status.UNCERTAIN, Abandoned): Status.FAILED,
    (Status.FAILED, RetryOrdered): Status.PLANNED,
    (Status.FAILED, Edited): Status.PLANNED,
    **{(status, Renamed): status for status in Status},
    **{(status, Forgotten): status for status in SETTLED},
}

# From no other status does an event spend money or give it back.
PAYABLE = frozenset({Status.PLANNED, Status.SUBMITTING, Status.UNCERTAIN})


# They stand for no charge and for no doubt of one. What is not named here is taken for one.
FREE = (
    SubmitStarted,
    NotSent,
    Throttled,
    Unserved,
    Refused,
    AccountRefused,
    WrongAddress,
    Edited,
    Repriced,
    Renamed,
)


class IllegalTransitionError(ValueError):
    """An event that can't happen to a job in this status: a defect, never an operator's error."""


def apply(job: Job, event: Event, now: float) -> Job:  # noqa: PLR0911, PLR0912 - one case an event
    """The job after the event. Raises `IllegalTransitionError` for a pair not in the table."""
    try:
        status = TRANSITIONS[job.status, type(event)]
    except KeyError:
        message = f"{type(event).__name__} can't happen to a job that is {job.status}"
        raise IllegalTransitionError(message) from None
    match event:
        case SubmitStarted(body=body, cost=cost):
            return replace(
                job,
                status=status,
                body=body,
                content=content_digest(body),
                cost=cost,
                attempts=job.attempts + 1,
                spent=job.spent + (cost or 0),
                task_id="",
                remote_status="",
                url="",
                problem=None,
                submitted_at=now,
                since=now,
                finished_at=0.0,
                forgotten=False,
            )
        case Adopted(task_id=task_id):  # when it was submitted nobody here knows
            return replace(
                job,
                status=status,
                attempts=job.attempts + 1,
                spent=job.spent + (job.cost or 0),
                task_id=task_id,
                remote_status="",
                problem=None,
                submitted_at=0.0,
                since=now,
                forgotten=False,
            )
        case Accepted(task_id=task_id):
            return replace(job, status=status, task_id=task_id, since=now)
        case NotSent() | Throttled() | Unserved() | AccountRefused() | WrongAddress():
            unpaid = job if job.status is Status.RUNNING else _refunded(job)
            return replace(unpaid, status=status, problem=event.problem)
        case ConfirmedUnpaid():
            return replace(_refunded(job), status=status, problem=None)
        case Refused(problem=problem):
            unpaid = _refunded(job) if job.status is Status.SUBMITTING else job
            return replace(unpaid, status=status, problem=problem, finished_at=now)
        case RenderFailed(problem=problem):
            return replace(job, status=status, problem=problem, finished_at=now)
        case Lost() | GaveUp() | Invisible() | PollFailed() | FetchFailed():
            return replace(job, status=status, problem=event.problem)
        case LinkExpired(problem=problem):
            return replace(job, status=status, url="", problem=problem)
        case StillRunning(remote_status=remote_status):
            return replace(job, status=status, remote_status=remote_status, problem=None)
        case Rendered(url=url):
            return replace(job, status=status, url=url)
        case Saved(output=output, sha256=sha256, size=size):
            return replace(
                job,
                status=status,
                output=output,
                sha256=sha256,
                size=size,
                url="",
                problem=None,
                finished_at=now,
            )
        case FoundRemote(task_id=task_id, since=since):
            return replace(job, status=status, task_id=task_id, since=since, problem=None)
        case FileMissed(problem=problem):
            return replace(
                job, status=status, problem=problem, since=now, finished_at=0.0, forgotten=False
            )
        case Abandoned() | RiskAccepted():
            finished = now if isinstance(event, Abandoned) else 0.0
            return replace(job, status=status, finished_at=finished)
        case RetryOrdered():
            return replace(job, status=status, problem=None, finished_at=0.0, forgotten=False)
        case Edited(id=id, derived=derived, body=body, cost=cost):
            return replace(
                job,
                status=status,
                id=id,
                derived=derived,
                body=body,
                content=content_digest(body),
                cost=cost,
                problem=None,
                finished_at=0.0,
                forgotten=False,
            )
        case Repriced(cost=cost):
            return replace(job, cost=cost)
        case Renamed(id=id, derived=derived):
            return replace(job, id=id, derived=derived)
        case Forgotten():
            return replace(job, forgotten=True)


def _refunded(job: Job) -> Job:
    return replace(job, attempts=job.attempts - 1, spent=job.spent - (job.cost or 0))
