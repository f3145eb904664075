"""A manifest and its state file held against each other: what every command shows. Pure."""

from __future__ import annotations

import hashlib
import json
import math
from array import array
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from runner.admission import Admission, Held, Reason, Verdict
from runner.compact import OnDemand
from runner.errors import ExitCode, worst
from runner.jobs import NOTHING, Body, Budget, Ending, Entry, Job, Limits, Spent, Status, Stop
from runner.words import Caller


class Action(StrEnum):
    """What the next run would do with a job."""

    SUBMIT = "submit"
    RESUME = "resume"
    SKIP = "skip"
    FAILED = "failed"
    HELD = "held"
    UNCERTAIN = "uncertain"
    REMOVED = "removed"


@dataclass(frozen=True, slots=True)
class Line:
    """One job as it is shown: what is asked (`entry`), what is known (`job`), or both."""

    id: str
    status: Status
    action: Action
    entry: Entry | None
    job: Job | None
    held: Held | None = None

    @property
    def body(self) -> Body:
        """The request that was paid for, or would be."""
        if self.job is not None and self.action is not Action.SUBMIT:
            return self.job.body
        return self.entry.body if self.entry else {}


class Overview:
    """A manifest and its state file, held against each other.

    Every entry is a line, in the order of the manifest, then every job whose entry is gone. Lines
    are made when they are asked for. `caller` makes commands to copy. `chosen` has one byte an
    entry, 1 if it may be bought, or None for all. `today` is what was spent in this day, where a
    budget asks for it.
    """

    def __init__(
        self,
        caller: Caller,
        name: str,
        manifest: str,
        state_file: Path,
        admission: Admission,
        *,
        chosen: bytes | None = None,
        today: Spent = NOTHING,
    ) -> None:
        self.caller = caller
        self.name = name
        self.manifest = manifest
        self.state_file = str(state_file)
        self._admission = admission
        self.chosen = chosen
        self.today = today
        self._standings = Counter(admission.standings())

    @property
    def lines(self) -> Sequence[Line]:
        """All lines."""
        return OnDemand(range(len(self._admission.verdicts)), self._line)

    @property
    def fresh(self) -> bool:
        """Whether the state file knows nothing of all this."""
        return not any(self._admission.keys)

    def counts(self) -> dict[str, int]:
        """Status -> number of jobs, every status named."""
        found: Counter[Status] = Counter()
        for (_, status), number in self._standings.items():
            found[status] += number
        return {status.value: found[status] for status in Status}

    def actions(self) -> dict[str, int]:
        """Action -> number of jobs, every action named."""
        found: Counter[Action] = Counter()
        for standing, number in self._standings.items():
            found[_action(*standing)] += number
        return {action.value: found[action] for action in Action}

    def of(self, *actions: Action) -> Sequence[Line]:
        """The lines with one of these actions."""
        return self._where(lambda verdict, status: _action(verdict, status) in actions)

    @property
    def orders(self) -> Sequence[Entry]:
        """What waits to be submitted and paid for, chosen or not."""
        return OnDemand(self._rows(_is_submit), self._order)

    @property
    def buying(self) -> Sequence[Entry]:
        """What the next run may submit: of the orders, those that were chosen."""
        rows, chosen = self._rows(_is_submit), self.chosen
        if chosen is not None:
            rows = array("q", (row for row in rows if chosen[row]))
        return OnDemand(rows, self._order)

    def standing(self, statuses: Collection[Status]) -> Sequence[Line]:
        """The lines with one of these statuses."""
        return self._where(lambda verdict, status: status in statuses)

    def held(self, reason: Reason) -> Sequence[Held]:
        """What is held for this reason."""
        return self._admission.held_for(reason)

    def _where(self, wanted: Callable[[Verdict, Status], bool]) -> Sequence[Line]:
        return OnDemand(self._rows(wanted), self._line)

    def _rows(self, wanted: Callable[[Verdict, Status], bool]) -> Sequence[int]:
        chosen = {standing for standing in self._standings if wanted(*standing)}
        standings = enumerate(self._admission.standings()) if chosen else ()
        return array("q", (row for row, standing in standings if standing in chosen))

    def _order(self, row: int) -> Entry:
        entry = self._admission.entry(row)
        assert entry is not None, "what is to be submitted stands in the manifest"
        return entry

    def _line(self, row: int) -> Line:
        found = self._admission
        verdict, status = found.verdict(row), found.status(row)
        entry, job = found.entry(row), found.job(row)
        id = entry.id if entry else ""
        if job and (entry is None or (verdict is Verdict.KNOWN and entry.derived)):
            id = job.id
        return Line(id, status, _action(verdict, status), entry, job, found.held(row))


