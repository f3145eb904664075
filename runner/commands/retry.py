"""`runner retry`: puts failed jobs back to be paid for again."""

from __future__ import annotations

import sys
import time
from typing import Any

import click

from runner.api import load
from runner.batch import refuse_unknown
from runner.bookkeeping import commit
from runner.commands import options
from runner.errors import ConfigurationError, ExitCode
from runner.events import RetryOrdered
from runner.overview import Action, Line, total_cost
from runner.report import status_text
from runner.words import money, plural


@click.command()
@options.batch
@options.ids
@click.option("--yes", is_flag=True, help="Don't ask; for scripts.")
def retry(ids: tuple[str, ...], yes: bool, **given: Any) -> ExitCode:
    """Put failed jobs back to be paid for again.

    All of them, or those named. Shows which, why they failed and what another attempt costs,
    and asks. Sends nothing itself: the next run does.

    \b
    Examples:
      runner retry catalog.yaml
      runner retry catalog.yaml lamp-01 chair-07
      runner retry catalog.yaml --yes && runner run catalog.yaml
    """
    batch = load(**given)
    with batch.opened("retry") as ledger:
        view = batch.overview(batch.admit(ledger))
        failed = {line.id: line for line in view.of(Action.FAILED)}
        if not failed.keys() >= {*ids}:
            refuse_unknown(ids, dict.fromkeys(line.id for line in view.lines), "in the manifest")
        refuse_unknown(ids, failed, "failed")
        chosen = [failed[id] for id in ids] if ids else list(failed.values())
        jobs = [line.job for line in chosen if line.job]
        if not jobs:
            click.echo(f"{batch.name}: no failed jobs")
            return ExitCode.DONE
        click.echo(status_text(view, chosen))
        cost = _cost(chosen)
        words = f"{plural(len(jobs), 'job')} would be paid for again{cost}"
        if not yes and not sys.stdin.isatty():
            raise ConfigurationError(f"{words}; add --yes to agree")
        if not yes and not click.confirm(f"{words}. Put them back?"):
            return ExitCode.DONE
        for job in jobs:
            commit(ledger, job, RetryOrdered(), time.time())
        ledger.end_run("done", ExitCode.DONE, time.time())
    click.echo(f"{plural(len(jobs), 'job')} put back; next: {batch.caller.command('run')}")
    return ExitCode.DONE


def _cost(lines: list[Line]) -> str:
    cost = total_cost(line.entry for line in lines)
    return "" if cost is None else f", for {money(cost)}"
