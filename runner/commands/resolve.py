"""`runner resolve`: a person settles what nobody else can know."""

from __future__ import annotations

import time
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import click

from runner.api import load
from runner.batch import Batch, refuse_unknown
from runner.bookkeeping import commit, settle_interrupted
from runner.commands import options
from runner.dialects import is_task_id
from runner.errors import ConfigurationError, ExitCode
from runner.events import Abandoned, ConfirmedUnpaid, Event, FoundRemote
from runner.jobs import Job, Status
from runner.ledger import Ledger, is_locked
from runner.words import money, plural, printable

# A submit is `submitting` while its answer is awaited, and after a run died waiting for it.
_IN_DOUBT = {Status.UNCERTAIN, Status.SUBMITTING}


def in_doubt(state_file: Path) -> set[Status]:
    """Which jobs may have been charged: while a run waits for their answers, fewer."""
    return {Status.UNCERTAIN} if is_locked(state_file) else _IN_DOUBT


@click.command()
@options.batch
@options.ids
@click.option("--all", "everything", is_flag=True, help="Every uncertain job.")
@click.option("--task-id", default="", metavar="TASK", help="It was accepted: poll this task.")
@click.option("--not-charged", is_flag=True, help="It was never charged: submit it again.")
@click.option("--give-up", is_flag=True, help="Count it as paid and failed.")
def resolve(
    ids: tuple[str, ...],
    everything: bool,
    task_id: str,
    not_charged: bool,
    give_up: bool,
    **given: Any,
) -> ExitCode:
    """Settle what may have been charged.

    That is: submissions whose answer was lost, and tasks that never appeared or never ended.

    Without a decision it shows, for each, what to look for in the provider's own usage log.
    Sends nothing; the next `runner run` acts on what was decided.

    \b
    Examples:
      runner resolve catalog.yaml --all
      runner resolve catalog.yaml lamp-01 --task-id 3d957031-9a2a-45e2-9dc7-bc8513059c50
      runner resolve catalog.yaml lamp-02 lamp-03 --not-charged
      runner resolve catalog.yaml --all --give-up
    """
    if sum((bool(task_id), not_charged, give_up)) > 1:
        raise click.UsageError("--task-id, --not-charged and --give-up exclude each other")
    if task_id and len(ids) != 1:
        raise click.UsageError("--task-id settles one job: name it")
    if task_id and not is_task_id(task_id):
        raise click.UsageError(f"{task_id!r} does not look like a task id")
    deciding = bool(task_id) or not_charged or give_up
    if deciding and bool(ids) == everything:
        raise click.UsageError("name the jobs, or say --all")
    batch = load(**given)
    if not deciding:
        return _show(batch, ids)
    now = time.time()
    event: Event = Abandoned() if give_up else ConfirmedUnpaid()
    if task_id:
        event = FoundRemote(task_id, now)
    with batch.opened("resolve") as ledger:
        settle_interrupted(ledger, now)
        jobs = _chosen(ledger, ids, {Status.UNCERTAIN})
        _refuse_contradiction(ledger, task_id, jobs)
        if not_charged and everything:
            jobs = [job for job in jobs if not job.task_id]
        for job in jobs:
            commit(ledger, job, event, now)
        ledger.end_run("done", ExitCode.DONE, now)
    click.echo(f"{plural(len(jobs), 'job')} settled; next: {batch.caller.command('run')}")
    return ExitCode.DONE


def _chosen(ledger: Ledger, ids: tuple[str, ...], statuses: set[Status]) -> list[Job]:
    """The jobs in doubt with these ids, or all."""
    found: dict[str, list[Job]] = {}
    for job in ledger.jobs(statuses):
        found.setdefault(job.id, []).append(job)
    refuse_unknown(ids, found, "uncertain")
    return [job for id in (ids or found) for job in found[id]]


def _refuse_contradiction(ledger: Ledger, task_id: str, jobs: list[Job]) -> None:
    """One task makes one video: refuse the id of another's task, and a second id for a job."""
    keys = {job.key for job in jobs}
    if task_id and len(jobs) != 1:
        raise ConfigurationError(f"{jobs[0].id} names {len(jobs)} jobs; a task is one job's")
    if task_id and jobs[0].task_id not in {"", task_id}:
        words = f"{jobs[0].id} has a task already, {jobs[0].task_id}, which is asked about again"
        raise ConfigurationError(f"{words} by each run; give it up, or leave it")
    owner = ledger.owner(task_id) if task_id else None
    if owner is not None and owner.key not in keys:
        raise ConfigurationError(f"task {task_id} already belongs to {owner.id}")


def _show(batch: Batch, ids: tuple[str, ...]) -> ExitCode:
    ledger = Ledger.read(batch.state_file)
    jobs = []
    if ledger is not None:
        try:
            jobs = _chosen(ledger, ids, in_doubt(batch.state_file))
            moments = {job.key: _moment_of_doubt(ledger, job) for job in jobs}
        finally:
            ledger.close()
    if not jobs:
        click.echo(f"{batch.name}: nothing is uncertain")
        return ExitCode.DONE
    words = [f"{plural(len(jobs), 'job')} may have been charged. In the provider's usage log:"]
    words += [_evidence(job, moments) for job in jobs]
    command = batch.caller.command("resolve")
    words += [
        "Found there, with a task id?    " + f"{command} ID --task-id TASK",
        "Not there, so never charged?    " + f"{command} ID --not-charged",
        "Neither, or not worth the time? " + f"{command} ID --give-up",
    ]
    click.echo("\n".join(words))
    return ExitCode.PERSON


def _moment_of_doubt(ledger: Ledger, job: Job) -> float:
    doubts = [past.at for past in ledger.events(job) if past.after is Status.UNCERTAIN]
    return doubts[-1] if doubts else job.since


def _evidence(job: Job, moments: Mapping[int, float]) -> str:
    body = job.body
    rows = {
        "when": f"{_clock(job.submitted_at - 5)} to {_clock(moments[job.key] + 5)}",
        "model": body.get("model"),
        "image": body.get("promptImage"),
        "prompt": body.get("promptText"),
        "seed": body.get("seed"),
        "cost": money(job.cost) if job.cost else None,
        "task id": job.task_id,
        "request": job.problem.request_id if job.problem else None,
        "why": f"{job.problem.code}: {job.problem.message}" if job.problem else None,
    }
    lines = [f"  {name:<8} {printable(str(value))}" for name, value in rows.items() if value]
    return "\n".join([printable(job.id), *lines, ""])


def _clock(moment: float) -> str:
    return datetime.fromtimestamp(moment).astimezone().isoformat(sep=" ", timespec="seconds")
