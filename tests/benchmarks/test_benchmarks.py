"""The benchmarks still work: their arithmetic, and a tiny dose of each."""

from __future__ import annotations

import io
import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks import readme
from benchmarks.books import most_at_once
from benchmarks.polls import lateness
from benchmarks.provider import FILM_BYTES, film
from benchmarks.renders import ideal_wall, matching_interval, render_time
from runner import mp4

ROOT = Path(__file__).parents[2]
RENDERS = st.lists(st.floats(0.1, 100), min_size=1, max_size=30)


@given(RENDERS, st.integers(1, 40))
def test_no_schedule_beats_the_ideal_one(renders: list[float], slots: int) -> None:
    """It is at least the longest render and the mean load of a slot, and within their sum."""
    ideal = ideal_wall(renders, slots)
    least = max(*renders, sum(renders) / slots) if len(renders) > 1 else renders[0]
    assert least <= ideal * (1 + 1e-9)
    assert ideal <= (sum(renders) / slots + max(renders)) * (1 + 1e-9)


def test_the_ideal_of_a_known_case() -> None:
    """Two slots: 3 beside 1 and 1, then the last where room comes first."""
    assert ideal_wall([3, 1, 1, 2], 2) == 4
    assert ideal_wall([3, 1, 1, 2], 1) == 7
    assert ideal_wall([], 5) == 0


@pytest.mark.parametrize("polls", [1.5, 3.4, 15.5])
def test_the_bare_loop_can_make_as_many_polls_as_another(polls: float) -> None:
    """The interval that is found needs that many questions a job."""
    renders = [render_time(7, f"{number}", 10, 20) for number in range(1000)]
    interval = matching_interval(renders, polls)
    made = sum(-(-render // interval) for render in renders) / len(renders)
    assert made == pytest.approx(polls, abs=0.02)


def test_overlaps_are_counted() -> None:
    """Spans that only touch do not overlap."""
    assert most_at_once([(0, 2), (1, 3), (2, 4)]) == 2
    assert most_at_once([]) == 0


def test_lateness_is_what_the_schedule_did_not_plan() -> None:
    """A gap within the plan is in time; an open one counts once it is too long."""
    planned = 12.0  # every 1.2 intervals at this age
    closed = [(60.0, planned), (60.0, planned - 0.5), (60.0, planned + 2.5)]
    late = lateness(closed, [(70.0, 3.0), (70.0, planned + 1.5)], 10.0)
    assert late == pytest.approx([0, 0, 2.5, 1.5])


def test_the_provider_serves_a_film_that_the_runner_takes() -> None:
    """64 KB, whole, and it tells whose it is."""
    bytes_of = film("task-1")
    assert len(bytes_of) == FILM_BYTES
    assert mp4.defect(io.BytesIO(bytes_of)) == ""
    assert b"task-1" in bytes_of


def quick(results: Path, *parts: str) -> dict[str, Any]:
    """A tiny dose of these parts: what was kept of them."""
    command = [sys.executable, "-m", "benchmarks", "--quick", "--results", str(results), *parts]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    kept: dict[str, Any] = json.loads(results.read_text())
    assert set(kept) == set(parts)
    return kept


@pytest.mark.parametrize(
    "parts", [("saturation", "compare", "kills"), ("polls", "start", "idle", "progress")]
)
def test_a_tiny_dose_runs_and_can_be_kept(parts: tuple[str, ...], tmp_path: Path) -> None:
    """Clients finish, figures are kept, and the README's marks take them."""
    kept = quick(tmp_path / "results.json", *parts)
    text = tmp_path / "README.md"
    shutil.copy(readme.README, text)
    readme.write(kept, text)
    for part in parts:
        if part in readme.TITLES:
            assert readme.section(part, kept) in text.read_text()
    for row in kept["kills"]["rows"] if "kills" in kept else []:
        assert row["lost"] == 0
        assert (row["charged_twice"] > 0) == (row["client"] != "runner")
        assert row["held"] > 0 or row["client"] != "runner"
