"""`runner plan`: what the next run would do, without doing it."""

from __future__ import annotations

import json
from typing import Any

import click

from runner.batch import Options, prepare
from runner.commands import options
from runner.errors import ExitCode
from runner.records import plan_json
from runner.report import plan_text


@click.command()
@options.batch
@click.option("--accept-changes", is_flag=True, help="Plan as `run --accept-changes` would.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def plan(as_json: bool, **given: Any) -> ExitCode:
    """Show what the next run would do and cost.

    What would be submitted, resumed and skipped, and what is held, with the reasons.

    Sends nothing and changes nothing. Exit code 0 whatever the plan says.

    \b
    Examples:
      runner plan catalog.yaml
      runner plan catalog.yaml --json | jq .counts
    """
    batch = prepare(Options(**given))
    view, spent = batch.view()
    if as_json:
        click.echo(json.dumps(plan_json(view, batch.limits, spent), indent=2, ensure_ascii=False))
    else:
        click.echo(plan_text(view, batch.limits, spent))
    return ExitCode.DONE
