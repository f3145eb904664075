"""`runner report`: the contact sheet, and the batch for other programs."""

from __future__ import annotations

import time
from datetime import datetime
from pathlib import Path
from typing import Any

import click

from runner.batch import Batch, Options, prepare
from runner.commands import options
from runner.errors import ConfigurationError, ExitCode
from runner.ledger import Ledger
from runner.sheet import exports, folder
from runner.sheet.cards import cards, outputs
from runner.sheet.chronicle import Chronicle, chronicles
from runner.sheet.page import page
from runner.sheet.sheet import sheet
from runner.words import plural

_FILE = click.Path(path_type=Path, dir_okay=False, allow_dash=True)


@click.command()
@options.batch
@click.option(
    "--to",
    type=options.PATH,
    metavar="PATH",
    help="A folder, made to be moved whole; or a file NAME.html, which plays the videos where "
    "they are [reports/{name}].",
)
@click.option("--csv", "as_csv", type=_FILE, metavar="FILE", help="A table for spreadsheets.")
@click.option("--json", "as_json", type=_FILE, metavar="FILE", help="Everything, for programs.")
@click.option("--junit", "as_junit", type=_FILE, metavar="FILE", help="JUnit XML, for CI systems.")
@click.option(
    "--remote-images/--no-remote-images",
    "images",
    default=True,
    help="Show source images from their own addresses when there is a network (default); without "
    "them the page asks nobody for anything.",
)
def report(
    to: Path | None,
    as_csv: Path | None,
    as_json: Path | None,
    as_junit: Path | None,
    images: bool,
    **given: Any,
) -> ExitCode:
    """Write a contact sheet: every job, its image and its video, to look at.

    A page that opens by double-click, without a network: with cost, times, failures in plain
    words, and the commands that settle them. The videos are put beside it, as second names of
    the same files where the disk allows, so that the folder can be moved or sent whole.

    With --csv, --json or --junit, only those files are written, unless --to asks for the page
    too; `-` is standard output. Changes nothing else, and may be used while a run goes on.

    \b
    Examples:
      runner report catalog.yaml
      runner report catalog.yaml --to outputs/catalog/index.html
      runner report catalog.yaml --csv catalog.csv --junit results.xml
    """
    asked = Options(**given)
    batch = prepare(asked)
    told = _told(batch)
    with batch.view() as (view, spent):
        caller = batch.caller
        lines = list(view.lines)
    shown = cards(lines, caller, told, folder.missing(outputs(lines)))
    now = time.time()
    if as_csv:
        _export(as_csv, exports.as_csv(shown), batch)
    if as_json:
        _export(as_json, exports.as_json(batch.name, now, shown), batch)
    if as_junit:
        _export(as_junit, exports.as_junit(batch.name, shown), batch)
    if to is None and (as_csv or as_json or as_junit):
        return ExitCode.DONE
    place = folder.Place.at(to or Path("reports") / batch.name)
    place.check()
    whole = sheet(batch.name, shown, told, spent=spent, caller=caller, clock=_clock, made_at=now)
    pieces = page(whole, place.video, _clock, images=images)
    place.gather(whole.cards)
    folder.write(place.page, pieces)
    click.echo(f"{place.page}: {plural(len(whole.cards), 'job')}; open it in a browser")
    return ExitCode.DONE


def _told(batch: Batch) -> dict[int, Chronicle]:
    """What the event log says of each job."""
    ledger = Ledger.read(batch.state_file)
    if ledger is None:
        return {}
    try:
        return chronicles(
            (past.job, past.at, past.event, past.before, past.detail) for past in ledger.events()
        )
    finally:
        ledger.close()


def _export(target: Path, text: str, batch: Batch) -> None:
    """Write one export where it was asked for; never over what the batch needs."""
    if str(target) == "-":
        click.echo(text, nl=False)
        return
    if target.exists() and any(
        needed.exists() and target.samefile(needed)
        for needed in (batch.manifest.path, batch.state_file)
    ):
        raise ConfigurationError(f"{target}: would be overwritten, and the batch needs it")
    folder.write(target, [text])
    click.echo(f"wrote {target}", err=True)


def _clock(moment: float) -> datetime:
    return datetime.fromtimestamp(moment).astimezone()