_NEXT = {
    Status.PLANNED: Action.SUBMIT,
    Status.SUBMITTING: Action.UNCERTAIN,
    Status.RUNNING: Action.RESUME,
    Status.RENDERED: Action.RESUME,
    Status.DONE: Action.SKIP,
    Status.FAILED: Action.FAILED,
    Status.UNCERTAIN: Action.UNCERTAIN,
}


def _action(verdict: Verdict, status: Status) -> Action:
    if verdict in {Verdict.CHANGED, Verdict.EXISTS}:
        return Action.HELD
    action = _NEXT[status]
    brought_home = action in {Action.RESUME, Action.UNCERTAIN}
    return Action.REMOVED if verdict is Verdict.REMOVED and not brought_home else action


def _is_submit(verdict: Verdict, status: Status) -> bool:
    return _action(verdict, status) is Action.SUBMIT


def exit_code(view: Overview, ending: Ending | None = None) -> ExitCode:
    """What the state of a batch, and how its run ended, amount to."""
    codes = []
    if ending and ending.stop is Stop.ACCOUNT:
        codes.append(ExitCode.ACCOUNT)
    if ending and ending.stop in {Stop.ADDRESS, Stop.IMAGES}:
        codes.append(ExitCode.PERSON)
    counts = view.actions()
    if counts[Action.HELD] or counts[Action.UNCERTAIN]:
        codes.append(ExitCode.PERSON)
    if counts[Action.SUBMIT] or counts[Action.RESUME]:
        codes.append(ExitCode.REMAINS)
    if counts[Action.FAILED]:
        codes.append(ExitCode.FAILED)
    return worst(codes)


def affordable(
    orders: Sequence[Entry], limits: Limits, spent: tuple[int, int], today: Spent = NOTHING
) -> int:
    """How many of these orders every budget allows to the next run, in their order."""
    in_all = Budget(limits.budget_tasks, limits.budget_cost)
    left = [
        _left(in_all, Spent(*spent)),
        _left(limits.per_day, today),
        _left(limits.per_run, NOTHING),
    ]
    most = min(len(orders), *(tasks for tasks, _ in left))
    money = min(cost for _, cost in left)
    if math.isinf(money):
        return int(most)
    for number, order in enumerate(orders):
        money -= order.cost or 0
        if number >= most or money < 0:
            return number
    return len(orders)


def _left(budget: Budget, spent: Spent) -> tuple[float, float]:
    """What a budget leaves: tasks and cost, infinite where it sets no limit."""
    tasks = math.inf if budget.tasks is None else budget.tasks - spent.tasks
    cost = math.inf if budget.cost is None else budget.cost - spent.cost
    return max(0.0, tasks), cost


def total_cost(orders: Iterable[Entry | None]) -> int | None:
    """What one attempt of each costs together, in millionths; None when any is unknown."""
    total = 0
    for order in orders:
        if order is None or order.cost is None:
            return None
        total += order.cost
    return total


def plan_digest(orders: Iterable[Entry]) -> str:
    """What tells one purchase from another: 16 hex digits over ids, contents and costs in order."""
    digest = hashlib.sha256()
    for order in orders:
        digest.update(json.dumps([order.id, order.content, order.cost]).encode() + b"\n")
    return digest.hexdigest()[:16]
