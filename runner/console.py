"""Progress while a run goes on: a live view, plain lines, JSON lines, or nothing."""

from __future__ import annotations

import json
import sys
import time
from collections import Counter, deque
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Protocol, TextIO

from runner.events import Event, LinkExpired, Rendered, Saved
from runner.jobs import Budget, Job, Limits, Problem, Status, Tally
from runner.log import Log, write_line
from runner.records import change_json
from runner.words import printable, spending, spending_of

if TYPE_CHECKING:
    from rich.console import RenderableType

QUIET_SECONDS = 30.0
_REDRAWN = 2  # times a second: it takes some 3 ms each time, of what the run itself needs
_BAR = 30  # columns

_AT_REST = frozenset({Status.DONE, Status.FAILED, Status.UNCERTAIN})
_BAD = frozenset({Status.FAILED, Status.UNCERTAIN})


class Console(Protocol):
    """What shows a run's progress. All methods are quick and never raise."""

    def start(self, counts: Mapping[str, int], tally: Callable[[], Tally]) -> None:
        """Begin: how many jobs have each status, and what tells how much is under way."""

    def observe(self, before: Job, event: Event, after: Job) -> None:
        """Take note of one change."""

    def say(self, words: str) -> None:
        """Tell the operator something at once."""

    def stop(self) -> None:
        """End; safe to call twice."""


class Silent:
    """Says nothing but what must be said."""

    def __init__(self, log: Log | None = None) -> None:
        self._log = log or Log()

    def start(self, counts: Mapping[str, int], tally: Callable[[], Tally]) -> None:
        """Begin."""

    def observe(self, before: Job, event: Event, after: Job) -> None:
        """Take note of one change."""

    def say(self, words: str) -> None:
        """Tell the operator something at once."""
        self._log.say(words)

    def stop(self) -> None:
        """End."""


class Mute(Silent):
    """Says nothing at all."""

    def say(self, words: str) -> None:
        """Keep it."""


class Logged(Silent):
    """One line in the log for each change of status."""

    def observe(self, before: Job, event: Event, after: Job) -> None:
        """Say what became of a job."""
        if before.status is not after.status:
            change = change_json(before, after, 0.0)
            del change["time"]
            level = "warning" if after.status in _BAD else "info"
            words = f"{after.id}: {before.status} -> {after.status}"
            self._log.say(printable(words), level=level, event="change", **change)


class JsonLines(Silent):
    """One JSON object on standard output for each change of status."""

    def __init__(
        self,
        wall: Callable[[], float] = time.time,
        out: TextIO | None = None,
        log: Log | None = None,
    ) -> None:
        super().__init__(log)
        self._wall = wall
        self._out = out or sys.stdout

    def observe(self, before: Job, event: Event, after: Job) -> None:
        """Print a line if the status changed."""
        if before.status is not after.status:
            line = change_json(before, after, self._wall())
            write_line(json.dumps(line), self._out)


class Worth:
    """Which problems are worth a line to people, each once.

    A link that an earlier run was given may well be stale by now: that is told only when the
    fresh one fails too.
    """

    def __init__(self) -> None:
        self._fresh: set[int] = set()
        self._untold: set[int] = set()

    def brought(self, before: Job, event: Event, after: Job) -> Problem | None:
        """The problem that an event brought, if it is worth a line."""
        key = after.key
        unsaid = key in self._untold
        match event:
            case Rendered():
                self._fresh.add(key)
            case Saved():
                self._fresh.discard(key)
                self._untold.discard(key)
            case LinkExpired() if key not in self._fresh:
                self._untold.add(key)
                return None
            case LinkExpired() if unsaid:
                self._untold.discard(key)
                return after.problem
        return None if after.problem == before.problem else after.problem


class Plain(Silent):
    """A few lines for logs and cron: troubles as they come, the rest summed up now and then."""

    def __init__(
        self,
        *,
        verbose: bool = False,
        clock: Callable[[], float] = time.monotonic,
        log: Log | None = None,
    ) -> None:
        super().__init__(log)
        self._verbose = verbose
        self._clock = clock
        self._worth = Worth()
        self._counts: Counter[str] = Counter()
        self._said = clock()

    def start(self, counts: Mapping[str, int], tally: Callable[[], Tally]) -> None:
        """Say where the run begins, unless there is nothing to do."""
        self._counts.update(counts)
        if any(counts[status] for status in Status if status not in _AT_REST):
            self.say(_counted(self._counts))

    def observe(self, before: Job, event: Event, after: Job) -> None:
        """Say what went wrong; say how far it is when that was long ago."""
        if self._verbose:
            self.say(_every(event, after))
        elif problem := self._worth.brought(before, event, after):
            self.say(f"{printable(after.id)}: {_phrase(after.status, problem)}")
        if before.status is after.status:
            return
        self._counts[before.status] -= 1
        self._counts[after.status] += 1
        if self._clock() - self._said >= QUIET_SECONDS:
            self._said = self._clock()
            self.say(_counted(self._counts))


