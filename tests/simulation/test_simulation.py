"""A few hundred simulated worlds, and that a seed is all that a world is made of."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from simulation import __main__ as command
from simulation.world import World

# A dead process leaves its generators unfinished; nothing of the kind happens to a live one.
pytestmark = [
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]
WORLDS = 200
PARTS = 4


@pytest.mark.parametrize("part", range(PARTS))
def test_nothing_is_paid_twice_or_lost(part: int) -> None:
    """Worlds full of faults, crashes and restarts, judged by the provider's ledger and the disk."""
    number = WORLDS // PARTS
    outcome = command.live(range(part * number, (part + 1) * number))
    assert not outcome.failures
    assert outcome.counts.worlds == number
    assert outcome.counts.charges > number
    assert sum(outcome.counts.crashes.values()) > number // 2


@pytest.mark.parametrize("seed", [3, 11, 58])
def test_a_seed_is_a_world(seed: int) -> None:
    """The same seed gives the same events, charges and crashes, here and in another process."""
    home = command.make_folder()
    worlds = [World(seed, home), World(seed, home)]
    digests = {world.run() for world in worlds}
    assert worlds[0].counts == worlds[1].counts
    script = f"from simulation.world import *; print(World({seed}, Path({str(home)!r})).run())"
    tests = Path(__file__).parents[1]
    paths = {"PYTHONPATH": f"{tests}:{tests.parent}", "PYTHONHASHSEED": "7"}
    arguments = [sys.executable, "-c", script]
    elsewhere = subprocess.run(arguments, env=paths, capture_output=True, text=True, check=True)
    assert digests == {elsewhere.stdout.strip()}
    home.rmdir()


def test_a_failing_seed_is_replayed_by_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """What is printed for a broken promise is a command, and the exit code says so."""
    reason = "BrokenPromiseError: paid twice"
    monkeypatch.setattr(
        command, "live", lambda seeds: command.Outcome(command.Counts(), ((7, reason),))
    )
    monkeypatch.setattr(command, "ProcessPoolExecutor", _Inline)
    monkeypatch.setattr(sys, "argv", ["simulation", "--seeds", "1"])
    assert command.main() == 1
    assert f"python -m simulation --seed 7 -v   # {reason}" in capsys.readouterr().out


class _Inline:
    """Stands in for a pool of processes."""

    def __init__(self, jobs: int) -> None:
        self.map = map

    def __enter__(self) -> _Inline:
        return self

    def __exit__(self, *_: object) -> None:
        pass
