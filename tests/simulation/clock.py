"""Two clocks: the true time, by which the provider goes, and what the machine's clock says."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import trio

EPOCH = 1_800_000_000.0


class Clock:
    """Time that passes within runs as trio's does, and between them as it is told to.

    `skew` is how far the machine's clock is wrong; a run's own waiting never notices.
    """

    def __init__(self) -> None:
        self.time = EPOCH
        self.skew = 0.0
        self._started: float | None = None

    def now(self) -> float:
        """True time, in seconds since 1970."""
        passed = 0.0 if self._started is None else trio.current_time() - self._started
        return self.time + passed

    def wall(self) -> float:
        """What the machine's clock says."""
        return self.now() + self.skew

    @contextmanager
    def running(self) -> Iterator[None]:
        """Time passes while this lasts."""
        self._started = trio.current_time()
        try:
            yield
        finally:
            self.time, self._started = self.now(), None
