"""What happened to a job, event by event, as people read it. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from typing import Any, NamedTuple

from runner.events import (
    Abandoned,
    Accepted,
    Adopted,
    ConfirmedUnpaid,
    Edited,
    Event,
    FileMissed,
    Forgotten,
    FoundRemote,
    LinkExpired,
    Renamed,
    Rendered,
    Repriced,
    RetryOrdered,
    RiskAccepted,
    Saved,
    StillRunning,
    SubmitStarted,
)
from runner.history import revive
from runner.jobs import Problem, Status
from runner.troubles import explain
from runner.words import money, printable

_BY_A_PERSON: Mapping[type[Event], str] = {
    ConfirmedUnpaid: "a person found that it was not charged: it is bought again",
    RiskAccepted: "to be bought again, though it may have been charged",
    Abandoned: "given up by a person; counted as paid",
    RetryOrdered: "put back by a person, to be paid for again",
    Forgotten: "forgotten: not shown any more",
    Edited: "the manifest asks for something else now",
}


class Past(NamedTuple):
    """One line of the log: when (seconds since 1970), what, between which statuses, and more."""

    at: float
    event: str
    before: Status
    after: Status
    detail: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Told:
    """One line of the log with its words."""

    past: Past
    words: str


def told(log: Iterable[Past]) -> Iterator[Told]:
    """The log of one job, oldest first, in words: one line each."""
    task_id = ""
    for past in log:
        try:
            event = revive(past.event, past.detail)
        except (KeyError, TypeError):  # written by another version
            yield Told(past, printable(past.event))
            continue
        if isinstance(event, SubmitStarted):
            task_id = ""
        task_id = getattr(event, "task_id", task_id)
        yield Told(past, printable(_words(event, past.after, task_id)))


def story(log: Iterable[Told], clock: Callable[[float], datetime]) -> list[str]:
    """A line for each thing that happened: when, how long after the one before, what.

    What was said again and again is one line.
    """
    lines = []
    last: float | None = None
    for words, group in groupby(log, lambda each: each.words):
        times = [each.past.at for each in group]
        later = "" if last is None else f"+{spell(times[0] - last)}"
        more = f" ({len(times)} times in {spell(times[-1] - times[0])})" if len(times) > 1 else ""
        lines.append(f"{clock(times[0]):%Y-%m-%d %H:%M:%S}  {later:>11}  {words}{more}".rstrip())
        last = times[-1]
    return lines


def spell(seconds: float) -> str:
    """A length of time in its two largest units, like `3 min 20 s`; 0 if a clock was set back."""
    if seconds < 1:
        return "0 s" if seconds <= 0 else f"{max(0.1, seconds):.1f} s"
    parts: list[str] = []
    left = round(seconds)
    for name, size in (("d", 86_400), ("h", 3600), ("min", 60), ("s", 1)):
        number, left = divmod(left, size)
        if number or parts:
            parts.append(f"{number} {name}" if number else "")
    return " ".join(filter(None, parts[:2]))


def _words(event: Event, after: Status, task_id: str) -> str:  # noqa: PLR0911, PLR0912 - one case an event
    match event:
        case SubmitStarted(cost=cost):
            return "order on its way" + ("" if cost is None else f", for {money(cost)}")
        case Accepted(request_id=request):
            return f"accepted and charged: task {task_id}{_request(request)}"
        case StillRunning(remote_status=word):
            return f"not ready yet: {word.lower()}" if word else "not ready yet"
        case Rendered(pending=pending, ready=ready):
            took = f", after {spell(pending)} to {spell(ready)}" if ready else ""
            return f"ready at the provider{took}"
        case Saved(output=output, size=size, note=note):
            return f"video on disk: {output} ({size:,} bytes)" + (f"; {note}" if note else "")
        case FoundRemote():
            return f"found at the provider: task {task_id}"
        case Adopted():
            return f"taken over: task {task_id}, made elsewhere; counted as paid"
        case Renamed(id=id):
            return f"the manifest calls it {id} now"
        case Repriced(cost=cost):
            return "its price is unknown now" if cost is None else f"it costs {money(cost)} now"
        case FileMissed(problem=problem):
            return f"video gone from the disk, to be fetched again ({problem.message})"
        case LinkExpired(problem=problem):
            return f"the link to the video is no longer good: {_said(problem)}"
    if words := _BY_A_PERSON.get(type(event)):
        return words
    trouble: object = getattr(event, "problem", None)
    if not isinstance(trouble, Problem):
        return type(event).__name__
    meaning = explain(trouble, after, task_id)
    return f"{meaning.kind}: {meaning.meaning} {_said(trouble)}"


def _said(problem: Problem) -> str:
    """The provider's own words."""
    said = f"{problem.code}: {problem.message}" if problem.message else problem.code
    return f"[{said}{_request(problem.request_id)}]"


def _request(request_id: str) -> str:
    return f" (request {request_id})" if request_id else ""
