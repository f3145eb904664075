"""The decisions: which event may follow which status, what it amounts to, and when."""

from __future__ import annotations

from dataclasses import replace
from itertools import product
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner import breaker, lifecycle, pace, policy
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
from runner.jobs import Fetch, Job, Limits, Poll, Problem, Status, Submit, Tally
from runner.policy import Streak
from runner.sheet.chronicle import chronicles

PROBLEM = Problem("code", "words", "request-1")
BODY = {"promptImage": "https://a.example/x.jpg", "model": "gen3a_turbo"}

ONE_OF_EACH: list[Event] = [
    SubmitStarted(BODY, 5),
    Edited("new", "", BODY, 7),
    Renamed("new", ""),
    Repriced(9),
    Accepted("task-1"),
    NotSent(PROBLEM),
    Throttled(PROBLEM),
    Unserved(PROBLEM),
    Refused(PROBLEM),
    AccountRefused(PROBLEM),
    WrongAddress(PROBLEM),
    Lost(PROBLEM),
    StillRunning("RUNNING"),
    Invisible(PROBLEM),
    PollFailed(PROBLEM),
    Rendered("https://films.example/x.mp4"),
    RenderFailed(PROBLEM),
    GaveUp(PROBLEM),
    Saved("out/x.mp4", "ab", 3),
    FetchFailed(PROBLEM),
    LinkExpired(PROBLEM),
    FoundRemote("task-2", 4.0),
    Adopted("task-3"),
    FileMissed(PROBLEM),
    ConfirmedUnpaid(),
    RiskAccepted(),
    Abandoned(),
    RetryOrdered(),
    Forgotten(),
]

# Written out by hand from the design, not derived from the table under test.
LEGAL = {
    Status.PLANNED: "SubmitStarted>submitting Refused>failed Edited>planned Renamed>planned "
    "Repriced>planned Adopted>running Forgotten>planned",
    Status.SUBMITTING: "Accepted>running NotSent>planned Throttled>planned Unserved>planned "
    "AccountRefused>planned WrongAddress>planned Refused>failed Lost>uncertain Renamed>submitting",
    Status.RUNNING: "StillRunning>running Invisible>running PollFailed>running "
    "AccountRefused>running Rendered>rendered RenderFailed>failed GaveUp>uncertain "
    "Renamed>running",
    Status.RENDERED: "Saved>done FetchFailed>rendered LinkExpired>running Renamed>rendered",
    Status.DONE: "FileMissed>running Renamed>done Forgotten>done",
    Status.FAILED: "RetryOrdered>planned Edited>planned Renamed>failed Repriced>failed "
    "Forgotten>failed",
    Status.UNCERTAIN: "FoundRemote>running ConfirmedUnpaid>planned RiskAccepted>planned "
    "Abandoned>failed Renamed>uncertain",
}


def job(status: Status = Status.PLANNED, **changes: object) -> Job:
    """A job in some status, paid for once if its status says so."""
    paid = status not in {Status.PLANNED, Status.FAILED}
    values: dict[str, object] = {
        "status": status,
        "attempts": int(paid),
        "spent": 5 * paid,
        "cost": 5,
        "task_id": "task-1" if status in {Status.RUNNING, Status.RENDERED} else "",
        **changes,
    }
    return Job(1, "lamp", "", "digest", BODY, **values)  # type: ignore[arg-type]


def test_one_of_each_event_is_tried() -> None:
    """No event is forgotten in this file."""
    assert {type(event) for event in ONE_OF_EACH} == set(get_args(Event))


@pytest.mark.parametrize(
    ("status", "event"),
    list(product(Status, ONE_OF_EACH)),
    ids=lambda value: value if isinstance(value, str) else type(value).__name__,
)
def test_every_pair_of_status_and_event(status: Status, event: Event) -> None:
    """Each pair leads where the design says, or raises and changes nothing."""
    legal = dict(pair.split(">") for pair in LEGAL[status].split())
    before = job(status)
    name = type(event).__name__
    if name in legal:
        assert lifecycle.apply(before, event, 9.0).status == legal[name]
    else:
        with pytest.raises(lifecycle.IllegalTransitionError):
            lifecycle.apply(before, event, 9.0)


