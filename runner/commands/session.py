"""A batch as the command line works on it: between signals, shown, and summed up."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Any

import anyio
import click

from runner import news
from runner.api import load, run
from runner.batch import Batch
from runner.company import Company, Controls
from runner.console import Console, JsonLines, Live, Logged, Mute, Plain, Silent
from runner.credentials import read_key
from runner.errors import ConfigurationError, ExitCode
from runner.events import Event
from runner.jobs import Job, Tally
from runner.log import Log
from runner.session import Outcome, require_extras


@dataclass(frozen=True, slots=True)
class How:
    """How a batch is worked on and shown: what a command line says besides what a batch is.

    `once` makes it a single pass. `quiet` is 0, 1 (a line when anything changed) or 2 (when a
    person should know). `deadline` is in seconds. `hidden` are variables that hold secrets and are
    no business of the programs that a run starts. `late` gets the signal that came when all was
    stored and only the last words were left: whoever has more to do should not begin it.
    """

    once: bool = False
    deadline: float | None = None
    key_file: Path | None = None
    progress: str = "auto"
    verbose: bool = False
    quiet: int = 0
    plan: str = ""
    yes: bool = False
    hidden: tuple[str, ...] = ()
    log: Log = field(default_factory=Log)
    late: list[int] = field(default_factory=list)

    @property
    def style(self) -> str:
        """How progress is shown: as asked, or by what standard error is."""
        if self.progress != "auto":
            return self.progress
        if self.quiet:
            return "mute"
        if self.log.structured:
            return "log"
        return "live" if sys.stderr.isatty() and os.environ.get("TERM") != "dumb" else "plain"


def work_on(path: Path, given: Mapping[str, Any], how: How, claimed: dict[Path, Path]) -> Outcome:
    """Work on one batch to its end, and say so.

    `claimed` are the state files of the manifests before it in this call, each with its manifest.
    """
    began = time.monotonic()  # reading a large catalog is part of the time that was given
    batch = load(path, **given)
    other = claimed.setdefault(batch.state_file.absolute(), path)
    if other != path:
        words = f"its state file, {batch.state_file}, is that of {other} too"
        raise ConfigurationError(f"{path}: {words}: give each a `name` of its own")
    if not how.quiet:
        for warning in batch.manifest.warnings:
            how.log.warn(str(warning))
    require_extras(batch)
    key = read_key(batch.api, how.key_file)
    if not how.quiet:
        if batch.services != batch.manifest.services:
            how.log.say("a rehearsal: nobody is told, and no program is started")
        if not batch.state_file.exists():
            how.log.say(f"a new state file: {batch.state_file}")
    return run(
        batch,
        key=key,
        once=how.once,
        deadline=left_of(how.deadline, time.monotonic() - began),
        plan=how.plan,
        yes=how.yes,
        hidden=how.hidden,
        company=_Operator(batch, how),
    )


def left_of(deadline: float | None, taken: float) -> float | None:
    """What reading the manifest and its catalog left of the time for all; 0 when it took it."""
    return None if deadline is None else max(0.0, deadline - taken)


SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@contextmanager
def interruptible() -> Iterator[None]:
    """Let any of the signals end what comes before the engine, with words instead of a blow.

    Nothing is in the air then, so there is nothing to store. SIGINT keeps Python's own handler:
    an event loop puts a better one in its place, which cancels what it runs instead of raising in
    the middle of it. The others do what SIGINT does. A signal that the caller told this process to
    ignore (nohup) stays ignored.
    """

    def interrupt(number: int, frame: FrameType | None) -> None:
        handler = signal.getsignal(signal.SIGINT)
        if not callable(handler):
            raise KeyboardInterrupt
        handler(number, frame)

    before = {number: signal.getsignal(number) for number in SIGNALS}
    try:
        for number, handler in before.items():
            if number == signal.SIGINT:
                signal.signal(number, signal.default_int_handler)
            elif handler is not signal.SIG_IGN:
                signal.signal(number, interrupt)
        yield
    except KeyboardInterrupt:
        # What was cut in the making (an event loop, say) complains when it is thrown away.
        sys.unraisablehook = lambda unraisable: None
        raise
    finally:
        _put_back(before)


def _put_back(handlers: Mapping[signal.Signals, Any]) -> None:
    for number, handler in handlers.items():
        signal.signal(number, handler)


def _say_last(outcome: Outcome, how: How) -> None:
    """On a terminal the line that says it all comes first; in a log, last; quiet, alone."""
    last, told = outcome.words, outcome.news
    out = sys.stderr if how.style == "json" else sys.stdout

    def say_details() -> None:
        for line in () if how.quiet else last.details:
            how.log.say(line if how.log.structured else f"  {line}", event="detail", out=out)
        for line in () if how.quiet else last.next:
            how.log.say(f"next: {line}", event="next", out=out)

    if how.style != "live":
        say_details()
    level = "info" if told.well else "warning"
    how.log.say(last.line, level=level, event="summary", out=out, **news.summary_json(told))
    if how.style == "live":
        say_details()


def _console(batch: Batch, how: How) -> Console:
    match how.style:
        case "live":
            return Live(batch.name, batch.limits, verbose=how.verbose)
        case "plain":
            return Plain(verbose=how.verbose, log=how.log)
        case "json":
            return JsonLines(log=how.log)
        case "log":
            return Logged(how.log)
        case "mute":
            return Mute(how.log)
        case _:
            return Silent(how.log)


class _Operator(Company):
    """The person at the terminal, or the log that stands for one."""

    def __init__(self, batch: Batch, how: How) -> None:
        self.quiet = how.quiet
        self._how = how
        self._console = _console(batch, how)

    def warn(self, words: str) -> None:
        """Warn in the log."""
        self._how.log.warn(words)

    def prepare(self, words: str) -> None:
        """Say it, unless the run is a quiet one."""
        if not self.quiet:
            self._how.log.say(words)

    def ask(self, question: str) -> bool | None:
        """Ask at a terminal."""
        if not (sys.stdin.isatty() and sys.stderr.isatty()):
            return None
        return click.confirm(question, err=True)

    def start(self, counts: Mapping[str, int], tally: Callable[[], Tally]) -> None:
        """Show the progress."""
        self._console.start(counts, tally)

    def observe(self, before: Job, event: Event, after: Job) -> None:
        """Show a change."""
        self._console.observe(before, event, after)

    def say(self, words: str) -> None:
        """Show these words."""
        self._console.say(words)

    def stop(self) -> None:
        """Show no more."""
        self._console.stop()

    async def attend(self, controls: Controls) -> None:
        """Heed the signals: the first stops cleanly, the second at once."""
        before = {number: signal.getsignal(number) for number in SIGNALS}
        heeded = [number for number in SIGNALS if before[number] is not signal.SIG_IGN]
        with ExitStack() as after, anyio.open_signal_receiver(*heeded) as signals:
            after.callback(_put_back, before)  # the receiver would leave none
            await anext(signals)
            waiting = controls.drain()
            self._console.say(
                "stopping: running tasks stay at the provider"
                + (f", waiting for {waiting} submits in the air" if waiting else "")
                + "; interrupt again to leave at once"
            )
            await anext(signals)
        # Nothing may run between here and the end.
        self._console.stop()
        if words := controls.note_abort():
            self._console.say(words)
        os._exit(ExitCode.ABORTED)

    def settled(self) -> None:
        """Note a late signal, which would spoil the last words; leave at once at a second one."""

        def note(number: int, frame: FrameType | None) -> None:
            if self._how.late:
                os._exit(ExitCode.ABORTED)
            self._how.late.append(number)

        for number in SIGNALS:
            if number == signal.SIGINT or signal.getsignal(number) is not signal.SIG_IGN:
                signal.signal(number, note)

    def ended(self, outcome: Outcome) -> None:
        """Say what came of it."""
        if outcome.speaks:
            _say_last(outcome, self._how)
