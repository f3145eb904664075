"""An honest operator: looks into the provider's usage log, and says what is there."""

from __future__ import annotations

import random
from collections import Counter

from runner.bookkeeping import commit
from runner.events import Abandoned, ConfirmedUnpaid, Event, FoundRemote, RetryOrdered
from runner.jobs import Job, Status
from runner.ledger import Ledger
from simulation.allowances import Allowances
from simulation.books import Books


class Person:
    """Settles what is uncertain and puts failed jobs back, as the two commands do."""

    def __init__(
        self, books: Books, allowances: Allowances, dice: random.Random, acts: Counter[str]
    ) -> None:
        self._books = books
        self._allowances = allowances
        self._dice = dice
        self._acts = acts

    def settle(self, ledger: Ledger, now: float, *, everything: bool) -> None:
        """Decide the uncertain jobs, or some of them."""
        for job in ledger.jobs({Status.UNCERTAIN}):
            if everything or self._dice.random() < 0.6:
                event = self._decision(job, now, patient=not everything)
                self._acts[f"resolve: {type(event).__name__}"] += 1
                after = commit(ledger, job, event, now)
                self._books.noted(ledger, event, after)

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
                self._allowances.retried(job.body)
                self._acts["retry"] += 1
                after = commit(ledger, job, RetryOrdered(), now)
                self._books.noted(ledger, RetryOrdered(), after)
