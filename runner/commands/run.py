"""`runner run`: submits, polls, downloads; goes on where an earlier run stopped."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from runner.commands import options
from runner.commands.several import work_through
from runner.errors import ExitCode


@click.command()
@options.batches
@options.choosing
@click.option(
    "--plan",
    default="",
    metavar="DIGEST",
    help="Buy only what `runner plan` showed with this digest; refuse if that is another now.",
)
@click.option(
    "--deadline",
    type=options.Duration(least=1.0),
    metavar="50m",
    help="Stop cleanly after this long; the next run goes on.",
)
@click.option(
    "--progress",
    type=click.Choice(["auto", "live", "plain", "json", "none"]),
    default="auto",
    help="How progress is shown [auto: live on a terminal, else plain].",
)
def run(manifests: tuple[Path, ...], **given: Any) -> ExitCode:
    """Submit, poll and download every job of a manifest.

    Run it again after any interruption: accepted tasks are polled, never submitted again, and
    videos that are on disk are left alone. Ctrl-C stops cleanly, a second one at once. Several
    manifests, or a folder of them, are worked on in turn.

    With --only, --first or --sample only those jobs may be bought; what was bought before still
    comes home, and the run ends with 3 while others wait.

    \b
    Examples:
      runner run catalog.yaml
      runner run catalog.yaml --sandbox               a rehearsal, free of charge
      runner run catalog.yaml --sample 5              five over the whole, to judge them first
      runner run manifests/ -qq --deadline 50m        from cron, every hour
      runner run catalog.yaml --progress json | jq .
    """
    return work_through(manifests, **given)
