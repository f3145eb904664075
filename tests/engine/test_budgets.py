"""What a run may buy: chosen jobs and budgets, in virtual time."""

from __future__ import annotations

from contextlib import closing
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import given, settings
from hypothesis import strategies as st
from world import Perform, World, entries

from runner import policy
from runner.bookkeeping import spent_today
from runner.engine import Engine
from runner.events import Event
from runner.jobs import Budget, Limits, Spent, Status, Step, Stop
from runner.underway import Underway


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


def test_a_day_buys_no_more_than_it_may(tmp_path: Path) -> None:
    """Over several runs of one day; what was refused is given back; the next day goes on."""
    limits = Limits(per_day=Budget(tasks=3), per_run=Budget(tasks=2))
    world = World(tmp_path, "submit:429#2", "submit:400~lamp-02", limits=limits)
    world.now = 20_000 * policy.DAY + 3600
    assert world.run(entries(8)).stop is Stop.RUN_BUDGET
    assert world.charged == 2
    for _ in range(2):
        assert world.run(entries(8)).stop is Stop.DAY_BUDGET
        assert world.charged == 3
    world.now += policy.DAY
    assert world.run(entries(8)).stop is Stop.RUN_BUDGET
    assert world.run(entries(8)).stop is Stop.DAY_BUDGET
    assert world.charged == 6


def test_midnight_within_a_run(tmp_path: Path) -> None:
    """A run that goes on past midnight UTC has the new day's budget, and counts from nothing."""
    world = World(tmp_path, limits=Limits(concurrency=2, per_day=Budget(tasks=4)))
    world.now = 20_000 * policy.DAY - 30
    assert world.run(entries(9)).stop is Stop.DAY_BUDGET
    assert world.charged == 6


def test_a_clock_set_back_makes_no_new_day(tmp_path: Path) -> None:
    """A day's budget is not to be had twice by a clock that jumps."""
    limits = Limits(per_day=Budget(tasks=2))
    books = Underway(limits, (0, 0), Spent(2, 0), now=20_000 * policy.DAY + 5)
    assert books.tally(20_000 * policy.DAY - 5, 1).today == (2, 0)
    assert books.tally(20_001 * policy.DAY, 1).today == (0, 0)


@settings(max_examples=25, deadline=None)
@given(st.lists(st.sampled_from(["429", "400", "cut", "502", "connect-error"]), max_size=6))
def test_the_log_and_the_run_count_the_same(faults: list[str]) -> None:
    """What a run's own books say of the day is what the event log says of it afterwards."""
    with TemporaryDirectory() as folder:
        chosen = [f"submit:{fault}#1" for fault in faults]
        world = World(Path(folder), *chosen, limits=Limits(per_day=Budget(tasks=5)))
        seen: list[Spent] = []

        def note(perform: Perform, engine: Engine) -> Perform:
            async def noting(step: Step) -> Event:
                event = await perform(step)
                seen.append(engine.tally.today)
                return event

            return noting

        world.run([replace(each, cost=7) for each in entries(8)], wrap=note)
        with closing(world.open()) as ledger:
            told = spent_today(ledger, world.limits, world.now)
            assert told == ledger.spent()
        assert max(each.tasks for each in seen) <= 5
        assert seen[-1] == told


def test_a_chosen_job_that_comes_back_is_bought(tmp_path: Path) -> None:
    """What was uncertain when it was chosen, and is to be bought again, is among the chosen."""
    world = World(tmp_path, "submit:cut#1", limits=Limits(concurrency=1))
    world.chosen = [0]
    world.run(entries(2))
    assert world.statuses()["lamp-01"] is Status.UNCERTAIN
    world.limits = replace(world.limits, resubmit_uncertain=True)
    world.run(entries(2))
    assert done(world) == {"lamp-01"}