class Live(Silent):
    """A view on a terminal that redraws itself: bar, counts, rate, money, latest problems."""

    def __init__(
        self,
        name: str,
        limits: Limits,
        *,
        verbose: bool = False,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        from rich.console import Console as RichConsole  # noqa: PLC0415 - only a terminal needs it
        from rich.live import Live as RichLive  # noqa: PLC0415

        super().__init__()
        self._name = name
        self._limits = limits
        self._tally: Callable[[], Tally] = Tally
        self._verbose = verbose
        self._clock = clock
        self._began = clock()
        self._worth = Worth()
        self._counts: Counter[str] = Counter()
        self._ended_here = 0
        self._problems: deque[str] = deque(maxlen=4)
        self._console = RichConsole(stderr=True, highlight=False)
        self._live = RichLive(
            console=self._console,
            get_renderable=self._view,
            refresh_per_second=_REDRAWN,
            transient=True,
            redirect_stdout=False,
            redirect_stderr=False,
        )

    def start(self, counts: Mapping[str, int], tally: Callable[[], Tally]) -> None:
        """Draw the view."""
        self._counts.update(counts)
        self._tally = tally
        self._live.start()

    def observe(self, before: Job, event: Event, after: Job) -> None:
        """Take note; the view redraws itself a few times a second."""
        if self._verbose:
            self.say(_every(event, after))
        if problem := self._worth.brought(before, event, after):
            self._problems.append(f"{printable(after.id)}: {_phrase(after.status, problem)}")
        if before.status is not after.status:
            self._counts[before.status] -= 1
            self._counts[after.status] += 1
            self._ended_here += after.status in {Status.DONE, Status.FAILED}

    def say(self, words: str) -> None:
        """Print a line above the view."""
        with suppress(OSError, ValueError):
            self._console.print(words, markup=False)

    def stop(self) -> None:
        """Take the view away; what counts is printed by the summary."""
        self._live.stop()

    def _view(self) -> RenderableType:
        from rich.console import Group  # noqa: PLC0415
        from rich.text import Text  # noqa: PLC0415

        total = max(1, sum(self._counts.values()))
        ended = self._counts[Status.DONE] + self._counts[Status.FAILED]
        full = _BAR * ended // total
        stroke = "-" if self._console.options.ascii_only else "\u2501"
        coloured = self._console.color_system is not None and not self._console.no_color
        head = Text.assemble(
            (f"{self._name} ", "bold"),
            (stroke * full, "bar.complete"),
            ((stroke if coloured else " ") * (_BAR - full), "bar.back"),
            f" {ended}/{total} ",
            (self._pace(total - ended), "dim"),
        )
        lines = [Text(_counted(self._counts)), Text(self._money(), style="dim")]
        problems = [Text(f"! {problem}", style="yellow") for problem in self._problems]
        for line in (head, *lines, *problems):
            line.no_wrap = True
            line.overflow = "ellipsis"
        return Group(head, *lines, *problems)

    def _pace(self, left: int) -> str:
        elapsed = self._clock() - self._began
        if not self._ended_here:
            return _duration(elapsed)
        rate = self._ended_here / elapsed
        return f"{_duration(elapsed)}, {rate * 60:.1f} a minute, {_duration(left / rate)} left"

    def _money(self) -> str:
        tally = self._tally()
        at_provider = f"{tally.at_provider} of {tally.allowed} at the provider"
        words = f"{at_provider}; paid {spending((tally.attempts, tally.spent), self._limits)}"
        if self._limits.per_day != Budget():
            words += f"; today {spending_of(tally.today, self._limits.per_day)}"
        return words


def _every(event: Event, after: Job) -> str:
    """One event in a line, for `--verbose`; never a link, which could carry a signature."""
    words = f"{after.id}: {type(event).__name__} -> {after.status}"
    if after.task_id:
        words += f" task {after.task_id} {after.remote_status}".rstrip()
    problem = getattr(event, "problem", None)
    return printable(f"{words} ({problem.code}: {problem.message})" if problem else words)


def _phrase(status: Status, problem: Problem) -> str:
    lead = f"{status}: " if status in _BAD else f"{status}, "
    tail = f" (request {problem.request_id})" if problem.request_id else ""
    return printable(f"{lead}{problem.code}: {problem.message}{tail}")


def _counted(counts: Counter[str]) -> str:
    return ", ".join(f"{counts[status]} {status}" for status in Status if counts[status])


def _duration(seconds: float) -> str:
    minutes, second = divmod(int(seconds), 60)
    hours, minute = divmod(minutes, 60)
    return f"{hours}:{minute:02d}:{second:02d}" if hours else f"{minute}:{second:02d}"
