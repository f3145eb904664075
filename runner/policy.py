"""Every decision of the runner, as pure functions: no clock, no random, no IO.

`now` (seconds since 1970) and `chance` (a random number in 0..1) come in as arguments.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from runner.events import (
    Accepted,
    AccountRefused,
    Event,
    FetchFailed,
    FoundRemote,
    GaveUp,
    Invisible,
    LinkExpired,
    Lost,
    NotSent,
    PollFailed,
    Refused,
    Rendered,
    RenderFailed,
    StillRunning,
    Throttled,
    Unserved,
)
from runner.jobs import (
    Budget,
    Fetch,
    Job,
    Limits,
    Poll,
    Problem,
    Spent,
    Status,
    Step,
    Stop,
    Submit,
    Tally,
)

AT_PROVIDER = frozenset({Status.SUBMITTING, Status.RUNNING})
ON_THE_WAY = frozenset({Status.PLANNED, Status.RUNNING, Status.RENDERED})

BACKOFF_CAP = 30.0  # seconds
RETRY_AFTER_CAP = 3600.0  # seconds, whatever the provider asks for
UNSERVED_TRIES = 3
FORBIDDEN_TRIES = 3
NO_VIDEO_TRIES = 10
LATE_TRIES = 5
LINK_TRIES = 3
FETCH_TRIES = 10
RESUBMIT_ATTEMPTS = 3
SUBMITS_AT_ONCE = 32
DAY = 86_400  # seconds


def next_step(job: Job, streak: Streak) -> Step | None:
    """What to do next for a job, or None when it waits for a person or is at its end."""
    match job.status:
        case Status.PLANNED:
            return Submit(job)
        case Status.RUNNING | Status.UNCERTAIN if job.task_id:
            return Poll(job, feed=streak.feed)
        case Status.RENDERED:
            return Fetch(job)
        case _:
            return None


# ---------------------------------------------------------------- what a run remembers of a job


@dataclass(frozen=True, slots=True)
class Streak:
    """What one run remembers of a job between two steps; it is not kept in the job's row.

    `failures` counts polls in a row without a usable answer, `fetches` the failed downloads,
    `unserved` the refusals for want of a model. `seen` is when the provider last knew the task.
    `feed` says which source the next poll asks.
    """

    failures: int = 0
    fetches: int = 0
    unserved: int = 0
    seen: float = 0.0
    feed: bool = False


UNTRIED = Streak()


def remember(streak: Streak, event: Event, now: float) -> Streak:
    """The streak after an event. A source that gave nothing is left for the other one."""
    match event:
        case StillRunning() | Rendered():
            return replace(streak, failures=0, seen=now)
        case PollFailed():
            return replace(streak, failures=streak.failures + 1, feed=not streak.feed)
        case Invisible():
            return replace(streak, failures=0, feed=not streak.feed)
        case FetchFailed() | LinkExpired():
            return replace(streak, fetches=streak.fetches + 1)
        case Unserved():
            return replace(streak, unserved=streak.unserved + 1)
        case _:
            return streak


def judge(  # noqa: PLR0911 - one return an event
    job: Job, event: Event, streak: Streak, limits: Limits, now: float
) -> Event:
    """What an answer amounts to after all that came before it.

    Patience ends here: an id unknown for longer than the grace, a task older than the time-out,
    a model that nobody serves, a key that is refused again and again, a finished task
    without a video, a link that keeps failing.
    A time-out is only ever concluded from fresh answers, so a machine that slept asks first, and
    a provider that can't be reached is waited for.
    """
    match event:
        case Rendered() | RenderFailed() if job.submitted_at and not (streak.fetches or job.output):
            pending = max(0.0, streak.seen - job.since)
            return replace(event, pending=pending, ready=max(pending, now - job.since))
        case Invisible(problem=problem):
            unseen = now - max(job.since, streak.seen)
            return GaveUp(problem) if unseen >= limits.visibility_grace else event
        case StillRunning(remote_status=word):
            problem = Problem("timeout", f"still {word or 'running'} after task_timeout")
            return GaveUp(problem) if now - job.since >= limits.task_timeout else event
        case Unserved(problem=problem) if streak.unserved + 1 >= UNSERVED_TRIES:
            return Refused(problem)
        case PollFailed(problem=Problem(code="forbidden") as problem):
            tries = streak.failures + 1
            return AccountRefused(problem) if tries >= FORBIDDEN_TRIES else event
        case PollFailed(problem=Problem(code="no_video") as problem):
            return GaveUp(problem) if streak.failures + 1 >= NO_VIDEO_TRIES else event
        case PollFailed(problem=Problem(code=code) as problem) if code != "no_answer":
            late = now - job.since >= limits.task_timeout
            return GaveUp(problem) if late and streak.failures + 1 >= LATE_TRIES else event
        case FetchFailed(problem=problem, local=False):
            return LinkExpired(problem) if (streak.fetches + 1) % LINK_TRIES == 0 else event
        case _:
            return event


def evidence(job: Job, answer: Event, limits: Limits, now: float) -> FoundRemote | None:
    """What a fresh answer says of an uncertain job whose id is known: it is there, or None."""
    match answer:
        case Rendered() | RenderFailed():
            return FoundRemote(job.task_id, job.since)
        case StillRunning() if now - job.since < limits.task_timeout:
            return FoundRemote(job.task_id, job.since)
        case _:
            return None


def may_resubmit(job: Job, limits: Limits) -> bool:
    """Whether an uncertain job is bought again unasked: only by choice, without id, a few times."""
    return (
        limits.resubmit_uncertain
        and job.status is Status.UNCERTAIN
        and not job.task_id
        and job.attempts < RESUBMIT_ATTEMPTS
    )


def set_aside(streak: Streak) -> bool:
    """Whether a job has failed so often to come home that it is left for the next run."""
    return streak.fetches >= FETCH_TRIES


def abandoned(job: Job, streak: Streak) -> GaveUp | None:
    """What becomes of a job whose every address may not be asked: a person's case, or None."""
    hopeless = job.problem is not None and job.problem.code == "unsafe_url"
    if job.status is Status.RUNNING and hopeless and set_aside(streak):
        return GaveUp(job.problem or Problem("unsafe_url", ""))
    return None


