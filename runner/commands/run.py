"""`runner run`: submits, polls, downloads; goes on where an earlier run stopped."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import anyio
import click

from runner.admission import Reason
from runner.apis import is_loopback
from runner.batch import Batch, Options, bring_in_line, prepare, read_key
from runner.commands import options
from runner.console import Console, JsonLines, Live, Plain, Silent, write_line
from runner.engine import Engine, Observe, first_error
from runner.errors import ConfigurationError, ExitCode
from runner.jobs import Ending, Event, Job, Saved, Status, Stop
from runner.ledger import Ledger
from runner.overview import exit_code
from runner.report import Summary, summary
from runner.videos import put_sidecar


@click.command()
@options.batch
@click.option(
    "--concurrency",
    type=options.Field("concurrency"),
    metavar="N|auto",
    help="Paid tasks at the provider at once; auto finds out how many it takes.",
)
@click.option(
    "--rate",
    type=options.Field("rate"),
    metavar="30/min",
    help="At most so many submits in any such time.",
)
@click.option(
    "--poll-interval",
    type=options.Duration(),
    metavar="5s",
    help="Least time between two polls of one task.",
)
@click.option(
    "--deadline",
    type=options.Duration(),
    metavar="50m",
    help="Stop cleanly after this long; the next run goes on.",
)
@click.option(
    "--key-file",
    type=options.PATH,
    metavar="FILE",
    help="Read the API key from a file instead of the environment.",
)
@click.option(
    "--accept-changes",
    is_flag=True,
    help="Pay again for entries that changed after they were paid for.",
)
@click.option(
    "--on-uncertain",
    type=click.Choice(["hold", "resubmit"]),
    default="hold",
    help="A submit without an answer may have been charged. hold (default) keeps it for "
    "you to settle with `runner resolve`; resubmit buys it again, up to three times, "
    "and so may pay two or three times for one video.",
)
@click.option(
    "--progress",
    type=click.Choice(["auto", "live", "plain", "json", "none"]),
    default="auto",
    help="How progress is shown [auto: live on a terminal, else plain].",
)
@click.option("-v", "--verbose", is_flag=True, help="Say every event.")
def run(
    deadline: float | None,
    key_file: Path | None,
    on_uncertain: str,
    progress: str,
    verbose: bool,
    **given: Any,
) -> ExitCode:
    """Submit, poll and download every job of a manifest.

    Run it again after any interruption: accepted tasks are polled, never submitted again, and
    videos that are on disk are left alone. Ctrl-C stops cleanly, a second one at once.

    \b
    Examples:
      runner run catalog.yaml
      runner run catalog.yaml --sandbox               a rehearsal, free of charge
      runner run catalog.yaml --deadline 50m          from cron, every hour
      runner run catalog.yaml --progress json | jq .
    """
    asked = Options(**given, resubmit_uncertain=on_uncertain == "resubmit")
    with _interruptible():
        return _run(asked, deadline=deadline, key_file=key_file, progress=progress, verbose=verbose)


def _run(
    asked: Options, *, deadline: float | None, key_file: Path | None, progress: str, verbose: bool
) -> ExitCode:
    batch = prepare(asked)
    for warning in batch.manifest.warnings:
        write_line(f"warning: {warning}", sys.stderr)
    key = read_key(batch.api, key_file)
    if not batch.state_file.exists():
        write_line(f"a new state file: {batch.state_file}", sys.stderr)
    with batch.opened("run") as ledger:
        before = ledger.writes()
        admission = batch.admit(ledger)
        view = batch.overview(admission)
        batch.check_folders(view)
        bring_in_line(ledger, admission, time.time())
        strangers = len(view.held(Reason.EXISTS))
        session = _Session(batch, ledger, key, progress, verbose)
        ending = session.run(deadline, strangers)
        if ledger.writes() != before:
            view = batch.overview(batch.admit(ledger))
        code = exit_code(view, ending)
        ledger.end_run(ending.stop, code, time.time())
        spent, outputs = ledger.spent(), ledger.outputs()
        last = summary(view, ending, batch.limits, spent, bought=session.bought, outputs=outputs)
    _say_last(last, session.style)
    return code


SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@contextmanager
def _interruptible() -> Iterator[None]:
    """Let any of the signals end what comes before the engine, with words instead of a blow.

    Nothing is in the air then, so there is nothing to store. A signal that the caller told this
    process to ignore (nohup) stays ignored.
    """

    def interrupt(number: int, frame: object) -> None:
        raise KeyboardInterrupt

    before = {number: signal.getsignal(number) for number in SIGNALS}
    try:
        for number, handler in before.items():
            if handler is not signal.SIG_IGN or number == signal.SIGINT:
                signal.signal(number, interrupt)
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _deafen() -> None:
    """The work is done and stored: a late signal may not spoil the last words."""
    for number in SIGNALS:
        signal.signal(number, signal.SIG_IGN)


def _say_last(last: Summary, style: str) -> None:
    """On a terminal the line that says it all comes first; in a log, last."""
    details = [f"  {line}" for line in last.details] + [f"next: {line}" for line in last.next]
    lines = [last.line, *details] if style == "live" else [*details, last.line]
    for line in lines:
        write_line(line, sys.stderr if style == "json" else sys.stdout)


def _style(progress: str) -> str:
    """How progress is shown: as asked, or by what standard error is."""
    if progress != "auto":
        return progress
    return "live" if sys.stderr.isatty() and os.environ.get("TERM") != "dumb" else "plain"


class _Session:
    """The parts of one run, wired together for as long as it lasts."""

    def __init__(
        self, batch: Batch, ledger: Ledger, key: str, progress: str, verbose: bool
    ) -> None:
        self._batch = batch
        self._ledger = ledger
        self._key = key
        self.style = _style(progress)
        self._verbose = verbose
        self._before = ledger.spent()[0]

    @property
    def bought(self) -> int:
        """Paid submissions of this run, those in doubt included."""
        return self._ledger.spent()[0] - self._before

    def run(self, deadline: float | None, strangers: int) -> Ending:
        """Work until the end, if there is anything to submit, ask, bring home or store.

        `strangers` are the entries that are held because of what is on disk.
        """
        counts = self._ledger.counts()
        at_rest = counts[Status.DONE] + counts[Status.FAILED]
        if at_rest == sum(counts.values()) and not self._ledger.rescued():
            _deafen()
            return Ending(Stop.FINISHED)
        counts[Status.PLANNED] += strangers
        return anyio.run(self.work, deadline, counts)

    async def work(self, deadline: float | None, counts: Mapping[str, int]) -> Ending:
        """Build the parts, run the engine between signals, and take the parts down again."""
        # An HTTP client takes as long to import as all else: a run with nothing to do has none.
        from runner.download import Downloader  # noqa: PLC0415
        from runner.provider import Provider  # noqa: PLC0415
        from runner.transport import Transport  # noqa: PLC0415

        batch = self._batch
        async with AsyncExitStack() as parts:
            base_url = batch.base_url
            if batch.embedded:
                base_url = await parts.enter_async_context(_embedded_sandbox(batch.state_file))
            headers = {
                "Authorization": f"Bearer {self._key}",
                "X-Runway-Version": batch.manifest.runway_version,
            }
            transport = await parts.enter_async_context(Transport(base_url, headers))
            downloader = Downloader(transport, private_hosts=is_loopback(base_url))
            provider = Provider(
                batch.api, transport, downloader, lambda job: batch.place_of(self._ledger, job)
            )
            console = self._console()
            engine = Engine(
                self._ledger,
                provider.perform,
                batch.limits,
                observe=self._observer(console),
                say=console.say,
            )
            console.start(counts, lambda: engine.tally)
            parts.callback(console.stop)
            try:
                async with anyio.create_task_group() as group:
                    group.start_soon(self._heed_signals, engine, console)
                    ending = await engine.run(deadline)
                    group.cancel_scope.cancel()
            except BaseExceptionGroup as errors:
                raise first_error(errors) from None
            _deafen()
            return ending

    def _observer(self, console: Console) -> Observe:
        """Who is told of each change: the console, and the sidecar that is written from it."""
        if not self._batch.manifest.sidecar:
            return console.observe

        def observe(before: Job, event: Event, after: Job) -> None:
            console.observe(before, event, after)
            if isinstance(event, Saved):
                words = put_sidecar(after, self._batch.name, self._batch.api.name)
                if words:
                    console.say(words)

        return observe

    def _console(self) -> Console:
        match self.style:
            case "live":
                return Live(self._batch.name, self._batch.limits, verbose=self._verbose)
            case "plain":
                return Plain(verbose=self._verbose)
            case "json":
                return JsonLines()
            case _:
                return Silent()

    async def _heed_signals(self, engine: Engine, console: Console) -> None:
        heeded = (each for each in SIGNALS if signal.getsignal(each) is not signal.SIG_IGN)
        with anyio.open_signal_receiver(*heeded) as signals:
            await anext(signals)
            waiting = engine.drain(Ending(Stop.INTERRUPT))
            console.say(
                "stopping: running tasks stay at the provider"
                + (f", waiting for {waiting} submits in the air" if waiting else "")
                + "; interrupt again to leave at once"
            )
            await anext(signals)
        # What is in the air stays `submitting` in the state file: the next run finds it there
        # and holds it as uncertain. Nothing may run between here and the end.
        console.stop()
        self._ledger.end_run("aborted", ExitCode.ABORTED, time.time())
        os._exit(ExitCode.ABORTED)


@asynccontextmanager
async def _embedded_sandbox(state_file: Path) -> AsyncIterator[str]:
    """A stand-in provider on loopback for one run; its tasks outlive it in a file of their own."""
    from runner import sandbox  # noqa: PLC0415 - an extra, needed only here

    settings = sandbox.Settings(dialect="mixed")
    try:
        async with sandbox.serve(
            settings, ledger_file=state_file.with_suffix(".sandbox.jsonl")
        ) as server:
            yield server.base_url
    except (sandbox.MissingExtraError, sandbox.LedgerFileError) as error:
        raise ConfigurationError(str(error)) from None
