"""`runner check`: read a manifest and its catalog, say what is wrong; buy nothing."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from runner.batch import Batch, Options, prepare
from runner.commands import options
from runner.errors import ConfigurationError, ExitCode, Finding, ManifestError
from runner.manifest import Manifest, load

if TYPE_CHECKING:  # it brings an HTTP client
    from runner.commands.online import Online


@click.command()
@options.batch
@click.option("--json", "as_json", is_flag=True, help="Print the findings as one JSON object.")
@click.option(
    "--online",
    is_flag=True,
    help="Ask for each image, and whether the key is good: free of charge, before any task. "
    "The other options are for this.",
)
@click.option(
    "--key-file",
    type=options.PATH,
    metavar="FILE",
    help="Read the API key from a file instead of the environment.",
)
@click.pass_context
def check(
    context: click.Context, /, as_json: bool, online: bool, key_file: Path | None, **given: Any
) -> None:
    """Check a manifest and its catalog; with --online, its images and the key too.

    Nothing is bought, and without --online nothing is sent.

    Every mistake is named at once, with its file, line and column, what was expected and the
    nearest right name. Online, each image is asked for once, as the provider would: HEAD, then
    the first bytes, without the key and without following a redirect. An image that was well is
    not asked for again for a day. Exit code 2 for a mistake or an image that would be refused, 5
    for a key that is.

    \b
    Examples:
      runner check manifests/quickstart.yaml
      runner check manifests/catalog.yaml --json
      runner check manifests/catalog.yaml --online
    """
    asked = Options(**given)
    manifest = asked.manifest
    if not online and (key_file or asked.repeated):
        raise ConfigurationError(f"{(*asked.repeated, '--key-file')[0]} goes with --online")
    try:
        batch = prepare(asked) if online else None
        loaded = batch.manifest if batch else load(manifest)
    except ManifestError as error:
        if not as_json:
            raise
        click.echo(_report(manifest, None, error.findings))
        context.exit(ExitCode.USAGE)
    if not as_json:
        for warning in loaded.warnings:
            click.echo(f"warning: {warning}", err=True)
        click.echo(f"{manifest}: {_summary(loaded)}")
    found = _look(batch, key_file) if batch else None
    if as_json:
        click.echo(_report(manifest, loaded, (), found.as_json() if found else None))
    elif found:
        click.echo("\n".join(found.lines()))
    context.exit(found.code if found else ExitCode.DONE)


def _look(batch: Batch, key_file: Path | None) -> Online:
    from runner.commands.online import check_online  # noqa: PLC0415 - brings an HTTP client

    return check_online(batch, key_file)


def _summary(manifest: Manifest) -> str:
    """The counts in words: `8 jobs, 2 models; no mistakes, 1 warning`."""
    models = {entry.body["model"] for entry in manifest.entries}
    told = f"{_count(len(manifest.entries), 'job')}, {_count(len(models), 'model')}; no mistakes"
    warnings = len(manifest.warnings)
    return f"{told}, {_count(warnings, 'warning')}" if warnings else told


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def _report(
    path: Path,
    manifest: Manifest | None,
    mistakes: tuple[Finding, ...],
    online: dict[str, object] | None = None,
) -> str:
    """The JSON object that --json prints."""
    entries = manifest.entries if manifest else ()
    report: dict[str, object] = {
        "manifest": str(path),
        "ok": not mistakes,
        "jobs": len(entries),
        "models": dict(Counter(str(entry.body["model"]) for entry in entries)),
        "mistakes": [asdict(finding) for finding in mistakes],
        "warnings": [asdict(finding) for finding in manifest.warnings] if manifest else [],
    }
    if online is not None:
        report["online"] = online
    return json.dumps(report, indent=2, ensure_ascii=False)