def is_noteworthy(before: Job, event: Event) -> bool:
    """Whether an event belongs in the state file; a poll that says nothing new does not."""
    match event:
        case StillRunning(remote_status=word):
            return word != before.remote_status or before.problem is not None
        case Invisible(problem=problem) | PollFailed(problem=problem):
            return before.problem is None or before.problem.code != problem.code
        case _:
            return True


def is_nothing_new(job: Job, event: Event, streak: Streak, limits: Limits, now: float) -> bool:
    """Whether an answer only says what is known: the most usual one, so it is asked for first.

    Then `judge` would leave it as it is, no trouble ends or begins, and of what is remembered
    only `seen` changes.
    """
    return (
        isinstance(event, StillRunning)
        and job.status is Status.RUNNING
        and not is_noteworthy(job, event)
        and not (streak.failures or streak.fetches)
        and now - job.since < limits.task_timeout
    )


# ---------------------------------------------------------------- when


def backoff(failures: int, chance: float) -> float:
    """Seconds to wait after that many failures in a row: 1, 2, 4 ... 30, plus 0..1 of jitter."""
    return min(BACKOFF_CAP, 2.0 ** min(max(failures, 1) - 1, 10)) + chance


def delay(event: Event, streak: Streak, interval: float, chance: float) -> float:
    """Seconds until the job's next step; the streak is the one after the event.

    `interval` is how long a task that is well is left alone now.
    """
    match event:
        case Accepted() | StillRunning() | Invisible():
            return interval
        case PollFailed(retry_after=retry_after):
            return max(interval, backoff(streak.failures, chance), _asked(retry_after))
        case LinkExpired():
            patience = backoff(streak.fetches - 1, chance) if streak.fetches > 1 else 0.0
            return max(interval, patience)
        case FetchFailed(retry_after=retry_after):
            return max(backoff(streak.fetches, chance), _asked(retry_after))
        case _:
            return 0.0


def pause(event: Event, refusals: int, chance: float) -> float:
    """Seconds for which nothing is submitted after that many refused submits in a row."""
    match event:
        case Throttled(retry_after=float(asked)):
            return max(_asked(asked), backoff(refusals, chance))
        case Throttled() | NotSent() | Unserved() | Lost():
            return backoff(refusals, chance)
        case _:
            return 0.0


def _asked(retry_after: float | None) -> float:
    return min(retry_after or 0.0, RETRY_AFTER_CAP)


# ---------------------------------------------------------------- admission to the provider


def over_budget(job: Job, tally: Tally, limits: Limits) -> Stop | None:
    """Which budget one more paid attempt of this job would break, if any; the widest first."""
    in_all = Budget(limits.budget_tasks, limits.budget_cost)
    if not _covers(in_all, Spent(tally.attempts, tally.spent), job.cost):
        return Stop.BUDGET
    if not _covers(limits.per_day, tally.today, job.cost):
        return Stop.DAY_BUDGET
    if not _covers(limits.per_run, tally.run, job.cost):
        return Stop.RUN_BUDGET
    return None


def _covers(budget: Budget, spent: Spent, cost: int | None) -> bool:
    """Whether a budget covers one more task; of unknown cost it never covers one."""
    if budget.tasks is not None and spent.tasks + 1 > budget.tasks:
        return False
    return budget.cost is None or (cost is not None and spent.cost + cost <= budget.cost)


def day_of(now: float) -> int:
    """The day of UTC that a moment belongs to, counted from 1970: what a daily budget is for."""
    return int(now // DAY)


def needs_consent(planned: Spent, limits: Limits) -> bool:
    """Whether a run that would spend so much asks somebody first; with no cost known, by tasks."""
    above = limits.confirm_above
    many = above.tasks is not None and planned.tasks > above.tasks
    return many or (above.cost is not None and planned.cost > above.cost)


def in_doubt_for(job: Job, limits: Limits, now: float) -> float:
    """Seconds for which an uncertain submission still counts as a task at the provider.

    Nobody knows whether it runs, so it keeps its slot for as long as a fresh task may be unknown.
    """
    if job.status is not Status.UNCERTAIN or job.task_id:
        return 0.0
    return min(limits.visibility_grace, job.since + limits.visibility_grace - now)


def room(tally: Tally, allowed: int, at_once: int = SUBMITS_AT_ONCE) -> int:
    """How many more tasks may be submitted at this moment, 0 or more.

    So many that no more than `allowed` are at the provider, that their videos can be fetched in
    time, and that no more than `at_once` submits are in the air.
    """
    if tally.waiting_downloads >= max(64, 4 * allowed):
        return 0
    in_the_air = min(at_once, SUBMITS_AT_ONCE)
    return max(0, min(allowed - tally.at_provider, in_the_air - tally.submitting))
