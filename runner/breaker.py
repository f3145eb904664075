"""The circuit breaker: when too much of one kind goes wrong in a row, no more is bought. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from runner.events import Accepted, Event, Lost, Refused, Rendered, RenderFailed
from runner.jobs import Problem


@dataclass(frozen=True, slots=True)
class Breaker:
    """So many troubles of one kind in a row stop submitting; `ended_by` is the success between."""

    limit: int
    ended_by: type[Event]
    words: str


BREAKERS = {
    "lost": Breaker(5, Accepted, "submits in a row got no answer"),
    "refused": Breaker(20, Accepted, "submits in a row were refused"),
    "moderated": Breaker(
        10, Rendered, "tasks in a row were moderated (too many suspend an account)"
    ),
    "failed": Breaker(20, Rendered, "tasks in a row failed"),
}


def count_trouble(counts: Mapping[str, int], event: Event) -> Mapping[str, int]:
    """How many troubles of each kind came in a row, after one more event."""
    kept = {
        kind: count
        for kind, count in counts.items()
        if not isinstance(event, BREAKERS[kind].ended_by)
    }
    if kind := _trouble(event):
        kept[kind] = kept.get(kind, 0) + 1
    return kept


def tripped(counts: Mapping[str, int]) -> Problem | None:
    """What stops further submitting before a whole catalog is burnt, if anything does."""
    for kind, breaker in BREAKERS.items():
        if (count := counts.get(kind, 0)) >= breaker.limit:
            return Problem(kind, f"{count} {breaker.words}")
    return None


def _trouble(event: Event) -> str:
    match event:
        case Lost():
            return "lost"
        case Refused():
            return "refused"
        case RenderFailed(problem=problem):
            return "moderated" if "SAFETY" in problem.code.upper() else "failed"
        case _:
            return ""
