"""`runner schema`: the JSON Schema of manifests."""

from __future__ import annotations

import click

from runner.manifest.schema import schema_text


@click.command()
def schema() -> None:
    """Print the JSON Schema of manifests.

    A manifest names it in its first line, so that an editor completes and checks it:

    \b
      # yaml-language-server: $schema=manifest.schema.json

    \b
    Example:
      runner schema > manifests/manifest.schema.json
    """
    click.echo(schema_text(), nl=False)
