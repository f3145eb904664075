"""An honest operator: looks into the provider's usage log, and says what is there."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Mapping

from runner.batch import Batch, bring_in_line
from runner.bookkeeping import commit
from runner.commands.forget import choose, set_aside
from runner.errors import ConfigurationError
from runner.events import Abandoned, ConfirmedUnpaid, Event, FileMissed, FoundRemote, RetryOrdered
from runner.jobs import Body, Job, Problem, Status
from runner.ledger import Ledger, archive_logs, archive_of, prunable, shrink
from runner.overview import Action
from runner.videos import look
from simulation.allowances import Allowances
from simulation.books import Books


class Person:
    """Does between runs what the commands do that send nothing.

    A command may die. So each permission to pay again is looked after when it is over: what was
    not written is not allowed either, and will be ordered anew or not at all.
    """

    def __init__(
        self, books: Books, allowances: Allowances, dice: random.Random, acts: Counter[str]
    ) -> None:
        self._books = books
        self._allowances = allowances
        self._dice = dice
        self._acts = acts
        self._hopes: list[tuple[Body, Callable[[Mapping[int, Job]], bool]]] = []

    def settle(self, ledger: Ledger, now: float, *, everything: bool) -> None:
        """Decide the uncertain jobs, or some of them."""
        for job in ledger.jobs({Status.UNCERTAIN}):
            if everything or self._dice.random() < 0.6:
                event = self._decision(job, now, patient=not everything)
                self._acts[f"resolve: {type(event).__name__}"] += 1
                commit(ledger, job, event, now)

    def _decision(self, job: Job, now: float, *, patient: bool) -> Event:
        lost = self._books.lost(job)
        task_id = job.task_id or (lost[-1] if lost else "")
        if patient and self._dice.random() < 0.15:
            return Abandoned()
        if not task_id:
            return ConfirmedUnpaid()
        if self._books.simulator.tasks[task_id].plan.outcome in {"never", "stuck"} and job.task_id:
            return Abandoned()
        return FoundRemote(task_id, now)

    def retry(self, ledger: Ledger, now: float) -> None:
        """Put some of the failed jobs back to be paid for again."""
        for job in ledger.jobs({Status.FAILED}):
            if self._dice.random() < 0.5:
                self._hope(job.body, lambda rows, job=job: rows[job.key] != job)
                self._acts["retry"] += 1
                commit(ledger, job, RetryOrdered(), now)

    def forget(self, batch: Batch, ledger: Ledger, now: float) -> None:
        """Forget the jobs whose entries are gone, or some; or have a finished one bought again."""
        bring_in_line(ledger, batch.admit(ledger), now)
        view = batch.overview(batch.admit(ledger))
        buy_again = self._dice.random() < 0.5
        lines = list(view.lines) if buy_again else list(view.of(Action.REMOVED))
        if buy_again:
            lines = [line for line in lines if line.entry and line.status is Status.DONE]
            lines = self._dice.sample(lines, min(len(lines), self._dice.randint(1, 2)))
        try:
            lines = choose([line.id for line in lines], lines, buy_again=buy_again)
        except ConfigurationError:
            self._acts["forget: refused"] += 1
            return
        before = ledger.total()
        for line in lines if buy_again else ():
            assert line.entry is not None
            self._hope(line.entry.body, lambda rows: len(rows) > before)
        self._acts["forget: --buy-again" if buy_again else "forget"] += len(lines)
        set_aside(ledger, lines, now, buy_again=buy_again)

    def prune(self, ledger: Ledger, now: float) -> None:
        """Have old logs archived, and the state file made small."""
        before = now - self._dice.choice((0.0, 300.0, 3000.0))  # a world is over within a day
        found = prunable(ledger, before, self._dice.choice((0, 1, 3)))
        if found.jobs or found.runs:
            archive_logs(ledger, archive_of(ledger.path, now), before, now)
        self._acts["prune: logs archived"] += found.jobs
        shrink(ledger)

    def refetch(self, ledger: Ledger, now: float) -> None:
        """Have the videos asked for again that are not there any more."""
        for job in ledger.finished():
            if words := look(job).words:
                self._acts["doctor --refetch"] += 1
                commit(ledger, job, FileMissed(Problem("missing", words)), now)

    def look_again(self, rows: list[Job]) -> None:
        """See what the last command has done, of what was to be paid for again."""
        by_key = {row.key: row for row in rows}
        for body, came_true in self._hopes:
            if not came_true(by_key):
                self._allowances.not_retried(body)
        self._hopes = []

    def _hope(self, body: Body, came_true: Callable[[Mapping[int, Job]], bool]) -> None:
        self._allowances.retried(body)
        self._hopes.append((body, came_true))
