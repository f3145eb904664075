"""The event log read back: what a job must be after all that happened to it. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any, get_args

from runner.events import Event, SubmitStarted
from runner.jobs import Job, Problem, Spent, Status
from runner.lifecycle import apply

_EVENTS: dict[str, type[Event]] = {kind.__name__: kind for kind in get_args(Event)}


def revive(name: str, detail: Mapping[str, Any]) -> Event:
    """An event from its name and its stored fields. Raises `KeyError` or `TypeError`."""
    values = dict(detail)
    if isinstance(values.get("problem"), dict):
        values["problem"] = Problem(**values["problem"])
    return _EVENTS[name](**values)


def replay(
    job: Job, log: Iterable[tuple[str, Mapping[str, Any], float]], start: Job | None = None
) -> Job:
    """The job that its events (name, fields, time) lead to, from planned on, or from `start`.

    The links of videos are not in the log, so the result has none. Raises what `apply` and
    `revive` raise when the log makes no sense.
    """
    state = start or Job(job.key, job.id, job.derived, job.content, job.body, job.cost)
    for name, detail, at in log:
        state = apply(state, revive(name, detail), at)
    return replace(state, url="")


def spent_in(log: Iterable[tuple[int, Status, str, Mapping[str, Any], float]]) -> Spent:
    """What the submits in a part of the log cost that were not given back there.

    Each event comes with its job's key and the status before it. What is given back of a submit
    that is not in this part is none of its business, nor is what was paid for elsewhere.
    """
    tasks = cost = 0
    paid: dict[int, Job] = {}
    for key, before, name, detail, at in log:
        if name == SubmitStarted.__name__:
            blank = Job(key, "", "", "", {}, status=before)
        elif (submitted := paid.get(key)) is not None:
            blank = replace(submitted, status=before)
        else:
            continue
        after = apply(blank, revive(name, detail), at)
        if name != SubmitStarted.__name__ and after.attempts > blank.attempts:
            del paid[key]  # adopted: paid for elsewhere, on whatever day
            continue
        tasks += after.attempts - blank.attempts
        cost += after.spent - blank.spent
        paid[key] = after
    return Spent(tasks, cost)


def contradiction(
    job: Job, log: Iterable[tuple[str, Mapping[str, Any], float]], start: Job | None = None
) -> str:
    """How a row and its events disagree, in words; "" when they don't.

    `start` is what its earlier events had led to, where they are in an archive.
    """
    try:
        told = replay(job, log, start)
    except (ValueError, KeyError, TypeError) as error:
        return f"its events make no sense: {error}"
    found = replace(job, url="")
    if told == found:
        return ""
    names = [name for name in Job.__slots__ if getattr(told, name) != getattr(found, name)]
    if told.status is not found.status:
        return f"is {found.status}, but its events lead to {told.status}"
    return f"differs from its events in {', '.join(names)}"
