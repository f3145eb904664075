"""The nouns of the runner, all frozen. They decide nothing and do nothing.

`Entry` (what was asked) -> `Job` (what we know) -> `Step` (what to do next)
-> `Event` (what happened) -> `Job`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import lru_cache
from json.encoder import encode_basestring as quoted
from typing import NamedTuple

Scalar = str | int | bool
Body = Mapping[str, Scalar]


def content_digest(body: Body) -> str:
    """Identify the paid content of a request: 32 hex digits over its canonical JSON.

    That is: names in order, no spaces, nothing escaped that need not be. It is written out here,
    because `json` would set up an encoder for each of a million bodies.
    """
    members = [
        label + (quoted(value) if isinstance(value := body[name], str) else _plain(value))
        for name, label in _labels(tuple(body))
    ]
    text = f"{{{','.join(members)}}}"
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:32]


@lru_cache(maxsize=1_000)
def _labels(names: tuple[str, ...]) -> tuple[tuple[str, str], ...]:
    """Names in canonical order, each with what stands before its value."""
    return tuple((name, f"{quoted(name)}:") for name in sorted(names))


def _plain(value: int) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


# ---------------------------------------------------------------- Entry


@dataclass(frozen=True, slots=True)
class Entry:
    """One job as the manifest asks for it.

    `body` is the request as it will be sent (wire names). `derived` is the id made from the
    image before it was numbered, or "" when the manifest gives an id itself. `cost` is what one
    paid attempt costs, in millionths of the manifest's currency unit, or None when unknown.
    `labels` are the table's columns that name its video, column -> text fit for a path; `facts`
    those that are told inside it, column -> text.
    """

    id: str
    derived: str
    body: Body
    content: str
    cost: int | None
    file: str
    line: int
    labels: Mapping[str, str] = field(default_factory=dict)
    facts: Mapping[str, str] = field(default_factory=dict)


class Asked(NamedTuple):
    """What an entry is recognised by: the light part of it."""

    id: str
    derived: str
    content: str
    cost: int | None


# ---------------------------------------------------------------- Job


class Status(StrEnum):
    """Where a job is on its way. Waiting and retrying are not statuses, only times."""

    PLANNED = "planned"
    SUBMITTING = "submitting"
    RUNNING = "running"
    RENDERED = "rendered"
    DONE = "done"
    FAILED = "failed"
    UNCERTAIN = "uncertain"


# Nothing more happens by itself; the logs of such jobs may be archived.
ENDED = frozenset({Status.DONE, Status.FAILED})

# Nothing that was paid for is at stake: what the manifest asks now simply counts.
FREE_TO_EDIT = frozenset({Status.PLANNED, Status.FAILED})


@dataclass(frozen=True, slots=True)
class Problem:
    """Why a job is where it is: a code, words for people, and the provider's request id."""

    code: str
    message: str
    request_id: str = ""


@dataclass(frozen=True, slots=True)
class Job:
    """One row of the state file. Times are seconds since 1970, costs millionths of a unit.

    `attempts` counts the paid submissions, those in doubt included; `spent` is their cost.
    `body` and `content` are those of the newest attempt. `since` is when the present task id
    began to be waited for; ages are counted from it. One that is `forgotten` is shown only while
    an entry of the manifest is recognised as it.
    """

    key: int
    id: str
    derived: str
    content: str
    body: Body
    cost: int | None = None
    status: Status = Status.PLANNED
    attempts: int = 0
    spent: int = 0
    task_id: str = ""
    remote_status: str = ""
    url: str = ""
    output: str = ""
    sha256: str = ""
    size: int = 0
    problem: Problem | None = None
    submitted_at: float = 0.0
    since: float = 0.0
    finished_at: float = 0.0
    forgotten: bool = False


class Identity(NamedTuple):
    """What a job is recognised by, and how it stands: the light part of its row.

    `position` is its place in the manifest when that was last read, or None.
    """

    key: int
    id: str
    derived: str
    content: str
    cost: int | None
    status: Status
    position: int | None
    forgotten: bool = False


# ---------------------------------------------------------------- Step


@dataclass(frozen=True, slots=True)
class Submit:
    """Buy the job's video. The only step that costs money."""

    job: Job


@dataclass(frozen=True, slots=True)
class Poll:
    """Ask how the job's task is, at the task details or at the compatibility feed."""

    job: Job
    feed: bool = False


@dataclass(frozen=True, slots=True)
class Fetch:
    """Bring the job's finished video home."""

    job: Job


Step = Submit | Poll | Fetch


# ---------------------------------------------------------------- Limits


@dataclass(frozen=True, slots=True)
class Rate:
    """At most `count` submits in any `seconds`."""

    count: int
    seconds: float


@dataclass(frozen=True, slots=True)
class Budget:
    """At most so many paid submissions, and so much for them in millionths; None for no limit."""

    tasks: int | None = None
    cost: int | None = None


@dataclass(frozen=True, slots=True)
class Limits:
    """What a run keeps to. Times in seconds, cost in millionths of a unit, None for no limit.

    With `auto`, how many tasks the provider takes at once is found out, and `concurrency` is
    only the ceiling. A run that would buy more than `confirm_above` needs somebody's consent. A day
    is one of UTC.
    """

    concurrency: int = 5
    auto: bool = False
    rate: Rate | None = None
    poll_interval: float = 5.0
    visibility_grace: float = 600.0
    task_timeout: float = 7200.0
    budget_tasks: int | None = None
    budget_cost: int | None = None
    per_day: Budget = Budget()
    per_run: Budget = Budget()
    confirm_above: Budget = Budget()
    resubmit_uncertain: bool = False


# ---------------------------------------------------------------- Spent


class Spent(NamedTuple):
    """Paid submissions and their cost in millionths, those in doubt included."""

    tasks: int = 0
    cost: int = 0


NOTHING = Spent()


# ---------------------------------------------------------------- Ending


class Stop(StrEnum):
    """Why a run ended."""

    FINISHED = "finished"
    PASS = "one pass done"
    BUDGET = "budget reached"
    DAY_BUDGET = "the day's budget is spent"
    RUN_BUDGET = "the most that one run may buy is bought"
    CHOSEN = "what was chosen is done"
    BREAKER = "too many failures of the same kind in a row"
    INTERRUPT = "interrupted"
    DEADLINE = "deadline reached"
    ADDRESS = "the base URL does not lead to the provider"
    ACCOUNT = "the provider refuses the account"
    DISK = "a video can't be written"
    IMAGES = "preflight lets nothing new be bought"
    OFFLINE = "preflight could look at no image, so nothing new was bought"


@dataclass(frozen=True, slots=True)
class Ending:
    """How a run ended, and the problem that ended it, if one did."""

    stop: Stop
    problem: Problem | None = None


@dataclass(frozen=True, slots=True)
class Tally:
    """What is under way and what was spent, over the whole state file.

    `at_provider` includes the submissions in doubt that may be running; `attempts` and `spent`
    include all that are in doubt: those stay reserved. `submitting` are the requests in the air,
    `allowed` is how many may be at the provider. `run` is what this run alone bought, `today`
    what all runs bought in this day of UTC.
    """

    at_provider: int = 0
    submitting: int = 0
    waiting_downloads: int = 0
    attempts: int = 0
    spent: int = 0
    allowed: int = 0
    run: Spent = NOTHING
    today: Spent = NOTHING
