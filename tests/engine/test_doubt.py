"""What nobody can know: uncertain submissions, ids that can't be stored, series of troubles."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from world import World, entries, entry

from runner.errors import StateError
from runner.events import Accepted
from runner.jobs import Limits, Status, Stop
from runner.ledger import Ledger
from runner.sandbox import Span


def test_a_doubtful_submission_keeps_its_slot(tmp_path: Path) -> None:
    """It may be running: with one slot, the next job waits until the doubt has grown old."""
    world = World(tmp_path, "submit:charged-then-cut#1", limits=Limits(concurrency=1))
    world.run(entries(3))
    statuses = list(world.statuses().values())
    assert statuses == [Status.UNCERTAIN, Status.DONE, Status.DONE]
    first, second, _ = world.simulator.charges
    assert second.at - first.at >= world.limits.visibility_grace
    assert world.audit()["most_unfinished_at_once"] == 1


def test_an_interrupted_submit_keeps_its_slot_in_the_next_run(tmp_path: Path) -> None:
    """A run that died between request and answer leaves a task that may be running."""
    world = World(tmp_path, "submit:charged-then-cut#1", limits=Limits(concurrency=1))
    world.run(entries(2), deadline=1)
    world.run(entries(2))
    first, second = world.simulator.charges
    assert second.at - first.at >= world.limits.visibility_grace


@pytest.fixture
def no_room_for_ids(monkeypatch: pytest.MonkeyPatch) -> Iterator[pytest.MonkeyPatch]:
    """A state file on a disk that is full just when an accepted id should be stored."""
    write = Ledger._write

    def full(self: Ledger, before: Any, event: Any, *rest: Any) -> None:
        if isinstance(event, Accepted):
            raise sqlite3.OperationalError("database or disk is full")
        write(self, before, event, *rest)

    with monkeypatch.context() as patch:
        patch.setattr(Ledger, "_write", full)
        yield patch


def test_an_id_that_cant_be_stored_is_rescued(
    tmp_path: Path, no_room_for_ids: pytest.MonkeyPatch
) -> None:
    """It is written beside the state file, and the next run goes on with it: one charge."""
    world = World(tmp_path)
    with pytest.raises(StateError, match=r"lamp-01 was accepted, its id is kept in .*\.rescue"):
        world.run(entries(1))
    no_room_for_ids.undo()
    world.run(entries(1))
    assert world.statuses() == {"lamp-01": Status.DONE}
    assert world.charged == 1
    assert not list(tmp_path.glob("*.rescue"))


def test_every_submit_in_the_air_is_rescued(
    tmp_path: Path, no_room_for_ids: pytest.MonkeyPatch
) -> None:
    """Three at once when the disk is full: three ids kept."""
    world = World(tmp_path, "submit:slow:5")
    with pytest.raises(StateError):
        world.run(entries(3))
    no_room_for_ids.undo()
    world.run(entries(3))
    assert set(world.statuses().values()) == {Status.DONE}
    assert world.charged == 3


def test_a_rescued_id_settles_an_uncertain_job(
    tmp_path: Path, no_room_for_ids: pytest.MonkeyPatch
) -> None:
    """Also when the row was found in doubt before the kept id was seen."""
    world = World(tmp_path)
    with pytest.raises(StateError):
        world.run(entries(1))
    no_room_for_ids.undo()
    (kept,) = tmp_path.glob("*.rescue")
    saved = kept.read_bytes()
    kept.unlink()
    world.run(entries(1))
    assert world.statuses() == {"lamp-01": Status.UNCERTAIN}
    kept.write_bytes(saved)
    world.run(entries(1))
    assert world.statuses() == {"lamp-01": Status.DONE}
    assert world.charged == 1


@pytest.mark.parametrize(
    ("fault", "limit", "status"),
    [
        ("submit:500", 5, Status.UNCERTAIN),
        ("submit:400", 20, Status.FAILED),
        ("task:SAFETY.INPUT.IMAGE", 10, Status.FAILED),
        ("task:INTERNAL", 20, Status.FAILED),
    ],
)
def test_a_series_of_troubles_stops_submitting(
    tmp_path: Path, fault: str, limit: int, status: Status
) -> None:
    """The catalog is not burnt: after so many of a kind in a row the rest stays planned."""
    limits = Limits(concurrency=2, visibility_grace=1)
    world = World(tmp_path, fault, limits=limits, render=Span(1, 2))
    ending = world.run(entries(40))
    assert ending.stop is Stop.BREAKER
    assert ending.problem
    statuses = list(world.statuses().values())
    assert limit <= statuses.count(status) <= limit + limits.concurrency
    assert statuses.count(Status.PLANNED) == 40 - statuses.count(status)


def test_a_success_ends_a_series(tmp_path: Path) -> None:
    """Troubles with successes between them are no series."""
    world = World(tmp_path, "submit:400~bad", limits=Limits(concurrency=1))
    wanted = [entry(f"job-{n:02}", promptText="bad" if n % 10 else "good") for n in range(45)]
    assert world.run(wanted).stop is Stop.FINISHED
    assert list(world.statuses().values()).count(Status.DONE) == 5


def test_running_tasks_come_home_after_a_series(tmp_path: Path) -> None:
    """Stopping to submit abandons nothing that was bought."""
    limits = Limits(concurrency=3, visibility_grace=1)
    world = World(tmp_path, "submit:500~bad", limits=limits, render=Span(300, 300))
    wanted = [entry("good"), *(replace(each) for each in entries(20, promptText="bad"))]
    assert world.run(wanted).stop is Stop.BREAKER
    assert world.statuses()["good"] is Status.DONE


def test_a_machine_that_slept_asks_before_it_gives_up(tmp_path: Path) -> None:
    """The wall clock jumps by five hours in the middle: the task is polled, and is ready."""
    world = World(tmp_path, render=Span(3000, 3000))

    def sleep_for_hours(perform: Any, engine: Any) -> Any:
        async def asleep(step: Any) -> Any:
            if type(step).__name__ == "Poll" and world.wall() < world.now + 3600:
                world.now += 5 * 3600
            return await perform(step)

        return asleep

    world.run(entries(2), wrap=sleep_for_hours)
    assert set(world.statuses().values()) == {Status.DONE}


def test_a_clock_set_back_loses_nothing(tmp_path: Path) -> None:
    """The wall clock goes back by a day between and during runs: one charge each, all home."""
    world = World(tmp_path, "submit:429#1", render=Span(300, 300))
    world.run(entries(4), deadline=100)
    world.now -= 86_400
    world.simulator.restore([])
    world.run(entries(4), deadline=100)
    world.now += 2 * 86_400
    world.run(entries(4))
    assert set(world.statuses().values()) == {Status.DONE}
    assert world.charged == 4


def test_a_run_says_what_it_waits_for(tmp_path: Path) -> None:
    """When only doubtful submissions hold the places, the operator is told, once."""
    world = World(tmp_path, "submit:charged-then-cut#2", limits=Limits(concurrency=1))
    world.run(entries(3))
    (words,) = [words for words in world.said if "in doubt" in words]
    assert "up to 600 seconds" in words
