"""The goal, by simulation: the hidden slots are found and used, and hardly a submit is refused."""

from __future__ import annotations

import pytest

from benchmarks.pacing import bursts
from benchmarks.pacing_simulation import DAY, HOUR, World, play
from runner import pacing


@pytest.mark.parametrize("queues", [False, True], ids=["refuses", "queues"])
@pytest.mark.parametrize(("slots", "hours"), [(1, 12), (5, 8), (20, 3), (100, 1.5)])
@pytest.mark.parametrize("bursting", [False, True], ids=["steady", "bursts"])
def test_hidden_slots_are_used(slots: int, hours: float, queues: bool, bursting: bool) -> None:
    """At least 95 % of the slots used and under 2 % refused, after an hour."""
    time = hours * HOUR
    spans = bursts(time) if bursting else []
    figures = play(World("", slots, queues, time, bursts=spans))
    assert figures.used_share >= 0.95
    assert figures.refused_share < 0.02
    assert figures.full_at < 120


def test_slots_that_grow_and_shrink_are_found() -> None:
    """Twice the slots are in use within half an hour, and two fifths of them at once."""
    grown = play(World("", 20, time=3 * HOUR, warm_up=1.6 * HOUR, change=(HOUR, 40)))
    assert grown.full_at < 1.5 * HOUR
    assert grown.used_share >= 0.95
    shrunk = play(World("", 20, time=5 * HOUR, warm_up=1.5 * HOUR, change=(HOUR, 8)))
    assert shrunk.used_share >= 0.95
    assert shrunk.refused_share < 0.02


@pytest.mark.parametrize("chance", [1.0, 0.5])
def test_a_burst_leaves_most_of_the_level(chance: float) -> None:
    """A minute of refusals, of all or of every other submit, never costs half."""
    spans = [(HOUR, HOUR + 60), (HOUR + 300, HOUR + 360)]
    figures = play(World("", 20, time=1.5 * HOUR, bursts=spans, burst_chance=chance))
    assert min(level for time, level in figures.levels if time >= HOUR) >= 12


def test_a_used_up_day_neither_collapses_nor_hammers() -> None:
    """After hours of refusals the level stands, the door was tried some thirty times a day."""
    figures = play(World("", 20, time=3 * DAY, warm_up=DAY, daily=2000))
    assert figures.accepted == 4000
    assert figures.refused_share < 0.02
    assert min(level for time, level in figures.levels if time >= HOUR) >= 16


def test_the_level_survives_restarts() -> None:
    """A run from cron begins where the last one ended: no second slow start."""
    stops = [(n * HOUR - 600, n * HOUR) for n in range(1, 4)]
    figures = play(World("", 20, time=4 * HOUR, stops=stops))
    assert figures.used_share >= 0.95
    assert min(level for time, level in figures.levels if time >= HOUR) >= 16


def test_the_simulation_can_fail(monkeypatch: pytest.MonkeyPatch) -> None:
    """A level that halves and tries again at once misses the goal."""
    monkeypatch.setattr(pacing, "DECREASE", 0.5)
    monkeypatch.setattr(pacing, "PATIENCE", 1)
    monkeypatch.setattr(pacing, "PATIENCE_IF_REFUSED", 1)
    monkeypatch.setattr(pacing, "ROUNDS", 0)
    figures = play(World("", 20, time=3 * HOUR))
    assert figures.used_share < 0.95
    assert figures.refused_share > 0.02
