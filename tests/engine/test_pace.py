"""How fast a run goes, in virtual time: polls that learn, a submit rate, a level that is found."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import pytest
from world import EPOCH, World, entries

from runner.events import Rendered, SubmitStarted
from runner.jobs import Limits, Rate, Status, Stop
from runner.ledger import Ledger
from runner.sandbox import Span

EVENT = re.compile(r"'([A-Z][A-Za-z]+)'")


def polls_a_job(world: World, jobs: int) -> float:
    """Questions asked for each task, by the provider's own books, since the world began."""
    requests = world.audit()["requests"]
    assert isinstance(requests, dict)
    return (requests["poll"] + requests.get("feed", 0)) / jobs


def test_a_later_batch_asks_less_and_notices_no_later(tmp_path: Path) -> None:
    """What the first hundred renders showed places the polls of the next."""
    world = World(tmp_path, limits=Limits(concurrency=10), render=Span(80, 100), queue=Span(1, 1))
    world.run(entries(100))
    cold = polls_a_job(world, 100)
    world.run(entries(200))
    warm = 2 * polls_a_job(world, 200) - cold
    assert warm <= 0.6 * cold
    gap = world.audit()["shortest_poll_gap"]
    assert isinstance(gap, float)
    assert gap >= world.limits.poll_interval
    assert set(world.statuses().values()) == {Status.DONE}


def test_renders_are_kept_with_the_ages_between_which_they_ended(tmp_path: Path) -> None:
    """The provider's own times lie in the intervals that the state file keeps."""
    world = World(tmp_path, limits=Limits(concurrency=4), render=Span(60, 90), queue=Span(2, 2))
    world.run(entries(8))
    ended = [event for _, event, _ in world.seen if isinstance(event, Rendered)]
    assert len(ended) == 8
    for event in ended:
        assert 0 < event.pending < event.ready
        assert event.ready >= 62
        assert event.pending <= 92
        assert event.ready - event.pending <= 3 * world.limits.poll_interval


def test_the_rate_holds_also_across_restarts(tmp_path: Path) -> None:
    """No minute ever sees more submits begin than allowed, however often the run is started."""
    rate = Rate(3, 60.0)
    world = World(tmp_path, limits=Limits(concurrency=20, rate=rate))
    for _ in range(12):
        if world.run(entries(12), deadline=25.0).stop is Stop.FINISHED:
            break
    world.run(entries(12))
    ledger = world.open()
    began = ledger.submits(100)
    ledger.close()
    assert len(began) == world.charged == 12
    for first, fourth in zip(began, began[rate.count :], strict=False):
        assert fourth - first >= rate.seconds - 1e-6
    assert began[-1] - began[0] < 12 / rate.count * rate.seconds  # and it is used


def test_refused_submits_count_for_the_rate(tmp_path: Path) -> None:
    """The provider counts requests, not successes."""
    world = World(tmp_path, "submit:429#1", limits=Limits(concurrency=5, rate=Rate(2, 60.0)))
    world.run(entries(3))
    began = [after.submitted_at for _, event, after in world.seen if type(event) is SubmitStarted]
    assert len(began) == 4
    assert began[2] - began[0] >= 60.0 - 1e-6
    assert began[0] >= EPOCH


@pytest.mark.parametrize("slots", [3, 12])
def test_a_level_is_found_and_remembered(tmp_path: Path, slots: int) -> None:
    """With `auto` the provider's slots are filled without a number, and the next run knows."""
    limits = Limits(concurrency=100, auto=True)
    world = World(tmp_path, limits=limits, slots=slots, render=Span(60, 60), queue=Span(0, 0))
    wanted = entries(30 * slots)
    world.run(wanted[: 20 * slots])
    charges = len(world.simulator.charges)
    ideal = charges * 60.0 / slots
    assert world.now - EPOCH <= 1.25 * ideal
    ledger = world.open()
    memory = ledger.recall("level")
    ledger.close()
    assert isinstance(memory, dict)
    assert slots * 0.8 <= memory["size"] <= slots * 1.5 + 1
    began = world.now
    world.run(wanted)
    assert world.now - began <= 1.15 * 10 * 60.0 + 60
    assert set(world.statuses().values()) == {Status.DONE}
    assert world.charged == len(wanted)


def test_without_auto_nothing_is_remembered(tmp_path: Path) -> None:
    """A number is a number."""
    world = World(tmp_path, limits=Limits(concurrency=4), slots=2)
    world.run(entries(8))
    ledger = world.open()
    assert ledger.recall("level") is None
    ledger.close()
    assert world.audit()["most_unfinished_at_once"] == 4


def test_a_job_costs_three_synced_commits(tmp_path: Path) -> None:
    """Intent, id and video; two of them on the way to running. What can be asked again waits."""
    world = World(tmp_path, limits=Limits(concurrency=1), render=Span(60, 60))
    synced: Counter[str] = Counter()
    relaxed: Counter[str] = Counter()
    at_stake = [synced]
    written: list[str] = []

    def traced(statement: str) -> None:
        if statement.startswith("PRAGMA synchronous="):
            at_stake[0] = synced if statement.endswith("FULL") else relaxed
        elif statement.startswith("INSERT INTO events") and (event := EVENT.search(statement)):
            written.append(event[1])
        elif statement == "COMMIT":
            at_stake[0].update(written)
            written.clear()

    def opened() -> Ledger:
        ledger = open_ledger()
        ledger._db.conn.set_trace_callback(traced)
        return ledger

    open_ledger, world.open = world.open, opened  # type: ignore[method-assign]
    world.run(entries(3))
    assert synced == {"SubmitStarted": 3, "Accepted": 3, "Saved": 3}
    assert set(relaxed) == {"StillRunning", "Rendered"}
