"""What can happen to a job: frozen facts that decide nothing; `lifecycle` says where they lead."""

from __future__ import annotations

from dataclasses import dataclass

from runner.jobs import Body, Problem


@dataclass(frozen=True, slots=True)
class SubmitStarted:
    """The intent to pay, committed before the request leaves: for what, and at what cost."""

    body: Body
    cost: int | None


@dataclass(frozen=True, slots=True)
class Edited:
    """The manifest asks for something else now, and nothing paid for is at stake."""

    id: str
    derived: str
    body: Body
    cost: int | None


@dataclass(frozen=True, slots=True)
class Repriced:
    """The same content costs something else now; counts for what is still to be paid."""

    cost: int | None


@dataclass(frozen=True, slots=True)
class Renamed:
    """The manifest gives the same content another id."""

    id: str
    derived: str


@dataclass(frozen=True, slots=True)
class Accepted:
    """The provider took the task: it is charged, and this is its id."""

    task_id: str
    request_id: str = ""


@dataclass(frozen=True, slots=True)
class NotSent:
    """The request never reached the provider; nothing was charged."""

    problem: Problem


@dataclass(frozen=True, slots=True)
class Throttled:
    """The provider refused for now and charged nothing; `retry_after` in seconds if it said."""

    problem: Problem
    retry_after: float | None = None


@dataclass(frozen=True, slots=True)
class Unserved:
    """Nobody serves the model at the moment; nothing was charged."""

    problem: Problem


@dataclass(frozen=True, slots=True)
class Refused:
    """The provider refused this job for good; nothing was charged."""

    problem: Problem


@dataclass(frozen=True, slots=True)
class AccountRefused:
    """The provider refuses the account (key or credit), whatever the job; nothing was charged."""

    problem: Problem


@dataclass(frozen=True, slots=True)
class WrongAddress:
    """What answered is not the provider's API: a redirect, or a page; nothing was charged."""

    problem: Problem


@dataclass(frozen=True, slots=True)
class Lost:
    """The request left, and nobody can say whether it was charged."""

    problem: Problem


@dataclass(frozen=True, slots=True)
class StillRunning:
    """The task is on its way; `remote_status` is the provider's own word for where."""

    remote_status: str


@dataclass(frozen=True, slots=True)
class Invisible:
    """The provider does not know the id (yet, or any more)."""

    problem: Problem


@dataclass(frozen=True, slots=True)
class PollFailed:
    """The question got no usable answer; the task itself may be well."""

    problem: Problem
    retry_after: float | None = None


@dataclass(frozen=True, slots=True)
class Rendered:
    """The video is ready under this address.

    `pending` and `ready` are ages of the task in seconds: of the last answer that said it was not
    ready, and of this one. How long it took lies between them. 0 and 0 when nobody knows.
    """

    url: str
    pending: float = 0.0
    ready: float = 0.0


@dataclass(frozen=True, slots=True)
class RenderFailed:
    """The task ended without a video; `pending` and `ready` are those of `Rendered`."""

    problem: Problem
    pending: float = 0.0
    ready: float = 0.0


@dataclass(frozen=True, slots=True)
class GaveUp:
    """Waited as long as the manifest allows; the id is kept, a person decides."""

    problem: Problem


@dataclass(frozen=True, slots=True)
class Saved:
    """The whole video is on disk, checked and renamed into place.

    `sha256` and `size` are those of the file. `received` is the digest of what came, where the
    file was given metadata; `note` says why it was not, where it should have been.
    """

    output: str
    sha256: str
    size: int
    received: str = ""
    note: str = ""


@dataclass(frozen=True, slots=True)
class FetchFailed:
    """The download did not succeed; `local` when the fault is this machine's, not the host's."""

    problem: Problem
    retry_after: float | None = None
    local: bool = False


@dataclass(frozen=True, slots=True)
class LinkExpired:
    """The address no longer gives the video; a poll gives a fresh one."""

    problem: Problem


@dataclass(frozen=True, slots=True)
class FoundRemote:
    """Evidence, or a person's word, that the submission was accepted under this id.

    `since` is when its waiting began: the old time on evidence, now on a person's word.
    """

    task_id: str
    since: float


@dataclass(frozen=True, slots=True)
class Adopted:
    """A person's word that this task, made elsewhere, is the job's; it counts as paid."""

    task_id: str


@dataclass(frozen=True, slots=True)
class FileMissed:
    """The video of a finished job is gone from the disk; a person wants it fetched again."""

    problem: Problem


@dataclass(frozen=True, slots=True)
class ConfirmedUnpaid:
    """A person's word that the submission was never charged."""


@dataclass(frozen=True, slots=True)
class RiskAccepted:
    """The operator chose to submit again although the last attempt may have been charged."""


@dataclass(frozen=True, slots=True)
class Abandoned:
    """A person gave the uncertain submission up; it counts as paid."""


@dataclass(frozen=True, slots=True)
class RetryOrdered:
    """A person put a failed job back to be paid for again."""


@dataclass(frozen=True, slots=True)
class Forgotten:
    """A person wants to see no more of this job; what it cost, and its video, stay as they are."""


Event = (
    SubmitStarted
    | Edited
    | Repriced
    | Renamed
    | Accepted
    | NotSent
    | Throttled
    | Unserved
    | Refused
    | AccountRefused
    | WrongAddress
    | Lost
    | StillRunning
    | Invisible
    | PollFailed
    | Rendered
    | RenderFailed
    | GaveUp
    | Saved
    | FetchFailed
    | LinkExpired
    | FoundRemote
    | Adopted
    | FileMissed
    | ConfirmedUnpaid
    | RiskAccepted
    | Abandoned
    | RetryOrdered
    | Forgotten
)
