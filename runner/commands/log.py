"""`runner log`: what happened to a job, from its first order on."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from contextlib import closing
from datetime import UTC, datetime
from typing import Any

import click

from runner.api import load
from runner.batch import Batch, refuse_unknown
from runner.commands import options
from runner.errors import ExitCode
from runner.jobs import Job
from runner.ledger import Ledger, Log, archives_of, logs_of
from runner.story import Past, Told, story, told
from runner.words import printable

Found = tuple[str, Job | None, Log]


@click.command()
@options.batch
@click.argument("ids", nargs=-1, required=True, metavar="ID...", shell_complete=options.known_ids)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object, with every field.")
def log(ids: tuple[str, ...], as_json: bool, **given: Any) -> ExitCode:
    """Tell what happened to jobs, event by event, oldest first.

    Reads the state file and the archives that `prune` has put beside it, also of jobs that were
    forgotten or whose entry is gone. Times are those of this machine. Needs no key, changes
    nothing, and may be used while a run goes on.

    \b
    Examples:
      runner log catalog.yaml lamp-01
      runner log catalog.yaml lamp-01 --json | jq '.jobs[].events[].words'
    """
    batch = load(**given)
    found = _found(batch, list(dict.fromkeys(ids)))
    if as_json:
        jobs = [_as_json(*each) for each in found]
        words = {"manifest": str(batch.manifest.path), "state_file": str(batch.state_file)}
        click.echo(json.dumps(words | {"jobs": jobs}, indent=2, ensure_ascii=False))
    else:
        click.echo("\n\n".join("\n".join(_in_words(batch, *each)) for each in found))
    return ExitCode.DONE


def _found(batch: Batch, ids: Sequence[str]) -> list[Found]:
    """Each job with one of these ids, and its log; without a job what was never begun.

    Raises `ConfigurationError` for ids that neither the manifest nor the state file knows.
    """
    ledger = Ledger.read(batch.state_file)
    if ledger is None:
        refuse_unknown(ids, {entry.id for entry in batch.manifest.entries}, _NOWHERE)
        return [(id, None, Log(())) for id in ids]
    with closing(ledger), ledger.still():
        keys: dict[str, set[int]] = {}
        for each in ledger.identities():
            keys.setdefault(each.id, set()).add(each.key)
        for line in batch.overview(batch.admit(ledger)).lines:
            keys.setdefault(line.id, set()).update({line.job.key} if line.job else ())
        refuse_unknown(ids, keys, _NOWHERE)
        logs = logs_of(ledger, set().union(*(keys[id] for id in ids)))
        return [
            (id, ledger.job(key) if key else None, logs[key] if key else Log(()))
            for id in ids
            for key in sorted(keys[id]) or (0,)
        ]


_NOWHERE = "in the manifest or the state file"


def _told(log: Log) -> Iterable[Told]:
    return told(
        Past(each.at, each.event, each.before, each.after, each.detail) for each in log.events
    )


def _in_words(batch: Batch, id: str, job: Job | None, log: Log) -> Iterable[str]:
    status = job.status.value if job else "planned"
    yield f"{printable(id)}: {status}" + (", forgotten" if job and job.forgotten else "")
    if not log.whole:
        there = ", ".join(map(str, archives_of(batch.state_file))) or "there is no archive"
        yield f"  a part of its log was archived and is not beside {batch.state_file} ({there})"
    lines = story(_told(log), lambda at: datetime.fromtimestamp(at).astimezone())
    yield from (f"  {line}" for line in lines)
    if log.whole and not lines:
        yield "  nothing has happened to it yet"


def _as_json(id: str, job: Job | None, log: Log) -> dict[str, Any]:
    events = [
        {
            "at": datetime.fromtimestamp(each.past.at, UTC).isoformat(timespec="milliseconds"),
            "event": each.past.event,
            "from": each.past.before.value,
            "to": each.past.after.value,
            "words": each.words,
            "detail": dict(each.past.detail),
        }
        for each in _told(log)
    ]
    return {
        "id": id,
        "status": job.status.value if job else "planned",
        "task_id": (job.task_id or None) if job else None,
        "forgotten": bool(job and job.forgotten),
        "whole": log.whole,
        "events": events,
    }
