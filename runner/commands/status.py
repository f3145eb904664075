"""`runner status`: how a batch stands."""

from __future__ import annotations

import json
from typing import Any

import click

from runner.batch import Options, prepare
from runner.commands import options
from runner.errors import ExitCode
from runner.jobs import Status
from runner.overview import exit_code
from runner.records import status_json
from runner.report import status_text

SHOWN = 50


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
@_filters
def status(as_json: bool, everything: bool, as_code: bool, **given: Any) -> ExitCode:
    """Show counts by status and a table of jobs. May be used while a run goes on.

    \b
    Examples:
      runner status catalog.yaml --failed
      runner status catalog.yaml --json | jq -r '.jobs[] | select(.status == "done") | .output'
    """
    wanted = {status for status in Status if given.pop(status.value)}
    batch = prepare(Options(**given))
    with batch.view() as (view, _):
        shown = view.standing(wanted or set(Status))
        if as_json:
            words = json.dumps(status_json(view, shown), indent=2, ensure_ascii=False)
        else:
            words = status_text(view, shown, None if everything else SHOWN)
        code = exit_code(view) if as_code else ExitCode.DONE
    click.echo(words)
    return code
