"""One batch worked on: opened, admitted, agreed to, run, summed up, and told of."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING

import anyio

from runner import news
from runner.admission import Reason
from runner.apis import APIS, is_loopback
from runner.batch import Batch, bring_in_line
from runner.company import Company
from runner.consent import agree, refuse_images
from runner.engine import Engine, first_error
from runner.errors import ExitCode, LockedError, RunnerError
from runner.events import Event, Saved
from runner.jobs import Ending, Job, Status, Stop
from runner.ledger import Ledger
from runner.news import Kind, News
from runner.outside import Outside
from runner.overview import Action, Line, Overview, exit_code
from runner.posters import Posters, require_extra
from runner.report import Summary, summary
from runner.standin import embedded_sandbox
from runner.videos import put_sidecar

if TYPE_CHECKING:
    from runner.provider import Provider
    from runner.transport import Transport

_BEFORE_POLLS = 1.0  # seconds after the first submits; no poll is due earlier, nor within its gap


@dataclass(frozen=True, slots=True)
class Terms:
    """How a batch is worked on.

    `once` makes it a single pass, `deadline` is in seconds. `plan` is the digest of what may be
    bought, `yes` agrees to more than `confirm_above`. `hidden` are variables that hold secrets
    and are no business of the programs that a run starts.
    """

    once: bool = False
    deadline: float | None = None
    plan: str = ""
    yes: bool = False
    hidden: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a run has come to.

    `news` has the facts and `words` the same for people. `changed` says whether anything differs
    from the end of the run before, `speaks` whether a run as quiet as this one says its words.
    """

    batch: Batch
    news: News
    words: Summary
    changed: bool
    speaks: bool

    @property
    def kind(self) -> Kind:
        """What it means to people: done, failed, remains, person or account."""
        return self.news.kind

    @property
    def exit_code(self) -> ExitCode:
        """What the command would exit with."""
        return self.news.code

    @property
    def stopped(self) -> Stop:
        """Why the run ended."""
        return self.news.stop

    @property
    def counts(self) -> Mapping[str, int]:
        """Status -> number of jobs, every status named."""
        return self.news.counts

    @property
    def bought(self) -> int:
        """Paid submissions of this run, those in doubt included."""
        return self.news.bought

    def jobs(self) -> Iterator[Line]:
        """Every job as it stands in the state file now."""
        return self.batch.jobs()

    def __str__(self) -> str:
        """Everything in one line."""
        return self.words.line


def work(batch: Batch, key: str, terms: Terms, company: Company) -> Outcome:
    """Work on one batch to its end.

    Raises `LockedError`, `StateError`, `ConfigurationError`.
    """
    began = time.time()
    require_extras(batch)
    outside = _outside(batch, key, terms, company)
    try:
        with batch.opened("tick" if terms.once else "run") as ledger:
            outside.begin()
            session = _Session(batch, ledger, key, terms=terms, company=company, outside=outside)
            told, last = session.work(began)
            found = outside.end(told, ledger)
    except LockedError:
        raise
    except RunnerError as error:
        outside.abandon(str(error))
        raise
    outcome = Outcome(batch, told, last, found.changed, found.speaks)
    company.ended(outcome)
    if outcome.changed:
        outside.finish(told)
    return outcome


def require_extras(batch: Batch) -> None:
    """Make sure that what the manifest wishes is installed. Raises `ConfigurationError`."""
    if batch.manifest.poster:
        require_extra()


def _outside(batch: Batch, key: str, terms: Terms, company: Company) -> Outside:
    """Whom this run tells."""
    facts = {
        "RUNNER_NAME": batch.name,
        "RUNNER_MANIFEST": str(batch.manifest.path.absolute()),
        "RUNNER_STATE_FILE": str(batch.state_file.absolute()),
    }
    variables = tuple(api.key_variable for api in APIS.values() if api.key_variable)
    return Outside(
        batch.services,
        facts,
        os.environ,
        secrets=((*variables, *terms.hidden), (key,)),
        quiet=company.quiet,
        warn=company.warn,
    )


