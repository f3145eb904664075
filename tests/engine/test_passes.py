"""Many passes do what one long run does: the same promises, in virtual time."""

from __future__ import annotations

from pathlib import Path

import pytest
from world import World, entries

from runner.jobs import Limits, Status, Stop
from runner.sandbox import Span

GOES_ON = {Stop.PASS, Stop.BREAKER}


def passes(world: World, jobs: int, *, every: float, most: int = 400) -> list[Stop]:
    """One pass after the other, so many seconds apart, until one has nothing left to do."""
    endings = []
    while len(endings) < most:
        began = world.now
        endings.append(world.run(entries(jobs), once=True).stop)
        assert world.now - began < 150, "a pass may not wait for tasks"
        if endings[-1] not in GOES_ON:
            break
        world.now += every
    return endings


def outcome(world: World) -> list[tuple[Status, int, str]]:
    """What a batch has come to: status, paid attempts and error of its jobs, whichever had it."""
    return sorted(
        (job.status, job.attempts, job.problem.code if job.problem else "")
        for job in world.jobs().values()
    )


@pytest.mark.parametrize("every", [1.0, 60.0, 3600.0])
def test_every_video_comes_home(tmp_path: Path, every: float) -> None:
    """Whatever the timer's interval: one charge each, caps and the poll interval kept."""
    world = World(tmp_path)
    endings = passes(world, 8, every=every)
    assert endings[-1] is Stop.FINISHED
    assert set(world.statuses().values()) == {Status.DONE}
    assert world.charged == 8
    world.check_home()
    audit = world.audit()
    assert audit["most_unfinished_at_once"] == 3
    if every < 3600:
        assert audit["shortest_poll_gap"] >= 5


def test_a_pass_is_short(tmp_path: Path) -> None:
    """It submits within the caps, waits for nothing, and says that work is left."""
    world = World(tmp_path)
    began = world.now
    assert world.run(entries(8), once=True).stop is Stop.PASS
    assert world.now - began < 5
    assert list(world.statuses().values()).count(Status.RUNNING) == 3
    assert world.audit()["requests"] == {"submit": 3}
    assert world.run(entries(8), once=True).stop is Stop.PASS
    assert world.audit()["requests"] == {"submit": 3}, "asked before the poll interval was over"


FAULTS = [
    "submit:429#4",
    "submit:429-retry-after:40#2",
    "submit:connect-error#3",
    "submit:503-no-channel#2",
    "submit:503-no-channel",
    "submit:charged-then-cut#2",
    "submit:400#2",
    "poll:500@0.3",
    "poll:cut@0.3",
    "poll:invisible-404@0.3",
    "poll:429@0.3",
    "poll:unknown-status@0.4",
    "film:expired#2",
    "film:truncated#5",
    "film:429-retry-after:20#2",
    "film:500#4",
    "task:failed:INTERNAL.BAD_OUTPUT.CODE01#2",
    "task:throttled:90",
]


@pytest.mark.parametrize("fault", FAULTS)
def test_passes_come_to_the_same_as_a_run(tmp_path: Path, fault: str) -> None:
    """Each fault leads to the same outcome, whether met in one run or in passes a minute apart."""
    run = World(tmp_path / "run", fault)
    ending = run.run(entries(6))
    apart = World(tmp_path / "passes", fault)
    endings = passes(apart, 6, every=60)
    assert endings[-1] is ending.stop
    assert outcome(apart) == outcome(run)
    assert apart.charged == run.charged
    if apart.charged:
        assert apart.audit()["shortest_poll_gap"] >= 5
    apart.check_home()


def test_a_task_that_never_appears_is_given_up_in_passes_too(tmp_path: Path) -> None:
    """Patience with an unknown id is counted over all passes, and so is the task's time-out."""
    limits = Limits(concurrency=2, visibility_grace=300, task_timeout=1200)
    for fault, least in (("task:never", 300), ("task:stuck", 1200)):
        world = World(tmp_path / fault[5:], fault, limits=limits)
        began = world.now
        endings = passes(world, 2, every=60)
        assert endings[-1] is Stop.FINISHED
        assert set(world.statuses().values()) == {Status.UNCERTAIN}
        assert least <= world.now - began < least + 400


def test_a_blink_of_the_provider_is_no_reason_to_give_up(tmp_path: Path) -> None:
    """An old task that is unknown to one poll was seen by the pass before: it is waited for."""
    limits = Limits(concurrency=1, visibility_grace=120)
    world = World(tmp_path, "poll:invisible-404@0.3", limits=limits, render=Span(900, 900))
    while world.run(entries(1), once=True).stop is Stop.PASS:
        assert world.statuses()["lamp-01"] is not Status.UNCERTAIN
        world.now += 60
    assert world.statuses()["lamp-01"] is Status.DONE


def test_the_breaker_holds_over_passes(tmp_path: Path) -> None:
    """Lost submits are counted from pass to pass: a catalog is not burnt a few jobs a minute."""
    world = World(tmp_path, "submit:charged-then-cut", limits=Limits(concurrency=2))
    for _ in range(60):
        stop = world.run(entries(30), once=True).stop
        world.now += 600
    assert stop is Stop.BREAKER
    assert world.charged <= 6
    before = world.charged
    world.run(entries(30))
    assert world.charged > before, "a run that somebody starts tries anew"


def test_retry_after_holds_over_passes(tmp_path: Path) -> None:
    """What a provider asks for at one pass is kept by the next ones."""
    world = World(tmp_path, "submit:429-retry-after:300#1")
    world.run(entries(1), once=True)
    for _ in range(4):
        world.now += 60
        world.run(entries(1), once=True)
    assert world.audit()["requests"]["submit"] == 1
    world.now += 120
    world.run(entries(1), once=True)
    assert world.audit()["requests"]["submit"] == 2


def test_a_clock_that_goes_back_delays_nothing(tmp_path: Path) -> None:
    """A due time that lies in a future that never was is not waited for."""
    world = World(tmp_path)
    world.run(entries(1), once=True)
    world.now -= 86_400
    world.run(entries(1), once=True)
    assert world.audit()["requests"] == {"submit": 1, "poll": 1}
