"""A manifest and its state file held against each other: what every command shows. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from runner.admission import Admission, Held
from runner.errors import ExitCode, worst
from runner.jobs import Body, Ending, Entry, Job, Limits, Status, Stop


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


@dataclass(frozen=True, slots=True)
class Overview:
    """A manifest and its state file, held against each other.

    `program` is how the operator called this program, for commands to copy.
    """

    program: str
    name: str
    manifest: str
    state_file: str
    lines: tuple[Line, ...]

    def counts(self) -> dict[str, int]:
        """Status -> number of jobs, every status named."""
        found = Counter(line.status for line in self.lines)
        return {status.value: found[status] for status in Status}

    def actions(self) -> dict[str, int]:
        """Action -> number of jobs, every action named."""
        found = Counter(line.action for line in self.lines)
        return {action.value: found[action] for action in Action}

    def of(self, *actions: Action) -> list[Line]:
        """The lines with one of these actions."""
        return [line for line in self.lines if line.action in actions]


def overview(
    program: str, name: str, manifest: str, state_file: Path, admission: Admission
) -> Overview:
    """Every entry in the order of the manifest, then the jobs whose entries are gone."""
    lines = [
        Line(
            match.job.id if match.entry.derived else match.entry.id,
            *_of_job(match.job),
            match.entry,
            match.job,
        )
        for match in admission.known
    ]
    lines += [
        Line(match.entry.id, Status.PLANNED, Action.SUBMIT, match.entry, match.job)
        for match in admission.edited
    ]
    lines += [Line(entry.id, Status.PLANNED, Action.SUBMIT, entry, None) for entry in admission.new]
    lines += [
        Line(
            held.entry.id,
            held.job.status if held.job else Status.PLANNED,
            Action.HELD,
            held.entry,
            held.job,
            held,
        )
        for held in admission.held
    ]
    lines.sort(key=lambda line: admission.order[line.id])
    lines += [_removed(job) for job in admission.removed]
    return Overview(program, name, manifest, str(state_file), tuple(lines))


_NEXT = {
    Status.PLANNED: Action.SUBMIT,
    Status.SUBMITTING: Action.UNCERTAIN,
    Status.RUNNING: Action.RESUME,
    Status.RENDERED: Action.RESUME,
    Status.DONE: Action.SKIP,
    Status.FAILED: Action.FAILED,
    Status.UNCERTAIN: Action.UNCERTAIN,
}


def _of_job(job: Job) -> tuple[Status, Action]:
    return job.status, _NEXT[job.status]


def _removed(job: Job) -> Line:
    status, action = _of_job(job)
    brought_home = action in {Action.RESUME, Action.UNCERTAIN}
    return Line(job.id, status, action if brought_home else Action.REMOVED, None, job)


def exit_code(view: Overview, ending: Ending | None = None) -> ExitCode:
    """What the state of a batch, and how its run ended, amount to."""
    codes = []
    if ending and ending.stop is Stop.ACCOUNT:
        codes.append(ExitCode.ACCOUNT)
    if ending and ending.stop is Stop.ADDRESS:
        codes.append(ExitCode.PERSON)
    if view.of(Action.HELD, Action.UNCERTAIN):
        codes.append(ExitCode.PERSON)
    if view.of(Action.SUBMIT, Action.RESUME):
        codes.append(ExitCode.REMAINS)
    if view.of(Action.FAILED):
        codes.append(ExitCode.FAILED)
    return worst(codes)


def affordable(submit: Sequence[Line], limits: Limits, spent: tuple[int, int]) -> int:
    """How many of these submissions the budget allows, in their order."""
    tasks, cost = spent
    for number, line in enumerate(submit):
        tasks += 1
        cost += (line.entry.cost if line.entry else line.job.cost if line.job else 0) or 0
        over_tasks = limits.budget_tasks is not None and tasks > limits.budget_tasks
        if over_tasks or (limits.budget_cost is not None and cost > limits.budget_cost):
            return number
    return len(submit)


def total_cost(lines: Sequence[Line]) -> int | None:
    """What one attempt of each costs together, in millionths; None when any is unknown."""
    costs = [line.entry.cost if line.entry else None for line in lines]
    known = [cost for cost in costs if cost is not None]
    return sum(known) if len(known) == len(costs) else None
