"""The event log folded into what a sheet tells: charges, and how long each render took. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from runner.jobs import Status

# A job's key, when it happened, the event's name, the status before it, the event's own fields.
Past = tuple[int, float, str, Status, Mapping[str, Any]]

_NOT_CHARGED = {
    "NotSent",
    "Throttled",
    "Unserved",
    "Refused",
    "AccountRefused",
    "WrongAddress",
}


@dataclass(frozen=True, slots=True)
class Charge:
    """One paid submission, those in doubt included: when, and for how many millionths if known."""

    at: float
    cost: int | None


@dataclass(frozen=True, slots=True)
class Chronicle:
    """What the log says of one job. `render` is in seconds, 0 when no render has ended well.

    A render's time runs from the provider's acceptance to the first poll that found the video.
    """

    charges: tuple[Charge, ...] = ()
    accepted_at: float = 0.0
    render: float = 0.0


def chronicles(log: Iterable[Past]) -> dict[int, Chronicle]:
    """Job key -> its chronicle, from the events of all jobs, oldest first."""
    found: dict[int, Chronicle] = {}
    for key, at, event, before, detail in log:
        found[key] = _after(found.get(key, Chronicle()), at, event, before, detail)
    return found


def _after(
    now: Chronicle, at: float, event: str, before: Status, detail: Mapping[str, Any]
) -> Chronicle:
    match event:
        case "SubmitStarted":
            charge = Charge(at, detail.get("cost"))
            return replace(now, charges=(*now.charges, charge), accepted_at=0.0, render=0.0)
        case "Accepted":
            return replace(now, accepted_at=at)
        case "Rendered" if now.accepted_at and not now.render:
            return replace(now, render=at - now.accepted_at)
        case "ConfirmedUnpaid":
            return replace(now, charges=now.charges[:-1])
        case _ if event in _NOT_CHARGED and before is Status.SUBMITTING:
            return replace(now, charges=now.charges[:-1])
        case _:
            return now
