"""How a sandbox behaves: one frozen `Settings`, read from the command line or built in a test."""

from __future__ import annotations

from dataclasses import dataclass

from runner.sandbox.faults import Fault
from runner.sandbox.reading import Span, not_one_of

DIALECTS = ("flat", "wrapped", "mixed")
DAY = 86_400.0
RENDER, QUEUE, INVISIBLE = Span(2.0, 6.0), Span(0.5, 1.5), Span(0.0, 0.0)


@dataclass(frozen=True, slots=True)
class Settings:
    """What the stand-in provider does. Every duration is in seconds.

    seed           the dice: the same seed and the same requests give the same world
    dialect        shape of CometAPI's task details: flat, wrapped, or mixed (differs by task)
    render         how long a task runs
    queue          how long it is PENDING before that
    invisible      for how long after its creation polls answer `task_not_exist`
    slots          tasks at work at once, the others wait (THROTTLED); None: no limit
    daily_cap      tasks in 24 hours, then 429; None: no limit
    credit         tasks in all, then 403 `insufficient_user_quota`; None: no limit
    key            the one key accepted; None: any non-empty key
    link_lifetime  for how long a film's address works; every poll gives a fresh one
    faults         what goes wrong, tried in this order (see `faults.KINDS`)
    """

    seed: int = 0
    dialect: str = "flat"
    render: Span = RENDER
    queue: Span = QUEUE
    invisible: Span = INVISIBLE
    slots: int | None = None
    daily_cap: int | None = None
    credit: int | None = None
    key: str | None = None
    link_lifetime: float = DAY
    faults: tuple[Fault, ...] = ()

    def __post_init__(self) -> None:
        """Raise `ValueError` for a setting no sandbox can follow."""
        if self.dialect not in DIALECTS:
            raise ValueError(not_one_of("dialect", self.dialect, DIALECTS))
        if self.slots is not None and self.slots < 1:
            raise ValueError("slots must be at least 1")
        if self.link_lifetime <= 0:
            raise ValueError("link_lifetime must be more than 0 seconds")
