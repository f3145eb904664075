"""The event log read back."""

from __future__ import annotations

from dataclasses import asdict, replace

import pytest

from runner.events import Accepted, Event, Rendered, Saved, SubmitStarted, Throttled
from runner.history import contradiction, replay, revive
from runner.jobs import Job, Problem, Status
from runner.lifecycle import apply

BODY = {"promptImage": "https://a.example/x.jpg", "model": "gen3a_turbo"}
START = Job(1, "lamp", "", "", BODY)
STORY: list[Event] = [
    SubmitStarted(BODY, 5),
    Throttled(Problem("busy", "later"), 3.0),
    SubmitStarted(BODY, 5),
    Accepted("task-1", "request-1"),
    Rendered("https://films.example/x.mp4"),
    Saved("out/lamp.mp4", "ab", 3),
]


def told() -> tuple[Job, list[tuple[str, dict[str, object], float]]]:
    """A job's end, and its log."""
    job, log = START, []
    for at, event in enumerate(STORY):
        job = apply(job, event, float(at))
        log.append((type(event).__name__, asdict(event), float(at)))
    return job, log


def test_a_log_leads_to_its_row() -> None:
    """Every field is found again."""
    job, log = told()
    assert replay(job, log) == job
    assert contradiction(job, log) == ""


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"status": Status.FAILED}, "is failed, but its events lead to done"),
        ({"attempts": 0}, "differs from its events in attempts"),
        ({"task_id": "other"}, "differs from its events in task_id"),
    ],
)
def test_a_contradiction_is_named(change: dict[str, object], words: str) -> None:
    """A row that its events do not lead to."""
    job, log = told()
    assert contradiction(replace(job, **change), log) == words  # type: ignore[arg-type]


def test_a_log_without_sense_is_named() -> None:
    """Events that can't follow each other, or that nobody knows."""
    job, log = told()
    assert "make no sense" in contradiction(job, log[1:])
    assert "make no sense" in contradiction(job, [("Sold", {}, 1.0)])


def test_events_come_back_as_they_were() -> None:
    """Name and fields make the same event."""
    for event in STORY:
        assert revive(type(event).__name__, asdict(event)) == event
