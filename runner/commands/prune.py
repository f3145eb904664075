"""`runner prune`: a state file made small again."""

from __future__ import annotations

import time
from contextlib import closing
from pathlib import Path
from typing import Any

import click

from runner.api import load
from runner.bookkeeping import RENDERS_KNOWN
from runner.commands import options
from runner.errors import ExitCode
from runner.ledger import Ledger, Prunable, archive_logs, archive_of, prunable, shrink
from runner.policy import DAY
from runner.words import plural


@click.command()
@options.batch
@click.option(
    "--older-than",
    type=options.Duration(DAY),
    default=f"{30 * DAY}s",
    metavar="30d",
    help="Only what ended so long ago [30d]; at least a day.",
)
@click.option("--dry-run", is_flag=True, help="Say what would be archived; change nothing.")
def prune(older_than: float, dry_run: bool, **given: Any) -> ExitCode:
    """Move the logs of finished jobs into an archive beside the state file.

    The jobs themselves stay: they are recognised as before, what was paid stays counted, and their
    videos can be verified and fetched again. What goes is how it came about, event by event: it
    is appended to NAME-archive-YEAR.jsonl, one job a line, before anything is deleted. The charts
    of `report` no longer tell of it. The newest renders stay, since polls are placed by them.

    \b
    Examples:
      runner prune catalog.yaml --dry-run
      runner prune catalog.yaml --older-than 90d
    """
    batch = load(**given)
    path, now = batch.state_file, time.time()
    before = now - older_than
    if dry_run:
        ledger = Ledger.read(path)
        if ledger is None:
            click.echo(f"{path}: there is none yet")
            return ExitCode.DONE
        with closing(ledger):
            found = prunable(ledger, before, RENDERS_KNOWN)
        click.echo(f"{batch.name}: {_in_words(found)} would be archived; {path} has {_size(path)}")
        return ExitCode.DONE
    archive = archive_of(path, now)
    with batch.opened("prune") as ledger:
        size = _size(path)
        found = prunable(ledger, before, RENDERS_KNOWN)
        if found.jobs or found.runs:
            archive_logs(ledger, archive, before, now)
        ledger.end_run("done", ExitCode.DONE, now)
        why_not = shrink(ledger)
    if not (found.jobs or found.runs):
        click.echo(f"{batch.name}: nothing to archive")
        return ExitCode.DONE
    click.echo(f"{batch.name}: {_in_words(found)} archived in {archive}")
    if why_not:
        click.echo(f"{path} is not smaller yet: {why_not}; later runs use the space")
    else:
        click.echo(f"{path} had {size} and has {_size(path)}")
    return ExitCode.DONE


def _in_words(found: Prunable) -> str:
    logs = f"the logs of {plural(found.jobs, 'job')} ({plural(found.events, 'event')})"
    return f"{logs} and {plural(found.runs, 'record')} of runs"


def _size(path: Path) -> str:
    """What a state file takes on disk, its log of changes included."""
    wal = path.with_name(f"{path.name}-wal")
    size = path.stat().st_size + (wal.stat().st_size if wal.exists() else 0)
    return f"{size / (1 << 20):.1f} MiB"
