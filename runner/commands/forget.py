"""`runner forget`: jobs that nobody wants to see any more, and jobs to be bought anew."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable, Sequence
from typing import Any

import click

from runner.api import load
from runner.batch import bring_in_line, refuse_unknown
from runner.bookkeeping import commit
from runner.commands import options
from runner.errors import ConfigurationError, ExitCode
from runner.events import Forgotten
from runner.jobs import Status
from runner.ledger import Ledger
from runner.lifecycle import SETTLED
from runner.overview import Action, Line, total_cost
from runner.report import status_text
from runner.words import money, plural


@click.command()
@options.batch
@options.ids
@click.option("--removed", is_flag=True, help="Every finished job whose entry is gone.")
@click.option("--buy-again", is_flag=True, help="Start over: have finished jobs bought once more.")
@click.option("--yes", is_flag=True, help="With --buy-again: don't ask; for scripts.")
def forget(
    ids: tuple[str, ...], removed: bool, buy_again: bool, yes: bool, **given: Any
) -> ExitCode:
    """Show no more of jobs whose entries were deleted from the manifest.

    What they cost stays counted, their videos stay where they are, and an entry that comes back
    is still recognised as paid. What is running or may have been charged can't be forgotten.

    With --buy-again it is the other way round: jobs of the manifest that are done are bought once
    more by the next run. Shows which and at what cost, and asks. The old videos stay.

    \b
    Examples:
      runner forget catalog.yaml --removed
      runner forget catalog.yaml lamp-01
      runner forget catalog.yaml lamp-02 --buy-again
    """
    if bool(ids) == removed:
        raise click.UsageError("name the jobs, or say --removed")
    if buy_again and removed:
        raise click.UsageError("--buy-again is for jobs of the manifest: name them")
    batch = load(**given)
    with batch.opened("forget") as ledger:
        bring_in_line(ledger, batch.admit(ledger), time.time())
        view = batch.overview(batch.admit(ledger))
        lines = list(view.of(Action.REMOVED)) if removed else _named(view.lines, ids)
        lines = lines if removed else choose(ids, lines, buy_again=buy_again)
        jobs = [line.job for line in lines if line.job]
        if not jobs:
            click.echo(f"{batch.name}: no finished jobs whose entries are gone")
            return ExitCode.DONE
        if buy_again:
            click.echo(status_text(view, lines))
            _agree(lines, yes=yes)
        now = time.time()
        set_aside(ledger, lines, now, buy_again=buy_again)
        ledger.end_run("done", ExitCode.DONE, now)
    if buy_again:
        words = f"{plural(len(jobs), 'job')} will be bought again"
        click.echo(f"{words}; next: {batch.caller.command('run')}")
    else:
        click.echo(f"{plural(len(jobs), 'job')} forgotten; what was paid stays counted")
    return ExitCode.DONE


def set_aside(ledger: Ledger, lines: Iterable[Line], now: float, *, buy_again: bool) -> None:
    """Forget these jobs and, with `buy_again`, begin them anew; all of it or nothing."""
    with ledger.together():
        for line in lines:
            if line.job:
                commit(ledger, line.job, Forgotten(), now)
            if buy_again:
                assert line.entry is not None, "only what the manifest asks for is bought again"
                ledger.add(line.entry)


def _named(lines: Iterable[Line], ids: Sequence[str]) -> list[Line]:
    lines = list(lines)
    refuse_unknown(ids, {line.id for line in lines}, "in the manifest or the state file")
    return [line for line in lines if line.id in ids]


def choose(ids: Sequence[str], lines: Sequence[Line], *, buy_again: bool) -> list[Line]:
    """Of the lines with these ids, those that may be forgotten.

    Raises `ConfigurationError` with every id that may not, and what to do instead.
    """
    chosen, refused = [], []
    for id in dict.fromkeys(ids):
        meant = [line for line in lines if line.id == id and (line.entry is not None) == buy_again]
        other = next((line for line in lines if line.id == id), None)
        words = next(filter(None, map(_why_not, meant)), "")
        if not meant and other:
            words = _OUT_OF_MANIFEST if buy_again else _IN_MANIFEST
        if words:
            refused.append(f"{id} {words}")
        chosen += meant
    if refused:
        raise ConfigurationError("\n".join(refused))
    return chosen


_IN_MANIFEST = (
    "is in the manifest, and would be found again: delete its entry, or buy it anew (--buy-again)"
)
_OUT_OF_MANIFEST = "is not in the manifest any more, so it can't be bought: leave out --buy-again"


def _why_not(line: Line) -> str:
    """Why a job can't be forgotten, or bought again, and what to do; "" when it can."""
    if line.status in {Status.UNCERTAIN, Status.SUBMITTING}:
        return "may have been charged: settle it first, with `runner resolve`"
    if line.status not in SETTLED:
        return "was paid for and is on its way: `runner run` brings it home"
    if line.entry is None:
        return ""
    if line.action is Action.HELD:
        return "is held: `runner run --accept-changes` buys it as it is now"
    if line.status is Status.FAILED:
        return "failed: `runner retry` puts it back"
    return "" if line.status is Status.DONE else "is bought by the next run anyway"


def _agree(lines: Sequence[Line], *, yes: bool) -> None:
    cost = total_cost(line.entry for line in lines)
    price = "" if cost is None else f", for {money(cost)}"
    words = f"{plural(len(lines), 'finished job')} would be paid for once more{price}"
    if not yes and not sys.stdin.isatty():
        raise ConfigurationError(f"{words}; add --yes to agree")
    if not yes and not click.confirm(f"{words}. Buy again?"):
        raise ConfigurationError("not agreed: nothing was changed")
