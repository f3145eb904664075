"""What one pass of `runner tick` leaves to the next, so that many passes are as patient as one run.

Pure: how it becomes the JSON value that the state file keeps, and is read from it again.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from runner.breaker import BREAKERS
from runner.policy import Streak

MEMORY = "pass"


@dataclass(frozen=True, slots=True)
class Carry:
    """What a run knows and the rows of the state file don't. Times are seconds since 1970.

    `streaks` and `due` (when its next step is due) are by the job's key. `troubles` and `refusals`
    are the counts of the circuit breakers and of refused submits in a row; nothing is submitted
    before `gate`.
    """

    streaks: Mapping[int, Streak] = field(default_factory=dict)
    due: Mapping[int, float] = field(default_factory=dict)
    troubles: Mapping[str, int] = field(default_factory=dict)
    refusals: int = 0
    gate: float = 0.0


def keep(carry: Carry, run: int | None, now: float) -> dict[str, Any]:
    """The JSON value to remember at the end of the run of this number."""
    patience = {key: asdict(streak) for key, streak in carry.streaks.items() if streak != Streak()}
    return {"run": run, "at": now, **asdict(carry), "streaks": patience}


def take_up(kept: object, run: int | None, now: float) -> Carry:
    """What the pass right before this run left; an empty one where any other run came between.

    A `run`, `retry` or `resolve` in between means that somebody looked: patience begins anew. The
    same goes for what can't be read, and for a clock that went back, whose due times mean nothing.
    """
    try:
        return _read(kept, run, now)
    except (TypeError, ValueError, KeyError, AttributeError):
        return Carry()


def _read(kept: Any, run: int | None, now: float) -> Carry:
    if run is None or kept["run"] != run - 1 or kept["at"] > now:
        return Carry()
    return Carry(
        {int(key): Streak(**values) for key, values in kept["streaks"].items()},
        {int(key): float(moment) for key, moment in kept["due"].items()},
        {str(kind): int(count) for kind, count in kept["troubles"].items() if kind in BREAKERS},
        int(kept["refusals"]),
        float(kept["gate"]),
    )