@pytest.mark.parametrize(
    "event",
    [
        NotSent(PROBLEM),
        Throttled(PROBLEM),
        Unserved(PROBLEM),
        Refused(PROBLEM),
        AccountRefused(PROBLEM),
    ],
    ids=lambda event: type(event).__name__,
)
def test_what_was_not_charged_is_not_counted(event: Event) -> None:
    """A submit that the provider did not charge gives its attempt and cost back."""
    started = lifecycle.apply(job(), SubmitStarted(BODY, 5), 1.0)
    assert (started.attempts, started.spent) == (1, 5)
    ended = lifecycle.apply(started, event, 2.0)
    assert (ended.attempts, ended.spent) == (0, 0)


@pytest.mark.parametrize("event", [Lost(PROBLEM), Accepted("task-1")])
def test_what_may_have_been_charged_stays_counted(event: Event) -> None:
    """Accepted or in doubt, the attempt and its cost are reserved."""
    started = lifecycle.apply(job(), SubmitStarted(BODY, 5), 1.0)
    ended = lifecycle.apply(started, event, 2.0)
    assert (ended.attempts, ended.spent) == (1, 5)


def test_a_persons_word_releases_the_reservation() -> None:
    """Confirmed as unpaid, an uncertain job costs nothing; given up, it counts as paid."""
    doubtful = job(Status.UNCERTAIN)
    assert lifecycle.apply(doubtful, ConfirmedUnpaid(), 2.0).attempts == 0
    assert lifecycle.apply(doubtful, Abandoned(), 2.0).attempts == 1
    assert lifecycle.apply(doubtful, RiskAccepted(), 2.0).attempts == 1


def test_what_comes_next() -> None:
    """Each status has one next step, and the statuses for people have none."""
    steps = {status: policy.next_step(job(status), Streak()) for status in Status}
    assert isinstance(steps[Status.PLANNED], Submit)
    assert isinstance(steps[Status.RUNNING], Poll)
    assert isinstance(steps[Status.RENDERED], Fetch)
    for status in (Status.SUBMITTING, Status.DONE, Status.FAILED, Status.UNCERTAIN):
        assert steps[status] is None


LIMITS = Limits(visibility_grace=600, task_timeout=7200)


def running(since: float = 1000.0) -> Job:
    """A job that has been running since then."""
    return job(Status.RUNNING, since=since)


@pytest.mark.parametrize(
    ("now", "seen", "gives_up"),
    [(1599, 0, False), (1600, 0, True), (1600, 1500, False), (2100, 1500, True)],
)
def test_an_unknown_id_is_waited_for(now: float, seen: float, gives_up: bool) -> None:
    """The grace counts from when the id was given, or last known to the provider."""
    event = policy.judge(running(), Invisible(PROBLEM), Streak(seen=seen), LIMITS, now)
    assert isinstance(event, GaveUp) is gives_up


@pytest.mark.parametrize(("now", "gives_up"), [(8199, False), (8200, True)])
def test_a_slow_task_is_given_up_on_a_fresh_answer_only(now: float, gives_up: bool) -> None:
    """After the time-out a task that still runs is a person's; a failed poll says nothing."""
    answer = policy.judge(running(), StillRunning("RUNNING"), Streak(), LIMITS, now)
    assert isinstance(answer, GaveUp) is gives_up
    no_answer = policy.judge(running(), PollFailed(PROBLEM), Streak(), LIMITS, now)
    assert isinstance(no_answer, PollFailed)


def test_a_clock_set_back_gives_nothing_up() -> None:
    """A time before the submit is no reason to lose patience."""
    for event in (StillRunning("RUNNING"), Invisible(PROBLEM)):
        assert policy.judge(running(), event, Streak(), LIMITS, 0.0) is event


