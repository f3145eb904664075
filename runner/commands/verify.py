"""`runner verify`: is every video on disk the one that was brought home?"""

from __future__ import annotations

from collections import Counter
from contextlib import closing
from typing import Any

import click

from runner.api import load
from runner.batch import Batch
from runner.commands import options
from runner.errors import ExitCode
from runner.ledger import Ledger
from runner.videos import Standing, has_sidecar, look, put_sidecar
from runner.words import plural, printable


@click.command()
@options.batch
@click.option(
    "--sidecars", is_flag=True, help="Write the missing sidecars of videos that are there."
)
def verify(sidecars: bool, **given: Any) -> ExitCode:
    """Hash every video on disk again.

    Each is held against the digest with which it came home. What is missing or changed is named;
    nothing is changed or sent. With --sidecars, the JSON files beside the videos that are not
    there yet are written; a file of somebody else's is left alone. Exit code 1 when a video is
    missing or changed.

    \b
    Examples:
      runner verify catalog.yaml
      runner verify catalog.yaml --sidecars
    """
    batch = load(**given)
    ledger = Ledger.read(batch.state_file)
    if ledger is None:
        click.echo(f"{batch.state_file}: there is none yet; nothing was brought home by it")
        return ExitCode.DONE
    with closing(ledger):
        counts, without = _look_at_all(batch, ledger, write=sidecars)
    whole, missing, changed = (counts[each] for each in Standing)
    words = f"{batch.name}: {plural(counts.total(), 'video')}: {whole} as they came home"
    click.echo(f"{words}, {missing} missing, {changed} changed")
    if without and (sidecars or batch.manifest.sidecar):
        hint = "" if sidecars else f"; next: {batch.caller.command('verify', '--sidecars')}"
        click.echo(f"{plural(without, 'sidecar')} missing{hint}")
    if missing:
        click.echo(
            f"next: {batch.caller.command('doctor', '--refetch')}   # asks for them again, free"
        )
    return ExitCode.FAILED if missing or changed else ExitCode.DONE


def _look_at_all(batch: Batch, ledger: Ledger, *, write: bool) -> tuple[Counter[Standing], int]:
    """How many videos stand how, and how many have no sidecar after all."""
    counts: Counter[Standing] = Counter()
    without = 0
    for job in ledger.finished():
        found = look(job)
        counts[found.standing] += 1
        if found.words:
            click.echo(printable(f"{job.id}: {found.words}"))
        elif write:
            if words := put_sidecar(job, batch.name, batch.api.name):
                click.echo(printable(f"{job.id}: {words}"))
                without += 1
        elif not has_sidecar(job):
            without += 1
    return counts, without
