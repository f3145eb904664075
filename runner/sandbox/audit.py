"""The sandbox's own books: what it charged, and how well the client behaved."""

from __future__ import annotations

import json
import math
from collections import Counter, defaultdict
from collections.abc import Iterable

from runner.sandbox.tasks import Charge, Task, most_at_once

Json = dict[str, object]


class Audit:
    """Counts what came in and how it was answered."""

    def __init__(self) -> None:
        self._answers: dict[str, Counter[str]] = defaultdict(Counter)
        self._last_poll: dict[str, float] = {}
        self._shortest_gap = math.inf
        self._films_with_key = 0

    def answered(self, call: str, answer: str) -> None:
        """Count one request by its call and its answer: a status, or how it was cut off."""
        self._answers[call][answer] += 1

    def polled(self, task_id: str, now: float) -> None:
        """Note a poll of a task, by either route."""
        gap = now - self._last_poll.get(task_id, -math.inf)
        self._shortest_gap = min(self._shortest_gap, gap)
        self._last_poll[task_id] = now

    def key_sent_with_film(self) -> None:
        """Note a film or image request with an Authorization header, which none of them needs."""
        self._films_with_key += 1

    def summary(self, tasks: Iterable[Task], now: float) -> Json:
        """Everything, at `now`, JSON-able; durations and moments in seconds."""
        everything = list(tasks)
        gap = None if math.isinf(self._shortest_gap) else round(self._shortest_gap, 3)
        return {
            "charged": len(everything),
            "duplicates": duplicates(task.charge for task in everything),
            "requests": {call: sum(count.values()) for call, count in self._answers.items()},
            "answers": {call: dict(count) for call, count in self._answers.items()},
            "most_unfinished_at_once": most_at_once(everything),
            "shortest_poll_gap": gap,
            "film_requests_with_key": self._films_with_key,
            "charges": [_line(task, now) for task in everything],
        }


def duplicates(charges: Iterable[Charge]) -> list[list[str]]:
    """The ids of tasks charged for the very same body, a list for each body charged twice."""
    by_body: dict[str, list[str]] = defaultdict(list)
    for charge in charges:
        by_body[json.dumps(charge.body, sort_keys=True)].append(charge.task_id)
    return [ids for ids in by_body.values() if len(ids) > 1]


def _line(task: Task, now: float) -> Json:
    charge = task.charge
    return {
        "task_id": charge.task_id,
        "at": charge.at,
        "request_id": charge.request_id,
        "body": dict(charge.body),
        "status": "DELETED" if task.deleted_at is not None else task.phase(now).value,
    }
