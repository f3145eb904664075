"""What a run may buy: chosen jobs and budgets, in virtual time."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from world import World, entries

from runner.jobs import Budget, Limits, Status, Stop


def done(world: World) -> set[str]:
    """The ids of the finished jobs."""
    return {id for id, status in world.statuses().items() if status is Status.DONE}


def test_only_what_was_chosen_is_bought(tmp_path: Path) -> None:
    """Two of eight are bought, refusals or not; the same choice again buys nothing more."""
    world = World(tmp_path, "submit:429#3", "submit:connect-error#1")
    world.chosen = [2, 6]
    for _ in range(2):
        assert world.run(entries(8)).stop is Stop.FINISHED
        assert done(world) == {"lamp-03", "lamp-07"}
        assert world.charged == 2
    world.chosen = None
    world.run(entries(8))
    assert world.charged == len(done(world)) == 8


def test_what_was_bought_comes_home_chosen_or_not(tmp_path: Path) -> None:
    """A task that an earlier run left at the provider is followed, whatever is chosen now."""
    world = World(tmp_path)
    assert world.run(entries(5), deadline=20).stop is Stop.DEADLINE
    assert world.charged == 3
    world.chosen = [4]
    world.run(entries(5))
    assert done(world) == {"lamp-01", "lamp-02", "lamp-03", "lamp-05"}


def test_a_run_buys_no_more_than_it_may(tmp_path: Path) -> None:
    """Each run buys its share, in the order of the manifest; a refused submit takes none."""
    world = World(tmp_path, "submit:429#2", limits=Limits(per_run=Budget(tasks=2)))
    assert world.run(entries(5)).stop is Stop.RUN_BUDGET
    assert done(world) == {"lamp-01", "lamp-02"}
    assert world.run(entries(5)).stop is Stop.RUN_BUDGET
    assert world.run(entries(5)).stop is Stop.FINISHED
    assert world.charged == 5


def test_a_run_spends_no_more_than_it_may(tmp_path: Path) -> None:
    """The same with money; a price that nobody knows is not within any."""
    world = World(tmp_path, limits=Limits(concurrency=5, per_run=Budget(cost=1_000_000)))
    priced = [replace(each, cost=320_000) for each in entries(5)]
    assert world.run(priced).stop is Stop.RUN_BUDGET
    assert world.charged == 3
    unknown = World(tmp_path / "unknown", limits=Limits(per_run=Budget(cost=1_000_000)))
    assert unknown.run(entries(2)).stop is Stop.RUN_BUDGET
    assert unknown.charged == 0
