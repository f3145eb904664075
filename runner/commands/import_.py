"""`runner import`: tasks that were paid for elsewhere, brought home by this batch."""

from __future__ import annotations

import csv
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from runner.api import load
from runner.batch import Batch, bring_in_line
from runner.bookkeeping import commit, settle_interrupted
from runner.commands import options
from runner.dialects import is_task_id
from runner.errors import ConfigurationError, ExitCode, Finding, ManifestError
from runner.events import Adopted, Event, FoundRemote
from runner.jobs import Entry, Job, Status, content_digest
from runner.ledger import Ledger
from runner.manifest.suggest import nearest
from runner.manifest.values import InvalidError, identifier, shown
from runner.words import plural

_HEADINGS = frozenset({"task_id", "task", "taskid"})
_LARGEST = 64 << 20


@dataclass(frozen=True, slots=True)
class Order:
    """One line of the file: a task, and the job whose video it makes, "" for none."""

    line: int
    task_id: str
    job: str


@click.command("import")
@options.batch
@click.option(
    "--ids",
    "file",
    type=options.PATH,
    required=True,
    metavar="FILE",
    help="One task id a line, or a table of id,task_id.",
)
def import_(file: Path, **given: Any) -> ExitCode:
    """Take over tasks that were made elsewhere.

    By another script, or by a state file that was lost. The file has one task id a line, or a job's
    id, a comma and its task id. A task with a job makes that job's video, which is not bought any
    more; one without comes home as a job of its own, named like the task. All of them count as
    paid. Nothing is sent: the next run asks about them and brings the videos home.

    \b
    Examples:
      runner import catalog.yaml --ids tasks.txt
      runner import catalog.yaml --ids tasks.csv && runner run catalog.yaml
    """
    batch = load(**given)
    orders = list(_read(file))
    now = time.time()
    with batch.opened("import") as ledger:
        settle_interrupted(ledger, now)
        admission = batch.admit(ledger)
        wanted = {order.job for order in orders if order.job}
        asked = {line.id for line in batch.overview(admission).lines if line.entry}
        orders = _checked(file, orders, ledger, asked)
        bring_in_line(ledger, admission, now)
        jobs = _named(ledger, wanted)
        _refuse_unfit(file, orders, jobs)
        with ledger.together():
            for order in orders:
                _adopt(batch, ledger, order, jobs, now)
        ledger.end_run("done", ExitCode.DONE, now)
    strangers = sum(not order.job for order in orders)
    words = f"{plural(len(orders), 'task')} taken over"
    apart = f", {strangers} of them as jobs of their own" if strangers else ""
    click.echo(f"{words}{apart}; next: {batch.caller.command('run')}")
    return ExitCode.DONE


def _read(file: Path) -> Iterator[Order]:
    """The lines of the file; blank ones, comments and a heading don't count."""
    try:
        if file.stat().st_size > _LARGEST:
            raise ConfigurationError(f"{file}: larger than {_LARGEST >> 20} MiB")
        lines = file.read_text("utf-8-sig").splitlines()
    except UnicodeDecodeError:
        raise ConfigurationError(f"{file}: is not UTF-8 text") from None
    except (OSError, ValueError) as error:
        words = getattr(error, "strerror", None) or "can't be read"
        raise ConfigurationError(f"{file}: {words}") from None
    for number, line in enumerate(lines, 1):
        cells = [cell.strip() for cell in next(csv.reader([line]), [])]
        if not any(cells) or cells[0].startswith("#") or cells[-1].lower() in _HEADINGS:
            continue
        yield Order(number, cells[-1], cells[0] if len(cells) > 1 else "")


def _checked(file: Path, orders: list[Order], ledger: Ledger, asked: set[str]) -> list[Order]:
    """The orders that are not carried out yet. Raises ManifestError with all that can't be."""
    findings: list[Finding] = []
    seen: dict[str, int] = {}
    left = []

    def wrong(order: Order, message: str, hint: str = "") -> None:
        findings.append(Finding(str(file), order.line, 0, "", message, hint))

    for order in orders:
        names = {f"task {order.task_id}", f"job {order.job}"} - {"job "}
        twice = next((name for name in sorted(names) if name in seen), "")
        seen |= dict.fromkeys(names, order.line)
        owner = ledger.owner(order.task_id)
        if not is_task_id(order.task_id):
            wrong(order, f"{shown(order.task_id)} does not look like a task id")
        elif twice:
            wrong(order, f"{shown(twice)} is there twice")
        elif owner is not None and order.job not in {"", owner.id}:
            wrong(order, f"task {order.task_id} already belongs to {shown(owner.id)}")
        elif owner is None and order.job and order.job not in asked:
            near = nearest(order.job, asked)
            hint = f"did you mean {shown(near)}?" if near else "leave the job out, or add it there"
            wrong(order, f"{shown(order.job)} is no job of the manifest", hint)
        elif owner is None:
            left.append(order)
    if not orders:
        findings.append(Finding(str(file), 0, 0, "", "there are no task ids in it"))
    if findings:
        raise ManifestError(findings)
    return left


def _named(ledger: Ledger, wanted: set[str]) -> Mapping[str, list[Job]]:
    """The jobs that have one of these ids."""
    found: dict[str, list[Job]] = defaultdict(list)
    for identity in list(ledger.identities()):
        if identity.id in wanted and identity.position is not None:
            found[identity.id].append(ledger.job(identity.key))
    return found


def _fit(job: Job) -> bool:
    """Whether nothing is known of a job that a task could contradict."""
    return job.status is Status.PLANNED or (job.status is Status.UNCERTAIN and not job.task_id)


def _refuse_unfit(file: Path, orders: list[Order], jobs: Mapping[str, list[Job]]) -> None:
    findings = []
    for order in orders:
        if order.job and not any(map(_fit, jobs[order.job])):
            states = ", ".join(job.status for job in jobs[order.job]) or "held"
            message = f"{shown(order.job)} is {states}: only a planned job can be given a task"
            hint = "leave the job out to bring the video home beside it"
            findings.append(Finding(str(file), order.line, 0, "", message, hint))
    if findings:
        raise ManifestError(findings)


def _adopt(
    batch: Batch, ledger: Ledger, order: Order, jobs: Mapping[str, list[Job]], now: float
) -> None:
    """Give a task its job."""
    event: Event = Adopted(order.task_id)
    if order.job:
        job = next(filter(_fit, jobs[order.job]))
        if job.status is Status.UNCERTAIN:
            event = FoundRemote(order.task_id, now)
    else:
        entry = Entry(_own_id(order.task_id), "", {}, content_digest({}), None, "", 0)
        job = ledger.add(entry)
    commit(ledger, job, event, now)


def _own_id(task_id: str) -> str:
    """The id of a job that is only a task: the task's, where that can be a file's name."""
    try:
        return identifier(task_id)
    except InvalidError:
        return f"task-{content_digest({'task': task_id})[:16]}"
