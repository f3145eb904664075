"""The provider's books: what was charged, when it was ready, when the client came to know."""

from __future__ import annotations

import resource
import time
from array import array
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any


@dataclass(slots=True)
class Task:
    """One charge. Times are seconds of the provider's monotonic clock, 0 for never."""

    id: str
    image: str
    submitted: float
    ready: float
    noticed: float = 0.0
    served: float = 0.0
    polls: array[float] = field(default_factory=lambda: array("d"))


class Books:
    """What one client did, and what serving it cost the provider."""

    def __init__(self) -> None:
        self.began = time.monotonic()
        self.tasks: dict[str, Task] = {}
        self.connections = 0
        self.open = 0
        self.most_open = 0
        self.handling = array("d")
        self.lateness = array("d")
        self.busy: Counter[int] = Counter()
        self._cpu = cpu_seconds()

    def summary(self) -> dict[str, Any]:
        """Everything that the tables show, as JSON: times in seconds unless the name says ms."""
        tasks = self.tasks.values()
        lags = [task.noticed - task.ready for task in tasks if task.noticed]
        charges = Counter(task.image for task in tasks)
        wall = time.monotonic() - self.began
        return {
            "charges": len(self.tasks),
            "charged_twice": sum(count > 1 for count in charges.values()),
            "served": sum(task.served > 0 for task in tasks),
            "polls_a_job": sum(len(task.polls) for task in tasks) / max(1, len(charges)),
            "lag_mean": mean(lags),
            "lag_p95": quantile(lags, 0.95),
            "lag_max": max(lags, default=0.0),
            "connections": self.connections,
            "connections_at_once": self.most_open,
            "in_flight": most_at_once((task.submitted, task.ready) for task in tasks),
            "submitting": self._submitting(),
            "requests": len(self.handling),
            "busiest_second": max(self.busy.values(), default=0),
            "handling_mean_ms": mean(self.handling) * 1000,
            "handling_p99_ms": quantile(self.handling, 0.99) * 1000,
            "late_p99_ms": quantile(self.lateness, 0.99) * 1000,
            "cpu": cpu_seconds() - self._cpu,
            "core": (cpu_seconds() - self._cpu) / wall,
        }

    def _submitting(self) -> float:
        moments = [task.submitted for task in self.tasks.values()]
        return max(moments) - min(moments) if moments else 0.0

    def charged(self) -> dict[str, list[str]]:
        """Each image and the tasks that were charged for it."""
        found: dict[str, list[str]] = defaultdict(list)
        for task in self.tasks.values():
            found[task.image].append(task.id)
        return found

    def gaps(self, since: float, now: float) -> dict[str, list[tuple[float, float]]]:
        """The gaps between two polls of one task: (age at its beginning, seconds) of each.

        `closed` are those that ended after a moment, the first of a task counting from its submit;
        `open` are those that last still, so that a poll that never comes is no poll in time.
        """
        closed, still = [], []
        for task in self.tasks.values():
            moments = (task.submitted, *task.polls)
            closed += [
                (earlier - task.submitted, later - earlier)
                for earlier, later in pairwise(moments)
                if later >= since
            ]
            still.append((moments[-1] - task.submitted, now - moments[-1]))
        return {"closed": closed, "open": still}

    def silent(self, since: float) -> int:
        """How many tasks nobody asked about after a moment."""
        return sum(not task.polls or task.polls[-1] < since for task in self.tasks.values())


def cpu_seconds() -> float:
    """User and system time of this process so far."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def mean(values: Sequence[float]) -> float:
    """The mean, 0 of nothing."""
    return sum(values) / len(values) if values else 0.0


def quantile(values: Iterable[float], part: float) -> float:
    """The value below which a part of the values lies, 0 of nothing."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(part * len(ordered)))] if ordered else 0.0


def most_at_once(spans: Iterable[tuple[float, float]]) -> int:
    """How many spans (begin, end) overlap at most."""
    edges = sorted(edge for begin, end in spans for edge in ((begin, 1), (end, -1)))
    most = now = 0
    for _, step in edges:
        now += step
        most = max(most, now)
    return most