def test_patience_has_numbers() -> None:
    """An unserved model, a forbidden poll and a missing video end after a few tries."""
    unserved = Unserved(PROBLEM)
    submitting = job(Status.SUBMITTING)
    assert policy.judge(submitting, unserved, Streak(unserved=1), LIMITS, 0) is unserved
    assert isinstance(policy.judge(submitting, unserved, Streak(unserved=2), LIMITS, 0), Refused)
    forbidden = PollFailed(Problem("forbidden", ""))
    assert policy.judge(running(), forbidden, Streak(failures=1), LIMITS, 0) is forbidden
    judged = policy.judge(running(), forbidden, Streak(failures=2), LIMITS, 0)
    assert isinstance(judged, AccountRefused)
    empty = PollFailed(Problem("no_video", ""))
    assert policy.judge(running(), empty, Streak(failures=8), LIMITS, 0) is empty
    assert isinstance(policy.judge(running(), empty, Streak(failures=9), LIMITS, 0), GaveUp)


def test_a_failing_source_is_left_for_the_other() -> None:
    """After a poll without a usable answer the other source is asked."""
    streak = policy.remember(Streak(), PollFailed(PROBLEM), 0)
    assert streak.feed
    assert policy.remember(streak, StillRunning("RUNNING"), 0).feed
    assert not policy.remember(streak, PollFailed(PROBLEM), 0).feed


def test_evidence_frees_an_uncertain_job() -> None:
    """A finished task, or one still in time, is found; a slow or unknown one stays uncertain."""
    doubtful = job(Status.UNCERTAIN, task_id="task-1", since=1000.0)
    for answer in (Rendered("https://x"), RenderFailed(PROBLEM)):
        found = policy.evidence(doubtful, answer, LIMITS, 99_999)
        assert found == FoundRemote("task-1", 1000.0)
    assert policy.evidence(doubtful, StillRunning("RUNNING"), LIMITS, 8199)
    assert policy.evidence(doubtful, StillRunning("RUNNING"), LIMITS, 8200) is None
    assert policy.evidence(doubtful, Invisible(PROBLEM), LIMITS, 1001) is None


def test_a_render_knows_between_which_ages_it_became_ready() -> None:
    """From the last answer that said it was not, to this one; never backwards in time.

    Of a task that was made elsewhere, nobody knows the age.
    """
    task = job(Status.RUNNING, task_id="task-1", submitted_at=999.0, since=1000.0)
    adopted = replace(task, submitted_at=0.0)
    assert policy.judge(adopted, Rendered("x"), Streak(), LIMITS, 1045.0) == Rendered("x")
    ready = Rendered("https://x")
    for seen, now, ages in ((1040.0, 1045.0, (40, 45)), (0.0, 1045.0, (0, 45)), (0.0, 990, (0, 0))):
        judged = policy.judge(task, ready, Streak(seen=seen), LIMITS, now)
        assert judged == Rendered("https://x", *ages)


@given(
    st.sampled_from(["RUNNING", "RUNNING", "PENDING"]),
    st.sampled_from([None, None, PROBLEM]),
    st.builds(Streak, *(st.sampled_from([0, 0, 0, 1, 12]),) * 3, st.floats(0, 99), st.booleans()),
    st.floats(100, 2 * LIMITS.task_timeout),
)
def test_nothing_new_leads_to_nothing(
    word: str, problem: Problem | None, streak: Streak, now: float
) -> None:
    """What an answer that says nothing new is spared would have changed nothing."""
    event = StillRunning("RUNNING")
    job = replace(running(), remote_status=word, problem=problem)
    if not policy.is_nothing_new(job, event, streak, LIMITS, now):
        return
    after = policy.remember(streak, event, now)
    assert policy.judge(job, event, streak, LIMITS, now) is event
    assert not policy.is_noteworthy(job, event)
    assert after == replace(streak, seen=now)
    assert breaker.count_trouble({"lost": 2, "failed": 3}, event) == {"lost": 2, "failed": 3}
    assert policy.abandoned(job, after) is None
    assert not policy.set_aside(after)


