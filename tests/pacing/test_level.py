"""The level of `concurrency: auto`: what one answer, or a flood of them, may do to it."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runner import pacing
from runner.events import (
    Accepted,
    Event,
    Invisible,
    NotSent,
    PollFailed,
    Rendered,
    RenderFailed,
    StillRunning,
    Throttled,
)
from runner.jobs import Job, Problem, Tally
from runner.pacing import Level, learn
from runner.policy import room

PROBLEM = Problem("429", "busy")
BUSY = Throttled(PROBLEM)
TAKEN = Accepted("task")
RUNNING = StillRunning("RUNNING")
KNOWN = Level(100, size=20.0, held=20.0, found=True, since=10.0, acks=40, patience=128, flight=20)


def job(submitted_at: float = 0.0, remote_status: str = "", since: float = 0.0) -> Job:
    """A job at the provider."""
    return Job(
        0,
        "a",
        "",
        "",
        {},
        submitted_at=submitted_at,
        remote_status=remote_status,
        since=since or submitted_at,
    )


def levels() -> st.SearchStrategy[Level]:
    """Any level that could have come about."""
    return st.integers(1, 200).flatmap(
        lambda ceiling: st.builds(
            Level,
            ceiling=st.just(ceiling),
            size=st.floats(1, ceiling),
            held=st.floats(1, ceiling),
            found=st.booleans(),
            since=st.floats(0, 100),
            acks=st.integers(0, 300),
            patience=st.integers(1, 2000),
            refused=st.integers(0, 2000),
            refused_at=st.floats(0, 100),
            flight=st.integers(1, ceiling),
        )
    )


EVENTS: st.SearchStrategy[Event] = st.sampled_from(
    [
        TAKEN,
        BUSY,
        RUNNING,
        StillRunning("THROTTLED"),
        StillRunning("PENDING"),
        Rendered("https://films.example/x.mp4"),
        RenderFailed(PROBLEM),
        Invisible(PROBLEM),
        PollFailed(PROBLEM),
        NotSent(PROBLEM),
    ]
)
ANSWERS = st.tuples(EVENTS, st.floats(0, 300), st.floats(0, 100), st.integers(1, 300))


@settings(deadline=None)
@given(levels(), st.lists(ANSWERS, max_size=60))
def test_the_level_keeps_its_bounds(
    level: Level, answers: list[tuple[Event, float, float, int]]
) -> None:
    """Whatever is answered, in whatever order, 1 <= level <= ceiling, and one is never refused."""
    now = 100.0
    for event, age, step, at_provider in answers:
        now += step
        level = learn(level, job(now - age), event, at_provider, now)
        assert 1 <= level.allowed <= level.ceiling
        assert 1 <= level.target <= level.ceiling
        assert room(Tally(), level.allowed, level.flight) > 0
        assert room(Tally(at_provider=level.ceiling), level.allowed, level.flight) == 0
        assert pacing.pause(level, 1.0) <= pacing.PAUSE_CAP * 1.1


@given(st.lists(st.tuples(st.floats(0.1, 5), st.integers(1, 20)), min_size=1, max_size=50))
def test_a_burst_is_one_decrease(refusals: list[tuple[float, int]]) -> None:
    """However many are refused in a row: a tenth, and what worked is not forgotten."""
    level, now = KNOWN, 100.0
    for step, at_provider in refusals:
        level = learn(level, job(now), BUSY, at_provider, now + step)
        now += step
    assert level.allowed == 18
    assert level.target == 20


@given(st.integers(2, 40))
def test_tasks_that_wait_are_one_decrease(waiting: int) -> None:
    """So are those that are seen waiting for a slot, as long as all were submitted before it."""
    level = KNOWN
    for _ in range(waiting):
        level = learn(level, job(submitted_at=50.0), StillRunning("THROTTLED"), 20, now=100.0)
    assert level.allowed == 18


def test_a_new_window_may_decrease_again() -> None:
    """Once a task submitted after the decrease was taken, the next refusal is news."""
    once = learn(KNOWN, job(50.0), BUSY, 20, now=100.0)
    taken = learn(once, job(110.0), TAKEN, 12, now=111.0)
    assert learn(taken, job(99.0), BUSY, 13, now=112.0).allowed == 18
    again = learn(taken, job(112.0), BUSY, 13, now=113.0)
    assert (again.allowed, again.target) == (16, 18)


def test_a_refusal_soon_after_a_change_is_doubt() -> None:
    """What was not seen to work for a whole round trip is believed a little less."""
    doubted = learn(replace(KNOWN, acks=5), job(50.0), BUSY, 20, now=100.0)
    assert (doubted.allowed, doubted.target) == (18, 19)


def test_one_more_than_is_known_to_work() -> None:
    """A refused try costs a tenth, never what is known to work, and the next one comes late."""
    tried = replace(KNOWN, size=21.0)
    refused = learn(tried, job(50.0), BUSY, 21, now=100.0)
    assert (refused.allowed, refused.target) == (18, 20)
    assert refused.patience == 240


@pytest.mark.parametrize("ceiling", [1, 7, 64, 500])
def test_it_doubles_to_the_ceiling(ceiling: int) -> None:
    """Slow start: every level that is used to the full and answers well is doubled."""
    level, now, seen = pacing.from_memory(None, ceiling, 0.0), 0.0, [1]
    for _ in range(2 * ceiling):
        now += 1.0
        level = learn(level, job(now), RUNNING, level.allowed, now)
        if level.allowed != seen[-1]:
            seen.append(level.allowed)
    assert seen == [min(2**n, ceiling) for n in range(len(seen))]
    assert seen[-1] == ceiling


def test_a_clock_that_was_set_back_freezes_nothing() -> None:
    """Tasks submitted after it speak about the level as before."""
    level = replace(KNOWN, since=5000.0, refused_at=5000.0, flight=1)
    level = learn(level, job(1000.0), TAKEN, 18, now=1001.0)
    assert level.flight == 2
    assert learn(level, job(1002.0), BUSY, 20, now=1003.0).allowed == 18


def test_what_was_in_the_air_tells_the_slots() -> None:
    """64 in the air at 100 slots: the refusals beside the accepted ones say how many there are."""
    level = Level(500, size=128.0, held=64.0, since=10.0, flight=100)
    for at_provider in range(128, 100, -1):
        level = learn(level, job(11.0), BUSY, at_provider, now=12.0)
    assert level.allowed == 100
    assert level.refused == 1


def test_only_a_level_in_use_is_confirmed() -> None:
    """Few tasks that run well say nothing of a level that they don't fill."""
    level = Level(500, size=16.0, held=8.0)
    for n in range(100):
        level = learn(level, job(float(n)), RUNNING, 5, now=float(n))
    assert level.allowed == 16


