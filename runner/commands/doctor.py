"""`runner doctor`: is everything that was paid for still there, and what can be rebuilt?"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Iterator
from typing import Any

import click

from runner.api import load
from runner.batch import Batch
from runner.bookkeeping import commit
from runner.commands import options
from runner.commands.resolve import in_doubt
from runner.errors import ExitCode, StateError
from runner.events import FileMissed
from runner.history import contradiction
from runner.jobs import Job, Problem
from runner.ledger import Ledger, PastEvent, refuse_unsafe
from runner.videos import look
from runner.words import plural, printable


@click.command()
@options.batch
@click.option("--refetch", is_flag=True, help="Have missing videos fetched again by the next run.")
def doctor(refetch: bool, **given: Any) -> ExitCode:
    """Check the state file and the videos on disk.

    Looks whether the state file is sound, whether each job is what its events say, and whether
    each finished video is there with its recorded bytes; and says what can be rebuilt. Changes
    nothing, unless --refetch: then missing videos are asked for again at the provider, by their
    task ids, free of charge. Exit code 4 when something needs you.

    \b
    Examples:
      runner doctor catalog.yaml
      runner doctor catalog.yaml --refetch && runner run catalog.yaml
    """
    batch = load(**given)
    refuse_unsafe(batch.state_file)
    try:
        ledger = Ledger.read(batch.state_file)
        if ledger is None:
            click.echo(f"{batch.state_file}: there is none yet; nothing was paid for by it")
            strangers = _strangers(batch)
            click.echo("\n".join(strangers))
            return ExitCode.PERSON if strangers else ExitCode.DONE
        try:
            problems = [*ledger.defects(), *contradictions(ledger)]
            jobs = list(ledger.finished())
            rescued = len(ledger.rescued())
            uncertain = len(ledger.jobs(in_doubt(batch.state_file)))
        finally:
            ledger.close()
    except StateError as error:
        raise StateError(f"{error}\n{_how_to_rebuild(batch)}") from None
    missing = {job.key: words for job in jobs if (words := look(job).words)}
    lost = [job for job in jobs if job.key in missing]
    problems += [f"{job.id}: {missing[job.key]}" for job in lost]
    if rescued:
        problems.append(f"{plural(rescued, 'task id')} wait to be stored: the next run does it")
    if uncertain:
        settle = batch.caller.command("resolve")
        problems.append(f"{plural(uncertain, 'job')} may have been charged: {settle}")
    click.echo("\n".join(printable(problem) for problem in problems) or "everything is in order")
    if lost and refetch:
        _refetch(batch, lost, missing)
    elif lost:
        command = batch.caller.command("doctor", "--refetch")
        click.echo(f"next: {command}   # asks the provider for the missing videos again, free")
    return ExitCode.PERSON if problems else ExitCode.DONE


def contradictions(ledger: Ledger) -> Iterator[str]:
    """Where a job is not what its events led to, the archived ones included."""
    logs: dict[int, list[PastEvent]] = defaultdict(list)
    for past in ledger.events():
        logs[past.job].append(past)
    starts: dict[int, Job] = {}
    for job, sound in ledger.archived():
        starts[job.key] = job
        if not sound:
            yield f"{job.id}: is not what its archived events led to"
    for job in ledger.jobs():
        log, start = logs.get(job.key, []), starts.get(job.key)
        words = contradiction(job, [(past.event, past.detail, past.at) for past in log], start)
        if (log or start) and words:
            yield f"{job.id}: {words}"


def _refetch(batch: Batch, lost: list[Job], reasons: dict[int, str]) -> None:
    with batch.opened("doctor") as ledger:
        for job in lost:
            event = FileMissed(Problem("missing", reasons[job.key]))
            commit(ledger, job, event, time.time())
        ledger.end_run("done", ExitCode.DONE, time.time())
    click.echo(
        f"{plural(len(lost), 'video')} will be fetched again; next: {batch.caller.command('run')}"
    )


def _strangers(batch: Batch) -> list[str]:
    """Videos on disk that this state file knows nothing of."""
    there = [
        path for entry in batch.manifest.entries if (path := batch.manifest.place(entry)).exists()
    ]
    if not there:
        return []
    return [
        f"{plural(len(there), 'entry', 'entries')} already have a video on disk; a run holds "
        "them instead of paying again",
        f"next: {batch.caller.command('import', '--ids', 'tasks.csv')}   # takes over their tasks, "
        "by the ids in the provider's usage log",
    ]


def _how_to_rebuild(batch: Batch) -> str:
    """What to do about a state file that can't be read."""
    folder, name = batch.state_file.parent, batch.state_file.name
    copies = sorted(str(path) for path in folder.glob(f"{name}.before-*"))
    lines = ["What can be rebuilt:"]
    if copies:
        lines.append(f"  a copy from before an upgrade: {copies[-1]}")
    lines += [
        f"  what SQLite can still read of it: sqlite3 {batch.state_file} .recover",
        "  with a new state file (move this one away), entries whose video is on disk are held,",
        "  not bought again; tasks that were running are in the provider's own usage log",
        *(f"  {line}" for line in _strangers(batch)),
    ]
    return "\n".join(lines)
