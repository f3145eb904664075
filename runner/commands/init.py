"""`runner init`: write a first manifest."""

from __future__ import annotations

import os
import re
from pathlib import Path

import click

from runner.errors import ConfigurationError
from runner.manifest import load
from runner.manifest.draft import Sample, draft, sample
from runner.manifest.fields import PROVIDERS, TOP
from runner.manifest.schema import FILE_NAME, schema_text
from runner.manifest.values import shown

_FOLDER = Path("manifests")
_DEFAULT_NAME = "batch"


@click.command()
@click.argument("source", required=False, type=click.Path(path_type=Path))
@click.option("-o", "--output", "target", type=click.Path(path_type=Path), help="File to write.")
@click.option("--force", is_flag=True, help="Overwrite the file if it is there.")
@click.option(
    "--provider",
    type=click.Choice(PROVIDERS),
    default=TOP["provider"].default,
    show_default=True,
    help="Who renders.",
)
def init(source: Path | None, target: Path | None, force: bool, provider: str) -> None:
    """Write a commented manifest to begin with.

    SOURCE may be a table (.csv, .tsv, .jsonl), whose columns are matched to the fields of a job,
    or a text file with one image address a line. Without it, the manifest has one example job.

    The file is manifests/NAME.yaml, or NAME.yaml where there is no folder of that name. The JSON
    Schema for editors is put beside it. The whole manifest is then checked, as `runner check` does;
    mistakes in the table are told at once (exit code 2), and the file stays to be worked on.

    \b
    Examples:
      runner init
      runner init products.csv
      runner init urls.txt -o manifests/spring.yaml --provider sandbox
    """
    seen = sample(source, provider) if source else Sample()
    stem = (target or source or Path(_DEFAULT_NAME)).stem
    name = re.sub(r"[^\w.+-]+", "-", stem).strip("-._+")[:60] or _DEFAULT_NAME
    path = target or (_FOLDER if _FOLDER.is_dir() else Path()) / f"{name}.yaml"
    table = Path(os.path.relpath(source, path.parent)).as_posix() if source else ""
    _write(path, draft(name, provider, table, seen), force)
    click.echo(f"wrote {path}")
    beside = path.parent / FILE_NAME
    if not beside.exists():
        _write(beside, schema_text(), force=False)
        click.echo(f"wrote {beside}")
    if seen.columns:
        pairs = (f"{field} from {shown(column)}" for field, column in seen.columns.items())
        click.echo(f"columns: {', '.join(pairs)}")
    for note in seen.notes:
        click.echo(f"note: {note}")
    jobs = len(load(path).entries)
    click.echo(f"{path}: {jobs:,} job{'s' * (jobs != 1)}; no mistakes")
    click.echo(f"Next: edit it, then `runner check {path}` and `runner run {path}`.")


def _write(path: Path, text: str, force: bool) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("w" if force else "x", encoding="utf-8") as stream:
            stream.write(text)
    except FileExistsError:
        raise ConfigurationError(f"{path} is already there (--force overwrites it)") from None
    except OSError as error:
        raise ConfigurationError(f"{path} can't be written: {error.strerror}") from None