@pytest.mark.parametrize("event", ONE_OF_EACH, ids=lambda event: type(event).__name__)
@pytest.mark.parametrize("status", Status)
def test_only_a_running_task_can_say_nothing_new(event: Event, status: Status) -> None:
    """Every other answer is heeded, and so is any answer about a job in doubt."""
    usual = isinstance(event, StillRunning) and status is Status.RUNNING
    job = replace(running(), status=status, remote_status="RUNNING")
    assert policy.is_nothing_new(job, event, Streak(), LIMITS, job.since) == usual


def test_the_usual_answer_says_nothing_new() -> None:
    """A task that runs on, as it did."""
    job = replace(running(), remote_status="RUNNING")
    assert policy.is_nothing_new(job, StillRunning("RUNNING"), Streak(), LIMITS, job.since + 1)
    assert not policy.is_nothing_new(job, StillRunning("PENDING"), Streak(), LIMITS, job.since + 1)


@given(st.integers(-5, 50), st.integers(0, 50), st.integers(0, 300), st.integers(1, 100))
def test_room_keeps_to_every_limit(free: int, flying: int, backlog: int, allowed: int) -> None:
    """What is started now exceeds neither the level, nor the connections, nor the downloads."""
    room = policy.room(Tally(max(0, allowed - free), flying, backlog), allowed)
    assert 0 <= room <= max(0, free)
    assert room + min(flying, policy.SUBMITS_AT_ONCE) <= policy.SUBMITS_AT_ONCE
    assert room == 0 or backlog < max(64, 4 * allowed)


@given(st.integers(0, 10_000), st.floats(0, 1))
def test_backoff_grows_to_its_cap(failures: int, chance: float) -> None:
    """Waits never shrink with more failures, and end at 30 seconds plus jitter."""
    wait = policy.backoff(failures, chance)
    assert 0 < wait <= policy.BACKOFF_CAP + 1
    assert policy.backoff(failures + 1, chance) >= wait


@given(
    st.floats(0, 3600), st.floats(0, 1), st.integers(0, 50), st.one_of(st.none(), st.floats(0, 1e9))
)
def test_polls_keep_their_distance(
    interval: float, chance: float, failures: int, asked: float | None
) -> None:
    """Whatever happened, the next poll is at least the interval, and what was asked, away."""
    streak = Streak(failures=failures, fetches=failures)
    events: list[Event] = [Accepted("t"), StillRunning(""), Invisible(PROBLEM)]
    events += [PollFailed(PROBLEM, asked), LinkExpired(PROBLEM)]
    for event in events:
        assert policy.delay(event, streak, interval, chance) >= interval
    wait = policy.delay(PollFailed(PROBLEM, asked), streak, interval, chance)
    assert wait >= min(asked or 0, policy.RETRY_AFTER_CAP)


@given(st.integers(1, 50), st.floats(0, 1), st.floats(0, 3600))
def test_a_refused_submit_pauses_all(refusals: int, chance: float, asked: float) -> None:
    """Refusals slow down all submitting, at least for as long as the provider asked."""
    assert policy.pause(NotSent(PROBLEM), refusals, chance) >= 1
    assert policy.pause(Throttled(PROBLEM, asked), refusals, chance) >= asked
    assert policy.pause(Accepted("t"), refusals, chance) == 0


@given(st.integers(0, 100), st.integers(0, 10**9), st.integers(0, 100), st.integers(0, 10**9))
def test_the_budget_is_never_passed(attempts: int, spent: int, tasks: int, cost: int) -> None:
    """What is within the budget stays within it after one more."""
    limits = Limits(budget_tasks=tasks, budget_cost=cost)
    if not policy.over_budget(job(), Tally(attempts=attempts, spent=spent), limits):
        assert attempts + 1 <= tasks
        assert spent + 5 <= cost


