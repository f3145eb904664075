"""`runner status`: how a batch stands."""

from __future__ import annotations

import json
import shutil
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Any, Protocol

import click

from runner.api import load
from runner.commands import options
from runner.errors import ExitCode
from runner.jobs import Status
from runner.ledger import is_locked
from runner.overview import exit_code
from runner.records import status_json
from runner.report import status_text

SHOWN = 50
LEAST = 0.1


class Look(Protocol):
    """Looks at the batch once: what to print, and the batch's exit code."""

    def __call__(self, limit: int | None, *, brief: bool = False) -> tuple[str, ExitCode]:
        """Show at most so many jobs; `brief` shows the counts alone."""


def _filters(command: Any) -> Any:
    for status in reversed(Status):
        flag = click.option(
            f"--{status.value}", status.value, is_flag=True, help=f"Only jobs that are {status}."
        )
        command = flag(command)
    return command


@click.command()
@options.batch
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object, with every job.")
@click.option("--all", "everything", is_flag=True, help=f"Show more than {SHOWN} jobs.")
@click.option("--exit-code", "as_code", is_flag=True, help="Exit with the batch's code, not 0.")
@click.option("--watch", is_flag=True, help="Look again and again, until nothing remains.")
@click.option(
    "--every", type=options.Duration(), metavar="2s", default=2.0, help="How often to look [2s]."
)
@_filters
def status(
    as_json: bool, everything: bool, as_code: bool, watch: bool, every: float, **given: Any
) -> ExitCode:
    """Show counts by status and a table of jobs. May be used while a run goes on.

    \b
    Examples:
      runner status catalog.yaml --failed
      runner status catalog.yaml --json | jq -r '.jobs[] | select(.status == "done") | .output'
      runner status catalog.yaml --watch
    """
    wanted = {status for status in Status if given.pop(status.value)}
    batch = load(**given)

    def look(limit: int | None, *, brief: bool = False) -> tuple[str, ExitCode]:
        with batch.view() as (view, _):
            shown = [] if brief else view.standing(wanted or set(Status))
            if as_json:
                indent = None if watch else 2
                found = status_json(view, shown)
                words = json.dumps(found, indent=indent, ensure_ascii=False)
            else:
                words = status_text(view, shown, limit)
            return words, exit_code(view)

    if watch:
        with suppress(KeyboardInterrupt):
            busy = partial(is_locked, batch.state_file)
            return _watch(look, busy, max(every, LEAST), as_json=as_json, as_code=as_code)
        return ExitCode.DONE
    words, code = look(None if everything else SHOWN)
    click.echo(words)
    return code if as_code else ExitCode.DONE


def _watch(
    look: Look, busy: Callable[[], bool], every: float, *, as_json: bool, as_code: bool
) -> ExitCode:
    """Show a batch anew until nothing remains to be done: redrawn, or a line at each change.

    Asked before each look: what is in doubt while a run is at work may be settled the next moment.
    """
    redrawn = sys.stdout.isatty() and not as_json
    last = ""
    while True:
        at_work, height = busy(), shutil.get_terminal_size().lines - 3
        words, code = look(max(1, height)) if redrawn else look(None, brief=not as_json)
        if words != last:
            if redrawn:
                click.clear()
            click.echo(words)
            sys.stdout.flush()
            last = words
        if code is not ExitCode.REMAINS and not at_work:
            return code if as_code else ExitCode.DONE
        time.sleep(every)
