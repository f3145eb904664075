"""`runner plan`: what the next run would do, without doing it."""

from __future__ import annotations

import json
from typing import Any

import click

from runner.api import load
from runner.commands import options
from runner.errors import ExitCode
from runner.planning import planned
from runner.records import plan_json
from runner.report import plan_text


@click.command()
@options.batch
@options.choosing
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
    batch = load(**given)
    with batch.view(to_run=True) as (view, spent):
        found = planned(view, batch.limits, spent)
        if as_json:
            words = json.dumps(plan_json(view, found, batch.limits), indent=2, ensure_ascii=False)
        else:
            words = plan_text(view, found, batch.limits, batch.options.purchase)
    click.echo(words)
    return ExitCode.DONE