@pytest.mark.parametrize(
    ("event", "noteworthy"),
    [
        (StillRunning("RUNNING"), False),
        (StillRunning("QUEUED"), True),
        (PollFailed(PROBLEM), True),
        (Rendered("https://x"), True),
    ],
)
def test_polls_without_news_are_not_stored(event: Event, noteworthy: bool) -> None:
    """The state file holds what changed, not how often it was asked."""
    assert policy.is_noteworthy(job(Status.RUNNING, remote_status="RUNNING"), event) is noteworthy


def test_money_moves_from_payable_statuses_alone() -> None:
    """From any other status no event spends or gives back: what a day's sum may leave out."""
    for status, kind in lifecycle.TRANSITIONS:
        if status not in lifecycle.PAYABLE:
            (event,) = (each for each in ONE_OF_EACH if type(each) is kind)
            before = Job(1, "a", "", "", {}, cost=5, status=status, attempts=1, spent=5)
            after = lifecycle.apply(before, event, 1.0)
            assert (after.attempts, after.spent) == (1, 5), (status, kind)


def test_an_adopted_task_counts_as_paid() -> None:
    """It has its cost and its attempt, and is waited for from now on."""
    after = lifecycle.apply(job(), Adopted("task-3"), 50.0)
    assert (after.status, after.task_id, after.since) == (Status.RUNNING, "task-3", 50.0)
    assert (after.attempts, after.spent, after.submitted_at) == (1, 5, 0.0)


@pytest.mark.parametrize("event", ONE_OF_EACH, ids=lambda event: type(event).__name__)
def test_a_sheet_takes_back_the_charges_that_the_lifecycle_gives_back(event: Event) -> None:
    """Both read the same log; what was paid for elsewhere is no charge of this batch."""
    for status in Status:
        if (status, type(event)) not in lifecycle.TRANSITIONS or isinstance(event, Adopted):
            continue
        before = job(status, attempts=1, spent=5, cost=5)
        after = lifecycle.apply(before, event, 2.0)
        bought = (before.key, 1.0, "SubmitStarted", Status.PLANNED, {"cost": 5})
        happened = (before.key, 2.0, type(event).__name__, status, {"cost": 5})
        charges = chronicles([bought, happened])[before.key].charges
        assert len(charges) == after.attempts, status


# ---------------------------------------------------------------- the beat


@given(now=st.floats(0, 1e7), wait=st.floats(0.001, 4000))
def test_a_wait_ends_on_a_beat_and_is_hardly_longer(now: float, wait: float) -> None:
    """It is never shorter than asked by more than a tenth of a beat."""
    found = pace.on_the_beat(now, wait)
    beats = (now + found) / pace.BEAT
    assert abs(beats - round(beats)) < 1e-3
    assert wait - pace.BEAT / 10 - 1e-6 <= found <= wait + pace.BEAT + 1e-6


@given(
    beat=st.integers(0, 10**8),
    gap=st.integers(1, 1000),
    late=st.lists(st.floats(0, pace.BEAT / 2), min_size=1, max_size=20),
)
def test_answers_within_a_beat_keep_the_rhythm(beat: int, gap: int, late: list[float]) -> None:
    """Twenty polls every second take twenty seconds, not twenty beats more."""
    asked = beat * pace.BEAT
    for lateness in late:
        now = asked + lateness
        asked = now + pace.on_the_beat(now, gap * pace.BEAT, asked)
    assert asked == pytest.approx((beat + gap * len(late)) * pace.BEAT, abs=1e-4)


@given(now=st.floats(0, 1e6), slow=st.floats(pace.BEAT, 60), wait=st.floats(0.1, 60))
def test_after_a_slow_answer_the_whole_wait_is_kept(now: float, slow: float, wait: float) -> None:
    """A provider that takes long to answer is not asked again at once."""
    found = pace.on_the_beat(now, wait, now - slow - 1e-6)
    assert found >= wait - pace.BEAT / 10 - 1e-6


def test_no_wait_stays_none() -> None:
    """A video that is ready is fetched at once."""
    assert pace.on_the_beat(12.345, 0.0) == 0.0