class _Session:
    """The parts of one run, wired together for as long as it lasts."""

    def __init__(
        self,
        batch: Batch,
        ledger: Ledger,
        key: str,
        *,
        terms: Terms,
        company: Company,
        outside: Outside,
    ) -> None:
        self._batch = batch
        self._ledger = ledger
        self._key = key
        self._terms = terms
        self._company = company
        self._outside = outside

    def work(self, began: float) -> tuple[News, Summary]:
        """Run, and gather what came of it."""
        batch, ledger, terms = self._batch, self._ledger, self._terms
        before, bought_before = ledger.writes(), ledger.spent()[0]
        admission = batch.admit(ledger)
        view = batch.overview(admission, ledger)
        batch.check_folders(view)
        agree(batch, view, ledger.spent(), plan=terms.plan, yes=terms.yes, ask=self._company.ask)
        refused = refuse_images(batch, view, ledger, self._company)
        bring_in_line(ledger, admission, time.time())
        strangers = len(view.held(Reason.EXISTS))
        if refused:
            ledger.choose(())
        elif view.chosen is not None:
            ledger.choose(row for row, chosen in enumerate(view.chosen) if chosen)
        ready = ledger.writes()
        ending = self._run(strangers)
        self._company.settled()
        idle = ledger.writes() == ready
        if ledger.writes() != before:
            view = batch.overview(batch.admit(ledger), ledger)
        ending = _with_what_was_left_out(ending, refused, view)
        code = exit_code(view, ending)
        ledger.end_run(ending.stop, code, time.time())
        spent = ledger.spent()
        bought = spent[0] - bought_before
        last = summary(
            view, ending, batch.limits, spent, bought=bought, outputs=ledger.outputs(), idle=idle
        )
        told = news.gather(
            view,
            ending=ending,
            code=code,
            last_words=(last.line, last.details),
            paid=spent,
            bought=bought,
            times=(began, time.time()),
        )
        return told, last

    def _run(self, strangers: int) -> Ending:
        """Work until the end, if there is anything to submit, ask, bring home or store.

        `strangers` are the entries that are held because of what is on disk.
        """
        counts = self._ledger.counts()
        at_rest = counts[Status.DONE] + counts[Status.FAILED]
        if at_rest == sum(counts.values()) and not self._ledger.rescued():
            return Ending(Stop.FINISHED)
        counts[Status.PLANNED] += strangers
        return anyio.run(self._drive, counts)

    async def _drive(self, counts: Mapping[str, int]) -> Ending:
        """Build the parts, run the engine in company, and take the parts down again."""
        # An HTTP client takes as long to import as all else: a run with nothing to do has none.
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
            provider = self._provider(transport, private_hosts=is_loopback(base_url))
            company = self._company
            hooks = self._outside.job_hooks()
            posters = Posters(batch.manifest.poster, company.say, hooks.observe)

            def observe(before: Job, event: Event, after: Job) -> None:
                company.observe(before, event, after)
                for words in self._sidecar(event, after) if isinstance(event, Saved) else ():
                    company.say(words)
                posters.observe(before, event, after)

            engine = Engine(
                self._ledger,
                provider.perform,
                batch.limits,
                observe=observe,
                say=company.say,
            )
            company.start(counts, lambda: engine.tally)
            parts.callback(company.stop)
            try:
                async with anyio.create_task_group() as group:
                    group.start_soon(company.attend, _Helm(engine, self._ledger))
                    group.start_soon(self._load, transport)
                    async with hooks.serving(), posters.serving():
                        ending = await engine.run(self._terms.deadline, once=self._terms.once)
                    group.cancel_scope.cancel()
            except BaseExceptionGroup as errors:
                raise first_error(errors) from None
            return ending

    async def _load(self, transport: Transport) -> None:
        """Load what the first poll needs after the first submits have left, and before it is due.

        Loaded by that poll it would come a tenth of a second late, and so would all that follow.
        """
        await anyio.sleep(min(_BEFORE_POLLS, self._batch.limits.poll_interval))
        transport.load()

    def _provider(self, transport: Transport, *, private_hosts: bool) -> Provider:
        """What performs each step; with `private_hosts`, videos may come from this machine."""
        from runner.download import Downloader  # noqa: PLC0415 - brings an HTTP client
        from runner.provider import Provider  # noqa: PLC0415

        batch, ledger = self._batch, self._ledger
        return Provider(
            batch.api,
            transport,
            Downloader(transport, private_hosts=private_hosts),
            lambda job: batch.place_of(ledger, job),
            tags=lambda job: batch.tags_of(ledger, job),
        )

    def _sidecar(self, event: Saved, job: Job) -> Iterator[str]:
        """Put the sidecar of a video that is home beside it, if wanted; what is not as wished."""
        batch = self._batch
        if event.note:
            yield f"{job.output}: {event.note}"
        if batch.manifest.sidecar:
            words = put_sidecar(job, batch.name, batch.api.name, event.received)
            yield from [words] if words else []


def _with_what_was_left_out(ending: Ending, refused: Ending | None, view: Overview) -> Ending:
    """Why a run ended: one that was kept from buying has not finished, whatever the engine says."""
    if refused and ending.stop in {Stop.FINISHED, Stop.PASS}:
        return refused
    left = view.chosen is not None and view.actions()[Action.SUBMIT]
    return Ending(Stop.CHOSEN) if left and ending.stop is Stop.FINISHED else ending


class _Helm:
    """What company may do to a run."""

    def __init__(self, engine: Engine, ledger: Ledger) -> None:
        self._engine = engine
        self._ledger = ledger

    def drain(self) -> int:
        """Submit no more."""
        return self._engine.drain(Ending(Stop.INTERRUPT))

    def note_abort(self) -> str:
        """Write down that the run ends here; what must still be said, if anything.

        What is in the air stays `submitting` in the state file: the next run finds it there and
        holds it as uncertain.
        """
        self._ledger.end_run("aborted", ExitCode.ABORTED, time.time())
        try:
            self._ledger.keep_place()
        except RunnerError as error:
            return str(error)
        return ""
