"""What must hold after every run, by the provider's ledger and the disk."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from runner.jobs import Job, Limits, Status
from runner.sandbox.tasks import Phase, Task
from simulation.books import Books
from simulation.logs import Log

_ON_ITS_WAY = {Status.RUNNING, Status.RENDERED, Status.DONE, Status.UNCERTAIN}
_OVER = {Phase.FAILED, Phase.CANCELLED}


def charges_accounted_for(
    books: Books, rows: Sequence[Job], *, crashed: bool, risky: bool, now: float
) -> Iterator[str]:
    """Every charge is where it can be seen: followed, in doubt, or rightly over."""
    by_key = {row.key: row for row in rows}
    for task_id, key in books.owner.items():
        task, row = books.simulator.tasks[task_id], by_key.get(key)
        if row is None:
            yield f"task {task_id} was charged for job {key}, which is gone"
        elif not _accounted_for(books, task, row, crashed=crashed, now=now):
            if risky and task_id not in books.known:
                continue  # the operator chose to buy again what may have been lost
            yield f"task {task_id} was charged, but {row.id} is {row.status} ({row.task_id!r})"
    if not crashed:
        for row in rows:
            if row.status is Status.SUBMITTING:
                yield f"{row.id} is left submitting by a run that ended in order"
    for task_id in sorted(books.rescued - books.known):
        if not crashed:
            yield f"the rescued id {task_id} was not picked up"


def _accounted_for(books: Books, task: Task, row: Job, *, crashed: bool, now: float) -> bool:
    if task.id in books.abandoned:
        return True
    if row.task_id == task.id and row.status in _ON_ITS_WAY:
        return True
    if task.phase(now) in _OVER and task.id in books.known:
        return True
    if task.id in books.known or row.task_id:
        return False
    if row.status is Status.SUBMITTING:
        return crashed or task.id in books.rescued
    return row.status is Status.UNCERTAIN


def within_budget(books: Books, limits: Limits, prices: Mapping[str, int | None]) -> Iterator[str]:
    """No more was charged than the operator set aside."""
    charges = books.simulator.charges
    if limits.budget_tasks is not None and len(charges) > limits.budget_tasks:
        yield f"{len(charges)} charges with a budget of {limits.budget_tasks}"
    cost = sum(prices[str(charge.body["model"])] or 0 for charge in charges)
    if limits.budget_cost is not None and cost > limits.budget_cost:
        yield f"charges of {cost} with a budget of {limits.budget_cost}"


def nothing_forgotten(books: Books, log: Log) -> Iterator[str]:
    """What was once acknowledged is still in the event log, or in the archive."""
    if gone := set(range(1, books.durable + 1)) - log.numbers:
        yield f"events {sorted(gone)} are gone, but {books.durable} were acknowledged"
    yield from log.contradictions


def files_are_right(
    books: Books, rows: Sequence[Job], folder: Path, strangers: Mapping[Path, bytes]
) -> Iterator[str]:
    """Every video is whole and its own job's, and nobody else's file was touched."""
    for path, content in strangers.items():
        if not path.is_file() or path.read_bytes() != content:
            yield f"{path.name}, which is not ours, was touched"
    films = {form for task_id in books.simulator.tasks for form in books.forms(task_id)}
    for path in sorted(folder.rglob("*.mp4")):
        if path not in strangers and path.read_bytes() not in films:
            yield f"{path.name} is no whole video"
    homes: set[str] = set()
    for row in rows:
        if row.status is not Status.DONE:
            continue
        path = Path(row.output)
        forms = books.forms(row.task_id) if row.task_id in books.simulator.tasks else []
        if row.output in books.missing and not (path.exists() and path.read_bytes() in forms):
            continue  # somebody deleted it (its place may be another's now), and `doctor` tells
        if path.suffix != ".mp4" or not path.is_file():
            yield f"{row.id} is done, but {path.name} is no video on disk"
        elif (film := path.read_bytes()) not in forms:
            yield f"{row.id} is done, but {path.name} does not hold its video"
        elif (row.sha256, row.size) != (hashlib.sha256(film).hexdigest(), len(film)):
            yield f"{row.id} is done with the wrong digest or size"
        if row.output in homes:
            yield f"two jobs have their video at {path.name}"
        homes.add(row.output)


def everything_came_home(books: Books, rows: Sequence[Job], now: float) -> Iterator[str]:
    """In the end every finished task whose id was stored is a video, and nothing is open."""
    done = {row.task_id for row in rows if row.status is Status.DONE}
    for task_id in sorted(books.known - books.abandoned - done):
        if books.simulator.tasks[task_id].phase(now) is Phase.SUCCEEDED:
            yield f"the video of task {task_id} never came home"
    open_rows = {Status.SUBMITTING, Status.RUNNING, Status.RENDERED, Status.UNCERTAIN}
    for row in rows:
        if row.status in open_rows:
            yield f"{row.id} is still {row.status} in the end"
