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
from runner.events import Saved
from runner.jobs import Job
from runner.ledger import Ledger
from runner.manifest.fields import POSTERS
from runner.posters import has_poster, put_poster, require_extra
from runner.videos import Standing, has_sidecar, look, put_sidecar
from runner.words import plural, printable


@click.command()
@options.batch
@click.option("--posters", is_flag=True, help="Make the missing posters of videos that are there.")
@click.option(
    "--sidecars", is_flag=True, help="Write the missing sidecars of videos that are there."
)
def verify(sidecars: bool, posters: bool, **given: Any) -> ExitCode:
    """Hash every video on disk again.

    Each is held against the digest with which it came home. What is missing or changed is named;
    nothing is changed or sent. With --sidecars, the JSON files beside the videos that are not
    there yet are written, with --posters the still pictures; a file of somebody else's is left
    alone. Exit code 1 when a video is
    missing or changed.

    \b
    Examples:
      runner verify catalog.yaml
      runner verify catalog.yaml --sidecars
    """
    batch = load(**given)
    kind = batch.manifest.poster or (POSTERS[0] if posters else "")
    if posters:
        require_extra()
    ledger = Ledger.read(batch.state_file)
    if ledger is None:
        click.echo(f"{batch.state_file}: there is none yet; nothing was brought home by it")
        return ExitCode.DONE
    with closing(ledger):
        counts, without = _look_at_all(batch, ledger, kind, sidecars=sidecars, posters=posters)
    whole, missing, changed = (counts[each] for each in Standing)
    words = f"{batch.name}: {plural(counts.total(), 'video')}: {whole} as they came home"
    click.echo(f"{words}, {missing} missing, {changed} changed")
    wanted = {"sidecar": sidecars or batch.manifest.sidecar, "poster": bool(kind)}
    for what, done in (("sidecar", sidecars), ("poster", posters)):
        if without[what] and wanted[what]:
            hint = "" if done else f"; next: {batch.caller.command('verify', f'--{what}s')}"
            click.echo(f"{plural(without[what], what)} missing{hint}")
    if missing:
        click.echo(
            f"next: {batch.caller.command('doctor', '--refetch')}   # asks for them again, free"
        )
    return ExitCode.FAILED if missing or changed else ExitCode.DONE


def _look_at_all(
    batch: Batch, ledger: Ledger, kind: str, *, sidecars: bool, posters: bool
) -> tuple[Counter[Standing], Counter[str]]:
    """How many videos stand how, and how many lack what beside them after all.

    `kind` is that of the posters, "" when none are wanted.
    """
    counts: Counter[Standing] = Counter()
    without: Counter[str] = Counter()
    for job in ledger.finished():
        found = look(job)
        counts[found.standing] += 1
        if found.words:
            click.echo(printable(f"{job.id}: {found.words}"))
            continue
        if not has_sidecar(job):
            words = put_sidecar(job, *_origin(batch, ledger, job)) if sidecars else ""
            without["sidecar"] += _told(job, words, done=sidecars)
        if kind and not has_poster(job, kind):
            words = put_poster(job, kind) if posters else ""
            without["poster"] += _told(job, words, done=posters)
    return counts, without


def _origin(batch: Batch, ledger: Ledger, job: Job) -> tuple[str, str, str]:
    """What a sidecar says that the job's row doesn't: batch, provider, digest of what came."""
    saved = [each.detail for each in ledger.events(job) if each.event == Saved.__name__]
    received = str(saved[-1].get("received", "")) if saved else ""
    return batch.name, batch.api.name, received


def _told(job: Job, words: str, *, done: bool) -> bool:
    """Whether something is missing beside a video after all; says why it could not be made."""
    if words:
        click.echo(printable(f"{job.id}: {words}"))
    return bool(words) or not done