def test_one_task_is_one_confirmation() -> None:
    """A task that is asked about again and again says only once that it is at work."""
    level = Level(500, size=16.0, held=16.0, found=True)
    again = job(1.0, remote_status="RUNNING")
    assert learn(level, again, RUNNING, 16, now=9.0) == level
    assert learn(level, again, Rendered("https://films.example/x.mp4"), 16, now=9.0) == level
    assert learn(level, job(1.0), RUNNING, 16, now=9.0).acks == 1


def test_half_of_a_level_must_run_before_it_doubles() -> None:
    """Those that were added by the last doubling are seen at work first."""
    level = Level(500, size=16.0, held=8.0)
    for _ in range(7):
        level = learn(level, job(1.0), RUNNING, 16, now=9.0)
    assert level.allowed == 16
    assert learn(level, job(1.0), RUNNING, 16, now=9.0).allowed == 32


def test_what_works_was_seen_to_work() -> None:
    """After the first sign a level counts as known once all beyond the known one are at work."""
    level = Level(500, size=16.0, held=8.0, found=True)
    for _ in range(7):
        level = learn(level, job(1.0), RUNNING, 16, now=9.0)
    assert level.target == 8
    assert learn(level, job(1.0), RUNNING, 16, now=9.0).target == 16


def test_a_queue_by_another_name() -> None:
    """QUEUED for a moment is nothing; for a minute, it is waiting for a slot."""
    assert learn(KNOWN, job(50.0), StillRunning("QUEUED"), 20, now=60.0) == KNOWN
    assert learn(KNOWN, job(50.0), StillRunning("QUEUED"), 20, now=111.0).allowed == 18


def test_a_refusal_lets_one_through_at_a_time() -> None:
    """After it one is in the air, then two, three: a closed door meets no crowd."""
    level = learn(KNOWN, job(50.0), BUSY, 20, now=100.0)
    flights = [level.flight]
    for n in range(3):
        level = learn(level, job(101.0 + n), TAKEN, 10, now=102.0 + n)
        flights.append(level.flight)
    assert flights == [1, 2, 3, 4]
    assert room(Tally(at_provider=10, submitting=4), level.allowed, level.flight) == 0
    assert room(Tally(at_provider=10, submitting=3), level.allowed, level.flight) == 1


def test_one_taken_beside_a_refused_one_opens_no_door() -> None:
    """It was in the air before the refusal, and says nothing of what comes after it."""
    level = learn(KNOWN, job(99.0), BUSY, 20, now=100.0)
    assert learn(level, job(99.5), TAKEN, 19, now=100.5) == level


def test_pauses_double_to_an_hour() -> None:
    """8, 16, 32 ... 3600 seconds, and none without a refusal."""
    pauses = [pacing.pause(replace(KNOWN, refused=n), 0.0) for n in (0, 1, 2, 3, 9, 10, 11, 99)]
    assert pauses == [0, 8, 16, 32, 2048, 3600, 3600, 3600]
    few = [pacing.pause(replace(KNOWN, held=4.0, refused=n), 0.0) for n in (1, 2, 99)]
    assert few == [30, 60, 3600]


# ---------------------------------------------------------------- between runs


@given(levels(), st.floats(0, 1e10), st.integers(1, 500))
def test_a_level_is_remembered(level: Level, now: float, ceiling: int) -> None:
    """The next run begins where the last one stood, under its own ceiling, door ajar."""
    again = pacing.from_memory(pacing.to_memory(level, now), ceiling, now + 60)
    assert again.allowed in (min(level.allowed, ceiling), min(level.target, ceiling))
    assert (again.found, again.refused) == (level.found, min(level.refused, 1000))
    assert again.flight == 1


def test_an_old_level_is_the_start_of_a_fresh_look() -> None:
    """Days later the number still stands, but one more is tried at once."""
    memory = pacing.to_memory(replace(KNOWN, refused=12), 0.0)
    again = pacing.from_memory(memory, 100, 3 * 86_400.0)
    assert (again.allowed, again.patience, again.refused) == (20, 1, 0)


@given(
    st.none()
    | st.dictionaries(
        st.sampled_from(["size", "held", "found", "patience", "refused", "at", "x"]),
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3),
    )
)
def test_garbage_is_a_fresh_start_at_worst(memory: dict[str, object] | None) -> None:
    """Whatever stands in the state file, there is a level within its bounds."""
    level = pacing.from_memory(memory, 50, 1e9)
    assert 1 <= level.allowed <= 50
    assert 1 <= level.target <= 50
    assert level.patience >= 1
    assert level.refused >= 0
