"""`runner tick`: one bounded pass for a timer; many ticks do what one long run does."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from runner.commands import options
from runner.commands.several import work_through
from runner.errors import ExitCode


@click.command()
@options.batches
@click.option(
    "--deadline",
    type=options.Duration(least=1.0),
    metavar="5m",
    default=300.0,
    help="Stop cleanly after this long, should so much be due [5m for each manifest].",
)
@click.option(
    "--progress",
    type=click.Choice(["auto", "plain", "json", "none"]),
    default="auto",
    help="Show more than one line [auto: one line when anything changed].",
)
def tick(manifests: tuple[Path, ...], quiet: int, **given: Any) -> ExitCode:
    """Do what is due at this moment, and leave: for cron and timers.

    Submits within the limits, asks for the tasks whose time has come, downloads what is ready,
    and waits for nothing else. Exits with 3 while work remains. Many ticks do what one long run
    does, with the same patience, circuit breakers and pauses. Says one line when anything changed,
    else nothing; with -qq only what a person should know.

    \b
    Examples:
      runner tick catalog.yaml
      runner tick manifests/ -qq              from cron, every minute or five
      runner tick catalog.yaml --progress plain
    """
    shown = given["verbose"] or given["progress"] != "auto"
    return work_through(manifests, once=True, quiet=quiet if shown else max(1, quiet), **given)
