"""`runner check`: read a manifest and its catalog, say what is wrong; send nothing."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import asdict
from pathlib import Path

import click

from runner.errors import ExitCode, Finding, ManifestError
from runner.manifest import Manifest, load


@click.command()
@click.argument("manifest", type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="Print the findings as one JSON object.")
@click.pass_context
def check(context: click.Context, manifest: Path, as_json: bool) -> None:
    """Check a manifest and its catalog.

    Nothing is sent.

    Every mistake is named at once, with its file, line and column, what was expected and the
    nearest right name.

    \b
    Examples:
      runner check manifests/quickstart.yaml
      runner check manifests/catalog.yaml --json
    """
    try:
        loaded = load(manifest)
    except ManifestError as error:
        if not as_json:
            raise
        click.echo(_report(manifest, None, error.findings))
        context.exit(ExitCode.USAGE)
    if as_json:
        click.echo(_report(manifest, loaded, ()))
        return
    for warning in loaded.warnings:
        click.echo(f"warning: {warning}", err=True)
    click.echo(f"{manifest}: {_summary(loaded)}")


def _summary(manifest: Manifest) -> str:
    """The counts in words: `8 jobs, 2 models; no mistakes, 1 warning`."""
    models = {entry.body["model"] for entry in manifest.entries}
    told = f"{_count(len(manifest.entries), 'job')}, {_count(len(models), 'model')}; no mistakes"
    warnings = len(manifest.warnings)
    return f"{told}, {_count(warnings, 'warning')}" if warnings else told


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def _report(path: Path, manifest: Manifest | None, mistakes: tuple[Finding, ...]) -> str:
    """The JSON object that --json prints."""
    entries = manifest.entries if manifest else ()
    report = {
        "manifest": str(path),
        "ok": not mistakes,
        "jobs": len(entries),
        "models": dict(Counter(str(entry.body["model"]) for entry in entries)),
        "mistakes": [asdict(finding) for finding in mistakes],
        "warnings": [asdict(finding) for finding in manifest.warnings] if manifest else [],
    }
    return json.dumps(report, indent=2, ensure_ascii=False)
