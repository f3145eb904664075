"""One batch worked on: opened, admitted, run between signals, summed up, and told of."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import AsyncExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import anyio

from runner import news
from runner.admission import Reason
from runner.apis import APIS, is_loopback
from runner.batch import Batch, Options, bring_in_line, prepare, read_key
from runner.commands.consent import agree, refuse_images
from runner.commands.standin import embedded_sandbox
from runner.console import Console, JsonLines, Live, Logged, Mute, Plain, Silent
from runner.engine import Engine, first_error
from runner.errors import ConfigurationError, ExitCode, LockedError, RunnerError
from runner.events import Event, Saved
from runner.jobs import Ending, Job, Status, Stop
from runner.ledger import Ledger
from runner.log import Log
from runner.manifest import Services
from runner.news import News
from runner.outside import Outside
from runner.overview import Action, exit_code
from runner.posters import Posters, require_extra
from runner.report import Summary, summary
from runner.videos import put_sidecar


@dataclass(frozen=True, slots=True)
class How:
    """How a batch is worked on and shown: what a command line says besides its `Options`.

    `once` makes it a single pass. `quiet` is 0, 1 (a line when anything changed) or 2 (when a
    person should know). `deadline` is in seconds. `hidden` are variables that hold secrets and are
    no business of the programs that a run starts.
    """

    once: bool = False
    deadline: float | None = None
    key_file: Path | None = None
    progress: str = "auto"
    verbose: bool = False
    quiet: int = 0
    hidden: tuple[str, ...] = ()
    log: Log = field(default_factory=Log)

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


def work_on(asked: Options, how: How, claimed: dict[Path, Path]) -> tuple[ExitCode, Stop]:
    """Work on one batch to its end, and say so. Returns its exit code and why it ended.

    `claimed` are the state files of the manifests before it in this call, each with its manifest.
    """
    began = time.time()
    batch = prepare(asked)
    if batch.manifest.poster:
        require_extra()
    other = claimed.setdefault(batch.state_file.absolute(), asked.manifest)
    if other != asked.manifest:
        words = f"its state file, {batch.state_file}, is that of {other} too"
        raise ConfigurationError(f"{asked.manifest}: {words}: give each a `name` of its own")
    if not how.quiet:
        for warning in batch.manifest.warnings:
            how.log.warn(str(warning))
    key = read_key(batch.api, how.key_file)
    outside = _outside(batch, key, how)
    if not how.quiet and not batch.state_file.exists():
        how.log.say(f"a new state file: {batch.state_file}")
    try:
        with batch.opened("tick" if how.once else "run") as ledger:
            outside.begin()
            session = _Session(batch, ledger, key, how, outside)
            ending, last, told = _worked(session, batch, ledger, began)
            outcome = outside.end(told, ledger)
    except LockedError:
        raise
    except RunnerError as error:
        outside.abandon(str(error))
        raise
    if outcome.speaks:
        _say_last(last, told, how)
    if outcome.changed:
        outside.finish(told)
    return told.code, ending.stop


def _worked(
    session: _Session, batch: Batch, ledger: Ledger, began: float
) -> tuple[Ending, Summary, News]:
    """Run, and gather what came of it."""
    before = ledger.writes()
    admission = batch.admit(ledger)
    view = batch.overview(admission, ledger)
    batch.check_folders(view)
    agree(batch, view, ledger.spent())
    refused = refuse_images(batch, view, ledger, session.how.log, session.how.quiet)
    bring_in_line(ledger, admission, time.time())
    strangers = len(view.held(Reason.EXISTS))
    if refused:
        ledger.choose(())
    elif view.chosen is not None:
        ledger.choose(row for row, chosen in enumerate(view.chosen) if chosen)
    ready = ledger.writes()
    ending = session.run(strangers)
    idle = ledger.writes() == ready
    if ledger.writes() != before:
        view = batch.overview(batch.admit(ledger), ledger)
    if refused and ending.stop in {Stop.FINISHED, Stop.PASS}:
        ending = refused
    elif view.chosen is not None and ending.stop is Stop.FINISHED and view.actions()[Action.SUBMIT]:
        ending = Ending(Stop.CHOSEN)
    code = exit_code(view, ending)
    ledger.end_run(ending.stop, code, time.time())
    spent, outputs = ledger.spent(), ledger.outputs()
    last = summary(
        view, ending, batch.limits, spent, bought=session.bought, outputs=outputs, idle=idle
    )
    told = news.gather(
        view,
        ending=ending,
        code=code,
        last_words=(last.line, last.details),
        paid=spent,
        bought=session.bought,
        times=(began, time.time()),
    )
    return ending, last, told


def _outside(batch: Batch, key: str, how: How) -> Outside:
    """Whom this run tells. A rehearsal tells nobody and starts nothing."""
    services = batch.manifest.services
    if batch.rehearsal and services != Services():
        if not how.quiet:
            how.log.say("a rehearsal: nobody is told, and no program is started")
        services = Services()
    facts = {
        "RUNNER_NAME": batch.name,
        "RUNNER_MANIFEST": str(batch.manifest.path.absolute()),
        "RUNNER_STATE_FILE": str(batch.state_file.absolute()),
    }
    variables = tuple(api.key_variable for api in APIS.values() if api.key_variable)
    return Outside(
        services,
        facts,
        os.environ,
        secrets=((*variables, *how.hidden), (key,)),
        quiet=how.quiet,
        warn=how.log.warn,
    )


SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@contextmanager
def interruptible() -> Iterator[None]:
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


def _say_last(last: Summary, told: News, how: How) -> None:
    """On a terminal the line that says it all comes first; in a log, last; quiet, alone."""
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


class _Session:
    """The parts of one run, wired together for as long as it lasts."""

    def __init__(self, batch: Batch, ledger: Ledger, key: str, how: How, outside: Outside) -> None:
        self._batch = batch
        self._ledger = ledger
        self._key = key
        self.how = how
        self._outside = outside
        self._before = ledger.spent()[0]

    @property
    def bought(self) -> int:
        """Paid submissions of this run, those in doubt included."""
        return self._ledger.spent()[0] - self._before

    def run(self, strangers: int) -> Ending:
        """Work until the end, if there is anything to submit, ask, bring home or store.

        `strangers` are the entries that are held because of what is on disk.
        """
        counts = self._ledger.counts()
        at_rest = counts[Status.DONE] + counts[Status.FAILED]
        if at_rest == sum(counts.values()) and not self._ledger.rescued():
            _deafen()
            return Ending(Stop.FINISHED)
        counts[Status.PLANNED] += strangers
        return anyio.run(self.work, counts)

    async def work(self, counts: Mapping[str, int]) -> Ending:
        """Build the parts, run the engine between signals, and take the parts down again."""
        # An HTTP client takes as long to import as all else: a run with nothing to do has none.
        from runner.download import Downloader  # noqa: PLC0415
        from runner.provider import Provider  # noqa: PLC0415
        from runner.transport import Transport  # noqa: PLC0415

        batch = self._batch
        async with AsyncExitStack() as parts:
            base_url = batch.base_url
            if batch.embedded:
                base_url = await parts.enter_async_context(
                    embedded_sandbox(batch.state_file.with_suffix(".sandbox.jsonl"))
                )
            headers = {
                "Authorization": f"Bearer {self._key}",
                "X-Runway-Version": batch.manifest.runway_version,
            }
            transport = await parts.enter_async_context(Transport(base_url, headers))
            downloader = Downloader(transport, private_hosts=is_loopback(base_url))
            provider = Provider(
                batch.api,
                transport,
                downloader,
                lambda job: batch.place_of(self._ledger, job),
                tags=lambda job: batch.tags_of(self._ledger, job),
            )
            console = self._console()
            hooks = self._outside.job_hooks()
            posters = Posters(batch.manifest.poster, console.say, hooks.observe)

            def observe(before: Job, event: Event, after: Job) -> None:
                console.observe(before, event, after)
                for words in self._sidecar(event, after) if isinstance(event, Saved) else ():
                    console.say(words)
                posters.observe(before, event, after)

            engine = Engine(
                self._ledger,
                provider.perform,
                batch.limits,
                observe=observe,
                say=console.say,
            )
            console.start(counts, lambda: engine.tally)
            parts.callback(console.stop)
            try:
                async with anyio.create_task_group() as group:
                    group.start_soon(self._heed_signals, engine, console)
                    async with hooks.serving(), posters.serving():
                        ending = await engine.run(self.how.deadline, once=self.how.once)
                    group.cancel_scope.cancel()
            except BaseExceptionGroup as errors:
                raise first_error(errors) from None
            _deafen()
            return ending

    def _sidecar(self, event: Saved, job: Job) -> Iterator[str]:
        """Put the sidecar of a video that is home beside it, if wanted; what is not as wished."""
        batch = self._batch
        if event.note:
            yield f"{job.output}: {event.note}"
        if batch.manifest.sidecar:
            words = put_sidecar(job, batch.name, batch.api.name, event.received)
            yield from [words] if words else []

    def _console(self) -> Console:
        how = self.how
        match how.style:
            case "live":
                return Live(self._batch.name, self._batch.limits, verbose=how.verbose)
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
